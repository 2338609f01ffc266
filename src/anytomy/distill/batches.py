"""From samples to batches of a student: `StudentBatches`, the same for the same step whatever was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from anytomy.distill.task import StudentBatch
from anytomy.distill.warp import Look, Warp
from anytomy.evaluation.simulators import seeded
from anytomy.tuning.augment import Augmentation
from anytomy.tuning.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from anytomy.distill.samples import Samples
    from anytomy.predict.student.grid import StudentGrid
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.sampler import Draw


class StudentBatches:
    """Makes batches of labelled samples, and of others that join them.

    Args:
        labelled: Samples with labels; may be none.
        joined: Samples with pseudo-labels; may be none.
        share: Share of a batch from the labelled ones where there are both.
        config: Seed, share of empty slices.
        augmentation: How far variants go; `strong` ones are bent as well.
        grid: How levels become the network's input, and the size of a patch.
    """

    def __init__(
        self,
        labelled: Samples,
        joined: Samples | None,
        share: float,
        config: TuneConfig,
        augmentation: Augmentation,
        grid: StudentGrid,
    ) -> None:
        self._parts = [part for part in (labelled, joined) if part is not None and len(part)]
        self._samplers = [Sampler(part.all, config, augmentation, None) for part in self._parts]
        self._share = share if len(self._parts) > 1 else 1.0
        self._config, self._grid = config, grid
        self._bends = augmentation.noise > 0

    def batch(self, step: int, items: Sequence[int]) -> StudentBatch:
        """The patches at some places of a step's batch."""
        found = [self._one(step, item) for item in items]
        return StudentBatch(
            image=torch.stack([picture for picture, *_ in found]),
            target=torch.stack([target for _, target, *_ in found]),
            weight=torch.stack([weight for *_, weight, _ in found]),
            names=[name for *_, name in found],
        )

    def _one(self, step: int, item: int) -> tuple[Tensor, Tensor, Tensor, str]:
        rng = seeded(self._config.seed, "student", step, item)
        number = int(rng.random() >= self._share)
        part, draw = self._parts[number], self._samplers[number].draw(step, item)
        picture, target, weight = part.read(draw.sample)
        warp = self._warp(draw, target, rng)
        moved = warp(torch.cat([picture, target, weight, torch.ones_like(weight)]))
        levels, shares, known, inside = moved.split([len(picture), len(target), 1, 1])
        colours, extra = levels[: self._grid.colours], levels[self._grid.colours :]
        seen = self._grid.normalised(Look.of(draw.variation)(colours) * inside)
        background = (1 - shares.sum(dim=0, keepdim=True)).clamp(0, 1)
        # Outside of the picture it is black and there is nothing: that is known, so it counts.
        known = known + 1 - inside
        return torch.cat([seen, extra]), torch.cat([background, shares]), known, draw.sample.name

    def _warp(self, draw: Draw, target: Tensor, rng: np.random.Generator) -> Warp:
        size, patch = np.array(target.shape[1:]), np.array(self._grid.patch)
        # What is smaller than a patch lies in its upper left corner, as in use.
        middle = (np.minimum(size, patch) - 1) / 2
        centre = (size - 1) / 2
        if (size > patch).any():
            reach = np.maximum((size - patch) / 2, 0)
            centre = np.clip(self._place(draw, target, rng), centre - reach, centre + reach)
        return Warp.of(draw.variation, self._grid.patch, rng, centre=centre, middle=middle, bends=self._bends)

    def _place(self, draw: Draw, target: Tensor, rng: np.random.Generator) -> NDArray[np.float64]:
        """Where a patch is cut of a larger picture: about a pixel of the drawn structure, or anywhere."""
        size = np.array(target.shape[1:])
        if not draw.structure:
            return rng.uniform(0, size)
        classes = self._parts[0].stock.classes
        inside = np.argwhere(target[classes.index(draw.structure)].numpy() > 0.5)
        beside = rng.uniform(-0.25, 0.25, len(size)) * self._grid.patch
        return np.asarray(inside[int(rng.integers(len(inside)))] + beside)
