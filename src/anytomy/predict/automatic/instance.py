"""A found object as a crop of its mask, `Instance`, and which of several are the same: `suppress`.

Pictures of cells have thousands of objects: whole masks of all of them would not fit into memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.predict.automatic.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Instance:
    """One object.

    Attributes:
        box: The part of the picture that `mask` covers.
        mask: Bool, of the box.
        score: The model's own predicted IoU.
        stability: IoU between the mask at a higher and at a lower threshold.
        point: x and y of the point that brought it.
        cut: Whether it reaches a side of its window behind which the picture goes on.
    """

    box: Window
    mask: NDArray[np.bool_]
    score: float
    stability: float
    point: tuple[float, float]
    cut: bool = False

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.mask))

    def within(self, window: Window) -> NDArray[np.bool_]:
        """Its mask in a window that lies in its box."""
        top, left = window.top - self.box.top, window.left - self.box.left
        rows, columns = window.shape
        return self.mask[top : top + rows, left : left + columns]


def tight(mask: NDArray[np.bool_], top: int = 0, left: int = 0) -> tuple[Window, NDArray[np.bool_]] | None:
    """The bounding box of a mask whose first pixel is at `top`, `left`, and the mask in it; None if empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    box = Window(top + y0, left + x0, top + y1, left + x1)
    return box, np.ascontiguousarray(mask[y0:y1, x0:x1])


def overlap(one: Instance, other: Instance, region: Window | None = None) -> float:
    """IoU of two objects; with a region, of what lies in it."""
    common = one.box.common(other.box)
    if region is not None and common is not None:
        common = common.common(region)
    if common is None:
        return 0.0
    both = int(np.count_nonzero(one.within(common) & other.within(common)))
    if not both:
        return 0.0
    either = sum(_area_in(each, region) for each in (one, other)) - both
    return both / either


def _area_in(each: Instance, region: Window | None) -> int:
    if region is None:
        return each.area
    part = each.box.common(region)
    return 0 if part is None else int(np.count_nonzero(each.within(part)))


def suppress(found: Sequence[Instance], limit: float, order: Sequence[int] | None = None) -> list[int]:
    """Greedy non-maximum suppression: which objects stay when of any two that are alike the better one does.

    Args:
        found: Objects in one frame.
        limit: Objects whose IoU is above it are alike.
        order: Places in `found`, the best first; by score where None, and of equal ones the first is better.

    Returns:
        Places in `found`, the best first.
    """
    if order is None:
        order = sorted(range(len(found)), key=lambda place: -found[place].score)
    boxes = np.array([(e.box.top, e.box.left, e.box.bottom, e.box.right) for e in found]).reshape(-1, 4)
    areas = np.array([each.area for each in found], dtype=np.float64)
    left = np.asarray(order, dtype=np.intp)
    kept: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        # An IoU cannot be above that of the areas: most pairs need no look at pixels.
        low, high = np.maximum(boxes[left, :2], boxes[best, :2]), np.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        shared = np.minimum(shared, np.minimum(areas[left], areas[best]))
        likely = shared > limit * (areas[left] + areas[best] - shared)
        alike = np.zeros(left.size, dtype=bool)
        for place in np.flatnonzero(likely):
            alike[place] = overlap(found[best], found[int(left[place])]) > limit
        left = left[~alike]
    return kept
