"""The table of all objects that a teacher was asked about: `write_objects`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytomy.evaluation.bench.table import write_records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TEXT = ("dataset", "case", "structure", "source", "reason")
_REAL = ("score", "agreement", "entropy", "student_dice", "certainty", "area_ratio", "offset", "filled")
_BOX = ("x0", "y0", "x1", "y1")


def write_objects(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `PseudoLabel.rows`, whole or not at all; `read_rows` reads them.

    `slice` is the file's; `x0` to `y1`, `mask` and `student` (`unpacked`) are of the slice as a `SliceView`
    shows it.

    Raises:
        OutputError: For whatever the operating system refuses.
    """
    import pyarrow as pa

    columns = [(name, pa.string()) for name in _TEXT]
    columns += [("slice", pa.int64()), ("area", pa.int64()), ("accepted", pa.bool_())]
    columns += [(name, pa.float64()) for name in (*_REAL, *_BOX)]
    columns += [("mask", pa.binary()), ("student", pa.binary())]
    write_records(path, rows, pa.schema(columns))
