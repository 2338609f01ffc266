"""A teacher is tried where labels are: one that errs is refused as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.distill.pseudo.trial import is_trusted, trial
from tests.distill.pseudo.phantoms import Wrong, bright, ellipse, image


def tried(how: str) -> list:
    teacher = bright() if how == "right" else Wrong(bright(), how)
    return [
        trial(image(ellipse(seed)), ellipse(seed).astype(np.uint8), teacher, ("blob",))  # type: ignore[arg-type]
        for seed in range(6)
    ]


def test_a_right_teacher_is_trusted() -> None:
    trials = tried("right")
    assert is_trusted(trials)
    assert min(each.evidence.student_dice for label in trials for each in label.objects) > 0.9


@pytest.mark.parametrize("how", ["shifted", "blob"])
def test_a_wrong_one_is_not(how: str) -> None:
    trials = tried(how)
    assert not is_trusted(trials)
    assert sum(label.accepted for label in trials) == 0


def test_without_an_object_nobody_is_refused() -> None:
    empty = np.zeros((64, 64), dtype=bool)
    assert is_trusted([trial(image(empty), empty.astype(np.uint8), bright(), ("blob",))])
