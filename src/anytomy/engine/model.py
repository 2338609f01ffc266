"""A model that is ready to run: picture in, embedding out; embedding and prompt in, logits out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, cast, runtime_checkable

import numpy as np

from anytomy.core.errors import OptionError, PromptError, UnsupportedPromptError
from anytomy.engine.cache import EmbeddingCache, content_key
from anytomy.engine.frame import Frame, PlanePrompt, check_picture
from anytomy.engine.protocol import BatchEngine, Interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.engine.answers import AnswerCache
    from anytomy.engine.protocol import Engine, SemanticEngine
    from anytomy.engine.student_engine import StudentEngine
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
        key: Hash of all that made it; empty where nobody asks.
    """

    array: NDArray[np.float32]
    frame: Frame
    key: str = ""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder answers to one prompt.

    Attributes:
        logits: `(y, x)` on the picture's own pixels; above 0 is inside.
        score: The model's own predicted IoU. It ranks; it is not an expected accuracy.
    """

    logits: NDArray[np.float32]
    score: float


@dataclass(frozen=True, eq=False)
class Proposals:
    """What the decoder answers to single points, at its own resolution.

    Attributes:
        logits: `(points, masks, m, m)`: the three masks of a `best-of-three` model, else one.
        scores: The model's own predicted IoU `(points, masks)`.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]


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


@runtime_checkable
class ProposingModel(PromptableModel, Protocol):
    """A `PromptableModel` that can be asked about many points of a picture at once, for automatic masks."""

    @property
    def batch(self) -> int:
        """How many points at once pay off."""
        ...

    def propose(self, embedding: Embedding, points: NDArray[np.float64]) -> Proposals:
        """All masks for each of the points `(n, 2)`, x and y in the picture's pixels, each a prompt alone."""
        ...


class Pictures(Protocol):
    """Pictures as `encode` takes them, one after the other: a list, or the slices of a volume."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]: ...


class LoadedModel:
    """A `ProposingModel` of the SAM family: a card and an engine.

    Args:
        card: The model card.
        engine: What runs the weights; a `SemanticEngine` where the card has classes, and a `StudentEngine` of
            a student.
        weights_sha256: Hash of the weights, for manifests and cache keys.
        encoder_sha256: Hash of those that decide an embedding; all of them where not given. An adapter that
            leaves the image encoder alone shares the embeddings of its base.
        cache: Where embeddings are kept.
        answers: Where answers are kept, for work that asks the same again and again; nowhere by default.
    """

    def __init__(
        self,
        card: ModelCard,
        engine: Engine | SemanticEngine | StudentEngine,
        *,
        weights_sha256: str = "",
        encoder_sha256: str | None = None,
        cache: EmbeddingCache | None = None,
        answers: AnswerCache | None = None,
    ) -> None:
        self.card = card
        self.engine = engine
        self.weights_sha256 = weights_sha256
        self.encoder_sha256 = encoder_sha256 or weights_sha256
        self.cache = cache or EmbeddingCache()
        self.answers = answers
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
        answers: AnswerCache | None = None,
    ) -> Self:
        """The model of a card: weights fetched, graphs built, engine opened.

        Args:
            card: The model card.
            engine: `auto` (exported graphs on a CPU, torch on a GPU), `openvino`, `onnxruntime`, `torch`.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            threads: CPU threads; the cores that the process may use where None.
            precision: `f32`; `bf16` is faster on some CPUs, but its results differ from CPU to CPU.
            cache: Embedding cache; 256 MiB in memory where None.
            answers: Keep answers too; see `AnswerCache`.

        Raises:
            OptionError: If there is no such engine, device or precision.
            ModelError: If weights or graphs do not fit.
            FetchError: If the weights cannot be had.
        """
        from anytomy.engine.opening import open_engine

        check_runtime(engine=engine, device=device, threads=threads, precision=precision)
        opened = open_engine(card, engine=engine, device=device, threads=threads, precision=precision)
        return cls(
            card,
            opened.engine,
            weights_sha256=opened.sha256,
            encoder_sha256=opened.encoder_sha256,
            cache=cache,
            answers=answers,
        )

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """The embedding of a picture; from the cache if it was encoded before.

        Args:
            picture: Grey `(y, x)` or colour `(y, x, 3)`, uint8.

        Raises:
            ImageReadError: If it is not such a picture.
        """
        check_picture(picture)
        card, key = self.card, self.key(picture)
        frame = Frame.of((picture.shape[0], picture.shape[1]), card.input_size, card.preprocess)
        array = self.cache.get(key)
        if array is None:
            array = cast("Engine", self.engine).encode(frame.pixels(picture, card.preprocess))
            self.encodings += 1
            self.cache.put(key, array)
        return Embedding(array, frame, key)

    def key(self, picture: NDArray[np.uint8]) -> str:
        """Under what the cache has the embedding of a picture."""
        card = self.card
        # An added card can be changed under its id; what it says of the input counts as well.
        fed = f"{card.architecture} {card.input_size} {card.preprocess}"
        whose = card.id if self.encoder_sha256 == self.weights_sha256 else card.base_id
        return content_key(picture, self.encoder_sha256, whose, fed, self.engine.precision)

    def interrupt(self) -> None:
        """Have an encoding in another thread raise `EncodingInterruptedError`, where the engine can."""
        if isinstance(self.engine, Interruptible):
            self.engine.interrupt()

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
        ambiguous = len(prompt.points) == 1 and prompt.kinds == ("points",)
        logits, score = self._answer(embedding, coords, labels, mask, ambiguous=ambiguous)
        return Decoded(embedding.frame.logits(logits), score)

    def _answer(
        self,
        embedding: Embedding,
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask: NDArray[np.float32] | None,
        *,
        ambiguous: bool,
    ) -> tuple[NDArray[np.float32], float]:
        """The selected mask's logits `(m, m)` and score, from memory where they were asked for before."""
        key = ""
        if self.answers is not None and embedding.key:
            said = np.concatenate([coords.ravel(), labels.ravel(), *([] if mask is None else [mask.ravel()])])
            key = content_key(said, embedding.key, self.weights_sha256, self.card.id)
            known = self.answers.get(key)
            if known is not None:
                return known
        logits, scores = cast("Engine", self.engine).decode(embedding.array, coords, labels, mask)
        token = 0
        if self.card.mask_output == "best-of-three" and ambiguous:
            token = 1 + int(np.argmax(scores[1:]))
        answer = logits[token], float(scores[token])
        if self.answers is not None and key:
            self.answers.put(key, answer[0].copy(), answer[1])
        return answer

    def classify_slices(self, slices: Pictures) -> Iterator[NDArray[np.float32]]:
        """`classify` for one picture after the other."""
        return (self.classify(self.encode(slices[index])) for index in range(len(slices)))

    def classify(self, embedding: Embedding) -> NDArray[np.float32]:
        """Logits `(classes + 1, y, x)` on the picture's pixels of a model without prompts.

        Channel 0 is the background; the class of a pixel is the channel of the largest logit.

        Raises:
            UnsupportedPromptError: If the model wants prompts.
        """
        if not self.card.classes:
            raise UnsupportedPromptError(f"{self.card.title} finds nothing without prompts")
        logits = cast("SemanticEngine", self.engine).classify(embedding.array)
        return np.stack([embedding.frame.logits(channel) for channel in logits])

    @property
    def batch(self) -> int:
        """See `ProposingModel`."""
        return self.engine.batch if isinstance(self.engine, BatchEngine) else 1

    def propose(self, embedding: Embedding, points: NDArray[np.float64]) -> Proposals:
        """See `ProposingModel`.

        Raises:
            UnsupportedPromptError: If the model never learned points.
        """
        check_prompt_kinds(self.card, ("points",), "a point")
        tokens = [embedding.frame.tokens(PlanePrompt(points=((float(x), float(y)),))) for x, y in points]
        coords, labels = (np.concatenate(arrays) for arrays in zip(*tokens, strict=True))
        if isinstance(self.engine, BatchEngine):
            logits, scores = self.engine.decode_many(embedding.array, coords, labels)
        else:
            answers = [
                cast("Engine", self.engine).decode(embedding.array, c[None], k[None], None)
                for c, k in zip(coords, labels, strict=True)
            ]
            logits, scores = (np.stack(arrays) for arrays in zip(*answers, strict=True))
        masks = slice(1, None) if self.card.mask_output == "best-of-three" else slice(0, 1)
        return Proposals(logits[:, masks], scores[:, masks])


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
    if card.classes:
        raise UnsupportedPromptError(
            f"{what} is given, but {card.title} takes no prompts: it finds {', '.join(card.classes)}",
            hint="leave the prompts out, or choose a --model that takes them (anytomy models list)",
        )
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
