"""Masks that are arrays in MATLAB files (version 5 to 7.2) beside DICOM series, as FUMPE has them.

Options of the layout: `key`, the variable's name (`Mask` by default), and `axes`, what its axes are (`yxz`
by default). Slices are counted by instance number, in which MATLAB scripts stack a series, not by their place
in the patient.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import DatasetError, GeometryError, ImageReadError
from anytomy.datasets.readers import pattern

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import MaskRef
    from anytomy.datasets.finding import Found
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

FORM = "mat"


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """The cases that the layout's patterns find; their masks are decoded by `decode`.

    Raises:
        DatasetError: The options are wrong.
    """
    key, axes = str(layout.options.get("key", "Mask")), str(layout.options.get("axes", "yxz"))
    if sorted(axes) != ["x", "y", "z"] or not key or ":" in key:
        raise DatasetError(
            f"expected options key and axes (like yxz) of the layout {layout.name!r}, got {key} and {axes}"
        )
    found = pattern.find(tree, card, layout)
    cases = tuple(
        replace(case, masks=tuple(replace(mask, form=FORM, key=f"{key}:{axes}") for mask in case.masks))
        for case in found.cases
    )
    return replace(found, cases=cases)


def decode(ref: MaskRef, image: Image) -> NDArray[Any]:
    """The label values `(z, y, x)` on the image's grid.

    Raises:
        ImageReadError: The file cannot be read or holds no such array.
        GeometryError: It has another size than the image.
    """
    path = ref.paths[0]
    key, _, axes = ref.key.partition(":")
    array = _load(path, key)
    expected = image.geometry.shape_zyx
    if array.ndim == 2:
        array = array[..., None]
    stacked = np.transpose(array, [axes.index(axis) for axis in "zyx"]) if array.ndim == 3 else array
    if stacked.shape != expected:
        raise GeometryError(
            f"expected {expected} values (z, y, x) of {key} in {path} as in {image.name}, got {stacked.shape}"
        )
    labels = stacked[_ranks(image)]
    return labels if image.is_volume else labels[0]


def _load(path: Path, key: str) -> NDArray[Any]:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        held = loadmat(path, variable_names=[key])
        if key not in held:
            names = ", ".join(name for name, *_ in whosmat(path)) or "nothing"
            raise ImageReadError(f"expected a variable {key} in {path}, got {names}")
    except NotImplementedError:
        raise ImageReadError(
            f"{path} is a MATLAB file of version 7.3, which is not read", hint="save it with -v7"
        ) from None
    except OSError as error:
        raise ImageReadError(f"{path} cannot be read: {error.strerror or error}") from error
    except (MatReadError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        if isinstance(error, ImageReadError):
            raise
        raise ImageReadError(f"{path} is no MATLAB file or is damaged: {error}") from error
    array = np.asarray(held[key])
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise ImageReadError(f"expected numbers as {key} in {path}, got {array.dtype}")
    return array


def _ranks(image: Image) -> NDArray[np.int_]:
    """For each slice of the image, which one it is by instance number."""
    count = image.geometry.size_xyz[2]
    files = [s.path for s in getattr(image.header, "slices", ())]
    if len(set(files)) != count:
        return np.arange(count)
    numbers = [_instance_number(file) for file in files]
    if len(set(numbers)) != count:
        raise ImageReadError(
            f"expected {count} different instance numbers in {image.name}, got {len(set(numbers))}",
            hint="without them nobody can tell which slice of the mask belongs to which of the series",
        )
    return np.argsort(np.argsort(numbers))


def _instance_number(file: Path) -> int:
    import pydicom

    dataset = pydicom.dcmread(file, specific_tags=["InstanceNumber"], stop_before_pixels=True, force=True)
    value = dataset.get("InstanceNumber")
    if value is None:
        raise ImageReadError(f"expected an instance number in {file}, got none")
    return int(value)
