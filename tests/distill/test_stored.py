"""Prompts that somebody drew take the place of a student's boxes; what is wrong with them is said first."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import AnytomyError, AnytomyWarning, OptionError, PromptError
from anytomy.distill.cohort import distill_cohort
from anytomy.distill.run import DistillResult, distill
from anytomy.distill.stored import prompt_files
from anytomy.evaluation.bench.table import read_rows
from anytomy.models.students.folder import read_student
from tests.distill.conftest import RUNTIME, bright, quick
from tests.distill.test_guide import with_classes
from tests.engine.tiny import BrightEngine

if TYPE_CHECKING:
    from anytomy.datasets.dataset import Dataset
    from anytomy.distill.plan import DistillPlan
    from anytomy.predict.model import Model


def drawn(labels: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Objects of a prompt file, with tight boxes."""
    found = []
    for name, label in labels.items():
        y, x = np.nonzero(label)
        found.append({"name": name, "box": [int(n) for n in (x.min(), y.min(), x.max() + 1, y.max() + 1)]})
    return found


@pytest.fixture
def boxed(discs: Dataset, tmp_path: Path) -> Path:
    """Two pictures without labels, and the boxes of their objects beside them."""
    folder = tmp_path / "boxed"
    folder.mkdir()
    for number in range(2):
        shutil.copy(discs[number].image.path, folder / f"new {number}.png")
        write(folder / f"new {number}.png.json", *drawn(discs[number].load()[1]))
    return folder


def write(path: Path, *objects: dict[str, Any], **more: Any) -> None:
    path.write_text(json.dumps({"objects": list(objects), **more}))


def run(
    folder: Path, boxed: Path, teacher: Model | None = None, **changes: Any
) -> DistillResult | DistillPlan:
    """Students of three steps find nothing that is to be trusted; whatever is accepted has a drawn box."""
    estimate = changes.pop("estimate", False)
    given = {"recipe": "pseudo", "images": str(boxed), "prompts_dir": str(boxed), "test": 0, **changes}
    config = quick(**{"steps": 3, "size": 32, "labels": 4, "views": 1, **given})
    return distill(config, folder, runtime=RUNTIME, teacher=teacher or bright(), estimate=estimate)


@pytest.mark.parametrize("recipe", ["pseudo", "self-prompt", "logits"])
def test_the_teacher_is_asked_by_what_was_drawn(
    discs: Dataset, boxed: Path, tmp_path: Path, recipe: str
) -> None:
    done = run(tmp_path / "run", boxed, recipe=recipe, unlabelled=14)
    assert isinstance(done, DistillResult)
    name = {"logits": "logits"}.get(recipe, "round-1")
    rows = read_rows(done.folder / "pseudo" / name / "objects.parquet")
    stored = [row for row in rows if row["source"] == "stored"]
    assert {(row["case"], row["structure"]) for row in stored} == {
        (f"new {n}.png", structure) for n in range(2) for structure in ("liver", "spleen")
    }
    assert all(row["accepted"] for row in stored)
    assert {row["dataset"] for row in rows if row["source"] == "student"} <= {"discs"}
    truth = np.asarray(Picture.open(discs[1].masks[0].paths[0]))
    found = done.folder / "pseudo" / name / "labels" / "images_new_1.png.png"
    np.testing.assert_array_equal(np.asarray(Picture.open(found)), truth)


def test_a_student_can_learn_from_boxes_alone(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    """Those of labels, and those that somebody drew, which take their place where there are both."""
    config = quick(labels=1)
    (one,) = distill_cohort(config).labelled
    write(boxed / f"{one.image.path.name}.json", *drawn({"liver": one.load()[1]["liver"]}))
    done = run(tmp_path / "run", boxed, boxes=True, labels=1)
    assert isinstance(done, DistillResult)
    rows = read_rows(done.folder / "pseudo" / "boxes" / "objects.parquet")
    assert {(row["dataset"], row["case"], row["structure"]) for row in rows} == {
        *(("images", f"new {n}.png", structure) for n in range(2) for structure in ("liver", "spleen")),
        ("discs", one.id, "liver"),
    }
    seen = read_student(done.folder).data["discs"]
    assert (seen["labelled"], seen["unlabelled"]) == ([one.id], [])  # of the others nothing was looked at


def test_volumes_are_boxed_on_a_slice_and_carried_on(balls: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "boxed"
    folder.mkdir()
    case = balls[1]
    _, labels = case.load()
    shutil.copy(case.image.path, folder / "new.nii.gz")
    slices = np.flatnonzero(labels["liver"].any(axis=(1, 2)))
    low, middle, high = int(slices[0]), int(slices[len(slices) // 2]), int(slices[-1]) + 1
    (box,) = drawn({"liver": labels["liver"][middle]})
    write(folder / "new.json", {**box, "slice": middle, "z": [low, high]})
    done = run(tmp_path / "run", folder, data=("balls",), classes=("liver",), fold=(1, 3), labels=2)
    assert isinstance(done, DistillResult)
    rows = read_rows(done.folder / "pseudo" / "round-1" / "objects.parquet")
    found = {row["slice"] for row in rows if row["source"] == "stored"}
    assert {middle} < found <= set(range(low, high))


@pytest.mark.parametrize(
    ("objects", "match"),
    [
        ([{"name": "kidney", "box": [1, 1, 9, 9]}], r"new 1\.png\.json: .*liver, spleen.*got kidney"),
        ([{"box": [1, 1, 9, 9]}], r"new 1\.png\.json: expected prompts that are named for a class"),
        ([{"name": "liver", "box": [70, 1, 90, 9]}], r"new 1\.png\.json: "),
        ([{"name": "liver", "points": [[3, 3, 1]]}], r"new 1\.png\.json: liver has points, but"),
        ([], r"new 1\.png\.json: 'objects' is empty"),
    ],
)
def test_wrong_prompts_are_refused_before_the_start(
    discs: Dataset, boxed: Path, tmp_path: Path, objects: list[dict[str, Any]], match: str
) -> None:
    write(boxed / "new 1.png.json", *objects)
    with pytest.raises(AnytomyError, match=match):
        run(tmp_path / "run", boxed)
    assert not (tmp_path / "run" / "run.json").exists()


def test_combinations_are_refused(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    write(boxed / "new 0.png.json", *drawn(discs[0].load()[1]), combine=["liver = liver - spleen"])
    with pytest.raises(PromptError, match=r"new 0\.png\.json: .* combinations"):
        run(tmp_path / "run", boxed)


def test_missing_prompts_are_said(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    """One image without is asked about as others are; none with any, or a file of none, is a mistake."""
    config = quick(images=str(boxed), prompts_dir=str(boxed))
    group = distill_cohort(config)
    (boxed / "new 1.png.json").rename(boxed / "new1.json")
    assert list(prompt_files(config, group)) == [("images", "new 0.png")]
    with pytest.warns(AnytomyWarning, match=r"1 files in .* of no image here and are left out: new1\.json"):
        run(tmp_path / "run", boxed, estimate=True)
    (boxed / "new 0.png.json").unlink()
    with pytest.raises(PromptError, match=r"in .*boxed, but there are none"):
        prompt_files(config, group)
    with pytest.raises(PromptError, match="expected a folder with prompt files"):
        prompt_files(replace(config, prompts_dir=str(boxed / "nowhere")), group)


def test_a_file_that_could_be_of_two_images_is_refused(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    shutil.copy(boxed / "new 0.png", boxed / "new 0.bmp")
    (boxed / "new 0.png.json").rename(boxed / "new 0.json")
    with pytest.raises(PromptError, match=r"new 0\.json would be that of two images"):
        run(tmp_path / "run", boxed)


def test_what_has_no_use_for_prompts_refuses_them(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--prompts-dir has no meaning with the recipe encoder"):
        run(tmp_path / "run", boxed, recipe="encoder")
    mine = type(bright())(with_classes("liver", "spleen"), BrightEngine(), weights_sha256="a" * 64)
    with pytest.raises(AnytomyError, match=r"new 0\.png\.json: .*takes no prompts"):
        run(tmp_path / "run", boxed, mine)


def test_a_run_goes_on_with_the_same_prompts_only(discs: Dataset, boxed: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", boxed)
    run(tmp_path / "run", boxed)
    write(boxed / "new 0.png.json", {"name": "liver", "box": [1, 1, 40, 40]})
    with pytest.raises(OptionError, match="prompts_sha256"):
        run(tmp_path / "run", boxed)
