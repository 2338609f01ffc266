"""A look into one mask file: which values it holds and how they lie (`Look`). Images are not opened."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, ImageReadError
from anytomy.datasets.recognising.files import LOSSY, PICTURES
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Colour = tuple[int, int, int]
# More different values than this are no list of classes or objects that one could go through.
_MOST_VALUES = 4096
_MOST_LABELLED = 60
_MOST_VOXELS = 16_000_000


@dataclass(frozen=True)
class Look:
    """What one mask file holds.

    Attributes:
        path: The file.
        shape: `([z,] y, x)`.
        counts: Pixels of each value, most frequent first; colours as triples. Empty where there are too many
            different ones (a picture, not a mask).
        interior: Of the values other than 0, which part of their pixels has only equal ones around: near 0
            for stray values along edges.
        compact: Of the same values (some, where there are many), which part lies in one piece.
        edge: Which part of the rim of a picture each value takes.
        inside: For grey values of a picture: how much of the outline of all that is brighter touches it.
        colour: Whether pixels are colours.
        lossy: JPEG, whose values are blurred.
        is_picture: 2D format.
        frames: Volumes in a file with one axis more; 1 for others.
        whole: Whether all values are whole numbers.
        highest: The highest value.
    """

    path: Path
    shape: tuple[int, ...]
    counts: Mapping[Any, int]
    interior: Mapping[Any, float] = field(default_factory=dict)
    compact: Mapping[Any, float] = field(default_factory=dict)
    edge: Mapping[Any, float] = field(default_factory=dict)
    inside: Mapping[Any, float] = field(default_factory=dict)
    colour: bool = False
    lossy: bool = False
    is_picture: bool = True
    frames: int = 1
    whole: bool = True
    highest: float = 0.0

    @property
    def values(self) -> tuple[Any, ...]:
        """All values but 0, in order."""
        return tuple(sorted(v for v in self.counts if v != 0 and v != (0, 0, 0)))

    @property
    def varied(self) -> bool:
        """Whether there are more different values than a mask has."""
        return not self.counts or (len(self.counts) > 64 and not self.whole)


def look(path: Path, key: str = "") -> Look:
    """Open a mask.

    Args:
        path: The file.
        key: Which array of an npz.

    Raises:
        ImageReadError: If it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array, frames = _stored(path, key)
    except ImageReadError:
        raise
    except AnytomyError as error:
        raise ImageReadError(f"{path}: {error.message}") from error
    is_picture = ending(path) in PICTURES
    colour = array.ndim >= 3 and array.shape[-1] == 3 and (is_picture or array.ndim == 4)
    if colour:
        return _of_colours(path, array, is_picture)
    return _of_values(path, array, is_picture, frames)


def _stored(path: Path, key: str) -> tuple[NDArray[Any], int]:
    """The values as they are stored, and how many volumes there are."""
    from anytomy.io import npz, raster
    from anytomy.io.read import read

    if key:
        return npz.read_array(path, key), 1
    kind = ending(path)
    if kind in PICTURES and kind not in (".tif", ".tiff", ".ome.tif", ".ome.tiff"):
        try:
            return raster.read(path, labels=kind not in LOSSY).array, 1
        except ImageReadError as error:
            if "has colours" not in error.message:
                raise
            return raster.read(path).array, 1
    try:
        return read(path).array, 1
    except ImageReadError as error:
        if "expected one" not in error.message:
            raise
        return read(path, time=0).array, 2


def _of_colours(path: Path, array: NDArray[Any], is_picture: bool) -> Look:
    if (array[..., 0] == array[..., 1]).all() and (array[..., 1] == array[..., 2]).all():
        return _of_values(path, array[..., 0], is_picture, 1)
    if ending(path) in LOSSY:
        return _of_values(path, array.max(axis=-1), is_picture, 1)
    if array.dtype != np.uint8:
        return Look(path, array.shape[:-1], {}, colour=True, is_picture=is_picture)
    packed = array.astype(np.int32)
    codes = (packed[..., 0] << 16) + (packed[..., 1] << 8) + packed[..., 2]
    plain = _of_values(path, codes, is_picture, 1)

    def named(found: Mapping[Any, Any]) -> dict[Any, Any]:
        return {(v >> 16, (v >> 8) & 255, v & 255): n for v, n in found.items()}

    return Look(
        path,
        plain.shape,
        named(plain.counts),
        named(plain.interior),
        named(plain.compact),
        named(plain.edge),
        colour=True,
        is_picture=is_picture,
        highest=plain.highest,
    )


def _of_values(path: Path, array: NDArray[Any], is_picture: bool, frames: int) -> Look:
    shape = array.shape
    whole = bool(np.issubdtype(array.dtype, np.integer))
    highest = float(np.nanmax(array)) if array.size else 0.0
    if not whole:
        array = np.nan_to_num(array)
        rounded = np.round(array)
        whole = bool(np.abs(array - rounded).max(initial=0) < 1e-3) and abs(highest) < 2**31
        if whole:
            array = rounded.astype(np.int64)
    array = _smaller(array)
    values, counts = _counted(array)
    facts: dict[str, Any] = {
        "lossy": ending(path) in LOSSY,
        "is_picture": is_picture,
        "frames": frames,
        "whole": whole,
        "highest": highest,
    }
    if len(values) > _MOST_VALUES:
        return Look(path, shape, {}, **facts)
    order = np.argsort(-counts)
    held = {_plain(values[i]): int(counts[i]) for i in order}
    if not whole:
        return Look(path, shape, held, **facts)
    chosen = [v for v in held if v != 0]
    if len(chosen) > _MOST_LABELLED:
        rest = sorted(chosen[_MOST_LABELLED // 3 :])
        chosen = chosen[: _MOST_LABELLED // 3] + rest[:: -(-2 * len(rest) // _MOST_LABELLED)]
    interior, compact = _lie(array, chosen)
    inside = _insides(array, [v for v in held if v != 0]) if is_picture and array.ndim == 2 else {}
    return Look(path, shape, held, interior, compact, _edge(array), inside, **facts)


def _smaller(array: NDArray[Any]) -> NDArray[Any]:
    """Every second or third voxel of a large volume: values and how they lie stay the same."""
    step = 1
    while array.size / step**array.ndim > _MOST_VOXELS:
        step += 1
    return array[(slice(None, None, step),) * array.ndim]


def _counted(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if np.issubdtype(array.dtype, np.integer) and array.size:
        low, high = int(array.min()), int(array.max())
        if high - low < 1 << 16:
            counts = np.bincount((array.ravel() - low).astype(np.int64))
            present = np.flatnonzero(counts)
            return present + low, counts[present]
    values, counts = np.unique(array, return_counts=True)
    return values, counts


def _plain(value: Any) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _lie(array: NDArray[Any], values: list[Any]) -> tuple[dict[Any, float], dict[Any, float]]:
    """For each value which part is interior, and which part is its largest piece."""
    from scipy.ndimage import find_objects, label

    interior, compact = {}, {}
    order = {v: n for n, v in enumerate(sorted(values), start=1)}
    numbered = np.zeros(array.shape, np.int32)
    if values:
        known = np.asarray(sorted(values), dtype=array.dtype)
        at = np.clip(np.searchsorted(known, array), 0, len(known) - 1)
        numbered = np.where(known[at] == array, at + 1, 0).astype(np.int32)
    boxes = find_objects(numbered)
    for value, number in order.items():
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            continue
        mine = numbered[box] == number
        total = int(mine.sum())
        padded = np.pad(mine, 1)
        kept = mine
        for axis in range(max(0, mine.ndim - 2), mine.ndim):
            for shift in (-1, 1):
                kept = kept & np.roll(padded, shift, axis)[(slice(1, -1),) * mine.ndim]
        parts, _ = label(mine, structure=np.ones((3,) * mine.ndim))
        interior[value] = float(kept.sum()) / total
        compact[value] = float(np.bincount(parts.ravel())[1:].max()) / total
    return interior, compact


def _edge(array: NDArray[Any]) -> dict[Any, float]:
    """Shares of the values along the four sides of the picture (of all slices)."""
    if array.ndim < 2:
        return {}
    sides = [array[..., 0, :], array[..., -1, :], array[..., :, 0], array[..., :, -1]]
    rim = np.concatenate([s.ravel() for s in sides])
    values, counts = _counted(rim)
    if len(values) > 256:
        return {}
    return {_plain(v): float(n) / rim.size for v, n in zip(values, counts, strict=True)}


def _insides(array: NDArray[Any], values: list[Any]) -> dict[Any, float]:
    """For each value but the highest: how much of the outline of what is above lies in it."""
    from scipy.ndimage import binary_dilation

    ordered = sorted(values)
    if not 2 <= len(ordered) <= 12:
        return {}
    found = {}
    for value, above in pairwise(ordered):
        upper = array >= above
        rim = binary_dilation(upper) & ~upper
        found[value] = float((array[rim] == value).mean()) if rim.any() else 0.0
    return found


def has_frames(path: Path) -> bool:
    """Whether a NIfTI file holds several volumes; only its header is read."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return False
    import nibabel

    try:
        shape = nibabel.load(path).shape
    except Exception:  # a broken file is reported when cases are checked
        return False
    return len(shape) > 3 and shape[3] > 1
