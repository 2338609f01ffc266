"""The page of a distillation: the numbers of its rows, what it loses by name, nothing from elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import OptionError
from anytomy.evaluation.bench.table import read_rows, write_rows
from anytomy.evaluation.statistics import paired
from anytomy.report.distill_page import write_distill_page
from anytomy.report.distill_results import rules_broken
from tests.evaluation.bench.phantoms import pictures
from tests.report.made_distillation import SHIFT, STRUCTURES, dice, made_run, with_pseudo_labels
from tests.report.parsed_page import Page

if TYPE_CHECKING:
    from pathlib import Path

PATIENTS = range(6, 18)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("distilled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTOMY_HOME", str(root / "home"))
        pictures(root / "discs", patients=6)
        folder = with_pseudo_labels(made_run(root / "run"))
        made_run(folder / "curve" / "4", labels=4)
        write_distill_page(folder)
    return folder


@pytest.fixture(scope="module")
def page(done: Path) -> Page:
    return Page((done / "report.html").read_text())


def of(model: str, structure: str) -> dict[str, float]:
    return {f"p{i}": dice(model, structure, i, 2) for i in PATIENTS}


def test_means_are_those_of_the_rows(page: Page) -> None:
    (kept,) = page.sections["kept"]
    names = {
        "teacher": "teacher with perfect boxes",
        "student": "student",
        "all": "student of all labels",
        "few": "student of the labelled cases alone",
    }
    for structure in STRUCTURES:
        (row,) = kept.where(structure=structure)
        for model, title in names.items():
            assert row[title].startswith(f"{np.mean(list(of(model, structure).values())):.3f} [")
        share = np.mean(list(of("student", structure).values())) / np.mean(
            list(of("teacher", structure).values())
        )
        assert row["kept of the teacher"] == f"{100 * share:.0f} %"
    assert len(kept.where(structure="mean of structures")) == 1


def test_differences_are_paired_by_patient(page: Page) -> None:
    (compared,) = page.sections["compared"]
    assert len(compared.rows) == 3 * 3
    for structure in STRUCTURES:
        (row,) = compared.where(
            **{"student less": "student of the labelled cases alone"}, structure=structure
        )
        wanted = paired(of("few", structure), of("student", structure))
        assert row["difference [95 %]"].startswith(f"{wanted.difference.mean:+.3f}")
        assert row["patients"] == str(len(PATIENTS))
        assert row["p"] == ("< 0.001" if wanted.p < 0.001 else f"{wanted.p:.3f}")


def test_the_lead_says_whether_it_helped_and_how_fast_it_is(page: Page) -> None:
    lead = page.texts[""]
    assert "distillation helped" in lead
    assert "20.0 times faster" in lead
    assert "2 cases" in lead
    assert "discs: with the labels of all training cases the student of the labelled cases" in lead
    worse = [s for s in lead.split(".") if "teacher with perfect boxes" in s]
    assert worse


def test_what_is_lost_is_named(page: Page) -> None:
    text = page.texts["worse"]
    assert "Clearly worse than the teacher with perfect boxes: liver (discs)" in text
    assert "Clearly worse than the student of the labelled cases alone: no structure" in text
    against_teacher = next(t for t in page.sections["worse"] if "the teacher" in t.caption)
    losses = [float(value) for value in against_teacher.column("difference")]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(
        min(dice("student", s, i, 2) - dice("teacher", s, i, 2) for s in STRUCTURES for i in PATIENTS),
        abs=6e-4,
    )


def test_the_learning_curve_has_a_row_for_each_number_of_labels(page: Page) -> None:
    (curve,) = page.sections["curve"]
    assert curve.column("labelled cases") == ["2", "4"]
    gains = [float(text.split()[0]) for text in curve.column("difference [95 %]")]
    # The student of few labels alone is made to catch up.
    assert gains[0] > gains[1] > 0


def test_pseudo_labels_are_counted_and_shown(done: Path, page: Page) -> None:
    rows = read_rows(done / "pseudo" / "round-1" / "objects.parquet")
    (counted,) = page.sections["pseudo"]
    assert sum(int(n) for n in counted.column("asked")) == len(rows)
    assert sum(int(n) for n in counted.column("accepted")) == sum(row["accepted"] for row in rows)
    for title in counted.titles:
        if title.startswith("rejected: "):
            rule = title.removeprefix("rejected: ")
            broken = sum(rule in rules_broken(row["reason"]) for row in rows)
            assert sum(int(n) for n in counted.column(title)) == broken
    shown = min(8, sum(row["accepted"] for row in rows)) + min(8, sum(not row["accepted"] for row in rows))
    assert len(page.all("img")) == shown
    for name in ("accepted", "rejected"):
        sheet = np.asarray(Picture.open(done / "pseudo" / "round-1" / f"{name}.png"))
        assert sheet.std() > 10


def test_licences_and_settings_are_told(page: Page) -> None:
    licences = next(t for t in page.sections["method"] if "licence" in t.titles)
    assert ["teacher", "Apache-2.0"] in licences.rows
    assert "self-prompt" in page.texts["method"]


def test_nothing_is_fetched(page: Page) -> None:
    assert all(source.startswith("data:image/") for source in page.attributes("src"))
    assert all(href.startswith("#") for href in page.attributes("href"))
    assert all(each["alt"] for each in page.all("img"))


class TestLess:
    """Runs that lack something have pages too."""

    def test_no_baselines_no_speed_no_pseudo_labels(self, tmp_path: Path) -> None:
        folder = made_run(tmp_path / "run", speed=None)
        for model in SHIFT.keys() - {"student"}:
            (folder / "test" / f"{model}.parquet").unlink()
        page = Page(write_distill_page(folder).read_text())
        assert {"curve", "pseudo", "compared"} & page.sections.keys() == set()
        assert len(page.sections["kept"][0].rows) == 3

    def test_a_teacher_that_was_not_believed_is_told(self, tmp_path: Path) -> None:
        folder = made_run(tmp_path / "run", result={"taught": "few", "rounds": []})
        assert "nothing was learned from them" in Page(write_distill_page(folder).read_text()).texts[""]

    def test_few_patients_are_not_tested(self, tmp_path: Path) -> None:
        page = Page(write_distill_page(made_run(tmp_path / "run", patients=range(6, 9))).read_text())
        assert set(page.sections["compared"][0].column("p")) == {"too few patients"}

    def test_pictures_that_cannot_be_had_are_said(self, tmp_path: Path, done: Path) -> None:
        folder = made_run(tmp_path / "run")
        table = folder / "pseudo" / "round-1" / "objects.parquet"
        table.parent.mkdir(parents=True)
        table.write_bytes((done / "pseudo" / "round-1" / "objects.parquet").read_bytes())
        page = Page(write_distill_page(folder).read_text())
        assert "the data set is not on this machine" in page.texts["pseudo"]


class TestMistakes:
    def test_a_folder_without_a_run(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="no folder of a distillation"):
            write_distill_page(tmp_path)

    def test_a_run_that_is_not_done(self, tmp_path: Path) -> None:
        folder = made_run(tmp_path / "run")
        held = json.loads((folder / "run.json").read_text())
        del held["finished"]
        (folder / "run.json").write_text(json.dumps(held))
        with pytest.raises(OptionError, match="not done"):
            write_distill_page(folder)

    def test_a_curve_of_runs_that_differ_in_more_than_labels(self, tmp_path: Path) -> None:
        folder = made_run(tmp_path / "run")
        made_run(folder / "curve" / "4", labels=4, patients=range(6, 10))
        with pytest.raises(OptionError, match="different cases"):
            write_distill_page(folder)
        made_run(folder / "curve" / "4", labels=4, network="unet-32")
        with pytest.raises(OptionError, match="network"):
            write_distill_page(folder)


def test_the_rules_of_a_reason() -> None:
    text = "student: Dice 0.40 with it, at least 0.65 is wanted; box: filled to 0.40, at least 0.6 is wanted"
    assert rules_broken(text) == ["student", "box"]
    assert rules_broken("") == []


def test_a_teacher_with_classes_got_no_boxes_and_the_page_says_so(tmp_path: Path) -> None:
    folder = made_run(tmp_path / "run")
    path = folder / "test" / "teacher.parquet"
    rows = [{**row, "prompt": "none"} for row in read_rows(path)]
    write_rows(path, rows, ("dice",), masks=True)
    text = write_distill_page(folder).read_text()
    assert "perfect boxes" not in text
    assert "boxes that somebody draws" not in text
    assert "teacher, no prompt" in text


def test_a_student_that_waits_for_its_teacher_has_gained_no_speed(tmp_path: Path) -> None:
    speed = {"picture": [256, 256], "student_ms": 10.0, "teacher_encoder_ms": 200.0, "threads": 1}
    folder = made_run(tmp_path / "run", speed={**speed, "masks_of_the_teacher": 2})
    text = write_distill_page(folder).read_text()
    assert "needs its teacher&#x27;s masks" in text or "needs its teacher's masks" in text
    assert "times faster" not in text
