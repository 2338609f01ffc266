"""Patients whose keys stand in a table beside the files rather than in their names: `with_patients`.

Options of a layout: `patients` (pattern of the CSV file), `patients_image` (the column that holds what the
layout's `patient` template gives) and `patients_key` (the column with the patient).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from anytomy.core.errors import DatasetError
from anytomy.datasets.pattern import Pattern

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.case import Case
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree


def with_patients(
    tree: Tree, layout: Layout, cases: Sequence[Case]
) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """The cases with the patients of the layout's table, and what did not fit.

    Without the table, or where it does not name an image, the patient stays what the file's name gives.

    Raises:
        DatasetError: The options are wrong, or the table cannot be read.
    """
    wanted = layout.options.get("patients")
    if not wanted or not cases:
        return tuple(cases), ()
    pattern = Pattern(str(wanted))
    tables = [path for path in tree.files if pattern.match(path) is not None]
    if not tables:
        return tuple(cases), (
            f"{wanted} is not there, which says which images share a patient: each counts as its own",
        )
    columns = [str(layout.options.get(option, "")) for option in ("patients_image", "patients_key")]
    named = _read(tree.path(tables[0]), *columns)
    missing = sum(case.patient not in named for case in cases)
    oddities = (f"{tables[0]} does not name {missing} images: each counts as its own patient",)
    kept = tuple(replace(case, patient=named.get(case.patient, case.patient)) for case in cases)
    return kept, oddities if missing else ()


def _read(table: Path, image_column: str, key_column: str) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read as a table: {error}") from error
    titles = rows[0] if rows else []
    if image_column not in titles or key_column not in titles:
        raise DatasetError(
            f"expected columns {image_column!r} and {key_column!r} in {table}, got {', '.join(titles)}"
        )
    image_at, key_at = titles.index(image_column), titles.index(key_column)
    return {
        row[image_at]: row[key_at] for row in rows[1:] if len(row) > max(image_at, key_at) and row[key_at]
    }
