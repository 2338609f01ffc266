"""The objects in a label map of any format, apart and with their names: `read_objects`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.core.image import Image
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.view import SliceView
from anytomy.io.segments import Segment, Segments

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry

_SEGMENT = re.compile(r"Segment(\d+)_LabelValue")
_HIGHEST = 65535
# More different values than anybody draws in a volume, while images have them.
_MOST = 4096


class Labelled(NamedTuple):
    """A file with masks.

    Attributes:
        image: Its label map; where objects overlap, that of the higher id.
        segments: Its objects, which may overlap; `name` is empty where the file gives none.
    """

    image: Image
    segments: Segments


def read_objects(path: Path) -> Labelled:
    """Read masks: a label map; objects that overlap in `.seg.nrrd`, npz, COCO JSON; a DICOM segmentation.

    Raises:
        ImageReadError: As `read`, and if values are no ids (whole numbers from 0 to 65535).
        GeometryError: As `read`.
    """
    from anytomy.io import coco, detect, dicom_seg_read, npz
    from anytomy.io.labels import read_labels

    head = detect.read_head(path) if path.is_file() else b""
    if dicom_seg_read.matches(path, head):
        segments = dicom_seg_read.read_segments(path)
        return Labelled(_label_image(segments, "dicom-seg"), segments)
    if npz.matches(path, head):
        return _npz(path)
    if path.suffix.lower() == ".json":
        segments = coco.read_segments(path)
        return Labelled(_label_image(segments, ""), segments)
    if head.startswith(b"NRRD"):
        found = _seg_nrrd(path)
        if found is not None:
            return found
    image = read_labels(path)
    if image.is_colour:
        raise ImageReadError(f"{path} has colours, expected a mask or label map", hint="is it the image?")
    return Labelled(image, _of_map(_ids(image.array, path), image.geometry, image.is_volume, path, {}))


def _ids(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """Label values as unsigned integers."""
    low, high = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer) or bool(np.all(values == np.floor(values)))
    if not whole or low < 0 or high > _HIGHEST:
        raise ImageReadError(
            f"{path} holds values from {low:g} to {high:g}, expected ids: whole numbers from 0 to {_HIGHEST}",
            hint="is it the image? give the masks that belong to it",
        )
    return values.astype(np.uint16)


def _of_map(
    labels: NDArray[Any], geometry: Geometry, is_volume: bool, path: Path, names: dict[int, str]
) -> Segments:
    """The objects of a label map, by id; those with a name and no voxel too."""
    from scipy.ndimage import find_objects

    labels = labels.reshape(geometry.shape_zyx)
    boxes = find_objects(labels)
    ids = sorted({n for n, box in enumerate(boxes, start=1) if box is not None} | set(names))
    if len(ids) > _MOST:
        raise ImageReadError(
            f"{path} holds {len(ids)} different values, expected ids", hint="is it the image?"
        )
    masks = []
    for id_ in ids:
        mask = ObjectMask(SliceView.stored(geometry))
        box = boxes[id_ - 1] if id_ <= len(boxes) else None
        if box is not None:
            for z in range(box[0].start, box[0].stop):
                plane = np.zeros(labels.shape[1:], dtype=bool)
                plane[box[1:]] = labels[z][box[1:]] == id_
                mask.set(z, plane)
        masks.append(mask)
    return _segments(path, geometry, is_volume, ids, [names.get(i, "") for i in ids], masks)


def _segments(
    path: Path,
    geometry: Geometry,
    is_volume: bool,
    ids: Iterable[int],
    names: Iterable[str],
    masks: list[ObjectMask],
) -> Segments:
    return Segments(
        path=path,
        kind="LABELMAP",
        geometry=geometry,
        is_volume=is_volume,
        segments=tuple(Segment(number=i, name=name) for i, name in zip(ids, names, strict=True)),
        masks=MaskStack(masks, is_volume=is_volume, shape_zyx=geometry.shape_zyx),
    )


def _label_image(segments: Segments, form: str) -> Image:
    return Image(
        array=segments.label_map(),
        geometry=segments.geometry,
        is_volume=segments.is_volume,
        path=segments.path,
        format=form,
        header=segments,
    )


def _seg_nrrd(path: Path) -> Labelled | None:
    """Named segments, each in one of the layers of a file; None where the header names none."""
    from anytomy.io import itk, nrrd_header

    keys = nrrd_header.read_keys(path)
    numbers = sorted(int(match[1]) for match in map(_SEGMENT.fullmatch, keys) if match)
    if not numbers:
        return None
    layer_of: dict[int, list[int]] = {}
    for n in numbers:
        layer_of.setdefault(int(keys.get(f"Segment{n}_Layer", "0")), []).append(n)
    fields = nrrd_header.read_fields(path)
    layered = len(nrrd_header.spatial_axes(fields)) < int(fields.get("dimension", "3"))
    found: dict[int, tuple[int, str, ObjectMask]] = {}
    for layer, members in sorted(layer_of.items()):
        image = itk.read(path, channel=layer) if layered else itk.read(path)
        names = {int(keys[f"Segment{n}_LabelValue"]): keys.get(f"Segment{n}_Name", "") for n in members}
        part = _of_map(_ids(image.array, path), image.geometry, image.is_volume, path, names)
        masks = dict(zip(part.numbers, part.masks.objects, strict=True))
        for n in members:
            value = int(keys[f"Segment{n}_LabelValue"])
            found[n] = (value, names[value], masks[value])
    if len({value for value, *_ in found.values()}) < len(found):  # in layers, each may count from 1
        found = {n: (place, *found[n][1:]) for place, n in enumerate(numbers, start=1)}
    ids, labels, packed = zip(*sorted(found.values(), key=lambda entry: entry[0]), strict=True)
    segments = _segments(path, image.geometry, image.is_volume, ids, labels, list(packed))
    return Labelled(_label_image(segments, "nrrd"), segments)


def _npz(path: Path) -> Labelled:
    """What we write (masks, ids, names), else the labels of a challenge file, else the only array."""
    from anytomy.core.geometry import Geometry
    from anytomy.io import npz

    keys = npz.names(path)
    if {"masks", "ids", "names", "affine_lps"} <= set(keys):
        masks = npz.read_array(path, "masks")
        is_volume = masks.ndim == 4
        size = (masks.shape[-1], masks.shape[-2], masks.shape[-3] if is_volume else 1)
        geometry = Geometry.from_affine(npz.read_array(path, "affine_lps"), size)
        packed = []
        for values in masks.reshape(-1, *geometry.shape_zyx):
            packed.append(ObjectMask(SliceView.stored(geometry)))
            for z in np.flatnonzero(values.any(axis=(1, 2))):
                packed[-1].set(int(z), values[z].astype(bool))
        ids = [int(i) for i in npz.read_array(path, "ids")]
        names = [str(name) for name in npz.read_array(path, "names")]
        segments = _segments(path, geometry, is_volume, ids, names, packed)
        return Labelled(_label_image(segments, "npz"), segments)
    key = next((k for k in ("segs", "gts", "masks") if k in keys), keys[0] if len(keys) == 1 else "")
    if keys and not key:
        raise ImageReadError(f"{path} holds no masks (segs, gts or masks), only {', '.join(keys)}")
    labels = npz.read_array(path, key)
    if labels.ndim not in (2, 3):
        raise ImageReadError(f"{path} has {key or 'an array'} of shape {labels.shape}, expected ([z,] y, x)")
    depth = labels.shape[0] if labels.ndim == 3 else 1
    geometry = npz.grid(path, keys, (labels.shape[-1], labels.shape[-2], depth))
    segments = _of_map(_ids(labels, path), geometry, labels.ndim == 3, path, {})
    return Labelled(_label_image(segments, "npz"), segments)
