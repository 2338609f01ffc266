"""The named segments of a file, which may overlap: `Segments`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.view import SliceView

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.io.dicom_codes import Code


@dataclass(frozen=True)
class Segment:
    """What a file says about one segment.

    Attributes:
        number: From 1; its value in a label map.
        name: Its label.
        category: Kind of thing; None where the file states none.
        type: The thing.
        modifiers: Of the type: the side.
        regions: Where it is.
        algorithm: Name of what made it; empty where the file states none.
        tracking_uid: The same for the same finding in several files; empty where the file states none.
    """

    number: int
    name: str
    category: Code | None = None
    type: Code | None = None
    modifiers: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()
    algorithm: str = ""
    tracking_uid: str = ""


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a file.

    Attributes:
        path: The file.
        kind: `BINARY`, `FRACTIONAL` (voxels of half the largest value and more count) or `LABELMAP`.
        geometry: The grid of the masks.
        is_volume: Whether masks are `(z, y, x)` or, for a picture without a place, `(y, x)`.
        segments: In the order of their numbers; without the background of a label map.
        masks: Bool, one per segment; packed, and expanded one at a time.
        frame_of_reference_uid: The frame that positions refer to; empty where there is none.
        source_series_uid: The series that was segmented; empty where the file names none.
    """

    path: Path
    kind: str
    geometry: Geometry
    is_volume: bool
    segments: tuple[Segment, ...]
    masks: MaskStack
    frame_of_reference_uid: str = ""
    source_series_uid: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Value of each segment in the label map."""
        return tuple(segment.number for segment in self.segments)

    @property
    def names(self) -> tuple[str, ...]:
        """Label of each segment."""
        return tuple(segment.name for segment in self.segments)

    def label_map(self) -> NDArray[np.uint8 | np.uint16]:
        """`([z,] y, x)`, each segment's number, 0 elsewhere; where segments overlap, the higher number."""
        kind = np.uint8 if max(self.numbers, default=0) < 256 else np.uint16
        labels: NDArray[Any] = np.zeros(self.geometry.shape_zyx, dtype=kind)
        for number, mask in zip(self.numbers, self.masks.objects, strict=True):
            for z in mask.slices:
                labels[z][mask.get(z)] = number
        return labels if self.is_volume else labels[0]

    @functools.cached_property
    def overlap(self) -> int:
        """How many voxels a label map loses because a segment with a higher number has them too."""
        return sum(mask.voxels for mask in self.masks.objects) - int(np.count_nonzero(self.label_map()))

    def on(self, geometry: Geometry) -> Segments:
        """The same segments on a grid around theirs, that of the segmented image say.

        Raises:
            GeometryError: If their grid is no part of it.
        """
        ends = np.array([(0, 0, 0), np.subtract(self.geometry.size_xyz, 1)])
        found = geometry.to_index(self.geometry.to_physical(ends)) if self.is_volume else ends.astype(float)
        start = np.round(found[0]).astype(int)
        stop = start + self.geometry.size_xyz
        apart = float(np.abs(found - start - ends).max())
        if apart > 0.1 or np.any(start < 0) or np.any(stop > geometry.size_xyz):
            raise GeometryError(
                f"{self.path}: the segments do not lie on the grid of the image "
                f"(from voxel {_rounded(found[0])} to {_rounded(found[1])} of {geometry.size_xyz})",
                hint="they belong to another series, or the image was resampled",
            )
        x, y, z = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        view = SliceView.stored(geometry)
        moved = [ObjectMask(view) for _ in self.segments]
        for mask, new in zip(self.masks.objects, moved, strict=True):
            for index in mask.slices:
                plane = np.zeros(geometry.shape_zyx[1:], dtype=bool)
                plane[y, x] = mask.get(index)
                new.set(z.start + index, plane)
        masks = MaskStack(moved, is_volume=self.is_volume, shape_zyx=geometry.shape_zyx)
        return replace(self, geometry=geometry, masks=masks)


def _rounded(index: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in index) + ")"
