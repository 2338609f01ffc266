"""One object, one simulator, one model: prompts, masks and how long it took.

Nothing but the simulator sees the truth: the model gets its prompts, and the caller the mask to be judged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anytomy.core.errors import ModelError
from anytomy.engine.model import ProposingModel
from anytomy.evaluation.simulators.simulator import Truth, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prompt import Prompt
    from anytomy.engine.frame import PlanePrompt
    from anytomy.engine.model import Decoded, Embedding, LoadedModel, PromptableModel, Proposals
    from anytomy.evaluation.simulators.simulator import Simulator
    from anytomy.zoo.card import ModelCard

_AT = 1024  # Shifts of boxes are counted in pixels of a picture of this size, as in the papers.


class Stopwatch:
    """A model that remembers what an encoding costs, so that cached ones can be charged as well.

    Args:
        model: What answers; its `encodings` tell whether an embedding came from its cache.
    """

    def __init__(self, model: PromptableModel) -> None:
        self.model = model
        self.cache = getattr(model, "cache", None)
        self.saved = 0.0
        self._cost: dict[int, float] = {}

    @property
    def card(self) -> ModelCard:
        """See `PromptableModel`."""
        return self.model.card

    @property
    def encodings(self) -> int:
        """How many pictures were really encoded."""
        return int(getattr(self.model, "encodings", 0))

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """See `PromptableModel`."""
        before, started = self.encodings, time.perf_counter()
        embedding = self.model.encode(picture)
        key = hash((picture.shape, picture.tobytes()))
        if self.encodings > before:
            self._cost[key] = time.perf_counter() - started
        else:
            self.saved += self._cost.get(key, 0.0)
        return embedding

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        """See `PromptableModel`."""
        return self.model.decode(embedding, prompt)

    def classify(self, embedding: Embedding) -> NDArray[np.float32]:
        """See `LoadedModel`; of a model without prompts."""
        return cast("LoadedModel", self.model).classify(embedding)

    def classify_slices(self, slices: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """See `LoadedModel`; a student encodes nothing that could be charged."""
        if self.card.student is not None:
            return cast("LoadedModel", self.model).classify_slices(slices)
        return (self.classify(self.encode(slices[index])) for index in range(len(slices)))

    @property
    def batch(self) -> int:
        """See `ProposingModel`; 1 for models that are none."""
        return int(getattr(self.model, "batch", 1))

    def propose(self, embedding: Embedding, points: NDArray[np.float64]) -> Proposals:
        """See `ProposingModel`.

        Raises:
            ModelError: If the model is none.
        """
        if not isinstance(self.model, ProposingModel):
            raise ModelError(f"{self.card.title} cannot be asked about many points at once")
        return self.model.propose(embedding, points)


@dataclass(frozen=True, eq=False)
class Setting:
    """How to segment: the options of `segment` that a benchmark varies."""

    zoom: str = "off"
    intensity: str = "auto"
    axis: str = "z"
    volume: str = "auto"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a simulator got out of a model for one object.

    Attributes:
        found: What is judged: `(y, x)` of a picture or of the judged slice, else `(z, y, x)`.
        truth: The truth on the same pixels.
        slice: The judged slice along the axis; None in a picture and for whole volumes.
        rounds: What was judged after each round of prompts, the last one being `found`.
        prompts: Those of the last round.
        score: The model's own confidence; the mean over prompts.
        seconds: Wall time as if the object had been alone: encodings that came from the cache count.
        shift: Mean distance of the box's sides from the tight ones, in pixels at 1024; None without a box.
        grey: The fitted intensity policy.
        intensity: Its text.
    """

    found: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    slice: int | None
    rounds: tuple[NDArray[np.bool_], ...]
    prompts: tuple[Prompt, ...]
    score: float
    seconds: float
    shift: float | None
    grey: GreyScale
    intensity: str


def run_trial(
    watch: Stopwatch,
    image: Image,
    truth: Truth,
    simulator: Simulator,
    rng: np.random.Generator,
    setting: Setting,
    *,
    grey: GreyScale | None = None,
) -> Outcome | None:
    """Prompt a model for one object as a simulator says.

    Args:
        watch: The model.
        image: The image.
        truth: The object; only the simulator sees it.
        simulator: Who prompts.
        rng: Its randomness.
        setting: How to segment.
        grey: The fitted intensity policy of an earlier outcome on the same image and model.

    Returns:
        None if the simulator has nothing to say (an empty object).
    """
    from anytomy.predict.segment import segment

    prompts = simulator.start(truth, rng)
    if not prompts:
        return None
    feed_mask = "mask" in watch.card.prompts
    rounds: list[NDArray[np.bool_]] = []
    slice_ = prompts[0].slice if truth.is_volume and simulator.scope == "slice" else None
    started, watch.saved = time.perf_counter(), 0.0
    simulating = 0.0
    while True:
        numbered = [replace(p, id=None) for p in prompts]
        result = segment(watch, image, numbered, grey=grey, **vars(setting))
        grey = result.grey
        found = _united(result.masks)
        judged = cut(truth, found, slice_)
        rounds.append(judged)
        since = time.perf_counter()
        following = simulator.correct(truth, found, prompts, rng, feed_mask=feed_mask)
        simulating += time.perf_counter() - since
        if following is None:
            break
        prompts = following
    return Outcome(
        found=rounds[-1],
        truth=cut(truth, truth.mask, slice_),
        slice=slice_,
        rounds=tuple(rounds),
        prompts=prompts,
        score=float(np.mean(result.scores)),
        seconds=time.perf_counter() - started - simulating + watch.saved,
        shift=_shift(prompts, cut(truth, truth.mask, slice_)),
        grey=result.grey,
        intensity=result.intensity.policy.text,
    )


def _united(masks: Any) -> NDArray[np.bool_]:
    whole: NDArray[np.bool_] = masks[0]
    for mask in masks[1:] if len(masks) > 1 else ():
        whole = whole | mask
    return whole


def _shift(prompts: tuple[Prompt, ...], truth: NDArray[np.bool_]) -> float | None:
    """How far a flat box is from the tight one."""
    box = prompts[0].box
    if len(prompts) != 1 or box is None or len(box) != 4 or truth.ndim != 2 or not truth.any():
        return None
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return float(np.mean(np.abs(np.subtract(box, tight))) * _AT / max(truth.shape))
