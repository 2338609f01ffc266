"""Tables: both files, all columns, nothing lost."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

import pytest

from anytomy.core.errors import OutputError
from anytomy.io.table import write_table

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"case": 'a, "b"\n\u809d', "n": 3, "mean": 0.5}, {"case": "c", "n": 4, "area": 7.25, "mean": -1.0}]


@pytest.mark.parametrize("name", ["t.csv", "t.json", "t", "t.CSV"])
def test_both_files_hold_the_same(tmp_path: Path, name: str) -> None:
    pair = write_table(tmp_path / "new" / name, ROWS, schema="x/1")
    assert [path.name for path in pair] == ["t.csv", "t.json"]
    assert json.loads(pair[1].read_text()) == {"schema": "x/1", "rows": ROWS}
    with pair[0].open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["case", "n", "area", "mean"]
    assert [{key: str(value) for key, value in row.items()} for row in ROWS] == [
        {key: value for key, value in line.items() if value} for line in lines
    ]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [{"case": os.fsdecode(b"b\xff.png")}], schema="x/1")
    assert (tmp_path / "t.csv").read_text() == "case\nb\\udcff.png\n"


@pytest.mark.parametrize("name", ["t.xlsx", "t.nii.gz", "a.txt/t.csv", ".."])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(OutputError):
        write_table(tmp_path / name, ROWS, schema="x/1")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
