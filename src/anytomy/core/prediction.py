"""What a model answers: `Prediction`, one mask per object, kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.combination import Combination
    from anytomy.core.geometry import Geometry, IntTriple
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

    def set(self, index: int, mask: NDArray[np.bool_], *, top: int = 0, left: int = 0) -> None:
        """Store the mask (row, column) of slice `index` of the view.

        Args:
            index: The slice.
            mask: Of the whole slice, or of the part of it that begins at row `top` and column `left`; what
                lies outside of the part is not of the object.
            top: First row of the part.
            left: First column of the part.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size == 0:
            self._parts.pop(index, None)
            return
        y, x = int(rows[0]), int(columns[0])
        crop = mask[y : rows[-1] + 1, x : columns[-1] + 1]
        self._parts[index] = (top + y, left + x, (crop.shape[0], crop.shape[1]), np.packbits(crop))

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

    def crop(self) -> tuple[IntTriple, NDArray[np.bool_]]:
        """The part of the file's grid that it fills: its first voxel x, y, z and the mask `(z, y, x)` there.

        An empty object has a mask of shape (0, 0, 0).
        """
        if not self._parts:
            return (0, 0, 0), np.zeros((0, 0, 0), dtype=bool)
        spans = [(left, top, left + w, top + h) for top, left, (h, w), _ in self._parts.values()]
        low = np.array([*np.min(spans, axis=0)[:2], min(self._parts)])
        high = np.array([*np.max(spans, axis=0)[2:], max(self._parts) + 1])
        seen = np.zeros((high - low)[::-1], dtype=bool)
        for index, (top, left, (height, width), bits) in self._parts.items():
            row, column = top - low[1], left - low[0]
            part = np.unpackbits(bits, count=height * width).reshape(height, width)
            seen[index - low[2], row : row + height, column : column + width] = part
        start = np.zeros(3, dtype=int)
        start[list(self.view.axes)] = np.where(self.view.reversed_, np.asarray(self.view.size) - high, low)
        return (int(start[0]), int(start[1]), int(start[2])), np.ascontiguousarray(self.view.restore(seen))

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


@dataclass(frozen=True)
class ClassLabel:
    """What a model finds without a prompt.

    Attributes:
        name: Of the class.
        id: Its value in the label map.
    """

    name: str
    id: int

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"class {self.id} ({self.name})"


@dataclass(frozen=True, eq=False)
class Prediction:
    """Masks of objects on the grid of the image that they were prompted on.

    Attributes:
        geometry: The image's grid.
        is_volume: Whether masks are `(z, y, x)` or `(y, x)`.
        masks: Bool, one per prompt or class and in their order, then one per combination.
        label_map: `([z,] y, x)`, each object's id, overlaps resolved by `overlap`; 0 elsewhere. A combination
            comes before what it is made of, and in `a - b` b before a.
        prompts: What was asked, with ids; none of a model that finds classes.
        scores: The model's own confidence per object (its predicted IoU; the mean over slices). It ranks;
            it is not an expected accuracy.
        overlap: The rule behind `label_map`: `higher-logit`, `last` or `keep`.
        details: What happened, for the manifest: model, timings, slices, encodings.
        combinations: Objects made of others, with ids; each is made of prompts and earlier combinations.
        classes: What the model found without prompts.
    """

    geometry: Geometry
    is_volume: bool
    masks: MaskStack
    label_map: NDArray[np.uint8 | np.uint16]
    prompts: tuple[Prompt, ...]
    scores: tuple[float, ...]
    overlap: str = "higher-logit"
    details: dict[str, Any] = field(default_factory=dict)
    combinations: tuple[Combination, ...] = ()
    classes: tuple[ClassLabel, ...] = ()

    @property
    def sources(self) -> tuple[Prompt | ClassLabel | Combination, ...]:
        """What each mask comes from, in the order of masks."""
        return (*self.prompts, *self.classes, *self.combinations)

    @property
    def ids(self) -> tuple[int, ...]:
        """Value of each object in the label map."""
        return tuple(int(p.id or 0) for p in self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each object; `object N` where it has none."""
        return tuple(p.name or f"object {p.id}" for p in self.sources)
