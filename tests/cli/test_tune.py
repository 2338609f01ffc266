"""`anytomy tune` as a command: options reach the run, the result is printed, mistakes are one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from anytomy.tuning import base
from tests.evaluation.bench.phantoms import pictures
from tests.tuning.conftest import tiny_base

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

QUICK = (
    "--data",
    "discs",
    "--mode",
    "semantic",
    "--fold",
    "1/4",
    "--steps",
    "4",
    "--copies",
    "1",
    "--device",
    "cpu",
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tiny base instead of LiteMedSAM, and a data set."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(base.Base, "of", lambda *_, **__: tiny_base())
    monkeypatch.setattr("anytomy.engine.threads.keep_big_blocks", lambda: False)
    pictures(tmp_path / "discs", patients=8)


def test_a_run_is_an_adapter_and_a_page(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shown = run("tune", "litemedsam", *QUICK, "--threads", "1", "-o", folder, "--json")
    data = shown.json["data"]
    assert data["adapter"] == str(folder)
    assert {each["structure"] for each in data["changes"]} == {"liver", "spleen", "mean"}
    assert data["steps"] == 4
    for name in ("adapter.json", "adapter.safetensors", "report.html", "curves.png", "validation/1.png"):
        assert (folder / name).is_file()
    assert "steps of" in shown.err


def test_people_get_a_table(run: Run, tmp_path: Path) -> None:
    shown = run("tune", "litemedsam", *QUICK, "--train", "6", "-o", tmp_path / "out")
    assert shown.code == 0
    for part in ("before", "after", "discs: liver", "report"):
        assert part in shown.out


def test_costs_alone(run: Run, tmp_path: Path) -> None:
    shown = run("tune", "litemedsam", *QUICK, "--estimate", "-o", tmp_path / "out", "--json")
    assert shown.json["data"]["plan"]["step_s"] > 0
    assert not (tmp_path / "out" / "adapter.json").exists()


def test_a_recipe_is_changed_by_options(run: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'model = "litemedsam"\ndata = ["discs"]\nmode = "semantic"\nfold = [1, 4]\nsteps = 9\ncopies = 1\n'
    )
    shown = run("tune", "--recipe", recipe, "--steps", "3", "--test", "0", "-o", tmp_path / "out", "--json")
    assert shown.json["data"]["steps"] == 3
    held = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (held["config"]["copies"], held["config"]["steps"]) == (1, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("litemedsam", "-o", "x"), "expected --data"),
        (("--data", "discs", "-o", "x"), "expected MODEL"),
        (("litemedsam", "--data", "discs"), "expected a folder"),
        (("litemedsam", *QUICK, "--precision", "f16", "-o", "x"), "precision"),
        (("litemedsam", "--data", "discs", "--mode", "panoptic", "-o", "x"), "mode"),
        (("litemedsam", "--data", "discs", "--fold", "3", "-o", "x"), "1/3"),
        (("litemedsam", "--data", "nothing", "-o", "x"), "nothing"),
        (("litemedsam", *QUICK, "--classes", "kidney", "-o", "x"), "kidney"),
        (("litemedsam", *QUICK, "--method", "magic", "-o", "x"), "magic"),
        (("litemedsam", *QUICK, "--memory", "0.001", "-o", "x"), "memory"),
        (("--recipe", "none.toml", "-o", "x"), "none.toml"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, options: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in run("tune", *options).error
    assert not (tmp_path / "x" / "adapter.json").exists()


def test_only_the_first_of_several_processes_says_what_came_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are done before it has judged the test cases, and must not end in an error."""
    monkeypatch.setattr("anytomy.cli.training.is_first_process", lambda: False)
    monkeypatch.setattr("anytomy.tuning.session.Session.is_main", False)
    shown = run("tune", "litemedsam", *QUICK, "--threads", "1", "-o", tmp_path / "out", "--json")
    assert (shown.code, shown.out) == (0, "")
