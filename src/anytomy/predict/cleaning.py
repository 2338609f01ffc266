"""Cleaning of masks, only on request: the largest part, no holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.core.prediction import ObjectMask


def clean_mask(mask: NDArray[np.bool_], *, largest: bool, fill_holes: bool) -> NDArray[np.bool_]:
    """The largest connected part (faces touch) and/or without enclosed holes.

    Args:
        mask: `(z, y, x)`; a single slice counts as 2D.
        largest: Keep the largest part only.
        fill_holes: Fill background that does not reach the border.
    """
    from scipy import ndimage

    if not mask.any():
        return mask
    out: NDArray[np.bool_] = mask.squeeze(0) if mask.shape[0] == 1 else mask
    if largest:
        parts, count = ndimage.label(out)
        if count > 1:
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            out = parts == sizes.argmax()
    if fill_holes:
        out = ndimage.binary_fill_holes(out)
    return out.reshape(mask.shape)


def clean_objects(
    masks: Sequence[ObjectMask], label_map: NDArray[Any], ids: Sequence[int], **wanted: bool
) -> None:
    """Clean every object in place and bring the label map in line.

    A voxel that its owner lost goes to the first other object that claims it, else to the background. A
    filled hole takes background only: what another object holds in it stays that object's.
    """
    view = masks[0].view
    plane_of = view.apply(label_map)
    for mask, id_ in zip(masks, ids, strict=True):
        if not mask.slices:
            continue
        span = range(mask.slices[0], mask.slices[-1] + 1)
        before = np.stack([mask.get(s) for s in span])
        after = clean_mask(before, **wanted)
        for s, old, new in zip(span, before, after, strict=True):
            mask.set(s, new)
            plane = plane_of[s]
            plane[old & ~new & (plane == id_)] = 0
            plane[new & ~old & (plane == 0)] = id_
    for mask, id_ in zip(masks, ids, strict=True):
        for s in mask.slices:
            plane = plane_of[s]
            plane[mask.get(s) & (plane == 0)] = id_
