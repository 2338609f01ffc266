"""The text header of NRRD: read to learn what ITK does not tell, written so that geometry stays verbatim.

ITK turns every space into left-posterior-superior and axis vectors into spacing times direction, which
changes digits. Label maps are therefore written here, with the geometry lines of the image they belong to.
The format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import gzip
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError
from anytomy.io.detect import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry

_LONGEST = 1 << 20
_TYPES = {"uint8": "unsigned char", "uint16": "unsigned short", "float32": "float"}
# Fields that place voxels: one entry for the whole grid, or one for each axis.
_OF_SPACE = ("space", "space dimension", "space origin", "space units")
_OF_AXES = ("space directions", "spacings", "axis mins", "axis maxs", "centerings", "centers", "units")
_ENTRY = re.compile(r'\([^)]*\)|"[^"]*"|\S+')


def read_fields(path: Path) -> dict[str, str]:
    """The fields of a header, `field: text`, names in lower case; keys and values (`:=`) are left out."""
    fields = {}
    for line in _lines(path):
        name, colon, text = line.partition(": ")
        if colon and not line.startswith("#") and ":=" not in name:
            fields[name.strip().lower()] = text.strip()
    return fields


def read_keys(path: Path) -> dict[str, str]:
    """The keys and values of a header, `key:=value`."""
    pairs = (line.partition(":=") for line in _lines(path) if not line.startswith("#"))
    return {key: _plain(value) for key, sign, value in pairs if sign and ": " not in key}


def _lines(path: Path) -> list[str]:
    with open_plain(path) as file:
        head = file.read(_LONGEST)
    head = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    return head.decode("utf-8", "replace").splitlines()[1:]


def entries(text: str) -> list[str]:
    """The entries of a field with one for each axis; a vector in brackets and a quoted text are one."""
    return _ENTRY.findall(text)


def spatial_axes(fields: Mapping[str, str]) -> list[int]:
    """Axes that lie in space, by their kinds and directions; all of them where the header has neither."""
    count = int(fields.get("dimension", "0"))
    kinds = entries(fields.get("kinds", "")) or ["domain"] * count
    directions = entries(fields.get("space directions", "")) or ["?"] * count
    pairs = enumerate(zip(kinds, directions, strict=False))
    return [
        axis for axis, (kind, way) in pairs if kind in ("domain", "space", "???", "none") and way != "none"
    ]


def is_size(text: str) -> bool:
    """Whether a text is a number that a voxel can measure."""
    return math.isfinite(_float(text)) and _float(text) != 0


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def check_sizes(path: Path, fields: Mapping[str, str]) -> None:
    """Refuse voxel sizes of 0 or NaN along axes that lie in space: ITK would read 1 mm.

    Raises:
        GeometryError: Names the axis.
    """
    sizes, has_kinds = entries(fields.get("sizes", "")), "kinds" in fields
    spacings, directions = entries(fields.get("spacings", "")), entries(fields.get("space directions", ""))
    for axis in spatial_axes(fields):
        # Without kinds a short axis may be that of colours, which have no size.
        if not has_kinds and sizes[axis : axis + 1] and sizes[axis] in ("1", "2", "3", "4"):
            continue
        said = spacings[axis] if axis < len(spacings) else "1"
        if is_size(said) and axis < len(directions):
            said = directions[axis]
        vector = said.strip("()").split(",")
        if any(not math.isfinite(_float(v)) for v in vector) or not any(map(_float, vector)):
            raise GeometryError(
                f"{path} says that voxels measure {said} along axis {axis}, expected numbers other than 0",
                hint="write the true size into the header",
            )


def same_place(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that place the voxels of a file, word for word, for its spatial axes alone.

    Empty where the header counts time as a dimension of space.
    """
    axes, count = spatial_axes(fields), int(fields.get("dimension", "0"))
    if len(axes) > 3 or fields.get("space", "").endswith("time"):
        return {}
    kept = {name: fields[name] for name in _OF_SPACE if name in fields}
    for name in _OF_AXES:
        parts = entries(fields.get(name, ""))
        if len(parts) == count:
            kept[name] = " ".join(parts[axis] for axis in axes)
    return kept


def place_of(geometry: Geometry, axes: int = 3) -> dict[str, str]:
    """The fields that place a grid; with two axes the plane of an image without a place in a patient."""
    columns = (geometry.direction_matrix * np.asarray(geometry.spacing_xyz_mm)).T[:axes, :axes]
    space = {"space": "left-posterior-superior"} if axes == 3 else {"space dimension": "2"}
    return {
        **space,
        "space directions": " ".join(_vector(column) for column in columns),
        "space origin": _vector(geometry.origin_lps_mm[:axes]),
    }


def write(
    path: Path,
    planes: Iterable[NDArray[Any]],
    *,
    dtype: np.dtype[Any],
    sizes: Sequence[int],
    kinds: Sequence[str],
    place: Mapping[str, str],
    keys: Mapping[str, str] | None = None,
) -> None:
    """Write an attached-header file with gzip-compressed values.

    Args:
        path: Where to write.
        planes: The values in parts, slowest axis first, so that no second copy of all is needed.
        dtype: uint8, uint16 or float32.
        sizes: Length of each axis, fastest first.
        kinds: What each axis is (`domain`, `list`).
        place: Fields from `same_place` or `place_of`.
        keys: Keys and values (`key:=value`).
    """
    fields = {
        "type": _TYPES[dtype.name],
        "dimension": str(len(sizes)),
        "space": "",
        "space dimension": "",
        "sizes": " ".join(map(str, sizes)),
        "space directions": "",
        "kinds": " ".join(kinds),
        "endian": "little",
        "encoding": "gzip",
    }
    # The space must come before what is measured in it; everything else may stand in any order.
    fields.update(place)
    lines = ["NRRD0005"] + [f"{name}: {text}" for name, text in fields.items() if text]
    lines += [f"{key}:={_escaped(value)}" for key, value in (keys or {}).items()]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=5, mtime=0) as packed:
            for plane in planes:
                packed.write(np.ascontiguousarray(plane, dtype.newbyteorder("<")).tobytes())


def _vector(values: Iterable[float]) -> str:
    return "(" + ",".join(number(v) for v in values) + ")"


def number(value: float) -> str:
    """The shortest text that is read as the same number."""
    return repr(float(value)).removesuffix(".0")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "")


def _plain(value: str) -> str:
    """What `_escaped` was given."""
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], value)
