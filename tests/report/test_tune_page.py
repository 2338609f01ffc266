"""The page of a tuning run: the numbers of its rows, pictures as files too, nothing from elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import OptionError
from anytomy.evaluation.bench.table import read_rows
from anytomy.report.tune_curves import training_curves
from anytomy.report.tune_page import write_tune_page
from anytomy.tuning.evaluate import changes
from anytomy.tuning.run import tune
from tests.evaluation.bench.phantoms import pictures
from tests.report.parsed_page import Page
from tests.tuning.conftest import RUNTIME, quick, tiny_base

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on four test patients of eight."""
    root = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTOMY_HOME", str(root / "home"))
        patch.setenv("ANYTOMY_CACHE", str(root / "cache"))
        pictures(root / "discs", patients=14)
        tune(quick(fold=(1, 2), steps=8, every=2), root / "out", runtime=RUNTIME, base=tiny_base())
        write_tune_page(root / "out")
    return root / "out"


def test_before_and_after_are_those_of_the_rows(done: Path) -> None:
    page = Page((done / "report.html").read_text())
    rows = [read_rows(done / name) for name in ("before.parquet", "after.parquet")]
    table = page.tables[0]
    for change in changes(*rows, seed=0):
        name = change.structure or "mean of structures"
        (shown,) = table.where(structure=name)
        assert shown["after [95 %]"].startswith(f"{change.after.mean:.3f}")
        assert shown["before [95 %]"].startswith(f"{change.before.mean:.3f}")
        assert shown["change [95 %]"].startswith(f"{change.result.difference.mean:+.3f}")
        assert shown["patients"] == "7"
        assert 0 <= float(shown["p"].removeprefix("< ")) <= 1
        assert (shown["prompt before"], shown["prompt after"]) == ("box", "none")


def test_it_is_said_whether_it_is_better_than_boxes(done: Path) -> None:
    page = Page((done / "report.html").read_text())
    rows = [read_rows(done / name) for name in ("before.parquet", "after.parquet")]
    overall = next(c for c in changes(*rows, seed=0) if not c.structure).result.difference
    better, worse = "better than with boxes", "boxes that somebody drew are better"
    said = better if overall.low > 0 else worse if overall.high < 0 else "no clear change"
    assert said in " ".join(page.texts.values())


def test_nothing_is_fetched_and_pictures_are_files_too(done: Path) -> None:
    page = Page((done / "report.html").read_text())
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(each["alt"] for each in page.all("img"))
    assert not page.attributes("href")
    curves = np.asarray(Picture.open(done / "curves.png"))
    assert curves.shape[1] == 900
    held = np.load(done / "validation.npz")
    files = sorted((done / "validation").glob("*.png"))
    assert len(files) == len(held["names"]) == len(page.all("img")) - 1


def test_a_run_that_is_not_done_has_no_page(done: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no folder of a tuning run"):
        write_tune_page(tmp_path)
    held = json.loads((done / "run.json").read_text())
    del held["finished"]
    (tmp_path / "run.json").write_text(json.dumps(held))
    with pytest.raises(OptionError, match="not done"):
        write_tune_page(tmp_path)


def test_a_line_that_falls_is_drawn_falling() -> None:
    losses = [{"step": s, "loss": 1 - s / 10, "rate": 1.0, "seconds": 0.0} for s in range(1, 10)]
    picture = training_curves({"losses": losses, "validations": []}, None)
    bright = picture[..., 0].astype(int) > 100
    left, right = (np.flatnonzero(bright[45:255, x - 1 : x + 2].any(axis=1)) for x in (200, 760))
    assert left.mean() < right.mean()


def test_values_that_are_missing_leave_a_curve_all_the_same() -> None:
    history = {
        "losses": [{"step": 1, "loss": None}],
        "validations": [{"step": 1, "dice": None, "by_structure": {}}],
    }
    assert training_curves(history, None).shape == (300, 900, 3)


def test_pictures_of_training_are_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    pictures(tmp_path / "discs", patients=4)
    asked = quick(steps=1, every=1, validate=0.0, test=0)
    tune(asked, tmp_path / "out", runtime=RUNTIME, base=tiny_base())
    text = write_tune_page(tmp_path / "out").read_text()
    assert "Training pictures" in text
    assert "Validation pictures" not in text
