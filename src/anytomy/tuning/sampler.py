"""Which sample comes next: `Sampler`, balanced over data sets and structures.

A draw follows from the seed and the step alone. A run that goes on after a kill needs no state of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from anytomy.evaluation.simulators import seeded
from anytomy.tuning.augment import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from anytomy.tuning.augment import Augmentation, Variation
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.samples import Sample

_T = TypeVar("_T")


@dataclass(frozen=True)
class Draw:
    """A sample of a step.

    Attributes:
        sample: The sample.
        structure: The structure that it was drawn for; "" for an empty slice.
        variation: How it is changed.
        seed: Names of its generator, for what follows: the object, the prompts.
    """

    sample: Sample
    structure: str
    variation: Variation
    seed: tuple[int, *tuple[str | int, ...]]


class Sampler:
    """Draws data sets, then structures, then samples, each as likely.

    Args:
        samples: All of them.
        config: Seed, share of empty slices, smallest object.
        augmentation: The policy.
        copies: Fixed variants of each sample to draw from; None for new ones each time.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        config: TuneConfig,
        augmentation: Augmentation,
        copies: int | None,
    ) -> None:
        self._config = config
        self._augmentation = augmentation
        self.copies = copies
        least = 1 if config.is_semantic else config.least
        full: defaultdict[str, defaultdict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        empty: defaultdict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if not sample.areas:
                empty[sample.dataset].append(sample)
            for structure, area in sample.areas.items():
                if area >= least:
                    full[sample.dataset][structure].append(sample)
        self._full = {name: dict(by) for name, by in full.items()}
        self._empty = dict(empty)

    def draw(self, step: int, item: int) -> Draw:
        """The sample at a place of a step's batch."""
        names: tuple[int, *tuple[str | int, ...]] = (self._config.seed, "draw", step, item)
        rng = seeded(*names)
        if not self._full:  # nothing but empty slices, as where small objects are lost on a coarse grid
            sample = _one(rng, self._empty[_one(rng, list(self._empty))])
            return Draw(sample, "", self._variation(sample, rng), names)
        dataset = _one(rng, list(self._full))
        by_structure = self._full[dataset]
        structure = _one(rng, list(by_structure))
        is_empty = rng.random() < self._config.empty and self._config.is_semantic
        if is_empty and dataset in self._empty:
            sample, structure = _one(rng, self._empty[dataset]), ""
        else:
            sample = _one(rng, by_structure[structure])
        return Draw(sample, structure, self._variation(sample, rng), names)

    def variants(self, sample: Sample) -> list[Variation]:
        """All fixed variants of a sample; the sample itself alone where there are none."""
        count = self.copies if self.copies is not None and self._augmentation.changes else 1
        return [self._augmentation.fixed(self._config.seed, sample.key, number) for number in range(count)]

    def _variation(self, sample: Sample, rng: np.random.Generator) -> Variation:
        if not self._augmentation.changes:
            return IDENTITY
        if self.copies is None:
            return self._augmentation.draw(rng)
        number = int(rng.integers(self.copies))
        return self._augmentation.fixed(self._config.seed, sample.key, number)


def _one(rng: np.random.Generator, among: Sequence[_T]) -> _T:
    return among[int(rng.integers(len(among)))]
