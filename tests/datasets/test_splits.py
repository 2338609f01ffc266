"""Splits by patient: seeded, stored, kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import AnytomyWarning, DatasetError, OptionError
from anytomy.datasets.case import Case, ImageRef
from anytomy.datasets.dataset import Dataset
from anytomy.datasets.layout import Layout
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.splits import FRACTIONS, Splits, load_splits, make_splits, splits_path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


def dataset(patients: Sequence[str], root: Path = Path("/nowhere"), cases_each: int = 2) -> Dataset:
    cases = tuple(
        Case("mine", f"{p}_{n}", p, ImageRef(root / f"{p}_{n}.nii.gz"), ())
        for p in patients
        for n in range(cases_each)
    )
    return Dataset(card_of([Layout("x", "{case}.png")], name="mine"), root, cases)


def place(splits: Splits) -> dict[str, str]:
    return {patient: split for split, members in splits.patients.items() for patient in members}


PEOPLE = [f"p{n:03}" for n in range(50)]
patients = st.lists(st.text("abcxyz0123-_ä", min_size=1, max_size=6), min_size=1, max_size=40, unique=True)


def clean(data: Dataset) -> None:
    splits_path(data).unlink(missing_ok=True)


class TestDrawing:
    def test_shares_are_as_asked(self) -> None:
        splits = make_splits(dataset(PEOPLE))
        assert {name: len(members) for name, members in splits.patients.items()} == {
            "train": 35,
            "val": 5,
            "test": 10,
        }
        assert {name: len(members) for name, members in splits.cases.items()} == {
            "train": 70,
            "val": 10,
            "test": 20,
        }

    @given(patients, st.integers(0, 5), st.randoms())
    def test_order_does_not_matter_and_nobody_is_split(
        self, people: list[str], seed: int, random: object
    ) -> None:
        first = dataset(people)
        clean(first)
        splits = make_splits(first, seed=seed)
        shuffled = list(people)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        clean(first)
        assert place(make_splits(dataset(shuffled), seed=seed)) == place(splits)
        assert sorted(place(splits)) == sorted(people)
        for split, ids in splits.cases.items():
            assert {place(splits)[i.rpartition("_")[0]] for i in ids} <= {split}
        assert sum(map(len, splits.cases.values())) == 2 * len(people)

    @given(patients, st.lists(st.floats(0.05, 1), min_size=2, max_size=4))
    def test_counts_are_within_one_of_the_fractions(self, people: list[str], weights: list[float]) -> None:
        data = dataset(people)
        clean(data)
        fractions = {f"s{n}": w / sum(weights) for n, w in enumerate(weights)}
        splits = make_splits(data, fractions=fractions)
        counts = {name: len(members) for name, members in splits.patients.items()}
        assert sum(counts.values()) == len(people)
        if len(people) >= len(fractions):
            assert min(counts.values()) >= 1
        for name, share in fractions.items():
            assert counts[name] < share * len(people) + len(fractions)
            assert counts[name] > share * len(people) - len(fractions)

    def test_another_seed_is_another_draw(self) -> None:
        first = place(make_splits(dataset(PEOPLE)))
        assert place(make_splits(dataset(PEOPLE), seed=1)) != first
        assert place(make_splits(dataset(PEOPLE), seed=0)) == first

    def test_a_few_patients_still_give_each_split_one(self) -> None:
        assert sorted(map(len, make_splits(dataset(["a", "b", "c"])).patients.values())) == [1, 1, 1]

    @pytest.mark.parametrize("fractions", [{"a": 0.5}, {"a": 1.5, "b": -0.5}])
    def test_fractions_must_add_up(self, fractions: dict[str, float]) -> None:
        with pytest.raises(OptionError, match="add up to 1"):
            make_splits(dataset(PEOPLE), fractions=fractions)

    def test_the_file_says_it_all(self) -> None:
        data = dataset(PEOPLE)
        make_splits(data, seed=3)
        stored = json.loads(splits_path(data).read_text())
        assert (stored["schema"], stored["seed"], stored["fractions"]) == (1, 3, dict(FRACTIONS))
        assert len(stored["fingerprint"]) == 64

    def test_select(self) -> None:
        data = dataset(PEOPLE)
        splits = make_splits(data)
        assert [c.id for c in splits.select(data, "val")] == [
            c.id for c in data if c.id in splits.cases["val"]
        ]
        with pytest.raises(OptionError, match="train, val, test"):
            splits.select(data, "training")


class TestKeeping:
    def test_what_was_stored_is_loaded(self) -> None:
        data = dataset(PEOPLE)
        assert load_splits_of(data, make_splits(data)) is None

    @given(patients, st.integers(0, 40))
    def test_later_patients_move_nobody(self, people: list[str], count: int) -> None:
        few = dataset(people[:count] or people[:1])
        clean(few)
        before = place(make_splits(few))
        after = place(make_splits(dataset(people)))
        assert {p: after[p] for p in before} == before
        assert sorted(after) == sorted(people)

    def test_shares_stay_as_asked_when_patients_come(self) -> None:
        make_splits(dataset(PEOPLE[:20]))
        splits = make_splits(dataset(PEOPLE))
        assert {name: len(members) for name, members in splits.patients.items()} == {
            "train": 35,
            "val": 5,
            "test": 10,
        }

    def test_new_images_of_a_known_patient_stay_with_it(self) -> None:
        before = place(make_splits(dataset(PEOPLE)))
        assert place(make_splits(dataset(PEOPLE, cases_each=3))) == before

    def test_a_file_that_does_not_fit_names_the_difference(self) -> None:
        make_splits(dataset(PEOPLE))
        with pytest.raises(DatasetError, match=r"2 new \(q_0, q_1\), 2 gone \(p049_0, p049_1\)"):
            load_splits(dataset([*PEOPLE[:-1], "q"]))

    def test_other_patients_of_the_same_cases_are_a_difference(self) -> None:
        data = dataset(PEOPLE)
        make_splits(data)
        moved = replace(data, cases=(replace(data.cases[0], patient="else"), *data.cases[1:]))
        with pytest.raises(DatasetError, match="belong to other patients"):
            load_splits(moved)

    def test_none_are_stored(self) -> None:
        with pytest.raises(DatasetError, match="datasets split mine"):
            load_splits(dataset(PEOPLE))

    @pytest.mark.parametrize("content", ["{broken", "[]", '{"schema": 9}'])
    def test_a_broken_file_is_named_and_can_be_made_anew(self, content: str) -> None:
        data = dataset(PEOPLE)
        splits_path(data).parent.mkdir(parents=True)
        splits_path(data).write_text(content)
        with pytest.raises(DatasetError, match=r"splits\.json"):
            load_splits(data)
        make_splits(data)
        load_splits(data)


def load_splits_of(data: Dataset, made: Splits) -> None:
    loaded = load_splits(data)
    assert loaded == made


class TestThoseInTheFolder:
    def write(self, root: Path, name: str, content: object) -> Dataset:
        root.mkdir(exist_ok=True)
        (root / name).write_text(json.dumps(content))
        return dataset(["a", "b", "c"], root)

    def test_folds_of_nnunet(self, tmp_path: Path) -> None:
        folds = [{"train": ["a_0", "a_1", "b_0"], "val": ["c_0"]}, {"train": ["c_0"], "val": ["a_1"]}]
        data = self.write(tmp_path / "d", "splits_final.json", folds)
        splits = load_splits(data)
        assert splits.cases == {"train": ("a_0", "a_1", "b_0"), "val": ("c_0",)}
        assert load_splits(data, fold=1).cases["val"] == ("a_1",)
        with pytest.raises(OptionError, match="a fold from 0 to 1"):
            load_splits(data, fold=2)

    def test_patients_and_file_names_count_too(self, tmp_path: Path) -> None:
        data = self.write(
            tmp_path / "d", "splits.json", {"train": ["a", "b"], "test": ["imagesTr/c_0.nii.gz"]}
        )
        assert load_splits(data).cases == {"train": ("a_0", "a_1", "b_0", "b_1"), "test": ("c_0",)}

    def test_they_go_before_what_is_stored(self, tmp_path: Path) -> None:
        data = self.write(tmp_path / "d", "splits.json", {"train": ["a"], "test": ["b"]})
        make_splits(data)
        assert load_splits(data).source == tmp_path / "d" / "splits.json"

    def test_unknown_names_are_named(self, tmp_path: Path) -> None:
        data = self.write(tmp_path / "d", "splits.json", {"train": ["a", "zebra"]})
        with pytest.raises(DatasetError, match="1 of its names are none: zebra"):
            load_splits(data)

    @pytest.mark.parametrize("content", [3, {"train": 3}, [3]])
    def test_something_else_is_refused(self, tmp_path: Path, content: object) -> None:
        with pytest.raises(DatasetError, match="lists of cases by name"):
            load_splits(self.write(tmp_path / "d", "splits.json", content))

    def test_a_patient_in_two_splits_is_said(self, tmp_path: Path) -> None:
        data = self.write(tmp_path / "d", "splits.json", {"train": ["a_0"], "test": ["a_1"]})
        with pytest.warns(AnytomyWarning, match="1 patients in several splits"):
            load_splits(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_splits(self.write(tmp_path / "d", "splits.json", {"train": ["a"], "test": ["b"]}))
