"""Pseudo-labels as pictures: masks and boxes where they are, and which objects are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.datasets.dataset import open_dataset
from anytomy.evaluation.bench.table import packed
from anytomy.report.case_drawing import FOUND, PROMPT, TRUTH, LeftOutError
from anytomy.report.distill_pictures import Reviewer, chosen, contact_sheet
from tests.evaluation.bench.phantoms import pictures, volumes

if TYPE_CHECKING:
    from pathlib import Path


def square(top: int, left: int, side: int, shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "dataset": "discs",
        "case": "p0_0",
        "structure": "liver",
        "slice": 0,
        "reason": "",
        "agreement": 0.9,
        "entropy": 0.1,
        "student_dice": 0.8,
        **dict(zip(("x0", "y0", "x1", "y1"), (10.0, 8.0, 34.0, 36.0), strict=True)),
        "mask": packed(square(12, 12, 16)),
        "student": packed(square(14, 14, 12)),
    }
    return {**values, **changes}


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(axis=-1) == 0).any())


def test_teacher_student_and_box_are_drawn(tmp_path: Path) -> None:
    pictures(tmp_path / "discs")
    reviewer = Reviewer(intensity="none")
    tile = reviewer.tile(row())
    assert all(has(tile, colour) for colour in (TRUTH, FOUND, PROMPT))
    assert not has(reviewer.tile(row(student=None)), TRUTH)
    boxless = reviewer.tile(row(x0=None))
    assert (tile == PROMPT).all(axis=-1).sum() > (boxless == PROMPT).all(axis=-1).sum() + 200
    assert reviewer.picture(row()).slice is None


def test_an_object_of_a_volume_is_shown_in_its_slice(tmp_path: Path) -> None:
    volumes(tmp_path / "balls", "balls")
    case = open_dataset("balls").cases[0]
    image = case.read()
    shape = image.geometry.shape_zyx[1:]
    number = image.geometry.size_xyz[2] // 2
    made = row(dataset="balls", case=case.id, slice=number, mask=packed(square(4, 4, 6, shape)), student=None)
    assert Reviewer().picture(made).slice == number


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dataset": "elsewhere"}, "data set is not on this machine"),
        ({"case": "p99_0"}, "no such case"),
        ({"mask": packed(square(1, 1, 5, (32, 32)))}, "another one"),
        ({"slice": 3}, "another one"),
    ],
)
def test_what_cannot_be_had_is_said(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    pictures(tmp_path / "discs")
    with pytest.raises(LeftOutError, match=why):
        Reviewer().tile(row(**changes))
    sheet = contact_sheet([row(**changes)], Reviewer(), "Rejected")
    assert not has(sheet, FOUND)


def test_those_that_are_shown_are_spread_from_best_to_worst() -> None:
    rows = [row(case=f"p{i}", student_dice=i / 100) for i in range(100)]
    found = [each["student_dice"] for each in chosen(rows, 5)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (0.99, 0.0)
    assert max(np.abs(np.diff(found))) < 0.26
    assert chosen(rows[:3], 5) == rows[:3][::-1]
    # Without a student the answers' own agreement counts.
    alone = [row(case=f"p{i}", student_dice=None, agreement=i / 10) for i in range(3)]
    assert [each["case"] for each in chosen(alone, 3)] == ["p2", "p1", "p0"]


def test_a_sheet_has_a_tile_for_each_object(tmp_path: Path) -> None:
    pictures(tmp_path / "discs")
    few = contact_sheet([row()] * 2, Reviewer(), "Accepted")
    many = contact_sheet([row()] * 13, Reviewer(), "Accepted")
    assert many.shape[1] > few.shape[1]
    assert many.shape[0] > 2.5 * few.shape[0]
