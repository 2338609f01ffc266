from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anytomy.core.errors import AnytomyWarning, DatasetError, OptionError
from anytomy.tuning.cohort import cohort, refuse_seen, warn_of_unlabelled
from tests.evaluation.bench.phantoms import cells, pictures
from tests.tuning.conftest import quick

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.dataset import Dataset
    from anytomy.tuning.cohort import Cohort

GROUPS = ("train", "validate", "test")


def patients(group: Cohort) -> list[set[str]]:
    return [{case.patient for case in getattr(group, name)} for name in GROUPS]


@pytest.mark.usefixtures("discs")
class TestPatients:
    def test_no_patient_is_in_two_groups(self) -> None:
        train, held, test = patients(cohort(quick()))
        assert all((train, held, test))
        assert len(train | held | test) == len(train) + len(held) + len(test) == 8

    def test_folds_test_each_patient_once(self) -> None:
        tested = [patients(cohort(quick(fold=(number, 4))))[2] for number in range(1, 5)]
        assert sorted(p for each in tested for p in each) == [f"p{n}" for n in range(8)]

    def test_so_many_cases_train(self) -> None:
        group = cohort(quick(train=5))
        assert len(group.train) + len(group.validate) == 5

    def test_fewer_cases_are_among_the_more(self) -> None:
        few, many = (patients(cohort(quick(train=n, validate=0.0)))[0] for n in (4, 8))
        assert few < many

    def test_the_test_can_be_smaller_or_left_out(self) -> None:
        assert len(cohort(quick(test=1)).test) == 1
        assert cohort(quick(test=0)).test == ()

    def test_a_lone_patient_trains(self) -> None:
        group = cohort(quick(train=1))
        assert (len(group.train), len(group.validate)) == (1, 0)

    def test_the_same_seed_gives_the_same_groups(self) -> None:
        assert cohort(quick()).fingerprint == cohort(quick()).fingerprint
        assert cohort(quick()).fingerprint != cohort(quick(seed=1)).fingerprint

    def test_too_many_folds_are_refused(self) -> None:
        with pytest.raises(OptionError, match="8 folds"):
            cohort(quick(fold=(1, 9)))

    def test_the_stored_split_is_made_where_there_is_none(self) -> None:
        group = cohort(quick(fold=None))
        assert "seed 0" in group.splits["discs"]
        assert group.fingerprint == cohort(quick(fold=None)).fingerprint


def test_one_patient_in_training_and_test_is_refused(discs: Dataset) -> None:
    first, second = (case.id for case in discs.cases[:2])
    assert discs.cases[0].patient == discs.cases[1].patient
    (discs.root / "splits.json").write_text(json.dumps({"train": [first], "test": [second]}))
    with (
        pytest.warns(match="several splits"),
        pytest.raises(DatasetError, match="in training and in test: p0"),
    ):
        cohort(quick(fold=None))


def test_the_split_of_the_folder_counts(discs: Dataset) -> None:
    split = {"train": ["p0", "p1"], "val": ["p5"]}
    (discs.root / "splits_final.json").write_text(json.dumps([split]))
    group = cohort(quick(fold=None))
    assert patients(group)[2] == {"p5"}
    assert patients(group)[0] | patients(group)[1] == {"p0", "p1"}


class TestClasses:
    @pytest.mark.usefixtures("discs")
    def test_all_that_is_labelled_is_learned(self) -> None:
        assert cohort(quick()).classes == ("liver", "spleen")

    @pytest.mark.usefixtures("discs")
    def test_classes_are_chosen_in_their_order(self) -> None:
        assert cohort(quick(classes=("spleen", "liver"))).classes == ("spleen", "liver")

    @pytest.mark.usefixtures("discs")
    def test_what_is_not_labelled_is_no_class(self) -> None:
        with pytest.raises(OptionError, match=r"kidney.*labelled are liver, spleen"):
            cohort(quick(classes=("kidney",)))

    def test_sets_that_label_different_classes_are_refused(self, tmp_path: Path) -> None:
        pictures(tmp_path / "discs", patients=4)
        cells(tmp_path / "cells")
        asked = quick(data=("discs", "cells"), fold=None)
        with pytest.raises(OptionError, match="different classes"):
            cohort(asked)

    def test_two_sets_of_the_same_classes_share_the_cases(self, tmp_path: Path) -> None:
        pictures(tmp_path / "discs", patients=4)
        pictures(tmp_path / "more", "more", patients=4)
        group = cohort(quick(data=("discs", "more"), train=4, validate=0.0))
        assert sorted(case.dataset for case in group.train) == ["discs", "discs", "more", "more"]


def test_test_patients_that_an_adapter_has_seen_are_refused(discs: Dataset) -> None:
    first, second = (cohort(quick(fold=(number, 4))) for number in (1, 2))
    data = {
        "discs": {name: [c.id for c in getattr(first, name)] for name in GROUPS},
        "others": {"train": [case.id for case in first.test]},
    }
    refuse_seen(first, data)
    with pytest.raises(DatasetError, match="trained on 4 of the test cases: p"):
        refuse_seen(second, data)
    # Another picture of a patient is no other patient.
    (case,) = [case for case in discs if case.patient == first.test[0].patient][:1]
    with pytest.raises(DatasetError, match="trained on 2 of the test cases"):
        refuse_seen(first, {"discs": {"validate": [case.id]}})


def test_classes_that_some_cases_do_not_label_are_said(discs: Dataset) -> None:
    whole = discs.cases[:3]
    half = replace(whole[0], masks=tuple(m for m in whole[0].masks if m.target.structure == "liver"))
    with pytest.warns(AnytomyWarning, match="of 3 cases .* as background there: spleen in 1$"):
        warn_of_unlabelled((half, *whole[1:]), ("liver", "spleen"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unlabelled(whole, ("liver", "spleen"))
