"""Boxes in one slice: tight, jittered, displaced, one around all, one for each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.evaluation.simulators.regions import Region
from anytomy.evaluation.simulators.simulator import Once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.prompt import Prompt
    from anytomy.evaluation.simulators.simulator import Truth

_HUANG = "Huang et al., arXiv 2304.14660"
_MAZUROWSKI = "Mazurowski et al., arXiv 2304.10517"
# The pixels of jitter and shift are those of a picture with this longest side, the input of SAM and MedSAM.
_REFERENCE_SIDE = 1024


@dataclass(frozen=True, kw_only=True)
class TightBox(Once):
    """First column to last column + 1, first row to last row + 1; around all parts."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        return () if plane is None else (plane.prompt(box=tight_box(plane.mask)),)


@dataclass(frozen=True, kw_only=True)
class JitteredBox(Once):
    """The tight box with each side moved outwards on its own.

    By a whole number of `low` to `high` pixels of a picture whose longest side is 1024, each as likely,
    rounded to whole pixels of this picture; the picture's border stops it.
    """

    low: int
    high: int

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        if plane is None:
            return ()
        height, width = plane.mask.shape
        drawn = rng.integers(self.low, self.high, size=4, endpoint=True)
        left, up, right, down = (int(v) for v in np.floor(drawn * _pixel(plane.mask) + 0.5))
        x0, y0, x1, y1 = tight_box(plane.mask)
        box = (max(x0 - left, 0), max(y0 - up, 0), min(x1 + right, width), min(y1 + down, height))
        return (plane.prompt(box=box),)


@dataclass(frozen=True, kw_only=True)
class ShiftedBox(Once):
    """The tight box displaced as a whole, in any direction.

    By `low` to `high` pixels of a picture whose longest side is 1024. What leaves the picture is cut off;
    one pixel stays at least. The numbers are not rounded: in a small picture that would undo the shift.
    """

    low: int
    high: int

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        if plane is None:
            return ()
        distance = rng.uniform(self.low, self.high) * _pixel(plane.mask)
        angle = rng.uniform(0, 2 * np.pi)
        height, width = plane.mask.shape
        x0, y0, x1, y1 = tight_box(plane.mask)
        left, right = _moved(x0, x1, distance * np.cos(angle), width)
        top, bottom = _moved(y0, y1, distance * np.sin(angle), height)
        return (plane.prompt(box=(left, top, right, bottom)),)


@dataclass(frozen=True, kw_only=True)
class PartBoxes(Once):
    """A tight box for each connected part, of the `most` largest ones."""

    most: int

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        region = None if plane is None else Region.of(plane.mask)
        if plane is None or region is None:
            return ()
        return tuple(plane.prompt(box=part.box) for part in region.parts(self.most))


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """`x0, y0[, z0], x1, y1[, z1]` of a mask that is not empty."""
    region = Region.of(mask)
    assert region is not None
    return region.box


def box() -> TightBox:
    """One tight box."""
    return TightBox(name="box", budget="1 box", source=f"{_HUANG} (S5)")


def box_all() -> TightBox:
    """One tight box around all objects of a structure."""
    source = f"{_MAZUROWSKI} (mode 5)"
    return TightBox(name="box-all", budget="1 box per structure", source=source, level="structure")


def box_parts() -> PartBoxes:
    """A tight box for each part, at most three."""
    return PartBoxes(name="box-parts", budget="up to 3 boxes", source=f"{_MAZUROWSKI} (mode 4)", most=3)


def box_jitter(low: int = 0, high: int = 20) -> JitteredBox:
    """A box grown at random; MedSAM was trained with 0 to 20."""
    source = "MedSAM's training, Ma et al., doi 10.1038/s41467-024-44824-z"
    name = _named("box-jitter", low, high, (0, 20))
    return JitteredBox(name=name, budget="1 box", source=source, low=low, high=high)


def box_shift(low: int = 20, high: int = 30) -> ShiftedBox:
    """A box beside the object: a stress test."""
    name = _named("box-shift", low, high, (20, 30))
    return ShiftedBox(name=name, budget="1 box", source=f"after {_HUANG} (shifted box)", low=low, high=high)


def _named(family: str, low: int, high: int, default: tuple[int, int]) -> str:
    if not 0 <= low <= high <= _REFERENCE_SIDE:
        raise OptionError(
            f"expected 0 <= LOW <= HIGH <= {_REFERENCE_SIDE} in {family}:LOW,HIGH, got {low},{high}",
            hint=f"they are pixels of a picture whose longest side is {_REFERENCE_SIDE}",
        )
    return family if (low, high) == default else f"{family}:{low},{high}"


def _pixel(mask: NDArray[np.bool_]) -> float:
    """How many pixels of this picture one of the reference is."""
    return float(max(mask.shape)) / _REFERENCE_SIDE


def _moved(start: int, stop: int, by: float, size: int) -> tuple[float, float]:
    first = min(max(start + by, 0), size - 1)
    return float(first), float(min(max(stop + by, first + 1), size))
