"""Which found objects overlap which true ones, and by how much: `Overlaps`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError
from anytomy.evaluation.metrics.empty import Emptiness

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Indices = NDArray[np.int64]
    Instances = NDArray[np.integer[Any]] | Sequence[ArrayLike]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """The IoU of all found and true objects that overlap; all other pairs have none.

    Attributes:
        found_ids: Labels of the found objects, or their places in the sequence of masks (from 0).
        truth_ids: Likewise of the true objects.
        found: For each overlapping pair the index of the found object in `found_ids`.
        truth: For each overlapping pair the index of the true object in `truth_ids`.
        iou: For each overlapping pair its intersection over union.
        found_without_pixels: Found masks without a pixel: no objects, but counted.
        truth_without_pixels: Likewise of the truth.
    """

    found_ids: tuple[int, ...]
    truth_ids: tuple[int, ...]
    found: Indices
    truth: Indices
    iou: NDArray[np.float64]
    found_without_pixels: int
    truth_without_pixels: int

    @property
    def empty(self) -> Emptiness:
        """On which side there is no object."""
        return Emptiness.of(len(self.found_ids), len(self.truth_ids))

    @classmethod
    def between(cls, found: Instances, truth: Instances) -> Overlaps:
        """Compare two sets of objects of one image.

        Args:
            found: A label map of integers, where 0 is background; or a sequence (or a bool array whose first
                axis counts objects) of masks of one shape, which may overlap.
            truth: Likewise, of the same shape.

        Raises:
            GeometryError: If shapes differ, or something is neither a label map nor a sequence of masks.
        """
        a, b = _objects(found), _objects(truth)
        if a.shape is not None and b.shape is not None and a.shape != b.shape:
            raise GeometryError(f"expected objects in images of one shape, got {a.shape} and {b.shape}")
        columns, layers = len(b.ids), b.layers()
        codes, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for pixels, numbers in a.pieces():
            for layer in layers:
                other = layer[pixels]
                hit = other > 0
                pair = (np.broadcast_to(numbers, hit.shape)[hit] - 1) * columns + other[hit] - 1
                code, count = _counted(pair)
                codes.append(code)
                counts.append(count)
        rows, cols = np.divmod(np.concatenate(codes), max(columns, 1))
        shared = np.concatenate(counts)
        iou = shared / (a.sizes[rows] + b.sizes[cols] - shared)
        return cls(a.ids, b.ids, rows, cols, iou, a.without_pixels, b.without_pixels)


class _Objects(ABC):
    """Objects that are counted from 1, wherever they come from."""

    shape: tuple[int, ...] | None
    ids: tuple[int, ...]
    sizes: Indices
    without_pixels: int

    @abstractmethod
    def pieces(self) -> Iterator[tuple[Indices, Indices | int]]:
        """Flat indices of pixels, each at most once in a piece, and the number of the object in each."""

    def layers(self) -> list[Indices]:
        """Flat maps of object numbers; objects that overlap lie in different ones."""
        out: list[Indices] = []
        for pixels, numbers in self.pieces():
            layer = next((layer for layer in out if not layer[pixels].any()), None)
            if layer is None:
                layer = np.zeros(np.prod(self.shape or (), dtype=int), np.int64)
                out.append(layer)
            layer[pixels] = numbers
        return out


class _LabelMap(_Objects):
    def __init__(self, labels: NDArray[np.integer[Any]]) -> None:
        if labels.size and labels.min() < 0:
            raise GeometryError(f"expected labels from 0 on, got {labels.min()}")
        flat = labels.ravel()
        self.shape = labels.shape
        self.without_pixels = 0
        self._pixels = np.flatnonzero(flat)
        self._labels = flat[self._pixels].astype(np.int64)
        ids, self.sizes = _counted(self._labels)
        self.ids = tuple(ids.tolist())

    def pieces(self) -> Iterator[tuple[Indices, Indices | int]]:
        yield self._pixels, np.searchsorted(np.array(self.ids, np.int64), self._labels) + 1


class _Masks(_Objects):
    def __init__(self, masks: Sequence[ArrayLike]) -> None:
        self._masks = masks
        shapes, sizes = set(), []
        for mask in masks:
            array = np.asarray(mask)
            shapes.add(array.shape)
            sizes.append(int(np.count_nonzero(array)))
        if len(shapes) > 1 or () in shapes:
            raise GeometryError(f"expected masks of one shape, got {', '.join(map(str, sorted(shapes)))}")
        self.shape = next(iter(shapes), None)
        self.ids = tuple(place for place, size in enumerate(sizes) if size)
        self.sizes = np.array([sizes[place] for place in self.ids], dtype=np.int64)
        self.without_pixels = len(sizes) - len(self.ids)

    def pieces(self) -> Iterator[tuple[Indices, Indices | int]]:
        for number, place in enumerate(self.ids, start=1):
            yield np.flatnonzero(np.asarray(self._masks[place])), number


def _objects(instances: Any) -> _Objects:
    if isinstance(instances, np.ndarray):
        if np.issubdtype(instances.dtype, np.integer):
            return _LabelMap(instances)
        if instances.dtype != bool or instances.ndim < 3:
            raise GeometryError(
                f"expected a label map of integers or masks (object, y, x), got an array of "
                f"{instances.dtype} and shape {instances.shape}"
            )
    elif not isinstance(instances, Sequence):
        raise GeometryError(f"expected a label map or a sequence of masks, got {type(instances).__name__}")
    return _Masks(instances)


def _counted(values: Indices) -> tuple[Indices, Indices]:
    """Values from 0 on that occur, ascending, and how often."""
    if values.size and values.max() < 8 * values.size:
        counts = np.bincount(values)
        occurring = np.flatnonzero(counts)
        return occurring, counts[occurring]
    unique, counts = np.unique(values, return_counts=True)
    return unique, counts
