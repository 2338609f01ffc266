"""The masks of a session's labels, kept apart, on the file's own grid: `Voxels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.prediction import ObjectMask
from anytomy.core.view import SliceView
from anytomy.server.patches import Patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.server.history import Flips


class Voxels:
    """A mask for each label that has one.

    A mask takes a byte for each voxel, but only for pages of memory that were ever drawn on.

    Args:
        geometry: The grid.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._masks: dict[int, NDArray[np.bool_]] = {}

    def mask(self, label: int) -> NDArray[np.bool_]:
        """The mask `(z, y, x)` of a label; for reading."""
        if label not in self._masks:
            self._masks[label] = np.zeros(self.geometry.shape_zyx, dtype=bool)
        return self._masks[label]

    def plane(self, label: int, view: SliceView, slice_: int) -> NDArray[np.bool_]:
        """The mask `(row, column)` of a slice of a view; a copy."""
        if label not in self._masks:
            return np.zeros((view.size[1], view.size[0]), dtype=bool)
        return view.apply(self._masks[label])[slice_].copy()

    def planes(self, label: int, view: SliceView) -> dict[int, NDArray[np.bool_]]:
        """The masks `(row, column)` of all slices of a view that are not empty; for reading."""
        if label not in self._masks:
            return {}
        seen = view.apply(self._masks[label])
        return {int(s): seen[s] for s in np.flatnonzero(seen.any(axis=(1, 2)))}

    def counts(self) -> dict[int, int]:
        """Voxels of each label that has some."""
        return {label: n for label, mask in self._masks.items() if (n := int(np.count_nonzero(mask)))}

    def flip(self, flips: Flips) -> None:
        """Change the bits; the same again changes them back."""
        for label, patch in flips:
            self.mask(label)[patch.where] ^= patch.mask()

    def setting(
        self,
        label: int,
        view: SliceView,
        planes: Mapping[int, NDArray[np.bool_]],
        *,
        yielding: Iterable[int] = (),
        kept: Iterable[int] = (),
    ) -> Flips:
        """What has to be flipped for slices of a label to become what is given; nothing is changed yet.

        Args:
            label: The label.
            view: The view of the slices.
            planes: The new masks `(row, column)` by slice.
            yielding: Labels that give voxels up to it.
            kept: Labels that do not, and whose voxels it cannot have.
        """
        flips = []
        yielding = [other for other in yielding if other in self._masks]
        kept = [other for other in kept if other in self._masks]
        for slice_, plane in planes.items():
            where = _where(view, slice_)
            new = np.ascontiguousarray(view.restore(plane[None]))
            old = self._masks[label][where] if label in self._masks else np.zeros_like(new)
            for other in kept:
                new &= ~self._masks[other][where] | old
            offset = [part.start or 0 for part in where]
            gained = new & ~old
            for other in yielding:
                flips.append((other, Patch.of(self._masks[other][where] & gained, offset)))
            flips.append((label, Patch.of(new ^ old, offset)))
        return tuple((each, patch) for each, patch in flips if patch is not None)

    def replacing(
        self, masks: Mapping[int, NDArray[np.bool_]], *, exclusive: bool, kept: Iterable[int] = ()
    ) -> Flips:
        """What has to be flipped for labels to become whole masks; nothing is changed yet.

        Args:
            masks: `(z, y, x)` by label; one without voxels empties the label.
            exclusive: Whether a voxel has one label: others give it up, and of these the first keeps it.
            kept: Labels that give up nothing, where it is exclusive.
        """
        taken = np.zeros(self.geometry.shape_zyx, dtype=bool)
        if exclusive:
            for label in kept:
                taken |= self._masks.get(label, False)
        new = {}
        for label, mask in masks.items():
            new[label] = mask & ~taken if mask.size else np.zeros_like(taken)
            if exclusive:
                taken |= new[label]
        others = {*self._masks} - {*new} - {*kept} if exclusive else set()
        new |= {label: self._masks[label] & ~taken for label in others}
        flips = ((label, Patch.of(mask ^ self._masks.get(label, False))) for label, mask in new.items())
        return tuple((label, patch) for label, patch in flips if patch is not None)

    def clearing(self, label: int) -> Flips:
        """What has to be flipped for a label to become empty."""
        patch = Patch.of(self._masks[label]) if label in self._masks else None
        return () if patch is None else ((label, patch),)

    def packed(self, label: int) -> ObjectMask:
        """The mask as predictions have it."""
        found = ObjectMask(SliceView.stored(self.geometry))
        if label in self._masks:
            mask = self._masks[label]
            for z in np.flatnonzero(mask.any(axis=(1, 2))):
                found.set(int(z), mask[z])
        return found


def _where(view: SliceView, slice_: int) -> tuple[slice, ...]:
    """A slice of a view as an index `(z, y, x)` of the file's grid."""
    where = [slice(None)] * 3
    at = view.slice_to_view(slice_)
    where[2 - view.axes[2]] = slice(at, at + 1)
    return tuple(where)
