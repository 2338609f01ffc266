"""`anytomy distill` as a command: options reach the run, the result is printed, mistakes are one line."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.distill.conftest import bright
from tests.evaluation.bench.phantoms import pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

QUICK = ("--data", "discs", "--recipe", "pseudo", "--student", "unet-8", "--fold", "1/4", "--labels", "2")
SHORT = (*QUICK, "--steps", "3", "--size", "32", "--baselines", "few", "--device", "cpu", "--threads", "1")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A teacher that finds what is bright in place of LiteMedSAM, and a data set."""
    from anytomy.predict import model
    from anytomy.zoo import registry
    from anytomy.zoo.registry import card

    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("anytomy.engine.threads.keep_big_blocks", lambda: False)
    teacher, load = bright(), model.load
    monkeypatch.setattr(registry, "card", lambda name: teacher.card if name == "litemedsam" else card(name))
    monkeypatch.setattr(
        model, "load", lambda name, **more: teacher if name == "litemedsam" else load(name, **more)
    )
    pictures(tmp_path / "discs", patients=8)


def test_a_run_is_a_student_and_a_page(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shown = run("distill", "litemedsam", *SHORT, "--boxes", "-o", folder, "--json")
    data = shown.json["data"]
    assert data["student"] == str(folder)
    assert data["taught"] == "boxes"
    assert data["steps"] == 3
    assert {each["structure"] for each in data["against"]["few"]} == {"liver", "spleen", "mean"}
    for name in ("student.json", "student.safetensors", "student.onnx", "report.html", "results.json"):
        assert (folder / name).is_file()
    assert "boxes of 2 cases are seen" in shown.err
    again = run("distill", "litemedsam", *SHORT, "--boxes", "-o", folder)
    assert "holds the student" in again.out.replace("\n", " ")
    assert "student of the" in again.out


def test_prompts_that_somebody_drew_are_read_first(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "boxed"
    folder.mkdir()
    shutil.copy(tmp_path / "discs" / "images" / "p0_0.png", folder / "new.png")
    drawn = folder / "new.json"
    given = ("distill", "litemedsam", *SHORT, "--images", folder, "--prompts-dir", folder)
    drawn.write_text('{"objects": [{"name": "liver", "box": [10, 10, 30, 30]}]}')
    shown = run(*given, "-o", tmp_path / "out", "--estimate", "--json")
    assert f"cases with prompts that somebody drew: 1 ({folder})" in shown.err
    drawn.write_text('{"objects": [{"name": "kidney", "box": [10, 10, 30, 30]}]}')
    wrong = run(*given, "-o", tmp_path / "out").error
    assert f"{drawn}: " in wrong
    assert "got kidney" in wrong


def test_the_student_segments_without_prompts(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("distill", "litemedsam", *SHORT, "--boxes", "--test", "0", "-o", folder)
    image = next((tmp_path / "discs" / "images").iterdir())
    shown = run("segment", image, "--model", folder, "-o", tmp_path / "found.png", "--json")
    assert shown.code == 0
    assert (tmp_path / "found.png").is_file()


def test_an_estimate_is_said_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    shown = run("distill", "litemedsam", *SHORT, "-o", tmp_path / "out", "--estimate", "--json")
    plan = shown.json["data"]["plan"]
    assert plan["students"] == ["few", "round-1"]
    assert plan["training"]["steps"] == 3
    assert not (tmp_path / "out" / "student.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--recipe", "guess"), "expected a recipe of pseudo"),
        (("--student", "resnet"), "expected a student of unet-8"),
        (("--dims", "4"), "expected dims of auto, 2, 3"),
        (("--baselines", "most"), "expected baseline of few, all, teacher"),
        (("--curve", "1,two"), "expected counts of labelled cases"),
        (("--precision", "f8"), "expected a precision of"),
        (("--data", "nowhere"), "nowhere"),
        (("--recipe", "prior"), "waits for boxes"),
        (("--recipe", "self-prompt", "--boxes"), "not from boxes"),
    ],
)
def test_mistakes_are_one_line(run: Run, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    assert said in run("distill", "litemedsam", *SHORT, *options, "-o", tmp_path / "out").error
