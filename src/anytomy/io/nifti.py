"""NIfTI-1 and NIfTI-2, single files and .hdr/.img pairs, compressed or not.

nibabel interprets the header; the voxels are read here, straight into the array that is returned, so that a
large volume is in memory once and one time point of a long series does not load the others.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from anytomy.core.errors import AnytomyWarning, GeometryError, ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io.detect import ending, open_plain, stem
from anytomy.io.frames import choose_frame, refuse_series

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CHUNK = 16 << 20
_INTENT_LABEL = 1002
_SINGLE = {348: b"n+1\0", 540: b"n+2\0\r\n\x1a\n"}
_UNIT_IN_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


# -- reading -----------------------------------------------------------------------------------------


def matches(path: Path, head: bytes) -> bool:
    """Whether the bytes are a NIfTI header, or the path is the voxel file of a pair."""
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0"):
        return True
    return ending(path) in (".img", ".img.gz") and _partner(path, ".hdr") is not None


def read(
    path: Path, *, series: str | None = None, time: int | None = None, channel: int | None = None
) -> Image:
    """The volume in a NIfTI file.

    The stored type is kept where the header asks for no scaling; scaled values are float32 (float64 from
    float64). The grid is the sform's where its code is positive, else the qform's, else that of the voxel
    sizes alone. A file with two axes is a volume of one slice.

    Args:
        path: The file; either one of a pair.
        series: Refused; NIfTI has none.
        time: Which volume of a 4D file, from 0.
        channel: The same.

    Raises:
        ImageReadError: For missing halves, truncated data, more than four axes and 4D without a choice.
        OptionError: For a choice that is out of range.
        GeometryError: For a sheared or singular affine, and voxel sizes that are 0 or no numbers.
    """
    refuse_series(path, series)
    header_path, data_path = _pair(path)
    stored = _read_header(header_path)
    _check_sizes(path, stored)
    header, complaints = _repaired(stored)
    for complaint in complaints:
        warnings.warn(f"{header_path}: {complaint}", AnytomyWarning, stacklevel=3)
    shape = _squeezed(path, header.get_data_shape())
    frames = shape[3] if len(shape) == 4 else 1
    frame = choose_frame(path, frames, time=time, channel=channel)
    raw = _read_voxels(data_path, header, shape[:3], frame, frames)
    return Image(
        array=_scaled(raw, header),
        geometry=_geometry(header),
        is_volume=True,
        path=path,
        format="nifti",
        header=stored,
    )


def _pair(path: Path) -> tuple[Path, Path]:
    """Files of the header and of the voxels; twice the same for a single file."""
    if ending(path) in (".img", ".img.gz"):
        header = _partner(path, ".hdr")
        return (header, path) if header else (path, path)
    if ending(path) in (".hdr", ".hdr.gz"):
        voxels = _partner(path, ".img")
        if voxels is None:
            raise ImageReadError(f"{path} is a header without voxels, expected {stem(path)}.img beside it")
        return path, voxels
    return path, path


def _partner(path: Path, suffix: str) -> Path | None:
    names = (stem(path) + suffix + packed for packed in ("", ".gz"))
    return next((p for p in map(path.with_name, names) if p.is_file()), None)


def _read_header(path: Path) -> Any:
    """The header exactly as stored, extensions left out: they describe the image, not its labels."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    with open_plain(path) as file:
        block = file.read(540)
    kind = Nifti2Header if block[4:7] in (b"n+2", b"ni2") else Nifti1Header
    return kind(block[: kind.sizeof_hdr], check=False)


def _repaired(stored: Any) -> tuple[Any, list[str]]:
    """A copy with nibabel's usual repairs (voxel size 0, bad qfac), and what the user should know of them."""
    header, complaints = stored.copy(), []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.Logger("anytomy.io.nifti")
    logger.addHandler(handler)
    header.check_fix(logger=logger, error_level=logging.ERROR)
    return header, complaints


def _check_sizes(path: Path, stored: Any) -> None:
    """Refuse sizes of 0 where the grid hangs on them: a repair would make up how thick slices are."""
    if int(stored["sform_code"]) > 0:
        return
    for axis, size, count in zip("xyz", stored["pixdim"][1:4], stored["dim"][1:4], strict=True):
        if count > 1 and axis in "xyz"[: int(stored["dim"][0])] and not (np.isfinite(size) and size != 0):
            raise GeometryError(
                f"{path} says that voxels are {size:g} mm along {axis}",
                hint="write the true size into the header (pixdim)",
            )


def _squeezed(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Three or four axes: trailing ones of length 1 go, a missing third is added."""
    space = (*shape, 1)[:3] if len(shape) == 2 else tuple(shape[:3])
    extra = tuple(n for n in shape[3:] if n != 1)
    if len(space) != 3 or len(extra) > 1:
        raise ImageReadError(
            f"{path} has {len(shape)} axes of length {', '.join(map(str, shape))}, expected two to four",
            hint="extract one volume first",
        )
    return (*space, *extra)


def _read_voxels(path: Path, header: Any, space: tuple[int, ...], frame: int, frames: int) -> NDArray[Any]:
    """The stored values of one volume, `(z, y, x)`, in the machine's byte order."""
    dtype: np.dtype[Any] = header.get_data_dtype()
    array = np.empty(space[::-1], dtype)
    # Two files have voxels at vox_offset too, usually 0; a single file that says 0 means "behind the header".
    single = bytes(header["magic"]).startswith(b"n+")
    start = max(int(header.get_data_offset()), header.single_vox_offset if single else 0)
    with open_plain(path) as file:
        file.seek(start + frame * array.nbytes)
        got = _fill(file, array)
        if got == array.nbytes and frame == frames - 1:
            file.read(1)  # at its end a gzip stream checks its sum
    if got < array.nbytes:
        raise ImageReadError(
            f"{path} is truncated: expected {array.nbytes} bytes of voxels, got {got}",
            hint="copy or download it again",
        )
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _fill(file: BinaryIO, array: NDArray[Any]) -> int:
    """Fill an array from a file in pieces (gzip would hold all of it twice); the bytes that came."""
    target, got = array.reshape(-1).view(np.uint8), 0
    while got < target.size:
        try:
            piece = file.read(min(_CHUNK, target.size - got))
        except EOFError:
            break
        if not piece:
            break
        target[got : got + len(piece)] = np.frombuffer(piece, np.uint8)
        got += len(piece)
    return got


def _scaled(raw: NDArray[Any], header: Any) -> NDArray[Any]:
    if raw.dtype.names:
        return _colours(raw)
    slope, inter = header.get_slope_inter()
    if raw.dtype.kind == "f" and raw.dtype.itemsize not in (4, 8):
        raw = raw.astype(np.float32 if raw.dtype.itemsize < 4 else np.float64)
    if raw.dtype.kind == "c" or (slope in (None, 1.0) and inter in (None, 0.0)):
        return raw
    values: NDArray[np.floating] = raw.astype(
        np.float64 if raw.dtype == np.float64 else np.float32, copy=False
    )
    values *= slope
    values += inter
    return values


def _colours(raw: NDArray[Any]) -> NDArray[np.uint8]:
    """`(z, y, x, 3)` of RGB or RGBA voxels."""
    return raw.view(np.uint8).reshape(*raw.shape, len(raw.dtype.names or ()))[..., :3]


def _geometry(header: Any) -> Geometry:
    shape = header.get_data_shape()
    unit = _UNIT_IN_MM.get(int(header["xyzt_units"]) % 8, 1.0)
    affine = np.diag([unit, unit, unit, 1.0]) @ header.get_best_affine()
    return Geometry.from_affine(affine, (*shape, 1)[:3] if len(shape) == 2 else shape[:3], frame="RAS")


# -- writing -----------------------------------------------------------------------------------------


def write(path: Path, labels: NDArray[Any], image: Image) -> None:
    """Write a label map, or a map of other values, as one file, compressed where the path ends in `.gz`.

    Of a NIfTI image the header is written again: everything that places the voxels (qform, sform, pixdim,
    units) is unchanged to the byte. Of any other image qform and sform are its grid, as scanner positions.

    Args:
        path: Where to write.
        labels: `(z, y, x)` or `(y, x)` on the image's grid; uint8 or uint16, or float32, which are no labels.
        image: What was segmented.
    """
    header = _label_header(labels.dtype, image)
    voxels = np.ascontiguousarray(labels, labels.dtype.newbyteorder(header.endianness))
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if ending(path).endswith(".gz"):
            # No name and no time inside: the same labels give the same bytes.
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=5, mtime=0)
            file = stack.enter_context(packed)
        file.write(header.binaryblock)
        file.write(b"\0\0\0\0")  # no extensions
        file.write(voxels.reshape(-1).view(np.uint8).data)


def _label_header(dtype: np.dtype[Any], image: Image) -> Any:
    header = _own_header(image)
    if header is None:
        header = _new_header(image.geometry)
    header.set_data_dtype(dtype)
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = _SINGLE[int(header["sizeof_hdr"])]
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["cal_min"] = header["cal_max"] = 0.0
    header["intent_code"], header["intent_name"] = _INTENT_LABEL if dtype.kind == "u" else 0, b""
    header["intent_p1"] = header["intent_p2"] = header["intent_p3"] = 0.0
    return header


def _own_header(image: Image) -> Any | None:
    """A copy of the image's NIfTI header for three axes, if it has one that still fits its grid."""
    if image.format != "nifti" or image.header is None:
        return None
    if not _geometry(_repaired(image.header)[0]).is_close(image.geometry):
        return None
    header = image.header.copy()
    dim = header["dim"]
    dim[0], dim[4:] = min(int(dim[0]), 3), 1
    return header


def _new_header(geometry: Geometry) -> Any:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    # NIfTI-1 counts voxels in 16 bits.
    header = cast("Any", Nifti1Header() if max(geometry.size_xyz) < 32768 else Nifti2Header())
    header.set_data_shape(geometry.size_xyz)
    header.set_sform(geometry.affine_ras, 1)
    header.set_qform(geometry.affine_ras, 1)
    header.set_xyzt_units("mm")
    return header
