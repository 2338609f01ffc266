"""From a prediction to files, by the ending of the output: `write_prediction`."""

from __future__ import annotations

import importlib
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OutputError
from anytomy.io.atomic import atomic_path, check_place
from anytomy.io.detect import ending, stem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prediction import Prediction

# Modules with write(path, labels, image) for one label map, or with write_prediction for all masks.
_WRITERS = {
    ".nii.gz": "nifti",
    ".nii": "nifti",
    ".nrrd": "itk",
    ".seg.nrrd": "seg_nrrd",
    ".mha": "itk",
    ".mhd": "itk",
    ".png": "raster",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".ome.tif": "tiff",
    ".ome.tiff": "tiff",
    ".npz": "npz",
    ".seg.dcm": "dicom_seg",
    ".dcm": "dicom_seg",
    ".json": "coco",
}
_KEEPS_OVERLAPS = (".seg.nrrd", ".npz", ".seg.dcm", ".dcm", ".json")
_FOR_DICOM_ONLY = (".seg.dcm", ".dcm")
_FLAT = (".png", ".json")


def endings() -> tuple[str, ...]:
    """Endings that an output may have."""
    return tuple(_WRITERS)


def check_output(
    path: Path, inputs: Sequence[Path] = (), *, slices: int = 1, image: Image | None = None
) -> None:
    """Find out before any work is done that an output cannot be written.

    Args:
        path: The output.
        inputs: Files that must survive.
        slices: How many slices are to be written.
        image: What is segmented, once it is read.

    Raises:
        OutputError: For an unknown ending, a picture format for a volume, a DICOM segmentation of what is not
            from DICOM, an input as output (also through links), a folder at the path, or a place that may not
            be written to.
    """
    kind = ending(path)
    if kind not in _WRITERS:
        got = f"{kind!r}" if kind else "none"
        raise OutputError(f"cannot write {path}: expected an ending of {', '.join(endings())}, got {got}")
    if slices > 1 and kind in _FLAT:
        raise OutputError(
            f"cannot write {slices} slices to {path}: {kind} holds one", hint="choose .nii.gz or .tif"
        )
    if image is not None and kind in _FOR_DICOM_ONLY:
        _writer(path).check(image)
    for input_ in inputs:
        if _same_file(path, input_):
            raise OutputError(f"cannot write {path}: it is the input itself", hint="choose another name")
    check_place(path)


def write_prediction(path: Path, prediction: Prediction, image: Image) -> list[Path]:
    """Write what was segmented on the grid of the image.

    One label map, whose values are the objects' ids; segments numbered from 1 in DICOM. Objects that overlap
    and were kept whole (`overlap="keep"`) become layers in `.seg.nrrd`, overlapping segments in `.seg.dcm`,
    separate masks in `.npz` and `.json` (COCO), and elsewhere one file of zeros and ones for each, named
    `STEM_ID_NAME.ENDING`.

    Args:
        path: Where to write; its ending chooses the format. Missing folders are created.
        prediction: The masks.
        image: What was segmented: its header is kept in the same format, its grid in any.

    Returns:
        The files that were written.

    Raises:
        OutputError: As `check_output`, and for whatever the operating system refuses. Every file is then
            the old one or the new one.
    """
    from anytomy.io.dicom_source import source_files
    from anytomy.io.seg_nrrd import overlapping

    inputs = [*([image.path] if image.path else []), *source_files(image)]
    check_output(path, inputs, slices=prediction.geometry.size_xyz[2], image=image)
    if ending(path) in _KEEPS_OVERLAPS:
        with atomic_path(path) as temporary:
            _writer(path).write_prediction(temporary, prediction, image)
        return [path]
    if not overlapping(prediction):
        return write_labels(path, prediction.label_map, image)
    written = []
    for prompt, mask in zip(prediction.sources, prediction.masks, strict=True):
        single = path.with_name(f"{stem(path)}_{prompt.id}{_slug(prompt.name)}{path.name[len(stem(path)) :]}")
        check_output(single, inputs)
        written += write_labels(single, mask.astype(np.uint8), image)
    return written


def write_labels(path: Path, labels: NDArray[Any], image: Image) -> list[Path]:
    """Write one label map `([z,] y, x)` on the grid of the image; the ending of `path` chooses the format.

    Returns:
        The files that were written.

    Raises:
        OutputError: For whatever the operating system refuses.
    """
    writer = _writer(path)
    if ending(path) == ".mhd":
        return list(writer.write_mhd(path, labels, image))
    with atomic_path(path) as temporary:
        writer.write(temporary, labels, image)
    return [path]


def _writer(path: Path) -> Any:
    return importlib.import_module(f"anytomy.io.{_WRITERS[ending(path)]}")


def _same_file(path: Path, other: Path) -> bool:
    """Whether both are one file, also through `..`, symbolic and hard links."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _slug(name: str | None) -> str:
    """`_left-kidney` of `Left kidney`: letters and digits of any language; empty without a name."""
    words = re.sub(r"[\W_]+", "-", (name or "").lower()).strip("-")
    return f"_{words[:40]}" if words else ""
