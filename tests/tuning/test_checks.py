"""What is checked before a training: each refusal says what would do."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest

from anytomy.core.errors import MissingDependencyError, OptionError
from anytomy.distill.config import DistillConfig
from anytomy.tuning.checks import (
    TRAINING_RANGES,
    check_choice,
    check_fold,
    check_installed,
    check_range,
    check_ranges,
)
from anytomy.tuning.config import TuneConfig

PLAIN = TuneConfig(model="tiny", data=("discs",))


def test_a_word_is_one_of_its_choices() -> None:
    check_choice("a mode", "semantic", ("promptable", "semantic"))
    with pytest.raises(OptionError, match=r"^expected a mode of promptable, semantic, got 'other'"):
        check_choice("a mode", "other", ("promptable", "semantic"))


@pytest.mark.parametrize("number", [None, 0, 0.5, 1])
def test_both_ends_of_a_range_are_in_it(number: float | None) -> None:
    check_range("a share", number, 0, 1)


@pytest.mark.parametrize("number", [-1e-9, 1.001, math.inf, -math.inf, math.nan])
def test_what_is_outside_of_a_range_or_no_number_is_refused(number: float) -> None:
    with pytest.raises(OptionError, match=r"^expected a share from 0 to 1, got "):
        check_range("a share", number, 0, 1)


def test_numbers_are_found_by_their_field() -> None:
    ranges = {"steps": ("steps", 1, 10), "batch": ("a batch", 1, 8)}
    check_ranges(replace(PLAIN, steps=None, batch=8), ranges)
    with pytest.raises(OptionError, match="expected a batch from 1 to 8, got 9"):
        check_ranges(replace(PLAIN, steps=10, batch=9), ranges)


@pytest.mark.parametrize("config", [TuneConfig, DistillConfig])
def test_both_kinds_of_run_have_what_every_training_has(config: type) -> None:
    assert set(TRAINING_RANGES) <= {field.name for field in fields(config)}


@pytest.mark.parametrize("fold", [None, (1, 2), (3, 3)])
def test_folds_count_from_one(fold: tuple[int, int] | None) -> None:
    check_fold(fold)


@pytest.mark.parametrize("fold", [(0, 3), (4, 3), (1, 1)])
def test_what_is_no_fold_is_refused(fold: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match=f"expected a fold like 1/3, got {fold[0]}/{fold[1]}"):
        check_fold(fold)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "monai" else name)
    with pytest.raises(MissingDependencyError, match=r"^tuning needs monai; pip install 'anytomy\[train\]'"):
        check_installed("tuning")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    check_installed("tuning")
