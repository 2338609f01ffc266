"""What kind of file something is: its ending and its first bytes."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from pathlib import Path

_COMPOUND = (".seg.nrrd", ".seg.dcm", ".nii.gz", ".hdr.gz", ".img.gz", ".ome.tif", ".ome.tiff")
_GZIP = b"\x1f\x8b"
# Enough for every magic number: DICOM's is at 128, NIfTI-1's at 344, a MetaImage header is a few hundred.
_HEAD = 4096


def ending(path: Path) -> str:
    """The ending that tells the format, lower case: `.nii.gz`, `.seg.nrrd`, `.png`; empty without one."""
    name = path.name.lower()
    return next((e for e in _COMPOUND if name.endswith(e)), path.suffix.lower())


def stem(path: Path) -> str:
    """The file name without its `ending`."""
    return path.name[: len(path.name) - len(ending(path))]


def read_head(path: Path) -> bytes:
    """The first bytes of a file, of what is inside where it is gzip-compressed.

    Shorter than asked for, or empty, where the file ends before.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head, _HEAD)
    except zlib.error:
        return b""


def is_gzipped(path: Path) -> bool:
    """Whether the file as a whole is gzip-compressed."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def open_plain(path: Path) -> BinaryIO:
    """The file opened for reading, through gzip if it is compressed whatever its ending says."""
    return cast("BinaryIO", gzip.open(path, "rb")) if is_gzipped(path) else path.open("rb")
