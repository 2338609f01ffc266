"""What `anytomy tune` and `anytomy distill` share: options as values, changes as JSON and as a table."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console
from rich.table import Table

from anytomy.cli.training import change_row, changes_table, names_in, runtime_of
from anytomy.core.errors import OptionError
from anytomy.evaluation.statistics import Interval, Paired
from anytomy.tuning.evaluate import ALL, Change
from anytomy.tuning.run import Runtime

NONE = Interval(math.nan, math.nan, math.nan, 0)
LIVER = Change(
    "discs",
    "liver",
    ("box", "none"),
    Interval(0.5, 0.4, 0.6, 8),
    Interval(0.75, 0.7, 0.8, 8),
    Paired(Interval(0.25, 0.125, 0.375, 8), 0.0078125),
    0.015625,
)
MEAN = Change("discs", ALL, ("", "none"), NONE, Interval(0.6, 0.5, 0.7, 2), Paired(NONE, math.nan), math.nan)


def text_of(table: Table) -> list[list[str]]:
    """Its title, then the cells of each line."""
    file = io.StringIO()
    Console(file=file, width=200).print(table)
    lines = [line for line in file.getvalue().splitlines() if any(c.isalnum() for c in line)]
    return [[cell.strip() for cell in line.replace("┃", "│").strip("│").split("│")] for line in lines]


def test_names_are_separated_by_commas() -> None:
    assert names_in("acdc, busi,,") == ("acdc", "busi")
    assert names_in("") == ()
    assert names_in(None) is None


def test_sizes_are_typed_in_gb() -> None:
    found = runtime_of(device="cpu", threads=2, memory=1.5, disk=0.25, precision="bf16")
    assert found == Runtime("cpu", 2, 1_500_000_000, 250_000_000, "bf16")
    assert runtime_of(device="auto", threads=None, memory=None, disk=12, precision="auto") == Runtime()


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(OptionError, match="expected a precision of auto, f32, bf16, got 'f16'"):
        runtime_of(device="cpu", threads=1, memory=None, disk=12, precision="f16")


def test_a_change_is_a_row_of_json() -> None:
    assert change_row(LIVER) == {
        "dataset": "discs",
        "structure": "liver",
        "prompt_before": "box",
        "prompt_after": "none",
        "before": 0.5,
        "after": 0.75,
        "difference": 0.25,
        "low": 0.125,
        "high": 0.375,
        "patients": 8,
        "p": 0.007812,
    }


def test_what_is_no_number_is_null_in_json() -> None:
    row = change_row(MEAN)
    assert row["structure"] == "mean"
    assert [row[name] for name in ("before", "difference", "low", "high", "p")] == [None] * 5


def test_people_read_what_was_before_and_what_is_after() -> None:
    assert text_of(changes_table({"": [LIVER, MEAN]}, before="before", after="after")) == [
        ["Mean Dice of test patients"],
        ["structure", "before", "after", "change", "95 %"],
        ["discs: liver", "0.500", "0.750", "+0.250", "+0.125 to +0.375"],
        ["discs: mean", "-", "0.600", "-", "- to -"],
    ]


def test_people_read_against_what() -> None:
    table = text_of(changes_table({"all labels": [LIVER], "teacher": [MEAN]}, before="it", after="student"))
    assert table[1][:4] == ["structure", "against", "it", "student"]
    assert [row[1] for row in table[2:]] == ["all labels", "teacher"]


@pytest.mark.parametrize(("memory", "disk"), [(math.nan, 1.0), (-1.0, 1.0), (None, math.nan), (None, -1.0)])
def test_room_is_a_number_of_gb(memory: float | None, disk: float) -> None:
    with pytest.raises(OptionError, match="GB"):
        runtime_of(device="cpu", threads=1, memory=memory, disk=disk, precision="auto")
