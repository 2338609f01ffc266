from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.distill.cohort import check_teacher, distill_cohort
from anytomy.models.adapters.folder import AdapterCard
from anytomy.models.students.folder import StudentCard
from anytomy.tuning.cohort import cohort
from anytomy.tuning.config import TuneConfig
from anytomy.zoo.card import Adapter, ModelCard, Student, Training
from tests.distill.conftest import quick
from tests.engine.tiny import card

if TYPE_CHECKING:
    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset


def keys(cases: tuple[Case, ...]) -> list[str]:
    return [case.id for case in cases]


def adapter(**parts: list[str]) -> ModelCard:
    """The card of a teacher that was tuned on some cases."""
    mine = AdapterCard(
        base="tiny", base_sha256="", architecture="litemedsam", method="decoder", data={"discs": parts}
    )
    return card(adapter=Adapter(Path(), mine))


def test_every_case_is_in_one_group_and_no_patient_in_two(discs: Dataset) -> None:
    group = distill_cohort(quick(labels=4))
    groups = [group.labelled, group.validate, group.unlabelled, group.test]
    assert sorted(case.id for each in groups for case in each) == sorted(case.id for case in discs)
    patients = [{case.patient for case in each} for each in groups]
    assert sum(map(len, patients)) == len(set().union(*patients))
    assert len(group.labelled) + len(group.validate) == 4


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_teacher_can_be_tuned_on_the_same_labels(discs: Dataset, seed: int) -> None:
    group = distill_cohort(quick(labels=4, seed=seed))
    tuned = cohort(
        TuneConfig(model="tiny", data=("discs",), mode="semantic", train=4, fold=(1, 4), seed=seed)
    )
    assert sorted(keys((*tuned.train, *tuned.validate))) == sorted(keys((*group.labelled, *group.validate)))
    assert keys(tuned.test) == keys(group.test)


def test_few_labelled_patients_are_all_trained_on(discs: Dataset) -> None:
    assert not distill_cohort(quick(labels=4, validate=0.2)).validate
    held = distill_cohort(quick(labels=4, validate=0.5))
    assert len({case.patient for case in held.validate}) == 1
    assert len({case.patient for case in held.labelled}) == 1


def test_all_labels_leave_nothing_unlabelled(discs: Dataset) -> None:
    group = distill_cohort(quick(labels=None))
    assert not group.unlabelled
    assert len(group.labelled) + len(group.validate) == 12


def test_a_teacher_that_saw_a_test_patient_is_refused(discs: Dataset) -> None:
    """By patient: it need not have been the very case."""
    group = distill_cohort(quick(labels=4))
    patient = group.test[0].patient
    other = next(case for case in discs if case.patient == patient and case != group.test[0])
    alone = replace(group, test=(group.test[0],))
    with pytest.raises(OptionError, match=f"1 test cases: {alone.test[0].id}"):
        check_teacher(adapter(train=[other.id]), alone)
    with pytest.raises(OptionError, match="trained on"):
        check_teacher(adapter(validate=[other.id]), group)


def test_a_teacher_of_the_same_labels_is_welcome_and_one_of_more_is_noted(discs: Dataset) -> None:
    group = distill_cohort(quick(labels=4))
    assert check_teacher(card(), group) == []
    assert check_teacher(adapter(train=keys(group.labelled)), group) == []
    (line,) = check_teacher(adapter(train=keys(group.unlabelled[:1])), group)
    assert "not even" in line


def test_no_two_cases_share_a_file_name(discs: Dataset) -> None:
    """Also where a file system takes `A` for `a`, and two data sets with their ids read alike."""
    group = distill_cohort(quick(labels=4))
    one = group.labelled[0]
    ids = [("d", "a/b"), ("d", "a_b"), ("d", "a b"), ("d", "A_b"), ("d", "c"), ("d_c", "1"), ("d", "c_1")]
    cases = tuple(replace(one, dataset=dataset, id=name) for dataset, name in ids)
    alone = replace(group, labelled=cases[:3], validate=(), unlabelled=cases[3:5], test=cases[5:])
    names = alone.file_names
    assert list(names) == ids
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert names["d", "c"] == "d_c"
    assert names["d", "a/b"].startswith("d_a_b-")
    assert all(set(name) <= set("abcdefA0123456789_-") for name in names.values())
    assert replace(alone).file_names == names
    assert group.file_names[one.dataset, one.id] == f"discs_{one.id}"


def test_the_fingerprint_follows_from_who_is_where(discs: Dataset) -> None:
    made: list[Any] = [distill_cohort(quick(labels=n)).fingerprint for n in (4, 4, 6)]
    assert made[0] == made[1] != made[2]


def test_images_without_labels_count_as_unlabelled(discs: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(discs[0].image.path, folder / name)
    plain, more = distill_cohort(quick()), distill_cohort(quick(images=str(folder)))
    assert keys(more.unlabelled) == [*keys(plain.unlabelled), "a.png", "b.png"]
    assert more.training == plain.training  # the baseline of all labels has nothing of them
    assert len(more.seen) == len(plain.seen) + 2
    # The folder of the data set itself adds nothing: its images are cases already.
    with pytest.raises(OptionError, match="there are none"):
        distill_cohort(quick(images=str(discs.root / "images")))
    with pytest.raises(OptionError, match="expected a folder"):
        distill_cohort(quick(images=str(tmp_path / "nowhere")))


def test_images_of_the_data_sets_are_none_without_labels_whoever_is_tested(
    discs: Dataset, tmp_path: Path
) -> None:
    """A test of some cases only leaves others of the same patients: those must not be learned from."""
    folder = tmp_path / "more"
    folder.mkdir()
    for case in discs:
        (folder / case.image.path.name).symlink_to(case.image.path)
    shutil.copy(discs[0].image.path, folder / "new.png")
    group = distill_cohort(quick(test=1, images=str(folder)))
    assert [case.id for case in group.unlabelled if case.dataset == "images"] == ["new.png"]


def test_what_is_no_image_is_left_out_and_said(discs: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    shutil.copy(discs[0].image.path, folder / "a.png")
    (folder / "labels.csv").write_text("a,b\n")
    with pytest.warns(AnytomyWarning, match="1 in .* no images and are left out: labels.csv"):
        group = distill_cohort(quick(images=str(folder)))
    assert keys(group.unlabelled)[-1] == "a.png"


@pytest.mark.parametrize("labels", [3, 5, 7])
def test_patients_that_validate_are_not_learned_from_by_another_picture(discs: Dataset, labels: int) -> None:
    """Of the last labelled patient only one picture is labelled; the other is of no group then."""
    group = distill_cohort(quick(labels=labels, validate=0.5))
    held = {case.patient for case in group.validate}
    assert held
    assert not held & {case.patient for case in (*group.labelled, *group.unlabelled)}


def student(parts: dict[str, list[str]], **changes: Any) -> ModelCard:
    """The card of a student that saw some cases of the discs."""
    values: dict[str, Any] = {
        "network": "unet-8",
        "dims": 2,
        "classes": ("liver",),
        "patch": (32, 32),
        "intensity": "none",
        "data": {"discs": parts},
    }
    return card(student=Student(Path(), StudentCard(**{**values, **changes})))


@pytest.mark.parametrize("part", ["unlabelled", "teacher", "guide", "images"])
def test_a_student_that_was_taught_of_a_test_patient_is_refused(discs: Dataset, part: str) -> None:
    group = distill_cohort(quick(labels=4))
    mine = student({"labelled": keys(group.labelled), part: keys(group.test[:1])})
    with pytest.raises(OptionError, match="trained on 2 test cases"):
        check_teacher(mine, group)


@pytest.mark.parametrize(("part", "lines"), [("teacher", 1), ("images", 0)])
def test_labels_that_its_teacher_saw_count_as_seen(discs: Dataset, part: str, lines: int) -> None:
    group = distill_cohort(quick(labels=4))
    said = check_teacher(student({part: keys(group.unlabelled[:1])}), group)
    assert len([line for line in said if "not even" in line]) == lines


def test_a_student_that_does_not_say_what_its_teacher_saw_is_said_not_to(discs: Dataset) -> None:
    """Students from before that was kept; a baseline was taught by nobody."""
    group = distill_cohort(quick(labels=4))
    tuned = {"recipe": "pseudo", "teacher": {"id": "tiny+there", "adapter_sha256": "a" * 64}}
    guided = {"recipe": "pseudo", "teacher": {"id": "tiny"}, "training": {"guide": "tiny+there"}}
    for values, role in ((tuned, "teacher"), (guided, "guide")):
        (line,) = check_teacher(student({}, **values), group)
        assert f"which cases its {role} learned from" in line
        assert check_teacher(student({role: keys(group.labelled)}, **values), group) == []
        assert check_teacher(student({}, **{**values, "recipe": ""}), group) == []


def test_a_published_model_that_was_trained_on_the_data_set_is_said_to_be(discs: Dataset) -> None:
    group = distill_cohort(quick(labels=4))
    (line,) = check_teacher(card(training=Training(datasets=("discs",))), group)
    assert "may have seen test patients of discs" in line
