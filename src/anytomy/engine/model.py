"""A model that is ready to run: picture in, embedding out; embedding and prompt in, logits out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np

from anytomy.core.errors import OptionError, PromptError, UnsupportedPromptError
from anytomy.engine.cache import EmbeddingCache, content_key
from anytomy.engine.frame import Frame, PlanePrompt, check_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.engine.protocol import Engine
    from anytomy.zoo.card import ModelCard

ENGINES = ("auto", "openvino", "onnxruntime", "torch")
PRECISIONS = ("f32", "bf16")
MOST_THREADS = 1024
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the encoder made of one picture.

    Attributes:
        array: `(1, channels, grid, grid)`, float32.
        frame: How the picture lies in the model's input.
    """

    array: NDArray[np.float32]
    frame: Frame


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder answers to one prompt.

    Attributes:
        logits: `(y, x)` on the picture's own pixels; above 0 is inside.
        score: The model's own predicted IoU. It ranks; it is not an expected accuracy.
    """

    logits: NDArray[np.float32]
    score: float


@runtime_checkable
class PromptableModel(Protocol):
    """What prediction, volumes and evaluation need of a model.

    - `encode` takes uint8 `(y, x)` or `(y, x, 3)`, in the canonical view, after the intensity policy.
    - `decode` takes a prompt in that picture's pixels and refuses kinds that the card does not name.
    - Both are deterministic.
    """

    @property
    def card(self) -> ModelCard:
        """What the model is and was trained with."""
        ...

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """The embedding of one picture."""
        ...

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        """Logits of one object."""
        ...


class LoadedModel:
    """A `PromptableModel` of the SAM family: a card and an engine.

    Args:
        card: The model card.
        engine: What runs the weights.
        weights_sha256: Hash of the weights, for manifests and cache keys.
        cache: Where embeddings are kept.
    """

    def __init__(
        self,
        card: ModelCard,
        engine: Engine,
        *,
        weights_sha256: str = "",
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.card = card
        self.engine = engine
        self.weights_sha256 = weights_sha256
        self.cache = cache or EmbeddingCache()
        self.encodings = 0

    @classmethod
    def open(
        cls,
        card: ModelCard,
        *,
        engine: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        precision: str = "f32",
        cache: EmbeddingCache | None = None,
    ) -> Self:
        """The model of a card: weights fetched, graphs built, engine opened.

        Args:
            card: The model card.
            engine: `auto` (exported graphs on a CPU, torch on a GPU), `openvino`, `onnxruntime`, `torch`.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            threads: CPU threads; the cores that the process may use where None.
            precision: `f32`; `bf16` is faster on some CPUs, but its results differ from CPU to CPU.
            cache: Embedding cache; 256 MiB in memory where None.

        Raises:
            OptionError: If there is no such engine, device or precision.
            ModelError: If weights or graphs do not fit.
            FetchError: If the weights cannot be had.
        """
        from anytomy.engine.opening import open_engine

        check_runtime(engine=engine, device=device, threads=threads, precision=precision)
        opened, sha256 = open_engine(card, engine=engine, device=device, threads=threads, precision=precision)
        return cls(card, opened, weights_sha256=sha256, cache=cache)

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """The embedding of a picture; from the cache if it was encoded before.

        Args:
            picture: Grey `(y, x)` or colour `(y, x, 3)`, uint8.

        Raises:
            ImageReadError: If it is not such a picture.
        """
        check_picture(picture)
        card = self.card
        frame = Frame.of((picture.shape[0], picture.shape[1]), card.input_size, card.preprocess)
        # An added card can be changed under its id; what it says of the input counts as well.
        fed = f"{card.architecture} {card.input_size} {card.preprocess}"
        key = content_key(picture, self.weights_sha256, card.id, fed, self.engine.precision)
        array = self.cache.get(key)
        if array is None:
            array = self.engine.encode(frame.pixels(picture, card.preprocess))
            self.encodings += 1
            self.cache.put(key, array)
        return Embedding(array, frame)

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        """Logits of one object on the picture's pixels.

        Of a model with several masks for one prompt (`mask_output = "best-of-three"`) a single point takes
        the one that the model scores highest; a prompt that leaves no doubt takes the single mask, as SAM's
        authors advise.

        Raises:
            UnsupportedPromptError: If the model never learned this kind of prompt.
        """
        check_prompt_kinds(self.card, prompt.kinds)
        coords, labels = embedding.frame.tokens(prompt)
        mask = None
        if prompt.mask is not None:
            mask = embedding.frame.mask_input(prompt.mask, 4 * embedding.array.shape[-1])
        logits, scores = self.engine.decode(embedding.array, coords, labels, mask)
        token = 0
        ambiguous = len(prompt.points) == 1 and prompt.kinds == ("points",)
        if self.card.mask_output == "best-of-three" and ambiguous:
            token = 1 + int(np.argmax(scores[1:]))
        return Decoded(embedding.frame.logits(logits[token]), float(scores[token]))


def check_runtime(*, engine: str, device: str, threads: int | None, precision: str) -> None:
    """Refuse settings that work on no machine; what this one lacks is found when the engine opens.

    Raises:
        OptionError: With the values that there are.
    """
    if engine not in ENGINES:
        raise OptionError(f"expected an engine of {', '.join(ENGINES)}, got {engine!r}")
    if not _DEVICE.fullmatch(device):
        raise OptionError(f"expected a device of auto, cpu, cuda, cuda:N or mps, got {device!r}")
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise OptionError(f"expected 1 to {MOST_THREADS} threads, got {threads}")
    if precision not in PRECISIONS:
        raise OptionError(f"expected a precision of {' or '.join(PRECISIONS)}, got {precision!r}")


def check_prompt_kinds(card: ModelCard, kinds: Sequence[str], what: str = "the prompt") -> None:
    """Refuse prompts that the model never learned: it would answer with rubbish.

    Raises:
        UnsupportedPromptError: With the reason and the way out.
        PromptError: If there is nothing in the prompt.
    """
    if not kinds:
        raise PromptError(f"{what} is empty", hint="give a box, points or a mask")
    unknown = [kind for kind in kinds if kind not in card.prompts]
    if not unknown:
        return
    learned = " and ".join({"box": "boxes", "points": "points", "mask": "masks"}[p] for p in card.prompts)
    instead = "give a box around the object instead" if "box" in card.prompts else f"give {learned} instead"
    if "box" in kinds and "box" in card.prompts:
        instead = f"leave the {' and the '.join(unknown)} out"
    raise UnsupportedPromptError(
        f"{what} has {' and '.join({'box': 'a box', 'mask': 'a mask'}.get(k, k) for k in unknown)}, but "
        f"{card.title} was trained on {learned} only and answers others with rubbish",
        hint=f"{instead}, or choose a --model that learned them (anytomy models list)",
    )
