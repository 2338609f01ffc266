"""What is known about an answer, and what is accepted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from anytomy.core.errors import OptionError
from anytomy.distill.pseudo.reliability import Evidence, Rules, entropy, look
from anytomy.distill.pseudo.teacher import Answer

SHAPE = (40, 40)


def square(top: int = 10, left: int = 10, side: int = 10) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def answer(*masks: np.ndarray, box: tuple[float, ...] | None = (10, 10, 20, 20), **more: object) -> Answer:
    """Whole slices as answers."""
    stack = np.stack([np.asarray(m, dtype=np.float16) for m in masks])
    return Answer(1, 0, more.pop("source", "student"), box, stack, 0, 0, 0.9, **more)  # type: ignore[arg-type]


class TestLook:
    def test_answers_that_are_all_alike_leave_no_doubt(self) -> None:
        known = look(answer(square(), square(), square()), SHAPE, square()).evidence
        assert known.area == 100
        assert (known.agreement, known.student_dice, known.area_ratio, known.offset, known.filled) == (
            1.0, 1.0, 1.0, 0.0, 1.0,
        )  # fmt: skip
        assert known.entropy == pytest.approx(0, abs=1e-4)

    def test_agreement_is_the_mean_iou_with_the_mask(self) -> None:
        # Of three the mask is what two of them have: IoU 1, 1 and 50 / 150.
        known = look(answer(square(), square(), square(left=15)), SHAPE, None).evidence
        assert known.agreement == pytest.approx((1 + 1 + 50 / 150) / 3)

    def test_entropy_is_over_all_that_an_answer_holds(self) -> None:
        known = look(answer(square(), square(left=15)), SHAPE, None).evidence
        assert known.entropy == pytest.approx((50 * 0 + 100 * 1) / 150, abs=1e-3)

    def test_one_answer_does_not_agree_with_itself(self) -> None:
        known = look(answer(square()), SHAPE, None).evidence
        assert math.isnan(known.agreement)
        assert math.isnan(known.entropy)

    def test_the_stability_of_an_automatic_mask_stands_in(self) -> None:
        assert look(answer(square(), box=None, stability=0.7), SHAPE, None).evidence.agreement == 0.7

    def test_a_shift_is_seen_in_all_that_compares_places(self) -> None:
        known = look(answer(square(left=12), square(left=12)), SHAPE, square()).evidence
        assert known.agreement == 1.0
        assert known.offset == pytest.approx(0.2)
        assert known.student_dice == pytest.approx(0.8)
        assert known.filled == pytest.approx(80 / 120)

    def test_another_object_of_the_student_is_not_this_one(self) -> None:
        both = square() | square(top=28, left=28)
        assert look(answer(square(), square()), SHAPE, both).evidence.student_dice == 1.0

    def test_what_no_student_sees(self) -> None:
        nothing = np.zeros(SHAPE, dtype=bool)
        assert look(answer(square()), SHAPE, nothing).evidence.student_dice == 0.0
        # A person drew this box: the student missed it.
        assert math.isnan(look(answer(square(), source="stored"), SHAPE, nothing).evidence.student_dice)

    def test_a_student_that_drew_the_box_must_be_sure_of_it(self) -> None:
        chance = np.where(square(), 0.6, 0.1).astype(np.float32)
        assert look(answer(square()), SHAPE, square(), chance).evidence.certainty == pytest.approx(0.6)
        # A box that it did not draw, or a mask that was found without one, is another witness.
        for source in ("stored", "classes", "automatic"):
            known = look(answer(square(), source=source), SHAPE, square(), chance).evidence
            assert math.isnan(known.certainty)

    def test_nothing_found(self) -> None:
        known = look(answer(np.zeros(SHAPE)), SHAPE, square()).evidence
        assert known.area == 0
        assert Rules().against(known) == ("nothing: the teacher found nothing",)


GOOD = Evidence(100, 0.9, 0.95, 0.1, 0.9, 0.95, 1.1, 0.02, 0.9)


class TestRules:
    def test_good_and_unknown_pass(self) -> None:
        assert Rules().against(GOOD) == ()
        assert Rules().against(Evidence(100)) == ()

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"score": 0.1}, "own score"),
            ({"agreement": 0.2}, "agreement"),
            ({"entropy": 0.9}, "entropy"),
            ({"student_dice": 0.1}, "student"),
            ({"certainty": 0.5}, "certainty"),
            ({"area_ratio": 5.0}, "area"),
            ({"area_ratio": 0.2}, "area"),
            ({"offset": 0.5}, "middle"),
            ({"filled": 0.1}, "box"),
        ],
    )
    def test_each_rule_rejects_by_itself_and_says_why(self, change: dict[str, float], word: str) -> None:
        (reason,) = Rules().against(replace(GOOD, **change))  # type: ignore[arg-type]
        assert reason.startswith(f"{word}: ")

    def test_several_reasons_are_all_told(self) -> None:
        assert len(Rules().against(replace(GOOD, score=0.1, offset=0.4))) == 2

    def test_a_box_that_a_person_drew_must_be_filled_better_than_a_students(self) -> None:
        known = replace(GOOD, filled=0.7)
        assert Rules().against(known) == ()
        (reason,) = Rules().against(known, stored=True)
        assert reason == "box: filled to 0.70, at least 0.75 is wanted"

    def test_refuses_what_makes_no_sense(self) -> None:
        with pytest.raises(OptionError):
            Rules(agreement=1.5)
        with pytest.raises(OptionError):
            Rules(area_ratio=0.5)


def test_entropy_in_bits() -> None:
    found = entropy(np.array([0.0, 0.5, 0.25, 1.0], dtype=np.float32))
    wanted = [0, 1, -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75)), 0]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
