from __future__ import annotations

import math
from typing import Any

import pytest

from anytomy.tuning.evaluate import ALL, changes, simulators_for
from tests.tuning.conftest import quick


def row(patient: str, structure: str, dice: float | None, prompt: str) -> dict[str, Any]:
    return {
        "dataset": "discs",
        "patient": patient,
        "structure": structure,
        "dice": dice,
        "prompt": prompt,
        "level": "object",
        "status": "measured",
    }


def rows(prompt: str, gain: float, structures: tuple[str, ...] = ("liver", "spleen")) -> list[dict[str, Any]]:
    return [row(f"p{n}", name, 0.3 + n / 50 + gain, prompt) for n in range(8) for name in structures]


def test_structures_and_their_mean_are_paired_by_patient() -> None:
    found = changes(rows("box-per-slice", 0.0), rows("none", 0.2))
    assert [c.structure for c in found] == ["liver", "spleen", ALL]
    for change in found:
        assert change.prompts == ("box-per-slice", "none")
        assert change.result.difference.mean == pytest.approx(0.2)
        assert change.result.difference.low == pytest.approx(0.2)
        assert change.after.mean - change.before.mean == pytest.approx(0.2)
        assert change.result.p == pytest.approx(2 / 2**8)
    assert found[0].adjusted == pytest.approx(2 * found[0].result.p)


def test_objects_of_a_patient_are_averaged_first() -> None:
    before = [row("a", "liver", v, "box") for v in (0.0, 0.2)] + [row("b", "liver", 0.5, "box")]
    after = [row("a", "liver", 0.3, "box"), row("b", "liver", 0.6, "box")]
    (change,) = changes(before, after)
    assert change.before.mean == pytest.approx((0.1 + 0.5) / 2)
    assert change.result.difference.mean == pytest.approx((0.2 + 0.1) / 2)


def test_the_same_prompt_is_compared_where_there_is_one() -> None:
    before = rows("box", 0.0, ("liver",)) + rows("clicks-3", -0.2, ("liver",))
    after = (
        rows("box", 0.1, ("liver",)) + rows("clicks-3", 0.1, ("liver",)) + rows("deepest", 0.1, ("liver",))
    )
    found = {c.prompts: c for c in changes(before, after)}
    assert set(found) == {("box", "box"), ("clicks-3", "clicks-3"), ("", "deepest")}
    assert found["clicks-3", "clicks-3"].result.difference.mean == pytest.approx(0.3)
    assert found["", "deepest"].before.patients == 0
    assert math.isnan(found["", "deepest"].result.p)


def test_a_case_that_was_not_measured_does_not_count() -> None:
    after = [*rows("none", 0.0, ("liver",)), {**row("p99", "liver", None, "none"), "status": "absent"}]
    (change,) = changes(rows("box", 0.0, ("liver",)), after)
    assert change.after.patients == 8


def test_nothing_tested_is_no_change() -> None:
    assert changes([], []) == []


def test_each_kind_of_prompt_has_its_counterpart() -> None:
    config = quick(mode="promptable", rounds=3)
    assert simulators_for(config, {"box": 0.5, "box-clicks": 0.5}) == ("box", "box-clicks-2")
    assert simulators_for(config, {"clicks": 0.5, "points": 0.5}) == ("clicks-3", "deepest")
    assert simulators_for(quick(), {}) == ("box-per-slice", "box")
