"""Accepted and rejected objects as one label with a weight for each pixel."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.distill.pseudo.reliability import look
from anytomy.distill.pseudo.teacher import Answer
from anytomy.distill.pseudo.weights import Painter

SHAPE = (40, 40)


def square(top: int, left: int, side: int = 10) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def answer(mask: np.ndarray, index: int = 1, chance: float = 1.0) -> Answer:
    """Two answers, both of them this mask; the box is tight."""
    stack = np.stack([np.where(mask, chance, 0).astype(np.float16)] * 2)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Answer(index, 0, "student", box, stack, 0, 0, 0.9)


def student(found: np.ndarray, sure: float = 1.0) -> np.ndarray:
    """Probabilities `(3, 1, y, x)` of a class map."""
    classes = np.stack([found == index for index in range(3)])[:, None].astype(np.float32)
    return (classes * sure + (1 - sure) / 3).astype(np.float32)


def painter(guess: np.ndarray | None, *, complete: bool = False, soft: bool = False) -> Painter:
    return Painter((1, *SHAPE), 2, guess, complete=complete, disputed=0.5, soft=soft)


def accepted(made: Painter, given: Answer) -> None:
    found = None if made.student is None else made.student[0] == given.index
    made.accept(given, look(given, SHAPE, found))


def rejected(made: Painter, given: Answer) -> None:
    found = None if made.student is None else made.student[0] == given.index
    made.reject(given, look(given, SHAPE, found))


def test_what_teacher_and_student_agree_on_counts_fully() -> None:
    mask = square(10, 10)
    made = painter(student(mask.astype(int)))
    accepted(made, answer(mask))
    assert ((made.class_map[0] == 1) == mask).all()
    assert made.weight.min() > 0.99


def test_what_they_do_not_agree_on_counts_half() -> None:
    mask, guess = square(10, 10), square(10, 13)
    made = painter(student(guess.astype(int)))
    accepted(made, answer(mask))
    assert made.weight[0][mask & guess] == pytest.approx(1, abs=0.01)
    # The teacher's alone is in the object, the student's alone is not.
    assert made.weight[0][mask & ~guess] == pytest.approx(0.5, abs=0.01)
    assert made.weight[0][guess & ~mask & square(8, 8, 14)] == pytest.approx(0.5, abs=0.01)


def test_an_unsure_answer_counts_less() -> None:
    mask = square(10, 10)
    made = painter(student(mask.astype(int)))
    accepted(made, answer(mask, chance=0.75))
    entropy = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert made.weight[0][mask] == pytest.approx(1 - entropy, abs=0.01)


def test_around_an_accepted_object_an_unsure_student_does_not_matter() -> None:
    mask = square(10, 10)
    made = painter(student(mask.astype(int), sure=0.4))
    accepted(made, answer(mask))
    beside = square(9, 9, 12) & ~mask
    assert made.weight[0][beside].min() > 0.95
    assert made.weight[0][30:, 30:].max() < 0.2


def test_a_rejected_object_leaves_nothing_of_it_or_the_students() -> None:
    mask, guess = square(10, 10), square(15, 10)
    made = painter(student(guess.astype(int)))
    rejected(made, answer(mask))
    assert made.weight[0][mask | guess].max() == 0
    assert made.weight[0][30:, 30:].min() > 0.99
    assert not made.class_map.any()


def test_a_rejected_object_beside_an_accepted_one_stays_unknown() -> None:
    one, other = square(10, 5), square(10, 16)
    made = painter(student(one + 2 * other))
    rejected(made, answer(other, index=2))
    accepted(made, answer(one))
    assert made.weight[0][other].max() == 0
    assert made.weight[0][one].min() > 0.99


def test_what_nobody_asked_about_is_not_background() -> None:
    speck = square(30, 30, 3)
    made = painter(student(speck.astype(int)))
    assert made.weight[0][speck].max() == 0
    # Where every object was boxed, it is.
    assert painter(student(speck.astype(int)), complete=True).weight.min() == 1


def test_of_two_objects_the_surer_one_has_the_pixel() -> None:
    one, other = square(10, 10), square(10, 15)
    made = painter(None, complete=True, soft=True)
    accepted(made, answer(one, index=1, chance=0.9))
    accepted(made, answer(other, index=2, chance=0.8))
    made.finish()
    assert (made.class_map[0][one] == 1).all()
    assert (made.class_map[0][other & ~one] == 2).all()
    assert made.soft is not None
    np.testing.assert_allclose(made.soft.astype(float).sum(axis=0), 1, atol=2e-3)
    assert made.soft[1, 0][one & ~other] == pytest.approx(0.9, abs=1e-3)
