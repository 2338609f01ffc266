"""M&Ms: files of all frames of a heartbeat, of which a table names the two that are labelled.

The table is any CSV file of the folder with the columns `External code`, `ED` and `ES` (frames from 0). Each
of the two frames becomes a case, `A0S9V9_ED` and `A0S9V9_ES`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from anytomy.core.errors import DatasetError
from anytomy.datasets.finding import Found
from anytomy.datasets.readers import pattern

if TYPE_CHECKING:
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import Case
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

CODE = "External code"
PHASES = ("ED", "ES")
SPLITS = {"training": "train", "validation": "val", "testing": "test"}


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """The labelled frames of what the layout's patterns find.

    Raises:
        DatasetError: There are files but no table, or it cannot be read.
    """
    found = pattern.find(tree, card, layout)
    if not found.cases:
        return found
    rows = _rows(tree)
    if not rows:
        raise DatasetError(
            f"expected a CSV file with the columns {CODE}, {', '.join(PHASES)} in {tree.root}, got none",
            hint="put the table of the data set there; it names the labelled frames",
        )
    cases: list[Case] = []
    oddities = list(found.oddities)
    for case in found.cases:
        row = rows.pop(case.patient.lower(), None)
        if row is None:
            oddities.append(f"{case.image.path.name}: no row of the table has the code {case.patient}")
            continue
        for phase in PHASES:
            frame = row[phase].strip()
            if frame.isdecimal():
                cases.append(_frame(case, phase, int(frame)))
            else:
                oddities.append(f"{case.patient}: expected a frame in column {phase}, got {frame!r}")
    if rows:
        codes = ", ".join(row[CODE].strip() for row in list(rows.values())[:5])
        oddities.append(f"{len(rows)} rows of the table have no labelled files ({codes}, ...)")
    return replace(found, cases=tuple(cases), oddities=tuple(oddities))


def _frame(case: Case, phase: str, frame: int) -> Case:
    """The case of one frame."""
    masks = tuple(replace(m, target=replace(m.target, channel=frame)) for m in case.masks)
    folders = [part.lower() for part in case.image.path.parts]
    split = next((SPLITS[part] for part in reversed(folders) if part in SPLITS), case.split)
    return replace(
        case,
        id=f"{case.patient}_{phase}",
        image=replace(case.image, time=frame),
        masks=masks,
        split=split,
    )


def _rows(tree: Tree) -> dict[str, Mapping[str, str]]:
    """Rows of the tables that name frames, by code in small letters."""
    rows: dict[str, Mapping[str, str]] = {}
    for file in tree.files:
        if not file.lower().endswith(".csv"):
            continue
        path = tree.path(file)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"expected a table at {path}, but it cannot be read: {error}") from error
        head = text.partition("\n")[0]
        table = csv.DictReader(text.splitlines(), delimiter=";" if ";" in head else ",", restval="")
        if {CODE, *PHASES} <= set(table.fieldnames or ()):
            rows |= {row[CODE].strip().lower(): row for row in table}
    return rows
