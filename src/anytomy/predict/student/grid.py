"""The grid that a student looks at: from grey levels of a file to the network's input, and back.

Pictures and logits are resized by `engine.resample.triangle_kernel` along each axis; the graph for others
(`predict.student.export`) has the same weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from anytomy.core.intensity import choose_policy
from anytomy.core.view import SliceView
from anytomy.engine.resample import apply_along, triangle_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.models.students.folder import StudentCard

    Triple = tuple[int, int, int]

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey level (ITU-R BT.601, as Pillow has it)."""

Levels = TypeVar("Levels")


@dataclass(frozen=True)
class StudentGrid:
    """How pictures, slices or volumes become the input of a student.

    Attributes:
        dims: 2, slice by slice, or 3.
        colours: Channels that a picture has, 1 or 3.
        patch: Size of the network's input `([z,] y, x)`; what is larger is seen through windows.
        size: Pixels of the longer side of a picture; None where `spacing_mm` says it, or pixels stay as they
            are.
        spacing_mm: Distance of voxels along the same axes, in the canonical view; empty where `size` says it.
        mean: Per colour, of grey levels 0 to 255.
        std: Per colour.
    """

    dims: int
    colours: int
    patch: tuple[int, ...]
    size: int | None = None
    spacing_mm: tuple[float, ...] = ()
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)

    @classmethod
    def of(cls, card: StudentCard) -> Self:
        """The grid of a student."""
        return cls(card.dims, card.colours, card.patch, card.size, card.spacing_mm, card.mean, card.std)

    def view(self, image: Image, axis: str = "z") -> SliceView:
        """How a file is shown: slices across `axis`; to a 3D student those from foot to head."""
        return SliceView.canonical(image.geometry, axis if self.dims == 2 else axial(image.geometry))

    def shape(self, shape: Triple, spacing_mm: Sequence[float]) -> Triple:
        """Slices, rows and columns on the grid of so many in the view, whose distances are `spacing_mm`."""
        across, seen = shape[: 3 - self.dims], shape[3 - self.dims :]
        if self.size is not None:
            longest = max(seen)
            found = [_whole(n * self.size / longest) for n in seen]
        elif self.spacing_mm:
            near = spacing_mm[3 - self.dims :]
            found = [_whole(n * mm / own) for n, mm, own in zip(seen, near, self.spacing_mm, strict=True)]
        else:
            found = list(seen)
        z, y, x = (*across, *found)
        return z, y, x

    def gathered(
        self, planes: Iterable[NDArray[np.uint8]], shape: Triple, spacing_mm: Sequence[float]
    ) -> NDArray[np.float32]:
        """Slices on the grid, float32 `(colours, z, y, x)`, 0 to 255.

        Args:
            planes: Grey levels `(y, x[, c])` of the view, one slice after the other.
            shape: How many slices, rows and columns there are.
            spacing_mm: Their distances.
        """
        z, y, x = self.shape(shape, spacing_mm)
        near = [resized(self.coloured(plane[None]), (1, y, x)) for plane in planes]
        return resized_along(np.concatenate(near, axis=1), 1, z)

    def coloured(self, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grey levels `(z, y, x[, c])` as `(colours, z, y, x)`: grey three times, or colours as grey."""
        values = grey.astype(np.float32)
        if grey.ndim == 3:
            return np.repeat(values[None], self.colours, axis=0)
        if self.colours == 1:
            return (values @ np.array(LUMA, np.float32))[None]
        return np.ascontiguousarray(np.moveaxis(values, -1, 0))

    def levels(self, image: Image, intensity: str = "auto", axis: str = "z") -> NDArray[np.uint8]:
        """Grey levels 0 to 255 of an image on the grid, `(colours, z, y, x)`, for training.

        Args:
            image: The image.
            intensity: Policy in the option syntax.
            axis: The file's axis that slices run along.
        """
        view = self.view(image, axis)
        grey = choose_policy(image, {}, intensity).policy.fit(image)
        seen = view.apply(image.volume)
        planes = (np.ascontiguousarray(grey.apply(plane)) for plane in seen)
        shape = (seen.shape[0], seen.shape[1], seen.shape[2])
        found = self.gathered(planes, shape, self.spacing(image, view))
        return np.rint(found).clip(0, 255).astype(np.uint8)

    def normalised(self, levels: Levels) -> Levels:
        """What the network gets of levels 0 to 1 `(colours, ...)`, an array or a tensor."""
        values: Any = levels
        shape = (-1,) + (1,) * (values.ndim - 1)
        if isinstance(values, np.ndarray):
            mean, scale = (np.asarray(v, np.float32).reshape(shape) for v in self._shift())
        else:
            mean, scale = (values.new_tensor(v).reshape(shape) for v in self._shift())
        moved: Levels = (values - mean) * scale
        return moved

    def _shift(self) -> tuple[list[float], list[float]]:
        """What is taken away from levels 0 to 1, and what the rest is multiplied with."""
        return [m / 255 for m in self.mean], [255 / s for s in self.std]

    def restore(self, values: NDArray[np.float32], image: Image, axis: str = "z") -> NDArray[np.float32]:
        """Values `(k, z, y, x)` on the grid as `(k, [z,] y, x)` on the file's own pixels."""
        view = self.view(image, axis)
        column, row, slice_ = view.size
        found = np.empty((len(values), *image.geometry.shape_zyx), np.float32)
        for place, layer in zip(found, values, strict=True):  # never two of all layers
            view.apply(place)[...] = resized(layer, (slice_, row, column))
        return found if image.is_volume else found[:, 0]

    def spacing(self, image: Image, view: SliceView) -> tuple[float, float, float]:
        """Distance of slices, rows and columns of an image in a view, in mm."""
        z, y, x = (image.geometry.spacing_xyz_mm[a] for a in reversed(view.axes))
        return z, y, x


def axial(geometry: Geometry) -> int:
    """The file's index axis that runs from foot to head most nearly."""
    return geometry.nearest_axes.index(2)


def resized(values: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    """Values with their last axes resized to `shape`."""
    for place, target in enumerate(shape, start=values.ndim - len(shape)):
        values = resized_along(values, place, target)
    return values


def resized_along(values: NDArray[np.float32], axis: int, target: int) -> NDArray[np.float32]:
    """Values with one axis resized to `target`."""
    source = values.shape[axis]
    return values if source == target else apply_along(values, triangle_kernel(target, source), axis)


def _whole(length: float) -> int:
    return max(math.floor(length + 0.5), 1)
