"""How a distillation divides its time."""

from __future__ import annotations

import pytest

from anytomy.distill.plan import LEAST_CASES, LEAST_STEPS, DistillPlan, Questions, steps_for
from anytomy.tuning.plan import Plan

TRAINING = Plan(4, 1, "f32", False, 0, 300, 30, 0.0, 0.5, 1.0, 10**9, 10**6)


def test_a_second_round_does_not_encode_again() -> None:
    once, twice = Questions(10, 1, 30.0, 12.0), Questions(10, 2, 30.0, 12.0)
    assert (once.seconds, twice.seconds) == (300.0, 420.0)


def test_who_asks_nothing_takes_no_time() -> None:
    assert Questions(67, 0, 30.0, 12.0).seconds == 0.0


@pytest.mark.parametrize(
    ("minutes", "cases"),
    [(None, 67), (1000.0, 67), (60.0, 60), (30.0, 30), (1.0, LEAST_CASES)],
)
def test_the_teacher_takes_half_of_the_time_at_most(minutes: float | None, cases: int) -> None:
    assert Questions(67, 1, 30.0, 12.0).within(minutes, rest_s=0.0).cases == cases


def test_tests_come_before_the_teacher() -> None:
    assert Questions(67, 1, 30.0, 12.0).within(60.0, rest_s=1800.0).cases == 30


def test_there_are_never_more_cases_than_there_are() -> None:
    assert Questions(2, 1, 30.0, 12.0).within(1.0, rest_s=0.0).cases == 2


def test_steps_fill_the_time_that_is_left() -> None:
    assert steps_for(None, 60.0, students=2, step_s=0.5, rest_s=1800.0) == 1800
    assert steps_for(200, 60.0, students=2, step_s=0.5, rest_s=1800.0) == 200
    assert steps_for(None, 1.0, students=2, step_s=0.5, rest_s=1800.0) == LEAST_STEPS


def test_a_plan_is_what_it_was_after_json() -> None:
    plan = DistillPlan(TRAINING, ("few", "round-1"), Questions(10, 2, 30.0, 12.0), 5.0)
    assert DistillPlan.from_dict(plan.to_dict()) == plan
    assert plan.seconds == pytest.approx(2 * TRAINING.seconds + 420 + 5)
    assert "about 10 cases twice in 7 min" in plan.text()[0]
