"""Prompts that volumes have: cuboids, key slices, every slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.prompt import Prompt
from anytomy.evaluation.simulators.boxes import TightBox, tight_box
from anytomy.evaluation.simulators.regions import Region, point
from anytomy.evaluation.simulators.simulator import Once, need_volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anytomy.evaluation.simulators.simulator import Truth

_CVPR24 = "CVPR 2024 MedSAM on Laptop challenge, arXiv 2412.16085"
_CVPR25 = "CVPR 2025 interactive 3D segmentation challenge"
_MEDSAM = "MedSAM, Ma et al., doi 10.1038/s41467-024-44824-z"
_SAM_MED3D = "SAM-Med3D, Wang et al., arXiv 2310.15161"


@dataclass(frozen=True, kw_only=True)
class Cuboid(Once):
    """The tight cuboid."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        need_volume(truth, self.name)
        region = Region.of(truth.mask)
        return () if region is None else (Prompt(box=region.box),)


@dataclass(frozen=True, kw_only=True)
class LargestSliceBox(TightBox):
    """What `box` does in a volume, under a name that says so."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        need_volume(truth, self.name)
        return super().start(truth, rng)


@dataclass(frozen=True, kw_only=True)
class KeySliceBox(Once):
    """The tight box in the middle slice of the object.

    The middle of first and last slice is `int((last - first) / 2 + first)`, as in LiteMedSAM's code. Where
    the object has a gap there, the nearest slice with some of it counts, the lower one of two.

    Attributes:
        ranged: Whether first and last slice are told as well.
    """

    ranged: bool

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        need_volume(truth, self.name)
        held = _slices(truth)
        if held.size == 0:
            return ()
        first, last = int(held[0]), int(held[-1])
        middle = first + (last - first) // 2
        plane = truth.plane(int(held[np.abs(held - middle).argmin()]))
        range_ = (first, last + 1) if self.ranged else None
        return (plane.prompt(box=tight_box(plane.mask), z=range_),)


@dataclass(frozen=True, kw_only=True)
class BoxPerSlice(Once):
    """The tight box of every slice that has some of the object: one prompt for each."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        need_volume(truth, self.name)
        planes = (truth.plane(int(s)) for s in _slices(truth))
        return tuple(plane.prompt(box=tight_box(plane.mask)) for plane in planes)


@dataclass(frozen=True, kw_only=True)
class ClickPerSlice(Once):
    """The deepest point, in pixels, of every slice that has some of the object, in one prompt."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        need_volume(truth, self.name)
        points = tuple(self._points(truth))
        return (Prompt(points=points),) if points else ()

    def _points(self, truth: Truth) -> Iterator[tuple[int, ...]]:
        for slice_ in _slices(truth):
            region = Region.of(truth.plane(int(slice_)).mask)
            assert region is not None
            index = list(region.deepest())
            index.insert(truth.along, int(slice_))
            yield point(index)


def _slices(truth: Truth) -> NDArray[np.intp]:
    """Slices that have some of the object, ascending."""
    others = tuple(a for a in range(3) if a != truth.along)
    return np.flatnonzero(truth.mask.any(axis=others))


def box_3d() -> Cuboid:
    """One cuboid."""
    return Cuboid(name="box-3d", budget="1 3D box", source=_CVPR24, scope="volume")


def largest_slice_box() -> LargestSliceBox:
    """One box where the object is largest; only that slice is judged."""
    return LargestSliceBox(name="largest-slice-box", budget="1 box", source="as box")


def key_slice_box() -> KeySliceBox:
    """One box in the middle; how far the object reaches is not told."""
    source = f"after the {_CVPR25}, without z range"
    return KeySliceBox(name="key-slice-box", budget="1 box", source=source, scope="volume", ranged=False)


def key_slice_box_z() -> KeySliceBox:
    """One box in the middle, with first and last slice."""
    source = f"after the {_CVPR25}"
    budget = "1 box and z range"
    return KeySliceBox(name="key-slice-box-z", budget=budget, source=source, scope="volume", ranged=True)


def box_per_slice() -> BoxPerSlice:
    """A box on every slice."""
    return BoxPerSlice(name="box-per-slice", budget="1 box per slice", source=_MEDSAM, scope="volume")


def click_per_slice() -> ClickPerSlice:
    """A click on every slice."""
    return ClickPerSlice(
        name="click-per-slice",
        budget="1 click per slice",
        source=f"{_SAM_MED3D} (N points)",
        kinds=("points",),
        scope="volume",
    )
