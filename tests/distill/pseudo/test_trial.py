"""A teacher is tried where labels are: one that errs is refused as a whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anytomy.distill.pseudo.trial import is_trusted, trial
from anytomy.evaluation.bench.table import unpacked
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


class _Left:
    """Knows two classes and finds what is bright on the left alone, as the first."""

    def __init__(self) -> None:
        self.card = SimpleNamespace(classes=("left", "right"), title="Left", intensity={})
        self.model = bright()

    def encode(self, picture: Any) -> Any:
        return self.model.encode(picture)

    def classify(self, embedding: Any) -> np.ndarray:
        light = embedding.array[0, 0] > 0.5
        left = light & (np.indices(light.shape)[1] < light.shape[1] // 2)
        return np.stack([4.0 * ~left, 4.0 * left, np.full(left.shape, -4.0)]).astype(np.float32)


def test_what_a_teacher_with_classes_misses_counts_against_it() -> None:
    truth = np.zeros((64, 64), dtype=np.uint8)
    truth[5:20, 5:20] = 1
    truth[5:20, 40:55] = truth[30:45, 40:55] = 2
    found = trial(image(truth > 0), truth, _Left(), ("left", "right"))  # type: ignore[arg-type]
    assert [(each.structure, each.accepted) for each in found.objects] == [
        ("left", True),
        ("right", False),
        ("right", False),
    ]
    assert not is_trusted([found])
    (row, _) = found.rows("discs")[1:]
    assert row["reason"].startswith("nothing")
    np.testing.assert_array_equal(
        unpacked(row["student"])[30:45, 40:55] | unpacked(row["student"])[5:20, 40:55], True
    )
