"""What a model answers: `Prediction`, one mask per object, kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.prompt import Prompt
    from anytomy.core.view import SliceView


class ObjectMask:
    """The mask of one object, kept as packed crops of the slices that it reaches.

    A volume with many objects would otherwise need a whole bool volume for each. Slices are those of a
    `SliceView`; `expand` gives the mask on the file's own grid.
    """

    def __init__(self, view: SliceView) -> None:
        self.view = view
        self._parts: dict[int, tuple[int, int, tuple[int, int], NDArray[np.uint8]]] = {}

    def set(self, index: int, mask: NDArray[np.bool_]) -> None:
        """Store the mask (row, column) of slice `index` of the view."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size == 0:
            self._parts.pop(index, None)
            return
        top, left = int(rows[0]), int(columns[0])
        crop = mask[top : rows[-1] + 1, left : columns[-1] + 1]
        self._parts[index] = (top, left, (crop.shape[0], crop.shape[1]), np.packbits(crop))

    def get(self, index: int) -> NDArray[np.bool_]:
        """The mask (row, column) of slice `index` of the view."""
        out = np.zeros((self.view.size[1], self.view.size[0]), dtype=bool)
        self._paint(out, index)
        return out

    def _paint(self, out: NDArray[np.bool_], index: int) -> None:
        if index in self._parts:
            top, left, (height, width), bits = self._parts[index]
            crop = np.unpackbits(bits, count=height * width).reshape(height, width)
            out[top : top + height, left : left + width] = crop

    @property
    def slices(self) -> tuple[int, ...]:
        """Slices of the view in which the object has voxels."""
        return tuple(sorted(self._parts))

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return sum(int(np.bitwise_count(bits).sum()) for *_, bits in self._parts.values())

    def expand(self) -> NDArray[np.bool_]:
        """The mask `(z, y, x)` on the file's grid."""
        column, row, slice_ = self.view.size
        seen = np.zeros((slice_, row, column), dtype=bool)
        for index in self._parts:
            self._paint(seen[index], index)
        return np.ascontiguousarray(self.view.restore(seen))


class MaskStack(Sequence[Any]):
    """The masks of all objects, expanded to the image's grid when one is asked for.

    Behaves like a bool array of shape `(objects, [z,] y, x)` as far as indexing by object, iteration,
    `len`, `shape`, `dtype` and `numpy.asarray` go.
    """

    def __init__(self, objects: Sequence[ObjectMask], *, is_volume: bool, shape_zyx: tuple[int, ...]) -> None:
        self.objects = tuple(objects)
        self.dtype = np.dtype(bool)
        self._spatial = tuple(shape_zyx) if is_volume else tuple(shape_zyx)[1:]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(objects, [z,] y, x)`."""
        return (len(self.objects), *self._spatial)

    def __len__(self) -> int:
        return len(self.objects)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.bool_]: ...
    @overload
    def __getitem__(self, index: Any) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return self.objects[index].expand().reshape(self._spatial)
        if isinstance(index, tuple) and index and isinstance(index[0], (int, np.integer)):
            return self[index[0]][index[1:]]
        return np.asarray(self)[index]

    def __iter__(self) -> Iterator[NDArray[np.bool_]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("masks are stored packed: an array of them is always a copy")
        out = np.empty(self.shape, dtype=dtype or bool)
        for i, mask in enumerate(self):
            out[i] = mask
        return out


@dataclass(frozen=True, eq=False)
class Prediction:
    """Masks of objects on the grid of the image that they were prompted on.

    Attributes:
        geometry: The image's grid.
        is_volume: Whether masks are `(z, y, x)` or `(y, x)`.
        masks: Bool, one per prompt and in their order.
        label_map: `([z,] y, x)`, each object's id, overlaps resolved by `overlap`; 0 elsewhere.
        prompts: What was asked, with ids.
        scores: The model's own confidence per object (its predicted IoU; the mean over slices). It ranks;
            it is not an expected accuracy.
        overlap: The rule behind `label_map`: `higher-logit`, `last` or `keep`.
        details: What happened, for the manifest: timings, slices, encodings.
    """

    geometry: Geometry
    is_volume: bool
    masks: MaskStack
    label_map: NDArray[np.uint8 | np.uint16]
    prompts: tuple[Prompt, ...]
    scores: tuple[float, ...]
    overlap: str = "higher-logit"
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[int, ...]:
        """Value of each object in the label map."""
        return tuple(int(p.id or 0) for p in self.prompts)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each object; `object N` where it has none."""
        return tuple(p.name or f"object {p.id}" for p in self.prompts)
