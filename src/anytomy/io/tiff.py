"""TIFF: pictures, stacks, ImageJ hyperstacks and OME-TIFF.

Axes are those that ImageJ, OME or tifffile wrote; a pile of equal pages without a word about them is a
volume. Of time points and channels one is chosen. Spacing is taken from ImageJ and OME metadata, which state
it in physical units (converted to mm); plain resolution tags hold what a scanner or paint program left there
(72 dots per inch), so that without the former spacing is 1. Of a pyramid the full level is read.
"""

from __future__ import annotations

import contextlib
import logging
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, ImageReadError, OutputError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io._choose import choose, drop_alpha, grey_if_equal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MIN_IS_WHITE, _RGB, _PALETTE, _SEPARATED = 0, 2, 3, 5
# mm in a unit, by the names that ImageJ and OME use.
_MM = {
    "m": 1000.0, "dm": 100.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0,
    "µm": 1e-3, "μm": 1e-3, "um": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "micrometre": 1e-3, "\\u00b5m": 1e-3, "nm": 1e-6, "nanometer": 1e-6, "pm": 1e-9, "å": 1e-7,
    "in": 25.4, "inch": 25.4,
}  # fmt: skip
_BROKEN = (OSError, ValueError, KeyError, IndexError, struct.error, zlib.error)


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF."""
    return head.startswith(_MAGIC)


def read(
    path: Path,
    *,
    series: int | str | None = None,
    time: int | None = None,
    channel: int | None = None,
    labels: bool = False,
) -> Image:
    """Read a TIFF.

    Args:
        path: The file.
        series: Which of several images in it, 0-based; not needed where the others are thumbnails.
        time: Time point, 0-based.
        channel: Channel, 0-based; of a colour picture 0 red, 1 green, 2 blue.
        labels: The file is a mask or label map: keep palette indices and stored bits.

    Raises:
        ImageReadError: If it is truncated or damaged, compressed in a way that nobody here reads, or one of
            several series, time points or channels has to be chosen.
        OptionError: If there is no such series, time point or channel.
    """
    import tifffile

    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as file:
            number = _choose_series(path, file, series)
            chosen = file.series[number]
            _check_complete(path, file, chosen, complaints)
            array, axes = _pixels(path, chosen), str(chosen.axes)
            spacing = _spacing_xyz_mm(file, number)
            page = chosen.keyframe
            colour_map = page.colormap if int(page.photometric) == _PALETTE and not labels else None
            photometric = int(page.photometric)
    except AnytomyError:
        raise
    except MemoryError:
        raise ImageReadError(
            f"{path} does not fit into memory", hint="read a part or a lower level"
        ) from None
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ImageReadError(f"cannot read {path}: {error.strerror}") from error
    except _BROKEN as error:
        raise ImageReadError(f"{path} is damaged or truncated: {_first_line(error)}") from error
    if not labels:
        array = _shown(array, photometric)
    array, axes = _without_singles(array, axes)
    array, is_volume = _arranged(path, array, axes, photometric, time, channel)
    if colour_map is not None and array.ndim == 2 + is_volume:
        # 16-bit tables hold 8-bit colours times 257.
        array = grey_if_equal((np.asarray(colour_map).T >> 8).astype(np.uint8)[array])
    depth, height, width = array.shape[:3] if is_volume else (1, *array.shape[:2])
    geometry = Geometry(size_xyz=(width, height, depth), spacing_xyz_mm=spacing)
    return Image(array=array, geometry=geometry, is_volume=is_volume, path=path, format="tiff")


# -- reading -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs; it goes on with fewer pages where the chain of a truncated file breaks."""
    found: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _choose_series(path: Path, file: Any, wanted: int | str | None) -> int:
    count = len(file.series)
    if count == 0:
        raise ImageReadError(f"{path} holds no image")
    if wanted is not None or count == 1:
        return choose(path, wanted, count, "series", "--series")
    full = [i for i, s in enumerate(file.series) if not s.keyframe.is_reduced]
    if len(full) == 1:
        return full[0]  # the others are thumbnails and say so
    shapes = ", ".join(f"{i}: {'x'.join(str(n) for n in s.shape)}" for i, s in enumerate(file.series))
    raise ImageReadError(
        f"{path} holds {count} images of different kinds ({shapes}), expected one",
        hint=f"choose with --series 0 to {count - 1}",
    )


def _check_complete(path: Path, file: Any, series: Any, complaints: list[str]) -> None:
    size = file.filehandle.size
    for page in series.pages:
        if page is None:
            continue
        ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False))
        if max(ends, default=0) > size:
            raise ImageReadError(f"{path} is truncated: it has {size} bytes and should have more")
    for text in complaints:
        if "invalid page offset" in text or "corrupted" in text or "truncated" in text:
            raise ImageReadError(f"{path} is damaged or truncated: {text.splitlines()[0]}")


def _pixels(path: Path, series: Any) -> NDArray[Any]:
    try:
        array: NDArray[Any] = series.asarray()
        return array
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    return _with_pillow(path, series)


def _with_pillow(path: Path, series: Any) -> NDArray[Any]:
    """LZW, JPEG and CCITT through Pillow's libtiff, where imagecodecs is not installed."""
    from PIL import Image as Pillow

    page = series.keyframe
    kind = getattr(page.compression, "name", page.compression)
    planes = []
    try:
        with Pillow.open(path) as picture:
            for each in series.pages:
                picture.seek(each.index)
                planes.append(np.array(picture))
        array = np.stack(planes).reshape(series.shape)
    except (*_BROKEN, SyntaxError, EOFError, AttributeError, Pillow.DecompressionBombError) as error:
        raise ImageReadError(
            f"{path} cannot be decoded (compression {kind}): {_first_line(error)}",
            hint="if the file is whole, `pip install imagecodecs` or save it with ZIP (deflate) compression",
        ) from error
    if array.dtype != series.dtype and not (array.dtype == bool or series.dtype == bool):
        raise ImageReadError(
            f"{path} (compression {kind}, {series.dtype}) can only be read in part here",
            hint="`pip install imagecodecs` or save it with ZIP (deflate) compression",
        )
    return array


def _shown(array: NDArray[Any], photometric: int) -> NDArray[Any]:
    """1-bit as black and white, and white as the highest value."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if photometric == _MIN_IS_WHITE and np.issubdtype(array.dtype, np.unsignedinteger):
        return np.asarray(np.iinfo(array.dtype).max - array, dtype=array.dtype)
    return array


def _without_singles(array: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    keep = [i for i, (n, a) in enumerate(zip(array.shape, axes, strict=True)) if n > 1 or a in "YX"]
    return array.reshape([array.shape[i] for i in keep]), "".join(axes[i] for i in keep)


def _arranged(
    path: Path, array: NDArray[Any], axes: str, photometric: int, time: int | None, channel: int | None
) -> tuple[NDArray[Any], bool]:
    """`([z,] y, x[, colour])` of an array with named axes, and whether it has z."""
    if "Y" not in axes or "X" not in axes:
        raise ImageReadError(f"{path} has the axes {axes}, expected a picture with Y and X")
    count = array.shape[axes.index("T")] if "T" in axes else 1
    point = choose(path, time, count, "time points", "--time")
    if "T" in axes:
        array, axes = np.take(array, point, axis=axes.index("T")), axes.replace("T", "")
    if "S" in axes:
        array, axes = np.moveaxis(array, axes.index("S"), -1), axes.replace("S", "") + "S"
        array, axes = _samples(path, array, axes, photometric)
    kind = "C" if "C" in axes else "S" if "S" in axes and channel is not None else ""
    count = array.shape[axes.index(kind)] if kind else 1
    chosen = choose(path, channel, count, "channels", "--channel")
    if kind:
        array, axes = np.take(array, chosen, axis=axes.index(kind)), axes.replace(kind, "")
    others = [a for a in axes if a not in "YXS"]
    if len(others) > 1:
        shape = "x".join(str(n) for n in array.shape)
        raise ImageReadError(
            f"{path} has the axes {axes} ({shape}), expected at most one beside Y and X",
            hint="save one stack with axes ZYX",
        )
    order = [*others, "Y", "X", *(["S"] if "S" in axes else [])]
    return np.ascontiguousarray(np.transpose(array, [axes.index(a) for a in order])), bool(others)


def _samples(path: Path, array: NDArray[Any], axes: str, photometric: int) -> tuple[NDArray[Any], str]:
    """Samples of a pixel: three are colour, two grey and alpha, four colour and alpha, more are channels."""
    count = array.shape[-1]
    if photometric == _SEPARATED:
        raise ImageReadError(f"{path} is in CMYK, expected grey or RGB", hint="convert it to RGB")
    if count == 2:
        return drop_alpha(array[..., 0], array[..., 1]), axes.replace("S", "")
    if count == 3:
        return array, axes
    if count == 4 and photometric == _RGB:
        return drop_alpha(array[..., :3], array[..., 3]), axes
    return array, axes.replace("S", "C")


# -- spacing -------------------------------------------------------------------------------------


def _spacing_xyz_mm(file: Any, index: int) -> tuple[float, float, float]:
    if file.is_ome:
        found = _ome_spacing(file.ome_metadata, index)
    elif file.is_imagej:
        found = _imagej_spacing(file)
    else:
        found = None
    if found is None or not all(math.isfinite(s) and s > 0 for s in found):
        return 1.0, 1.0, 1.0
    return found


def _imagej_spacing(file: Any) -> tuple[float, float, float] | None:
    described = file.imagej_metadata or {}
    unit = _MM.get(str(described.get("unit", "")).strip().lower())
    tags = file.pages[0].tags
    if unit is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    (x, x_per), (y, y_per) = tags["XResolution"].value, tags["YResolution"].value
    if not (x and x_per and y and y_per):
        return None
    # ImageJ leaves the depth out where it is 1.
    depth = float(described.get("spacing", 1.0))
    return unit * x_per / x, unit * y_per / y, unit * abs(depth)


def _ome_spacing(xml: str, index: int) -> tuple[float, float, float] | None:
    from xml.etree import ElementTree

    try:
        pixels = [e for e in ElementTree.fromstring(xml).iter() if e.tag.rpartition("}")[2] == "Pixels"]
    except ElementTree.ParseError:
        return None
    if index >= len(pixels):
        return None
    stated = pixels[index].attrib
    found: dict[str, float] = {}
    for axis in "XYZ":
        unit = _MM.get(stated.get(f"PhysicalSize{axis}Unit", "µm").lower())
        with contextlib.suppress(KeyError, ValueError):
            if unit is not None:
                found[axis] = float(stated[f"PhysicalSize{axis}"]) * unit
    if "X" not in found or "Y" not in found:
        return None
    return found["X"], found["Y"], found.get("Z", found["X"])


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# -- writing -------------------------------------------------------------------------------------


def write(path: Path, labels: NDArray[Any], image: Image) -> None:
    """Write a label map as TIFF, deflated; values are the ids, one page per slice.

    In ImageJ's dialect, with spacing; as OME-TIFF where the name ends in `.ome.tif`.

    Args:
        path: Exactly this file.
        labels: `(y, x)` or `(z, y, x)`.
        image: The image that they belong to; its spacing is written.

    Raises:
        OutputError: If it cannot be written.
    """
    import tifffile

    highest = int(labels.max(initial=0))
    if int(labels.min(initial=0)) < 0 or highest > 65535:
        raise OutputError(f"cannot write to {path}: expected ids 0 to 65535, got up to {highest}")
    values = np.ascontiguousarray(labels, dtype=np.uint8 if highest <= 255 else np.uint16)
    spacing = image.geometry.spacing_xyz_mm
    # Rational tags lose digits for numbers far from 1.
    unit, mm = ("um", 1e-3) if min(spacing) < 0.02 else ("mm", 1.0)
    x, y, z = (s / mm for s in spacing)
    axes = "ZYX" if values.ndim == 3 else "YX"
    ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    if ome:
        options: dict[str, Any] = {
            "ome": True,
            "metadata": {"axes": axes}
            | {f"PhysicalSize{a}": v for a, v in zip("XYZ", (x, y, z), strict=True) if a in axes}
            | {f"PhysicalSize{a}Unit": "µm" if unit == "um" else unit for a in axes},
        }
    else:
        options = {
            "imagej": True,
            "resolution": (1 / x, 1 / y),
            "metadata": {"axes": axes, "unit": unit, "spacing": z, "mode": "grayscale"},
        }
    try:
        tifffile.imwrite(path, values, photometric="minisblack", compression="zlib", **options)
    except (OSError, ValueError, struct.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # what the system refuses is told by `atomic_path`, by the file's final name
        raise OutputError(f"cannot write {path}: {_first_line(error)}") from error
