"""Tables as CSV for spreadsheets and JSON for programs: `write_table`."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OutputError
from anytomy.io.atomic import check_place, write_bytes, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def table_paths(path: Path) -> tuple[Path, Path]:
    """The CSV and the JSON file of a table, which differ by their ending only.

    Args:
        path: Either of them, or their name without an ending.

    Raises:
        OutputError: If it has another ending, or there can be no such files.
    """
    if path.suffix.lower() not in ("", ".csv", ".json") or path.name in ("", ".."):
        raise OutputError(f"cannot write the table {path}: expected an ending of .csv or .json")
    pair = path.with_suffix(".csv"), path.with_suffix(".json")
    for each in pair:
        check_place(each)
    return pair


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], *, schema: str) -> tuple[Path, Path]:
    """Write a table twice, each file at once or not at all.

    Columns come in the order in which rows have them; a row without one leaves its cell empty.

    Args:
        path: As in `table_paths`.
        rows: Texts and numbers by column.
        schema: What the JSON says that it is, `anytomy.measures/1` say.

    Returns:
        The CSV and the JSON file.

    Raises:
        OutputError: If they cannot be written.
    """
    pair = table_paths(path)
    text = io.StringIO()
    table = csv.DictWriter(text, _columns(rows), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    # A file name need not be valid text.
    write_bytes(pair[0], text.getvalue().encode(errors="backslashreplace"))
    write_text(pair[1], json.dumps({"schema": schema, "rows": list(rows)}, indent=1) + "\n")
    return pair


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All columns; one that earlier rows lack stands behind the one that it follows in its own."""
    found: list[str] = []
    for row in rows:
        at = 0
        for name in row:
            if name not in found:
                found.insert(at, name)
            at = found.index(name) + 1
    return found
