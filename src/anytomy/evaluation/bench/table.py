"""Results as rows of a table in Parquet: one part per case and model as it is done, one table in the end.

A part is written under a temporary name and renamed, so that a killed run loses the case in work at most.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TEXT = (
    "dataset",
    "case",
    "patient",
    "modality",
    "structure",
    "object",
    "level",
    "status",
    "model",
    "prompt",
    "budget",
    "scope",
    "volume",
    "zoom",
    "intensity",
    "selection",
    "empty",
    "unit",
    "prompts",
)
_WHOLE = (
    "seed",
    "input_size",
    "slice",
    "pixels",
    "found_voxels",
    "truth_voxels",
    "empty_slices",
    "noc90",
)
_REAL = ("score", "seconds", "shift", "tolerance", "auc", "ap", "ap50", "ap75", "pq", "sq", "dq")
_LISTS = ("dice_curve", "iou_curve")
# What tells rows apart, in the order of the final table.
KEYS = ("dataset", "case", "structure", "object", "level", "model", "prompt", "volume", "zoom")


def schema(metrics: Sequence[str], *, masks: bool) -> Any:
    """The columns of a table, as pyarrow has them.

    Args:
        metrics: Names of metrics; a column each.
        masks: Whether found masks are kept (`mask`, see `packed`).
    """
    import pyarrow as pa

    fields = [(name, pa.string()) for name in _TEXT]
    fields += [(name, pa.int64()) for name in _WHOLE]
    fields += [(name, pa.float64()) for name in (*metrics, *(r for r in _REAL if r not in metrics))]
    fields += [(name, pa.list_(pa.float64())) for name in _LISTS]
    fields += [("noc90_reached", pa.bool_())]
    if masks:
        fields.append(("mask", pa.binary()))
    return pa.schema(fields)


def part_path(folder: Path, dataset: str, case: str, model: str) -> Path:
    """Where the rows of one case and model lie."""
    name = hashlib.sha256("\0".join((dataset, case, model)).encode()).hexdigest()[:20]
    return folder / "parts" / dataset / f"{name}.parquet"


def write_rows(path: Path, rows: Sequence[dict[str, Any]], metrics: Sequence[str], *, masks: bool) -> None:
    """Write results, whole or not at all; see `write_records`."""
    write_records(path, rows, schema(metrics, masks=masks))


def write_records(path: Path, rows: Sequence[dict[str, Any]], columns: Any) -> None:
    """Write a table, whole or not at all; NaN becomes null, and what has no column is left out.

    Args:
        path: The file.
        rows: Values by column.
        columns: Their schema, as pyarrow has it.

    Raises:
        OutputError: For whatever the operating system refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from anytomy.io.atomic import atomic_path

    known = set(columns.names)
    plain = [{k: _plain(v) for k, v in row.items() if k in known} for row in rows]
    table = pa.Table.from_pylist(plain, schema=columns)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_rows(path: Path, *, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a table.

    Raises:
        OptionError: If it is not there or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise OptionError(f"{path} cannot be read as a table of results: {error}") from error
    return rows


def collected(paths: Iterable[Path], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of all parts without masks, in one order whatever the order of the work."""
    columns = schema(metrics, masks=False).names
    rows = [row for path in paths for row in read_rows(path, columns=columns)]
    return sorted(rows, key=lambda row: tuple(_sortable(row[key]) for key in KEYS))


def packed(mask: NDArray[np.bool_]) -> bytes:
    """A mask of any number of axes in few bytes: shape, bounding box, bits."""
    found = np.argwhere(mask)
    low = found.min(axis=0) if found.size else np.zeros(mask.ndim, int)
    high = found.max(axis=0) + 1 if found.size else np.zeros(mask.ndim, int)
    crop = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    head = np.asarray([mask.ndim, *mask.shape, *low, *high], dtype="<i4").tobytes()
    return zlib.compress(head + np.packbits(crop).tobytes(), 6)


def unpacked(data: bytes) -> NDArray[np.bool_]:
    """The inverse of `packed`."""
    raw = zlib.decompress(data)
    axes = int(np.frombuffer(raw[:4], "<i4")[0])
    numbers = np.frombuffer(raw[4 : 4 + 12 * axes], "<i4").reshape(3, axes)
    shape, low, high = (tuple(int(v) for v in row) for row in numbers)
    crop_shape = tuple(b - a for a, b in zip(low, high, strict=True))
    bits = np.frombuffer(raw[4 + 12 * axes :], np.uint8)
    mask = np.zeros(shape, dtype=bool)
    crop = np.unpackbits(bits, count=int(np.prod(crop_shape))).reshape(crop_shape)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = crop
    return mask


def _plain(value: Any) -> Any:
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _sortable(value: Any) -> tuple[int, int, str]:
    text = "" if value is None else str(value)
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
