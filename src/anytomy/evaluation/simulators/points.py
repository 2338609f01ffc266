"""Points in one slice, all given at once, and a box with points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.evaluation.simulators.boxes import tight_box
from anytomy.evaluation.simulators.regions import Region, point
from anytomy.evaluation.simulators.simulator import Once, counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.prompt import Prompt
    from anytomy.evaluation.simulators.simulator import Truth

_HUANG = "Huang et al., arXiv 2304.14660"
_MAZUROWSKI = "Mazurowski et al., arXiv 2304.10517"
MOST_POINTS = 100
# The box that negative points are drawn from has twice the sides, and is this much wider at least.
_LEAST_MARGIN = 5


@dataclass(frozen=True, kw_only=True)
class CentrePoint(Once):
    """The pixel of the largest part that is nearest to that part's centre of mass."""

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        region = None if plane is None else Region.of(plane.mask)
        if plane is None or region is None:
            return ()
        return (plane.prompt(points=(point(region.parts(1)[0].centre()),)),)


@dataclass(frozen=True, kw_only=True)
class Points(Once):
    """Positive points, then negative ones, with a box on request.

    The first one is the deepest point of the object, the others are drawn from the rest of it, each pixel
    as likely and none twice. Negative ones are drawn in the same way from the band around it: inside the
    box of twice the sides (5 pixels wider on each side at least), outside of the mask. Where there are too
    few pixels, there are fewer points.

    Attributes:
        positive: How many inside.
        negative: How many outside.
        boxed: Whether the tight box is given as well.
    """

    positive: int
    negative: int = 0
    boxed: bool = False

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        plane = truth.largest_plane()
        region = None if plane is None else Region.of(plane.mask)
        if plane is None or region is None:
            return ()
        deepest = region.deepest()
        inside = [deepest, *region.drawn(self.positive - 1, rng, but=deepest)]
        outside = _around(plane.mask, region, self.negative, rng)
        return (
            plane.prompt(
                box=tight_box(plane.mask) if self.boxed else None,
                points=tuple(point(p) for p in (*inside, *outside)),
                labels=(1,) * len(inside) + (0,) * len(outside),
            ),
        )


def _around(
    mask: NDArray[np.bool_], region: Region, count: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    if count == 0:
        return []
    window = []
    for first, stop, size in zip(region.start, region.stop, mask.shape, strict=True):
        margin = max(-(-(stop - first) // 2), _LEAST_MARGIN)
        window.append(slice(max(first - margin, 0), min(stop + margin, size)))
    start = [s.start for s in window]
    free = np.argwhere(~mask[tuple(window)]) + start
    if len(free) == 0:
        return []
    chosen = rng.choice(free, size=min(count, len(free)), replace=False)
    return [tuple(int(v) for v in index) for index in chosen]


def centre() -> CentrePoint:
    """One point near the centre of mass."""
    source = f"after {_HUANG} (S2: centre of mass)"
    return CentrePoint(name="centre", budget="1 click", source=source, kinds=("points",))


def deepest() -> Points:
    """One point, the maximum of the distance transform; of equals the first in array order."""
    source = f"{_MAZUROWSKI} (first click)"
    return Points(name="deepest", budget="1 click", source=source, kinds=("points",), positive=1)


def points(positive: int) -> Points:
    """So many points inside."""
    check_count("points-N", positive)
    return Points(
        name=f"points-{positive}",
        budget=counted(positive, "click"),
        source=f"after {_HUANG} (S3)",
        kinds=("points",),
        positive=positive,
    )


def signed_points(positive: int, negative: int) -> Points:
    """So many points inside, so many around it."""
    check_count("points-P+N", positive)
    check_count("points-P+N", negative)
    return Points(
        name=f"points-{positive}+{negative}",
        budget=f"{positive} + {counted(negative, 'click')}",
        source=f"after {_HUANG} (S4)",
        kinds=("points",),
        positive=positive,
        negative=negative,
    )


def box_points(positive: int) -> Points:
    """The tight box and so many points inside, at once."""
    check_count("box-points-N", positive)
    return Points(
        name=f"box-points-{positive}",
        budget=f"1 box and {counted(positive, 'click')}",
        source=f"after {_HUANG} (S6)",
        kinds=("box", "points"),
        positive=positive,
        boxed=True,
    )


def check_count(form: str, count: int) -> None:
    """Refuse numbers of points that make no sense.

    Raises:
        OptionError: Unless it is 1 to 100.
    """
    if not 1 <= count <= MOST_POINTS:
        raise OptionError(f"expected 1 to {MOST_POINTS} points in {form}, got {count}")
