"""From a `Case` to arrays: its image, and label maps on the image's grid."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, GeometryError, ImageReadError, OptionError
from anytomy.core.image import Image
from anytomy.core.intensity import modality_of
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.datasets.case import Case, MaskRef
    from anytomy.datasets.layout import Target

_TIFFS = frozenset({".tif", ".tiff", ".ome.tif", ".ome.tiff"})
_PICTURES = frozenset({".png", ".bmp", ".gif", ".jpg", ".jpeg"}) | _TIFFS
_LOSSY = frozenset({".jpg", ".jpeg"})
# Headers of one study often differ in the last digits; a tenth of a voxel moves no label to another one.
_SAME_PLACE_VOXELS = 0.1
# So near, a label that its header says to be turned is turned; further off, the header is of something else.
_TURNED_PLACE_VOXELS = 1.5
# How far from a whole number a label value may be, for those that were stored with a slope or as floats.
_WHOLE = 1e-3


def read_image(case: Case) -> Image:
    """The image of a case; see `Case.read`."""
    from anytomy.io.npz import read_array
    from anytomy.io.read import read

    ref = case.image
    if ref.form:
        from anytomy.datasets.readers import reader

        image = reader(ref.form).read_image(ref)
    elif ref.key and ref.key != "imgs":
        image = replace(Image.from_array(read_array(ref.path, ref.key)), path=ref.path, format="npz")
    else:
        image = read(ref.path, time=ref.time)
    if image.modality is None and case.modality in ("CT", "MR"):
        # A set of CTs may hold windowed or normalised values: a window in HU is for those that look like HU.
        if case.modality == "CT" and modality_of(image)[0] != "CT":
            return image
        image = replace(image, modality=case.modality)
    return image


def read_labels(case: Case, image: Image) -> dict[str, NDArray[Any]]:
    """Label maps by structure; see `Case.labels`."""
    raw: dict[Any, NDArray[Any]] = {}
    found: dict[str, NDArray[Any]] = {}
    for ref in case.masks:
        target = ref.target
        how = "colour" if target.colour is not None else "values" if target.values else target.above
        key = (ref.paths, ref.form, ref.key, target.channel, how)
        if key not in raw:
            raw[key] = raw_label(ref, image, resize=case.resize_masks)
        objects = objects_of(raw[key], ref)
        name = target.structure
        if name in found:
            # The same structure by two masks: objects of the second one follow those of the first.
            first = found[name].astype(np.int32)
            found[name] = np.where(objects > 0, objects.astype(np.int32) + first.max(), first)
        else:
            found[name] = objects
    return found


def objects_of(raw: NDArray[Any], ref: MaskRef) -> NDArray[Any]:
    """Raw label values as one value per object of the target."""
    target = ref.target
    if ref.form == "files":
        return raw
    if target.colour is not None:
        inside = (raw == np.asarray(target.colour)).all(axis=-1)
    elif target.values:
        inside = np.isin(_near_whole(raw), target.values)
    else:
        inside = raw > (target.above or 0)
    if target.objects == "instances" and raw.ndim == inside.ndim:
        return np.where(inside, _whole(raw), 0)
    if target.objects == "parts":
        from scipy.ndimage import label

        parts, _ = label(inside, structure=np.ones((3,) * inside.ndim))
        return np.asarray(parts)
    return inside.astype(np.uint8)


def raw_label(ref: MaskRef, image: Image, *, resize: bool = False) -> NDArray[Any]:
    """The values that a mask's files store, `([z,] y, x[, 3])` on the image's grid.

    Of several files, one object each, the number of the file (from 1).

    Args:
        ref: The mask.
        image: What it lies on.
        resize: Bring a picture of another size to the image's (nearest).

    Raises:
        ImageReadError: If a file cannot be read.
        GeometryError: If it does not lie on the image's grid; the message names the file.
    """
    if ref.form == "slices":
        return _slices(ref, image)
    if ref.form == "files":
        out = np.zeros(_spatial(image), dtype=np.int32)
        for number, path in enumerate(ref.paths, start=1):
            mask = _on_grid(*_read_mask(path, ref), image, path, resize=resize)
            inside = mask > (ref.target.above or 0)
            out[inside.any(axis=-1) if inside.ndim > out.ndim else inside] = number
        return out
    if ref.form != "map":
        from anytomy.datasets.readers import reader

        return _fitted(reader(ref.form).decode(ref, image), image, ref.paths[0], resize=resize)
    return _on_grid(*_read_mask(ref.paths[0], ref), image, ref.paths[0], resize=resize)


def _read_mask(path: Path, ref: MaskRef) -> tuple[NDArray[Any], Geometry | None]:
    """Stored values and, where the format has one, the place."""
    from anytomy.io import npz
    from anytomy.io.read import read

    if ref.key:
        return npz.read_array(path, ref.key), None
    if ending(path) in _PICTURES:
        return _read_picture(path, ref.target), None
    channel = ref.target.channel
    try:
        mask = read(path, channel=channel)
    except (OptionError, ImageReadError):
        if channel is None:
            raise
        mask = read(path, time=channel)
    return _values(mask, ref.target), mask.geometry if mask.has_place else None


def _read_picture(path: Path, target: Target) -> NDArray[Any]:
    """What a picture shows, for colours and thresholds; what it stores, for label values."""
    from anytomy.io import raster, tiff
    from anytomy.io.read import read

    lossy = ending(path) in _LOSSY
    if target.colour is None and target.above is None and target.channel is None and not lossy:
        stored = tiff if ending(path) in _TIFFS else raster
        try:
            return _values(stored.read(path, labels=True), target)
        except ImageReadError:
            pass  # it has colours; what else is wrong with it, `read` finds, too
    array = _values(read(path, channel=target.channel), target)
    # Masks of 0 and 1 are black and white for a threshold that was meant for 0 and 255.
    if target.above is not None and not lossy and array.dtype.kind in "iu" and array.max() == 1:
        return array.astype(np.uint8) * 255
    return array


def _values(mask: Image, target: Target) -> NDArray[Any]:
    """Colours for a target that is told by colour, one value per pixel for all others."""
    if mask.is_colour and target.colour is None and target.above is None and target.objects == "instances":
        return _numbered(mask.array)
    if target.colour is None:
        return mask.array.max(axis=-1) if mask.is_colour else mask.array
    return mask.array if mask.is_colour else np.repeat(mask.array[..., None], 3, axis=-1)


def _numbered(colours: NDArray[Any]) -> NDArray[Any]:
    """Maps in which each object has a colour of its own, as numbers; 0 for black."""
    packed = colours[..., 0].astype(np.int64) << 32 | colours[..., 1].astype(np.int64) << 16 | colours[..., 2]
    values, numbers = np.unique(packed, return_inverse=True)
    return (numbers.reshape(packed.shape) + (values[0] != 0)).astype(np.int32)


def _spatial(image: Image) -> tuple[int, ...]:
    return image.array.shape[: 3 if image.is_volume else 2]


def _on_grid(
    array: NDArray[Any], geometry: Geometry | None, image: Image, path: Path, *, resize: bool
) -> NDArray[Any]:
    if geometry is not None and image.has_place and image.is_volume and array.ndim == 3:
        if resize and sorted(array.shape) != sorted(_spatial(image)):
            return _resampled(array, geometry, image, path)
        array = _reoriented(array, geometry, image, path)
    return _fitted(array, image, path, resize=resize)


def _resampled(array: NDArray[Any], geometry: Geometry, image: Image, path: Path) -> NDArray[Any]:
    """A label of another grid on the image's, by place (nearest); 0 outside of it.

    Raises:
        GeometryError: If most of what it marks lies outside of the image.
    """
    depth, height, width = _spatial(image)
    out = np.zeros((depth, height, width), dtype=array.dtype)
    limit = np.asarray(geometry.size_xyz)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    for z in range(depth):
        here = np.stack([columns, rows, np.full_like(rows, z)], axis=-1)
        there = np.round(geometry.to_index(image.geometry.to_physical(here))).astype(np.int64)
        x, y, plane = np.moveaxis(there, -1, 0)
        inside = ((there >= 0) & (there < limit)).all(axis=-1)
        out[z][inside] = array[plane[inside], y[inside], x[inside]]
    if not array.any():
        return out
    # One image voxel per label voxel where spacings agree, more or fewer where they do not.
    scale = np.prod(geometry.spacing_xyz_mm) / np.prod(image.geometry.spacing_xyz_mm)
    kept = np.count_nonzero(out) / (np.count_nonzero(array) * scale)
    if kept < 0.5:
        raise GeometryError(
            f"{path} lies elsewhere than its image {image.name}: {100 * kept:.0f} % of it is inside",
            hint="image and mask must be of one scan",
        )
    return out


def _fitted(array: NDArray[Any], image: Image, path: Path, *, resize: bool = False) -> NDArray[Any]:
    """The array on the image's grid, single axes dropped or added, or an error that names the file."""
    wanted = _spatial(image)
    coloured = array.ndim == len(wanted) + 1 and array.shape[-1] == 3
    if array.shape[: len(wanted)] == wanted and (coloured or array.ndim == len(wanted)):
        return array
    squeezed = array.squeeze()
    if array.ndim != len(wanted) and squeezed.shape == tuple(n for n in wanted if n > 1):
        return squeezed.reshape(wanted)
    if resize and not image.is_volume and (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 3)):
        rows = (np.arange(wanted[0]) + 0.5) * array.shape[0] / wanted[0]
        columns = (np.arange(wanted[1]) + 0.5) * array.shape[1] / wanted[1]
        return array[np.ix_(rows.astype(int), columns.astype(int))]
    raise GeometryError(
        f"{path} has shape {array.shape}, but its image {image.name} has {wanted}",
        hint="image and mask must lie on one grid",
    )


def _reoriented(array: NDArray[Any], geometry: Geometry, image: Image, path: Path) -> NDArray[Any]:
    """A label of the same voxels in the image's order of axes and directions.

    Where the headers say that both are the same grid turned, give or take a voxel, it is turned back. Where
    they say that the label lies elsewhere although its shape fits, the shape is believed and it is said
    aloud: headers of labels are wrong more often than their arrays.
    """
    cosines = image.geometry.direction_matrix.T @ geometry.direction_matrix
    # Axis x, y, z of the image is the label's axis order[0], order[1], order[2].
    order = max(itertools.permutations(range(3)), key=lambda o: sum(abs(cosines[a, o[a]]) for a in range(3)))
    turned, flips = geometry.permute(order), [cosines[a, order[a]] < 0 for a in range(3)]
    for axis in range(3):
        turned = turned.flip(axis) if flips[axis] else turned
    off, way = _voxels_apart(turned, image.geometry), "one to one"
    if turned.size_xyz == image.geometry.size_xyz and off < _TURNED_PLACE_VOXELS:
        array = np.transpose(array, [2 - order[2 - a] for a in range(3)])
        array = array[tuple(slice(None, None, -1 if flips[2 - a] else 1) for a in range(3))]
        way += " after turning" if any(flips) or order != (0, 1, 2) else ""
    elif array.shape == _spatial(image):
        off = _voxels_apart(geometry, image.geometry)
    else:
        return array
    if off >= _SAME_PLACE_VOXELS:
        warnings.warn(
            f"{path} lies elsewhere than its image by its header (up to {off:.3g} voxels); shapes agree, so "
            f"voxels are taken {way}",
            AnytomyWarning,
            stacklevel=2,
        )
    return array


def _voxels_apart(geometry: Geometry, other: Geometry) -> float:
    """How far the corners of a grid are from those of another one, in voxels of that one."""
    corners = np.array(list(itertools.product(*((0, n - 1) for n in geometry.size_xyz))), dtype=float)
    return float(np.abs(other.to_index(geometry.to_physical(corners)) - corners).max())


def _slices(ref: MaskRef, image: Image) -> NDArray[Any]:
    """One mask file for each DICOM file, both in the order of their names, on the slices of the image."""
    import pydicom

    from anytomy.datasets.tree import natural

    folder = image.path
    if folder is None or not folder.is_dir():
        raise GeometryError(f"{ref.paths[0]} belongs to a series, but {image.name} is not a DICOM folder")
    masks = sorted(ref.paths, key=lambda p: natural(p.name))
    places = []
    for file in sorted(folder.iterdir(), key=lambda p: natural(p.name)):
        if not file.is_file():
            continue
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        if "ImagePositionPatient" in header:
            places.append([float(v) for v in header.ImagePositionPatient])
    if len(places) != len(masks):
        raise GeometryError(
            f"{folder} has {len(places)} slices, but {ref.paths[0].parent} has {len(masks)} masks",
            hint="a slice or a mask is missing",
        )
    out: NDArray[Any] = np.zeros(_spatial(image), dtype=np.int32)
    numbers = [round(float(image.geometry.to_index(place)[2])) for place in places]
    if sorted(numbers) != list(range(len(out))):
        raise GeometryError(
            f"expected one file for each of {len(out)} slices in {folder}, but got {len(set(numbers))} places"
        )
    for index, path in zip(numbers, masks, strict=True):
        values, _ = _read_mask(path, ref)
        if values.shape != out.shape[1:]:
            raise GeometryError(f"{path} has shape {values.shape}, but its slice has {out.shape[1:]}")
        out[index] = values
    return out


def _near_whole(values: NDArray[Any]) -> NDArray[Any]:
    """Values with what a slope did to whole numbers undone; others are no label."""
    if np.issubdtype(values.dtype, np.integer):
        return values
    whole = np.round(values)
    return np.where(np.abs(values - whole) < _WHOLE, whole, np.nan)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    if np.issubdtype(values.dtype, np.integer):
        return values
    return np.nan_to_num(np.round(values), posinf=0, neginf=0).astype(np.int64)
