"""From draws to tensors: `Batch`, made by `Batches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from anytomy.engine.frame import Frame
from anytomy.engine.resample import resize_area
from anytomy.evaluation.simulators import seeded
from anytomy.tuning.augment import IDENTITY
from anytomy.tuning.prompts import Tokens, draw_kind, first_prompt, first_tokens
from anytomy.tuning.samples import class_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.tuning.augment import Variation
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.embeddings import EmbeddingBank
    from anytomy.tuning.sampler import Draw, Sampler
    from anytomy.tuning.samples import Sample, Samples
    from anytomy.zoo.card import ModelCard


class LossBatch(Protocol):
    """What `Loop` needs of a batch: a task makes a loss of it."""

    names: list[str]
    """Of the samples, for messages."""

    def to(self, device: torch.device) -> Self:
        """The tensors on a device."""
        ...


class BatchMaker(Protocol):
    """What `Loop` draws batches from; the same step gives the same batch, whatever was before."""

    def batch(self, step: int, items: Sequence[int]) -> LossBatch:
        """The samples at some places of a step's batch."""
        ...


@dataclass(eq=False)
class Batch:
    """Samples of a step.

    Attributes:
        image: Embeddings `(B, C, grid, grid)`, or inputs `(B, 3, S, S)` where the encoder is trained.
        target: Classes `(B, side, side)`, or objects `(B, 1, side, side)`, at the resolution of masks.
        names: Of the samples, for messages.
        kind: Kind of prompt of all of them; "" in semantic mode.
        prompts: First prompt of each.
        frames: How each one's picture lies in the model's input.
        seeds: Names of each one's generator, for the prompts that follow.
    """

    image: Tensor
    target: Tensor
    names: list[str]
    kind: str = ""
    prompts: list[Tokens] | None = None
    frames: list[Frame] | None = None
    seeds: list[tuple[int, *tuple[str | int, ...]]] | None = None

    def to(self, device: torch.device) -> Self:
        """The tensors on a device."""
        self.image, self.target = self.image.to(device), self.target.to(device)
        return self


class Batches:
    """Makes batches; the same step gives the same batch, whatever was before.

    Args:
        samples: Pictures and labels.
        sampler: What is drawn.
        config: Prompts, classes, seed.
        card: Of the base.
        side: Edge of the decoder's masks.
        mix: Kinds of prompts and their shares.
        bank: Embeddings of a frozen encoder; None where the encoder is trained.
    """

    def __init__(
        self,
        samples: Samples,
        sampler: Sampler,
        config: TuneConfig,
        card: ModelCard,
        *,
        side: int,
        mix: Mapping[str, float],
        bank: EmbeddingBank | None,
    ) -> None:
        self._samples, self._sampler, self._config, self._card = samples, sampler, config, card
        self._side, self._mix, self._bank = side, mix, bank

    def batch(self, step: int, items: Sequence[int], kind: str = "") -> Batch:
        """The samples at some places of a step's batch; with a kind of prompt, or the one that is drawn."""
        draws = [self._sampler.draw(step, item) for item in items]
        if not self._config.is_semantic and not kind:
            # One kind for all, so that they go through the decoder together.
            kind = draw_kind(self._mix, seeded(self._config.seed, "kind", step))
        return collated([self._one(draw, kind) for draw in draws], kind)

    def fixed(self, sample: Sample) -> Batch:
        """A sample as it is, without prompt and target: what validation looks at."""
        picture = self._samples.picture(sample)
        return Batch(torch.from_numpy(self._image(picture)[None]), torch.zeros(0), [sample.name])

    def _one(self, draw: Draw, kind: str) -> dict[str, Any]:
        picture = self._samples.picture(draw.sample)
        labels = self._samples.labels(draw.sample)
        made: dict[str, Any] = {"name": draw.sample.name, "seed": draw.seed}
        if self._config.is_semantic:
            classes = draw.variation.labels(class_map(labels))
            count = len(self._samples.classes)
            made["target"] = low_classes(classes, self._frame(classes), self._side, count)
            return {**made, "image": self._image(draw.variation.picture(picture))}
        rng = seeded(*draw.seed, "prompt")
        plane = labels[self._samples.classes.index(draw.structure)]
        mask, variation = self._object(plane, draw.variation, rng)
        frame = self._frame(mask)
        prompt = first_prompt(kind, mask, self._config.jitter, rng)
        made |= {"tokens": first_tokens(prompt, frame), "frame": frame}
        made["target"] = low_mask(mask, frame, self._side)[None]
        return {**made, "image": self._image(variation.picture(picture))}

    def _object(
        self, plane: NDArray[Any], variation: Variation, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Variation]:
        """An object that is large enough, and how it is changed: not at all if it would leave the picture."""
        least = self._config.least
        ids, counts = np.unique(plane[plane > 0], return_counts=True)
        large = ids[counts >= least]
        number = large[int(rng.integers(large.size))]
        mask = plane == number
        moved = variation.labels(mask.view(np.uint8)) > 0
        # What a cut or a shift leaves of it must still be the object.
        if moved.sum() >= max(mask.sum() * variation.scale**2 / 2, least / 2):
            return moved, variation
        return mask, IDENTITY

    def _image(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._bank is not None:
            return self._bank.embedding(picture)
        return self._frame(picture).pixels(picture, self._card.preprocess)[0]

    def _frame(self, picture: NDArray[Any]) -> Frame:
        return Frame.of((picture.shape[0], picture.shape[1]), self._card.input_size, self._card.preprocess)


def collated(parts: Sequence[dict[str, Any]], kind: str) -> Batch:
    """Samples as one batch."""
    return Batch(
        image=torch.from_numpy(np.stack([p["image"] for p in parts])),
        target=torch.from_numpy(np.stack([p["target"] for p in parts])),
        names=[p["name"] for p in parts],
        kind=kind,
        prompts=[p["tokens"] for p in parts] if kind else None,
        frames=[p["frame"] for p in parts] if kind else None,
        seeds=[p["seed"] for p in parts],
    )


def low_mask(mask: NDArray[np.bool_], frame: Frame, side: int) -> NDArray[np.float32]:
    """A mask `(y, x)` on the decoder's pixels `(side, side)`: 1 where most of a pixel is inside.

    Of what is too thin or small for that, pixels with more than half of the largest share: an object that is
    prompted must not be learned as nothing.
    """
    shares = _shares(mask, frame, side)
    return (shares > min(127, int(shares.max()) // 2)).astype(np.float32)


def low_classes(classes: NDArray[np.uint8], frame: Frame, side: int, count: int) -> NDArray[np.int64]:
    """Classes `(y, x)` on the decoder's pixels: that of the largest share; padding is background."""
    shares = np.stack([_shares(classes == number, frame, side) for number in range(1, count + 1)])
    background = 255 - shares.sum(axis=0).clip(0, 255)
    return np.concatenate([background[None], shares]).argmax(axis=0).astype(np.int64)


def _shares(mask: NDArray[np.bool_], frame: Frame, side: int) -> NDArray[np.int32]:
    """How much of each of the decoder's pixels a mask takes, 0 to 255."""
    rows, columns = frame.inner(side)
    out = np.zeros((side, side), dtype=np.int32)
    out[:rows, :columns] = resize_area(mask.astype(np.uint8) * 255, (rows, columns))
    return out
