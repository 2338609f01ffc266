"""Prompts in the loop: boxes with jitter, points, and clicks that answer the mask of the round before.

First prompts are drawn on the picture's own pixels and go the way of real ones (`Frame.tokens`). Corrective
clicks follow the error at the resolution of the decoder's masks.

Sources: MedSAM (boxes, jitter of 0 to 20 pixels at 1024), SAM (arXiv 2304.02643, appendix A: points from the
error, the mask fed back), RITM (arXiv 2102.06583: the middle of the largest error).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.engine.frame import PlanePrompt
from anytomy.evaluation.simulators.boxes import JitteredBox, tight_box
from anytomy.evaluation.simulators.regions import Region
from anytomy.evaluation.simulators.simulator import Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from anytomy.engine.frame import Frame
    from anytomy.tuning.config import TuneConfig
    from anytomy.zoo.card import ModelCard

PAD = -1.0
_MOST_POINTS = 3
# A person who corrects clicks into the middle of what is wrong, but not exactly.
_DEEPEST = 0.5


@dataclass(frozen=True, eq=False)
class Tokens:
    """Prompt tokens of one object.

    Attributes:
        coords: `(n, 2)`, x and y in pixels of the model's input.
        labels: `(n,)`, as SAM's prompt encoder reads them.
    """

    coords: NDArray[np.float32]
    labels: NDArray[np.float32]

    def with_click(self, x: float, y: float, label: int) -> Tokens:
        """One more click; the padding point of a prompt without a box stays last."""
        at = len(self.labels) - 1 if self.labels[-1] == PAD else 0
        return Tokens(
            np.insert(self.coords, at, [x, y], axis=0).astype(np.float32),
            np.insert(self.labels, at, label).astype(np.float32),
        )


def prompt_mix(config: TuneConfig, card: ModelCard) -> dict[str, float]:
    """Kinds of prompts and their shares: the recipe's, else what the base has learned.

    What routes leave to the base is not trained.

    Example:
        A model of boxes gets boxes; one of boxes and points gets half boxes, half clicks.
    """
    mix = {kind: weight for kind, weight in config.prompts.items() if weight > 0}
    if not mix:
        mix = {"box": 1.0} if "box" in card.prompts else {}
        if "points" in card.prompts:
            mix["clicks"] = 1.0
    mix = {kind: weight for kind, weight in mix.items() if _is_trained(kind, config)}
    total = sum(mix.values())
    return {kind: weight / total for kind, weight in mix.items()}


def _is_trained(kind: str, config: TuneConfig) -> bool:
    """Whether a round of it is not left to the base."""
    first = "box" if kind.startswith("box") else "points"
    goes_on = config.feed_mask or "points" not in config.routes
    return first not in config.routes or (rounds_of(kind, config) > 1 and goes_on)


def learned_kinds(mix: Mapping[str, float], config: TuneConfig) -> tuple[str, ...]:
    """What the card of a model says that was tuned with a mix: `box`, `points`, `mask`; routes count."""
    kinds = []
    if any(kind.startswith("box") for kind in (*mix, *config.routes)):
        kinds.append("box")
    if any(kind != "box" for kind in mix) or "points" in config.routes:
        kinds.append("points")
    if config.feed_mask and rounds_of("clicks", config) > 1 and any("clicks" in kind for kind in mix):
        kinds.append("mask")
    return tuple(kinds)


def rounds_of(kind: str, config: TuneConfig) -> int:
    """How often an object is prompted in one step."""
    return config.rounds if "clicks" in kind else 1


def draw_kind(mix: Mapping[str, float], rng: np.random.Generator) -> str:
    """One kind of prompt by its share."""
    return str(rng.choice(list(mix), p=list(mix.values())))


def first_prompt(kind: str, mask: NDArray[np.bool_], jitter: int, rng: np.random.Generator) -> PlanePrompt:
    """The first prompt for an object.

    Args:
        kind: Of `PROMPT_KINDS`.
        mask: The object `(y, x)`, not empty.
        jitter: Most pixels at 1024 that each side of a box moves outwards.
        rng: Its randomness.
    """
    region = Region.of(mask)
    assert region is not None
    if kind.startswith("box"):
        if not jitter:
            return PlanePrompt(box=tight_box(mask))  # type: ignore[arg-type]
        moved = JitteredBox(name="", budget="", source="", low=0, high=jitter)
        (prompt,) = moved.start(Truth(mask, False), rng)
        return PlanePrompt(box=prompt.box)  # type: ignore[arg-type]
    if kind == "clicks":
        # Where a person would click, or anywhere: a model must bear both.
        if rng.random() < _DEEPEST:
            return _points([region.deepest()])
        return _points([_anywhere(mask, rng)])
    count = 1 + int(rng.integers(_MOST_POINTS))
    return _points([_anywhere(mask, rng) for _ in range(count)])


def first_tokens(prompt: PlanePrompt, frame: Frame) -> Tokens:
    """A prompt as the model reads it."""
    coords, labels = frame.tokens(prompt)
    return Tokens(coords[0], labels[0])


def correction(
    tokens: Tokens,
    found: NDArray[np.bool_],
    target: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    frame: Frame,
) -> Tokens:
    """The prompt with a click into what is wrong in the picture; as it is where nothing is.

    Half of the clicks go to the deepest point of the largest error, the others anywhere in the error.

    Args:
        tokens: Of the round before.
        found: Mask `(side, side)` of the round before.
        target: The object on the same pixels.
        rng: Its randomness.
        frame: How the picture lies in the model's input.
    """
    rows, columns = frame.inner(target.shape[0])
    wrong = found[:rows, :columns] ^ target[:rows, :columns]  # nobody can click into the padding
    region = Region.of(wrong)
    deepest = rng.random() < _DEEPEST
    if region is None:
        return tokens
    row, column = region.parts(1)[0].deepest() if deepest else _anywhere(wrong, rng)
    scale = frame.size / target.shape[0]
    x, y = ((place + 0.5) * scale - 0.5 for place in (column, row))
    return tokens.with_click(x, y, int(target[row, column]))


def stacked(prompts: list[Tokens]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Prompts of a batch, filled up with padding points: `(B, n, 2)` and `(B, n)`."""
    most = max(len(each.labels) for each in prompts)
    coords = np.zeros((len(prompts), most, 2), dtype=np.float32)
    labels = np.full((len(prompts), most), PAD, dtype=np.float32)
    for row, each in enumerate(prompts):
        coords[row, : len(each.labels)] = each.coords
        labels[row, : len(each.labels)] = each.labels
    return coords, labels


def _points(indices: list[tuple[int, ...]]) -> PlanePrompt:
    return PlanePrompt(points=tuple((float(column), float(row)) for row, column in indices))


def _anywhere(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
    inside = np.flatnonzero(mask)
    row, column = np.unravel_index(int(inside[int(rng.integers(inside.size))]), mask.shape)
    return int(row), int(column)
