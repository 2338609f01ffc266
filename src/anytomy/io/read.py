"""From a file to an `Image`, whatever its format: `read`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from anytomy.core.errors import AnytomyError, AnytomyWarning, GeometryError, ImageReadError
from anytomy.core.intensity import value_range
from anytomy.io import detect, dicom, dicom_seg_read, itk, nifti, npz, raster, tiff

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from anytomy.core.image import Image

GROUP = "anytomy.readers"
_KNOWN = "NIfTI, NRRD, MHA/MHD, DICOM, PNG, JPEG, BMP, GIF, TIFF or NPZ"
_BY_ENDING = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".hdr": "NIfTI",
    ".img": "NIfTI",
    ".nrrd": "NRRD",
    ".seg.nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".dcm": "DICOM",
    ".seg.dcm": "DICOM",
    ".dicom": "DICOM",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ome.tif": "TIFF",
    ".ome.tiff": "TIFF",
    ".npz": "NPZ",
}


class ImageReader(Protocol):
    """One file format; a module or an object.

    - `matches` looks at the path and the first bytes only, goes by content where the format has magic bytes,
      and never raises.
    - `read` returns the stored values (HU for a CT) on their grid in LPS mm, in the stored type where
      possible, and sets `path` and `format`.
    - `read` never picks silently: of several series, times or channels it asks for one by raising an
      ImageReadError that names the option and its range, and an OptionError if the choice is out of range.
    - Anything wrong with the file may leave `read` as any exception: it becomes a one-line ImageReadError.
    - A third party adds its own as an entry point in the group `anytomy.readers`; those that come with
      Anytomy are asked first.
    """

    def matches(self, path: Path, head: bytes) -> bool:
        """Whether this is a file (or with empty `head` a folder) of the format.

        Args:
            path: The file.
            head: Its first bytes, up to 4096; gzip is already undone.
        """

    def read(
        self, path: Path, *, series: str | None = None, time: int | None = None, channel: int | None = None
    ) -> Image:
        """The image or volume in the file."""


_BUILT_IN: tuple[ImageReader, ...] = (nifti, itk, dicom_seg_read, dicom, raster, tiff, npz)


def read(
    path: str | os.PathLike[str],
    *,
    series: str | None = None,
    time: int | None = None,
    channel: int | None = None,
) -> Image:
    """Read an image or a volume; the format is told by content, not by ending.

    Args:
        path: A file, or a folder with a DICOM series.
        series: Which series of a DICOM folder (UID or number), where there are several.
        time: Which time point, from 0, where there are several.
        channel: Which channel, from 0, where there are several.

    Returns:
        The stored values and their place.

    Raises:
        ImageReadError: If the file is missing, empty, truncated, of an unknown type, or holds several
            images and none was chosen; the message is one line and names the file.
        OptionError: If series, time or channel is out of range.
        GeometryError: If the grid is sheared or irregular.

    Example:
        >>> image = read("ct.nii.gz")  # doctest: +SKIP
        >>> image.array.shape, image.geometry.spacing_zyx_mm  # doctest: +SKIP
        ((78, 512, 512), (2.0, 0.727, 0.727))
    """
    path = Path(path)
    head = _head(path)
    try:
        for reader in _readers():
            if reader.matches(path, head):
                image = reader.read(path, series=series, time=time, channel=channel)
                _check_values(image)
                return image
    except GeometryError as error:
        if str(path) in error.message:
            raise
        raise GeometryError(f"{path}: {error.message}", hint=error.hint) from error
    except AnytomyError:
        raise
    except Exception as error:
        # File formats break in more ways than their libraries have exception types.
        raise ImageReadError(f"{path} cannot be read: {_one_line(error)}") from error
    raise _unknown(path, head)


def is_image(path: Path) -> bool:
    """Whether a file, or a folder, looks like what `read` reads; only its first bytes are looked at."""
    try:
        head = _head(path)
    except ImageReadError:
        return False
    return any(reader.matches(path, head) for reader in _readers())


def _head(path: Path) -> bytes:
    """First bytes of a file; empty for a folder."""
    try:
        if path.is_dir():
            return b""
        head = detect.read_head(path)
        if path.stat().st_size == 0:
            raise ImageReadError(f"{path} is empty (0 bytes)")
    except FileNotFoundError:
        raise ImageReadError(f"{path} does not exist") from None
    except OSError as error:
        raise ImageReadError(f"{path} cannot be read: {error.strerror or error}") from error
    return head


def _readers() -> Iterator[ImageReader]:
    """Readers in the order in which they are asked; third parties' are loaded when no other matches."""
    yield from _BUILT_IN
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            yield point.load()
        except ImportError as error:
            message = f"the image reader {point.name} ({point.value}) cannot be loaded: {_one_line(error)}"
            warnings.warn(message, AnytomyWarning, stacklevel=3)


def _check_values(image: Image) -> None:
    if not np.issubdtype(image.array.dtype, np.floating):
        return
    _, _, bad = value_range(image)
    if bad:
        message = f"{image.name}: {bad} of {image.array.size} values are NaN or infinite"
        warnings.warn(message, AnytomyWarning, stacklevel=3)


def _unknown(path: Path, head: bytes) -> ImageReadError:
    if path.is_dir():
        return ImageReadError(f"{path} is a folder without a DICOM image", hint="name a file in it")
    text = bool(head) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)
    came = "it is text" if text else "its first bytes are of another or no known kind"
    ending = detect.ending(path)
    if ending in _BY_ENDING:
        return ImageReadError(
            f"{path} is not a {_BY_ENDING[ending]} file as its ending says: {came}",
            hint="it may be truncated or wrongly named",
        )
    return ImageReadError(f"{path} is no image of a known kind, expected {_KNOWN}", hint=came)


def _one_line(error: BaseException) -> str:
    """The telling part of an exception in one line of at most 200 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if line.startswith("ITK ERROR")), lines[0] if lines else "")
    text = text or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
