from __future__ import annotations

from typing import Any

import pytest

from anytomy.core.errors import OptionError
from anytomy.distill.config import DistillConfig


def config(**changes: Any) -> DistillConfig:
    return DistillConfig(**{"teacher": "tiny", "data": ("discs",), **changes})


def test_the_defaults_are_in_order() -> None:
    config().check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": ()}, "at least one data set"),
        ({"dims": "4"}, "dims of auto, 2, 3"),
        ({"dims": "4"}, "'4'"),
        ({"labels": 0}, "labelled cases"),
        ({"rounds": 0}, "rounds"),
        ({"baselines": ("few", "most")}, "baseline of few, all, teacher"),
        ({"fold": (3, 2)}, "fold"),
        ({"steps": 0}, "steps"),
        ({"max_minutes": float("nan")}, "minutes"),
        ({"labelled_share": 1.5}, "labelled share"),
        ({"curve": (2, 0)}, "labelled cases of the curve"),
        ({"augment": "wild"}, "augmentation"),
    ],
)
def test_wrong_values_are_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        config(**changes).check()


def test_the_cases_are_those_that_tuning_would_take() -> None:
    asked = config(labels=3, seed=7, fold=(1, 3), classes=("liver",), test=5).asked
    assert (asked.train, asked.seed, asked.fold, asked.test) == (3, 7, (1, 3), 5)
    assert asked.is_semantic
    assert asked.classes == ("liver",)


def test_a_training_has_the_steps_that_it_is_given_and_no_clock() -> None:
    training = config(steps=None, max_minutes=60, lr=1e-3).training(steps=120, every=12, batch=8)
    assert (training.most_steps, training.every, training.batch, training.rate) == (120, 12, 8, 1e-3)
    assert training.max_minutes is None  # else a run that was stopped would not end as one that was not
