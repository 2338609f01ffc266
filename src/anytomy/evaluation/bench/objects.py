"""Which objects of a case are measured: `objects_in`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.view import axis_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from anytomy.core.image import Image

MEASURED, ABSENT, SMALL, BEYOND = "measured", "absent", "too small", "beyond the limit"


@dataclass(frozen=True, eq=False)
class TrueObject:
    """One labelled object, or a structure of which there is none.

    Attributes:
        structure: What it is.
        name: Its id in the label, as text; `all` where all objects of the structure are taken together.
        status: `measured`, or why it is not: `absent`, `too small`, `beyond the limit`.
        mask: Bool `([z,] y, x)` on the file's own grid; None where it is not measured.
        pixels: Its pixels in the picture, or in the slice where it is largest.
    """

    structure: str
    name: str
    status: str
    mask: NDArray[np.bool_] | None
    pixels: int


def objects_in(
    labels: Mapping[str, NDArray[Any]], image: Image, *, axis: str, least: int, most: int
) -> list[TrueObject]:
    """The objects of a case, those that are left out included, so that they can be counted.

    Args:
        labels: For each structure a label map with one value per object.
        image: The image.
        axis: The file's axis that slices of a volume run along.
        least: Smallest object, in pixels of the picture or of the slice where it is largest.
        most: How many objects of each structure are measured: the first in the order of their ids.
    """
    found = []
    for structure, label_map in labels.items():
        ids = [int(v) for v in np.unique(label_map) if v]
        if not ids:
            found.append(TrueObject(structure, "", ABSENT, None, 0))
        taken = 0
        for number in ids:
            mask = label_map == number
            pixels = _largest_area(mask, image, axis)
            status = SMALL if pixels < least else BEYOND if taken >= most else MEASURED
            taken += status == MEASURED
            kept = mask if status == MEASURED else None
            found.append(TrueObject(structure, str(number), status, kept, pixels))
    return found


def united(objects: list[TrueObject], image: Image, axis: str) -> list[TrueObject]:
    """For each structure all its measured objects as one."""
    out = []
    for structure in dict.fromkeys(o.structure for o in objects):
        masks = [o.mask for o in objects if o.structure == structure and o.mask is not None]
        if masks:
            whole = np.logical_or.reduce(masks)
            out.append(TrueObject(structure, "all", MEASURED, whole, _largest_area(whole, image, axis)))
    return out


def _largest_area(mask: NDArray[np.bool_], image: Image, axis: str) -> int:
    if not image.is_volume:
        return int(mask.sum())
    along = 2 - axis_number(axis)
    return int(mask.sum(axis=tuple(a for a in range(3) if a != along)).max())
