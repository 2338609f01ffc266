"""The values of DICOM slices: decoded, rescaled, one file at a time into one array: `load`.

- Grey values are rescaled slice by slice (slope and intercept, or the modality lookup table). They stay whole
  numbers, in the smallest of uint8, int16, uint16 and int32 that holds all values that the headers allow, if
  all slopes are 1 and all intercepts whole; else they are float32.
- MONOCHROME1 means that the least value is shown white. Pictures of that kind (radiographs, ...) are turned
  round, value -> least + largest possible value - value, so that in every image small values are dark;
  so are the lungs of a chest radiograph. Quantities (CT, MR, PET, NM) are left alone: there it only says how
  to show them.
- Colour becomes 8-bit RGB: YBR is converted, palettes are applied.
- PixelPaddingValue, windows, real-world value maps and overlays are not applied.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError, MissingDependencyError
from anytomy.io.dicom_header import PIXEL_KEYWORDS, broken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.io.dicom_slice import Slice

_QUANTITIES = ("CT", "MR", "PT", "NM")
_PALETTE = "PALETTE COLOR"


def load(slices: Sequence[Slice], modality: str) -> NDArray[Any]:
    """The values of all slices, `(z, y, x)`, or `(z, y, x, 3)` in colour.

    Args:
        slices: In the order of z; all of one size.
        modality: DICOM code; decides whether MONOCHROME1 is turned round.

    Raises:
        ImageReadError: If a file is truncated or corrupt, or there is not enough memory.
        MissingDependencyError: If no decoder for the compression is installed.
    """
    is_colour = slices[0].samples == 3 or slices[0].photometric == _PALETTE
    shape = (len(slices), *slices[0].size_yx, *((3,) if is_colour else ()))
    dtype = np.dtype(np.uint8) if is_colour else _value_type(slices)
    try:
        array = np.empty(shape, dtype)
    except MemoryError:
        size = np.prod(shape, dtype=float) * dtype.itemsize / 2**30
        raise ImageReadError(
            f"{slices[0].path.parent}: {size:.1f} GiB of voxels do not fit in memory"
        ) from None
    by_file: dict[Path, list[int]] = {}
    for index, slice_ in enumerate(slices):
        by_file.setdefault(slice_.path, []).append(index)
    for path, indices in by_file.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pydicom, about values that break a rule of the standard
                dataset, frames = decoded(path, [slices[i].frame for i in indices])
                for index, frame in zip(indices, frames, strict=True):
                    slice_ = slices[index]
                    array[index] = (
                        _colours(frame, slice_, dataset)
                        if is_colour
                        else _values(frame, slice_, dataset, dtype, turn=modality not in _QUANTITIES)
                    )
        except (ImageReadError, MissingDependencyError, MemoryError):
            raise
        except Exception as error:  # pydicom and its plug-ins raise whatever broken data lead to
            raise ImageReadError(broken(path, error), hint="copy it again from its source") from None
    return array


def _value_type(slices: Sequence[Slice]) -> np.dtype[Any]:
    bounds = [s.bounds for s in slices if s.bounds is not None and s.slope in (None, 1.0)]
    if len(bounds) == len(slices) and all(float(s.intercept).is_integer() for s in slices):
        least, largest = min(b[0] for b in bounds), max(b[1] for b in bounds)
        for kind in (np.uint8, np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= least and largest <= np.iinfo(kind).max:
                return np.dtype(kind)
    return np.dtype(np.float32)


def decoded(path: Path, frames: list[int | None]) -> tuple[Any, Iterator[NDArray[Any]]]:
    """The dataset of a file and its decoded frames, one at a time.

    Args:
        path: The file.
        frames: Which frames, 0-based; [None] for a file with one.

    Raises:
        ImageReadError: If there are no pixels, or they are compressed in a way that nobody decodes.
        MissingDependencyError: If no decoder for the compression is installed.
    """
    import pydicom
    from pydicom.pixels import iter_pixels

    dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    is_packed = _is_packed(dataset)
    if "TransferSyntaxUID" in dataset.file_meta:
        _check_decoder(dataset.file_meta.TransferSyntaxUID, path)
        if frames[0] is not None and not is_packed:  # of many frames only those that are asked for are read
            return dataset, iter_pixels(path, indices=frames)
    dataset = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        _assume_syntax(dataset)
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        raise ImageReadError(broken(path, "the pixel data end too early"))
    if is_packed:
        return dataset, _unpacked(dataset, [frame or 0 for frame in frames])
    return dataset, iter_pixels(dataset, indices=None if frames[0] is None else frames)


def _is_packed(dataset: Any) -> bool:
    """Whether pixels are single bits, eight in a byte."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    _, little = dataset.original_encoding
    return dataset.get("BitsAllocated") == 1 and little and not (syntax is not None and syntax.is_compressed)


def _unpacked(dataset: Any, frames: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Frames of single bits; pydicom 3 fails on one that begins late in a byte."""
    size = int(dataset.Rows) * int(dataset.Columns)
    packed = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    for frame in frames:
        start, skip = divmod(frame * size, 8)
        bits = np.unpackbits(packed[start : start + (skip + size + 7) // 8], bitorder="little")
        yield bits[skip : skip + size].reshape(int(dataset.Rows), int(dataset.Columns))


def _assume_syntax(dataset: Any) -> None:
    """A file without header is uncompressed, as pydicom found it to be."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _check_decoder(syntax: Any, path: Path) -> None:
    from pydicom.pixels import get_decoder

    if not syntax.is_compressed:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise ImageReadError(
            f"{path} is compressed as {syntax.name}, which cannot be decoded",
            hint="export it uncompressed (Explicit VR Little Endian)",
        ) from None
    if not decoder.is_available:
        name = syntax.name
        extra = "openjpeg" if "2000" in name else "rle" if "RLE" in name else "libjpeg"
        raise MissingDependencyError(
            f"{path} is compressed as {name}, and no decoder for it is installed",
            hint=f'run: pip install "pylibjpeg[{extra}]"',
        )


def _values(
    frame: NDArray[Any], slice_: Slice, dataset: Any, dtype: np.dtype[Any], *, turn: bool
) -> NDArray[Any]:
    from pydicom.pixels import apply_modality_lut

    values: NDArray[Any]
    if slice_.slope is None:
        values = apply_modality_lut(frame, dataset).astype(dtype)
    elif dtype.kind == "f":
        values = (frame * slice_.slope + slice_.intercept).astype(dtype)
    else:
        values = frame.astype(dtype)
        if slice_.intercept:
            # Modulo 2^n in between: the sum fits, by the bounds that chose the type.
            values += np.int64(slice_.intercept).astype(dtype)
    if turn and slice_.photometric == "MONOCHROME1":
        least, largest = slice_.bounds or (values.min(), values.max())
        values = (least + largest - values.astype(np.float64)).astype(dtype)
    return values


def _colours(frame: NDArray[Any], slice_: Slice, dataset: Any) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut

    bits = int(dataset.BitsStored)
    if slice_.photometric == _PALETTE:
        frame = apply_color_lut(frame, dataset)[..., :3]
        bits = 8 * frame.dtype.itemsize
    colours: NDArray[np.uint8] = (frame >> max(bits - 8, 0)).astype(np.uint8)
    return colours
