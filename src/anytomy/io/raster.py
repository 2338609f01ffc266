"""PNG, JPEG, BMP and GIF pictures.

What comes out is what any viewer shows: EXIF orientation is applied (coordinates and results are those of
the upright picture), palettes are looked up, CMYK becomes RGB. Values are the stored ones: 16-bit grey stays
16-bit, and transparency is dropped, except that fully transparent pixels are black. Dots per inch
say nothing about a body, so that spacing is always 1.

Label maps are written as PNG whose values are the ids, with a colour table so that they can also be looked
at; `--preview` draws the picture for eyes.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, ImageReadError, OptionError, OutputError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io._choose import choose, drop_alpha, grey_if_equal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image as PillowImage

_PNG = b"\x89PNG\r\n\x1a\n"
_DIB_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
# What Pillow raises on broken files, depending on the format and on where they break.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a PNG, JPEG, BMP or GIF."""
    if head.startswith((_PNG, b"\xff\xd8\xff", b"GIF87a", b"GIF89a")):
        return True
    # Two letters alone would claim any text that begins with BM.
    return (
        head.startswith(b"BM")
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in _DIB_HEADER_SIZES
    )


def read(
    path: Path,
    *,
    series: int | str | None = None,
    time: int | None = None,
    channel: int | None = None,
    labels: bool = False,
) -> Image:
    """Read a picture.

    Args:
        path: PNG, JPEG, BMP or GIF.
        series: Not used by these formats; 0 at most.
        time: Frame of an animation, 0-based.
        channel: 0 red, 1 green, 2 blue; the picture is grey then.
        labels: The file is a mask or label map: keep palette indices, 1-bit as 0 and 1, three equal channels
            as one; values above 127 of a lossy JPEG count as 1.

    Raises:
        ImageReadError: If it is truncated, damaged, too large, or one of several frames has to be chosen.
        OptionError: If there is no such frame or channel.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    choose(path, series, 1, "series", "--series")
    try:
        with warnings.catch_warnings():
            # Between the warning and the error lie pictures of 90 to 180 megapixels, common in histology.
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(path) as picture:
                # Some phones put a second view behind a JPEG (MPO); it is no animation.
                frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
                frame = choose(path, time, frames, "frames", "--time")
                if frame:
                    picture.seek(frame)
                picture.load()
                kind = (picture.format or "").lower().replace("mpo", "jpeg")
                array = _values(ImageOps.exif_transpose(picture), labels=labels)
    except Pillow.DecompressionBombError as error:
        raise ImageReadError(
            f"{path} has too many pixels for a picture ({error})",
            hint="cut it into tiles or store it as TIFF",
        ) from None
    except (ImageReadError, OptionError):
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ImageReadError(f"cannot read {path}: {error.strerror}") from error
    except BROKEN as error:
        raise ImageReadError(f"{path} is damaged or truncated: {one_line(error)}") from error
    _warn_about_lost_bits(path, kind)
    if labels:
        array = _label_values(path, array, lossy=kind == "jpeg")
    elif channel is not None:
        count = array.shape[2] if array.ndim == 3 else 1
        chosen = choose(path, channel, count, "channels", "--channel")
        array = np.ascontiguousarray(array[..., chosen]) if count > 1 else array
    height, width = array.shape[:2]
    geometry = Geometry(size_xyz=(width, height, 1))
    return Image(array=array, geometry=geometry, is_volume=False, path=path, format=kind)


def _values(picture: PillowImage.Image, *, labels: bool) -> NDArray[Any]:
    """Stored values, `(y, x)` or `(y, x, 3)`, of whatever mode Pillow found."""
    mode = picture.mode
    if mode == "1":
        return np.asarray(picture).astype(np.uint8) * (1 if labels else 255)
    if mode == "L" or (mode == "P" and labels):
        return np.array(picture)
    if mode.startswith("I;16") or mode == "I":
        values = np.asarray(picture)
        fits = values.size == 0 or (values.min() >= 0 and values.max() <= 65535)
        return values.astype(np.uint16 if fits else np.int32)
    if mode in ("LA", "La"):
        values = np.asarray(picture.convert("LA"))
        return drop_alpha(np.ascontiguousarray(values[..., 0]), values[..., 1])
    if mode in ("RGBA", "RGBa", "PA") or (mode == "P" and "transparency" in picture.info):
        values = np.asarray(picture.convert("RGBA"))
        colour = drop_alpha(np.ascontiguousarray(values[..., :3]), values[..., 3])
        return grey_if_equal(colour) if mode in ("P", "PA") else colour
    colour = np.array(picture.convert("RGB"))
    return grey_if_equal(colour) if mode == "P" else colour


def _label_values(path: Path, array: NDArray[Any], *, lossy: bool) -> NDArray[Any]:
    if array.ndim == 3:
        array = grey_if_equal(array)
    if lossy:
        grey = array if array.ndim == 2 else array.max(axis=2)
        return (grey > 127).astype(np.uint8)
    if array.ndim == 3:
        raise ImageReadError(
            f"{path} has colours, expected a mask or label map with one number per pixel",
            hint="save it as a grey or palette picture",
        )
    return array


def _warn_about_lost_bits(path: Path, kind: str) -> None:
    """Pillow cuts 16-bit colour to 8 bits without a word; say it."""
    if kind != "png":
        return
    with path.open("rb") as file:
        header = file.read(26)
    depth, colour_type = header[24], header[25]
    if depth == 16 and colour_type != 0:
        warnings.warn(
            f"{path} holds 16-bit colour or transparency; only the upper 8 bits are read; "
            "store it as TIFF to keep all",
            AnytomyWarning,
            stacklevel=3,
        )


def one_line(error: BaseException) -> str:
    """The first line of a library's message, for ours."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def write(path: Path, labels: NDArray[Any], image: Image) -> None:
    """Write a label map as PNG; pixel values are the ids.

    Up to id 255 with a colour table: `numpy.array(PIL.Image.open(path))` gives the ids, and viewers show
    colours. Beyond that as 16-bit grey.

    Args:
        path: Exactly this file, ending in `.png`.
        labels: `(y, x)` or `(1, y, x)`.
        image: The image that they belong to.

    Raises:
        OutputError: If the ending is another one, or labels have several slices.
    """
    from PIL import Image as Pillow

    if path.suffix.lower() != ".png":
        why = "is lossy" if path.suffix.lower() in (".jpg", ".jpeg") else "cannot hold label maps here"
        raise OutputError(f"cannot write labels to {path}: {path.suffix} {why}", hint="write .png")
    if labels.ndim == 3 and labels.shape[0] == 1:
        labels = labels[0]
    if labels.ndim != 2:
        raise OutputError(
            f"cannot write {labels.shape[0]} slices to {path}: PNG holds one",
            hint="write .nii.gz, .nrrd, .mha or .tif",
        )
    highest = int(labels.max(initial=0))
    if int(labels.min(initial=0)) < 0 or highest > 65535:
        raise OutputError(f"cannot write to {path}: expected ids 0 to 65535, got up to {highest}")
    if highest > 255:
        picture = Pillow.fromarray(np.ascontiguousarray(labels, dtype=np.uint16))
    else:
        picture = Pillow.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
        picture.putpalette(_colour_table())
    try:
        picture.save(path, format="PNG", optimize=False)
    except OSError as error:
        if error.errno is not None:
            raise  # what the system refuses is told by `atomic_path`, by the file's final name
        raise OutputError(f"cannot write {path}: {one_line(error)}") from error


def _colour_table() -> bytes:
    """256 RGB entries: black, then the colours of objects over and over."""
    from anytomy.io.seg_nrrd import PALETTE

    colours = [PALETTE[i % len(PALETTE)] for i in range(255)]
    return bytes([0, 0, 0, *(int(v) for colour in colours for v in colour)])
