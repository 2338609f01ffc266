"""References of students: a folder is a model wherever models are named; with a plus it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytomy.core.errors import ModelError
from anytomy.zoo.registry import card
from anytomy.zoo.store import weights_path
from tests.models.students.tiny import register, tiny_student


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register(monkeypatch)
    tiny_student(tmp_path / "student", intensity="ct:lung")
    return tmp_path / "student"


def test_a_folder_is_a_model(student: Path) -> None:
    found = card(str(student))
    assert found.id == str(student)
    assert found.title == "student (tiny)"
    assert found.classes == ("liver", "pancreas")
    assert found.prompts == ()
    assert found.intensity_for("CT") == "ct:lung"
    assert found.training.datasets == ("acdc",)
    assert found.licence == "CC0-1.0"
    assert weights_path(found) == student.resolve() / "student.safetensors"
    assert found.weights_sha256(found.weights.sha256) == found.weights.sha256
    assert found.to_dict()["student"]["recipe"] == "pseudo"


def test_what_its_teacher_was_trained_on_counts(student: Path) -> None:
    teacher = {"id": "litemedsam", "licence": "Apache-2.0", "trained_on": ["busi", "acdc"]}
    for complete in (False, True):
        tiny_student(student, teacher={**teacher, "trained_on_complete": complete})
        found = card(str(student))
        assert found.training.datasets == ("acdc", "busi")
        assert found.unverified == (() if complete else ("training.datasets",))
    tiny_student(student, teacher=teacher)  # from before that was kept
    assert card(str(student)).unverified == ("training.datasets",)
    tiny_student(student, teacher=teacher, recipe="")  # a baseline
    assert (card(str(student)).training.datasets, card(str(student)).unverified) == (("acdc",), ())


def test_a_student_stands_alone(student: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"it is a student, which stands alone"):
        card(f"litemedsam+{student}")
    with pytest.raises(ModelError, match=r"it is a student, which stands alone"):
        card(f"{student}+{student}")
    from tests.zoo.test_adapted import write

    adapter = write(tmp_path / "tuned")
    with pytest.raises(ModelError, match=r"is a student, which takes none; .*litemedsam\+"):
        card(f"{student}+{adapter}")


def test_a_broken_card_names_the_file(student: Path) -> None:
    (student / "student.json").write_text("{")
    with pytest.raises(ModelError, match=r"student\.json, but it cannot be read"):
        card(str(student))


def test_a_student_is_not_tuned(student: Path) -> None:
    from anytomy.tuning.base import Base

    with pytest.raises(ModelError, match="is a student"):
        Base.of(str(student), device="cpu", threads=1)
