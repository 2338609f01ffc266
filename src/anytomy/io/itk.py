"""NRRD and MetaImage (MHA, MHD) through SimpleITK; label maps with the image's own geometry.

MetaImage headers are written here too: SimpleITK names the voxel file of an MHD after the temporary name.
"""

from __future__ import annotations

import re
import zlib
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError, ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io import nrrd_header
from anytomy.io.atomic import atomic_path
from anytomy.io.detect import ending, is_gzipped, read_head
from anytomy.io.frames import choose_frame, refuse_series
from anytomy.io.nrrd_header import is_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_META = re.compile(rb"\s*(ObjectType|NDims|Comment|ObjectSubType)\s*=")
_META_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
_META_TYPES = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "float32": "MET_FLOAT"}
_COLOUR_KINDS = ("rgb-color", "3-color", "rgba-color", "4-color", "vector", "3-vector", "4-vector", "")


# -- reading -----------------------------------------------------------------------------------------


def matches(path: Path, head: bytes) -> bool:
    """Whether the bytes begin an NRRD or a MetaImage header."""
    return head.startswith(b"NRRD000") or _META.match(head) is not None


def read(
    path: Path, *, series: str | None = None, time: int | None = None, channel: int | None = None
) -> Image:
    """The image or volume in an NRRD or MetaImage file, on its grid in LPS.

    Two spatial axes make an image, three a volume. Three (or four) channels of whole numbers are colour
    unless a channel is chosen; other channels, lists of layers and time points need a choice.

    Args:
        path: The file; the header of a detached pair.
        series: Refused; these formats have none.
        time: Which time point, layer or channel, from 0.
        channel: The same.

    Raises:
        ImageReadError: For truncated or missing voxels, other axes, several volumes without a choice.
        OptionError: For a choice that is out of range.
        GeometryError: For a sheared grid, and voxel sizes that are 0 or no numbers.
    """
    refuse_series(path, series)
    is_nrrd = read_head(path).startswith(b"NRRD")
    if is_gzipped(path):
        raise ImageReadError(
            f"{path} is compressed as a whole, which this format is not", hint="unpack it first"
        )
    fields = nrrd_header.read_fields(path) if is_nrrd else {}
    if is_nrrd:
        _check_data_file(path, fields.get("data file", fields.get("datafile", "")))
        nrrd_header.check_sizes(path, fields)
    else:
        _check_meta_voxels(path)
    array, geometry, axes, components = _load(path, is_nrrd=is_nrrd)
    if axes == 4 and components > 1:
        raise ImageReadError(f"{path} has both time points and channels", hint="extract one volume first")
    if axes == 4:
        array = array[choose_frame(path, len(array), time=time, channel=channel)].copy()
    elif components > 1 and not (time is None and channel is None and _is_colour(array, fields)):
        array = array[..., choose_frame(path, components, time=time, channel=channel)].copy()
    elif components > 1:
        array = array[..., :3]
    else:
        choose_frame(path, 1, time=time, channel=channel)
    return Image(
        array=array,
        geometry=geometry,
        is_volume=axes > 2,
        path=path,
        format="nrrd" if is_nrrd else "mha",
        header=(geometry, nrrd_header.same_place(fields)) if is_nrrd else None,
    )


def _load(path: Path, *, is_nrrd: bool) -> tuple[NDArray[Any], Geometry, int, int]:
    """Array `([t,] [z,] y, x[, c])`, grid of its space, number of axes, number of channels."""
    import SimpleITK as sitk  # noqa: N813

    try:
        image = sitk.ReadImage(str(path), imageIO="NrrdImageIO" if is_nrrd else "MetaImageIO")
    except RuntimeError as error:
        raise ImageReadError(f"{path} is truncated or damaged: {_cause(error)}") from error
    axes, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if axes == 4 and image.GetSize()[3] == 1:
        array, axes = sitk.GetArrayFromImage(image)[0], 3
    elif axes <= 4:
        array = sitk.GetArrayFromImage(image)
    else:
        raise ImageReadError(f"{path} has {axes} axes, expected two to four", hint="extract one volume first")
    space = min(axes, 3)
    direction = np.eye(3)
    block = np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)
    direction[:space, :space] = block[:space, :space]
    rows: Any = tuple(map(tuple, direction))
    geometry = Geometry(
        size_xyz=(*image.GetSize(), 1)[:3],
        spacing_xyz_mm=(*image.GetSpacing(), 1.0)[:3],
        origin_lps_mm=(*image.GetOrigin(), 0.0)[:3],
        direction=rows,
    )
    return array, geometry, axes, components


def _cause(error: Exception) -> str:
    """The telling line of ITK's many: the last of the NRRD library's stack, else ITK's own error."""
    lines = str(error).strip().splitlines()
    line = next((line for line in lines if line.startswith("ITK ERROR")), lines[-1])
    line = lines[-1] if lines[-1].startswith("[nrrd]") else line
    return re.sub(r"^(\[nrrd\] \w+: |ITK ERROR: (\w+\(\w+\): )?)", "", line)


def _is_colour(array: NDArray[Any], fields: Mapping[str, str]) -> bool:
    """Three or four channels of 8 or 16 bits, unless the header calls them a list, time or something else."""
    spatial = nrrd_header.spatial_axes(fields) if fields else []
    kinds = nrrd_header.entries(fields.get("kinds", ""))
    other = [kind.lower() for axis, kind in enumerate(kinds) if axis not in spatial]
    return (
        array.shape[-1] in (3, 4)
        and array.dtype in (np.uint8, np.uint16)
        and all(kind in _COLOUR_KINDS for kind in other)
    )


def _check_data_file(path: Path, name: str) -> None:
    """A header from a stranger must not make us read, and hand out, a file from somewhere else."""
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise ImageReadError(
            f"{path} names a voxel file in another folder, {name[:80]!r}", hint="put both in one"
        )
    if name.upper().startswith("LIST"):
        raise ImageReadError(
            f"{path} names a list of voxel files, expected one", hint="convert it to one file"
        )


def _check_meta_voxels(path: Path) -> None:
    """Find missing voxels before ITK does, which would print to stderr and blame the header."""
    with path.open("rb") as file:
        fields = {}
        for line in iter(lambda: file.readline(4096), b""):
            name, _, value = line.decode("latin-1").partition("=")
            fields[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                break
        start = file.tell()
    for name in ("ElementSpacing", "ElementSize"):
        if bad := [v for v in fields.get(name, "").split() if not is_size(v)]:
            raise GeometryError(
                f"{path} says that voxels are {bad[0]} mm wide", hint=f"write true sizes into {name}"
            )
    data = fields.get("ElementDataFile", "")
    if not data:
        raise ImageReadError(f"{path} is truncated: its header ends before ElementDataFile")
    _check_data_file(path, data)
    voxels, start = (path, start) if data.upper() == "LOCAL" else (path.parent / data, 0)
    if "%" in data:
        return  # one file for each slice: ITK looks for them
    if not voxels.is_file():
        raise ImageReadError(f"{path} names {data[:80]!r} as its voxel file, which is not beside it")
    if "CompressedDataSize" in fields:
        expected = int(fields["CompressedDataSize"])
    elif fields.get("CompressedData", "").lower() == "true":
        return
    else:
        item = _META_BYTES.get(fields.get("ElementType", "").removeprefix("MET_").removeprefix("U"), 1)
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        expected = int(np.prod([int(n) for n in fields.get("DimSize", "0").split()])) * item * channels
    got = voxels.stat().st_size - start
    if got < expected:
        raise ImageReadError(
            f"{voxels} is truncated: expected {expected} bytes of voxels, got {got}",
            hint="copy or download it again",
        )


# -- writing -----------------------------------------------------------------------------------------


def write(path: Path, labels: NDArray[Any], image: Image) -> None:
    """Write a label map, or a map of other values, as NRRD or MHA, by the path's ending.

    An image that came from a file with two axes gives two axes; any other keeps its place in three.

    Args:
        path: Where to write: `.nrrd` or `.mha`; see `write_mhd` for the pair.
        labels: `(z, y, x)` or `(y, x)` on the image's grid, uint8, uint16 or float32.
        image: What was segmented.
    """
    values = _on_axes_of(labels, image)
    if ending(path) == ".nrrd":
        nrrd_header.write(
            path,
            values,
            dtype=labels.dtype,
            sizes=values.shape[::-1],
            kinds=("domain",) * values.ndim,
            place=nrrd_place(image, values.ndim),
        )
        return
    packed = _packed(values)
    with path.open("wb") as file:
        file.write(_meta_header(values, image.geometry, len(packed), "LOCAL"))
        file.write(packed)


def write_mhd(path: Path, labels: NDArray[Any], image: Image) -> list[Path]:
    """Write a label map as `.mhd` and `.zraw` beside it, both at once; the paths written.

    Raises:
        OutputError: As `atomic_path`.
    """
    values = _on_axes_of(labels, image)
    packed = _packed(values)
    raw = path.with_suffix(".zraw")
    # The header last: it says how many bytes belong to it, so that a mixed pair would be noticed.
    with atomic_path(path) as temporary, atomic_path(raw) as raw_temporary:
        raw_temporary.write_bytes(packed)
        temporary.write_bytes(_meta_header(values, image.geometry, len(packed), raw.name))
    return [path, raw]


def nrrd_place(image: Image, axes: int = 3) -> dict[str, str]:
    """The NRRD fields that place an image's grid: the lines of its own file where they still fit."""
    if image.format == "nrrd" and image.header is not None and axes == (3 if image.is_volume else 2):
        geometry, fields = image.header
        if fields and geometry.is_close(image.geometry):
            return dict(fields)
    return nrrd_header.place_of(image.geometry, axes)


def _on_axes_of(labels: NDArray[Any], image: Image) -> NDArray[Any]:
    """The labels with two axes if the image's file had two, else with three."""
    if image.is_volume or image.format in ("nrrd", "mha"):
        return labels
    return labels[None]


def _packed(values: NDArray[Any]) -> bytes:
    return zlib.compress(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes(), level=5)


def _meta_header(values: NDArray[Any], geometry: Geometry, packed_size: int, data_file: str) -> bytes:
    axes = values.ndim
    # By columns: one axis vector after the other.
    matrix = geometry.direction_matrix[:axes, :axes].T.ravel()
    fields = {
        "ObjectType": "Image",
        "NDims": str(axes),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(packed_size),
        "TransformMatrix": _numbers(matrix),
        "Offset": _numbers(geometry.origin_lps_mm[:axes]),
        "CenterOfRotation": _numbers([0.0] * axes),
        # MetaImage names the sides that axes come from, Geometry those that they go to.
        "AnatomicalOrientation": geometry.orientation.translate(str.maketrans("LRPASI", "RLAPIS")),
        "ElementSpacing": _numbers(geometry.spacing_xyz_mm[:axes]),
        "DimSize": " ".join(map(str, values.shape[::-1])),
        "ElementType": _META_TYPES[values.dtype.name],
        "ElementDataFile": data_file,
    }
    if axes == 2:
        del fields["AnatomicalOrientation"]
    return "".join(f"{name} = {value}\n" for name, value in fields.items()).encode()


def _numbers(values: Iterable[float]) -> str:
    return " ".join(nrrd_header.number(v) for v in values)
