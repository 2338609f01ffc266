"""The header of a DICOM file, read as far as the pixels: `Header`."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import ImageReadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Objects that may have pixels or frames and are no images: raw data, registrations, SEG and label maps,
# presentation states, dose, structures and plans.
_NOT_IMAGES = tuple(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("66", "11.", "481.2", "481.3", "481.5"))
_DICOMDIR = "1.2.840.10008.1.3.10"
PIXEL_KEYWORDS = ("FloatPixelData", "DoubleFloatPixelData", "PixelData")
_DEFLATED = 1032  # zlib's best ratio


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes of a file (132 or more) are DICOM's.

    A file without the 128-byte preamble counts if it begins with two well-formed elements of group 0002 or
    0008 in ascending order.
    """
    if head[128:132] == b"DICM":
        return True
    at, last, seen = 0, -1, 0
    while seen < 2:
        if len(head) < at + 8:
            return False
        group, element, kind, short = struct.unpack_from("<HH2sH", head, at)
        length, start = short, at + 8
        if not (kind.isalpha() and kind.isupper()):
            (length,) = struct.unpack_from("<I", head, at + 4)
        elif kind in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR"):
            if len(head) < at + 12:
                return False
            (length,), start = struct.unpack_from("<I", head, at + 8), at + 12
        if group not in (2, 8) or element > 0x0100 or length % 2 or length > 256:
            return False
        if (group << 16) + element <= last:
            return False
        at, last, seen = start + length, (group << 16) + element, seen + 1
    return True


def broken(file: Path, why: object) -> str:
    """Message about a file that is damaged."""
    lines = str(why).splitlines() or ["unreadable"]
    return f"{file} is a truncated or corrupt DICOM file ({lines[0].rstrip('.')})"


@dataclass(frozen=True)
class Header:
    """A dataset as far as the pixels.

    Attributes:
        dataset: pydicom's dataset, with the elements that slices need.
        not_an_image: What an object without image pixels is called; empty for an image or a broken one.
        pixels: Keyword of the pixel element that follows; empty if there is none.
        bytes_left: At most so many bytes of pixels follow.
        is_native: Whether they are not compressed.
    """

    dataset: Any
    not_an_image: str
    pixels: str
    bytes_left: int
    is_native: bool


def read_header(file: Path, keywords: Sequence[str]) -> Header | None:
    """The header of a DICOM file; None for a file that is none and does not claim to be.

    Args:
        file: The file.
        keywords: The elements to keep.

    Raises:
        ImageReadError: If the file cannot be opened or parsed, or only its name says that it is DICOM.
    """
    import pydicom

    try:
        with file.open("rb") as stream:
            if not looks_like_dicom(stream.read(512)):
                if file.suffix.lower() in (".dcm", ".dicom", ".ima"):
                    what = "is not a DICOM file" if file.stat().st_size else "is empty"
                    raise ImageReadError(f"{file} {what}, though its name says so", hint="remove it")
                return None
            stream.seek(0)
            dataset = pydicom.dcmread(
                stream, stop_before_pixels=True, force=True, specific_tags=list(keywords)
            )
            return Header(dataset, _not_an_image(dataset), *_pixel_element(stream, dataset))
    except (ImageReadError, MemoryError):
        raise
    except OSError as error:
        raise ImageReadError(f"{file} cannot be read ({error.strerror or error})") from None
    except Exception as error:  # pydicom raises whatever a broken value leads to
        raise ImageReadError(broken(file, error), hint="copy it again or remove it") from None


def _not_an_image(dataset: Any) -> str:
    from pydicom.uid import UID

    meta = dataset.file_meta
    uid = UID(str(meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID") or ""))
    if uid == _DICOMDIR:
        return "DICOMDIR"
    called = str(dataset.get("Modality") or "other object")
    if uid.startswith(_NOT_IMAGES):
        return called
    # An object of an image class without a size, or any without identity, was cut off.
    is_image = "Rows" in dataset or "SOPInstanceUID" not in dataset or "Image Storage" in str(uid.name)
    return "" if is_image else called


def _pixel_element(stream: Any, dataset: Any) -> tuple[str, int, bool]:
    size = os.fstat(stream.fileno()).st_size
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_deflated:
        return "PixelData", _DEFLATED * size, False
    implicit, little = dataset.original_encoding
    tag = stream.read(8 if implicit else 12)[:4]
    group, element = struct.unpack("<HH" if little else ">HH", tag) if len(tag) == 4 else (0, 0)
    names = dict(zip((0x0008, 0x0009, 0x0010), PIXEL_KEYWORDS, strict=True))
    keyword = names.get(element, "") if group == 0x7FE0 else ""
    return keyword, size - stream.tell(), syntax is None or not syntax.is_compressed
