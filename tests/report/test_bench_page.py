"""The page of a benchmark: true numbers, the weak by name, nothing from elsewhere, nothing unsaid."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import OptionError, OutputError
from anytomy.evaluation.bench import runner
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.runner import run_bench
from anytomy.evaluation.statistics import bootstrap
from anytomy.report.bench_method import without_folders
from anytomy.report.bench_page import bench_page, write_bench_page
from tests.engine.tiny import EVERYTHING, BrightEngine, bright_model
from tests.evaluation.bench import phantoms
from tests.evaluation.bench.rows import row, rows_of, write_run
from tests.report.parsed_page import Page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data sets that a test adds are its own."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


def page_of(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Page:
    return Page(bench_page(write_run(folder, rows, **options)))


def measured_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *data: str, keep_masks: bool = True, **config: Any
) -> Path:
    """A run of a model that finds what is bright, on phantoms."""
    monkeypatch.setattr(
        runner,
        "_model",
        lambda model_id, threads: bright_model(engine=BrightEngine(), id=model_id, **EVERYTHING),
    )
    for name in data:
        {"discs": phantoms.pictures, "balls": phantoms.volumes, "cells": phantoms.cells}[name](
            tmp_path / name
        )
    folder = tmp_path / "run"
    asked = BenchConfig(**{"models": ("sam_vit_b",), "data": data, **config})
    run_bench(asked, folder, workers=1, keep_masks=keep_masks)
    return folder


class TestNumbers:
    def test_the_main_table_is_what_one_gets_by_hand(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(5)
        dices, nsds = rng.random((5, 3)), rng.random((5, 3))
        rows = [
            row(patient=f"p{p}", case=f"c{p}", object=str(o), dice=dices[p, o], nsd=nsds[p, o], hd95=10.0 * p)
            for p, o in itertools.product(range(5), range(3))
        ]
        (table,) = page_of(tmp_path, rows).sections["results"][:1]
        (line,) = table.where(structure="liver")
        interval = bootstrap(list(dices.mean(axis=1)))
        assert line["mean Dice [95 %]"] == f"{dices.mean():.3f} [{interval.low:.3f}, {interval.high:.3f}]"
        assert line["object mean"] == f"{dices.mean():.3f}"
        low, median, high = np.percentile(dices, [25, 50, 75])
        assert line["median [quartiles]"] == f"{median:.3f} [{low:.3f}, {high:.3f}]"
        assert line["Dice < 0.5"] == str((dices < 0.5).sum())
        assert line["NSD"].startswith(f"{nsds.mean():.3f} [")
        assert line["HD95 (px)"].startswith("20.0 [")
        assert (line["patients"], line["objects"]) == ("5", "15")

    def test_patients_count_the_same_however_many_objects_they_have(self, tmp_path: Path) -> None:
        rows = [row(patient="a", object=str(i), dice=1.0) for i in range(9)]
        rows += [row(patient="b", case="2", dice=0.5)]
        (line,) = page_of(tmp_path, rows).sections["results"][0].where(structure="liver")
        assert line["mean Dice [95 %]"].startswith("0.750 ")
        assert line["object mean"] == "0.950"

    def test_the_summary_counts_each_object_once(self, tmp_path: Path) -> None:
        rows = [
            *rows_of([0.9] * 4),
            *rows_of([0.8] * 4, prompt="box-jitter"),
            *rows_of([0.7] * 3, model="other"),
        ]
        rows += [row(object="all", level="structure", prompt="box-all", patient="p0", case="case 0")]
        page = page_of(tmp_path, rows)
        assert "4 objects of 4 patients in 4 images of 1 data set" in page.texts[""]
        first = page.sections["overview"][0].where(model="tiny")[0]
        assert [first[name] for name in ("images", "patients", "objects")] == ["4", "4", "4"]

    def test_lengths_of_pixels_and_millimetres_are_not_averaged(self, tmp_path: Path) -> None:
        rows = [row(unit="mm", patient="a"), row(unit="px", patient="b", case="2")]
        (line,) = page_of(tmp_path, rows).sections["results"][0].where(structure="liver")
        assert line["HD95"] == "– (mixed units)"

    def test_one_patient_has_no_interval_and_it_says_so(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, rows_of([0.4]))
        (line,) = page.sections["results"][0].where(structure="liver")
        assert line["mean Dice [95 %]"] == "0.400 (one patient)"
        assert page.sections["weak"][0].column("interval") == ["none"]

    def test_third_metrics_stand_beside(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, rows_of([0.9, 0.7], volume_error=0.25))
        (line,) = page.sections["results"][1].where(structure="liver")
        assert line["volume error (relative)"] == "+0.250 [+0.250, +0.250]"


class TestWeak:
    ROWS = (
        *rows_of([0.95, 0.97], structure="liver"),
        *rows_of([0.6, 0.7, 0.5], structure="left adrenal gland"),
        *rows_of([0.95, 0.75, 0.65], structure="oesophagus"),
        *rows_of([0.80, 0.80], structure="spleen"),
        *rows_of([0.1, 0.2], structure="retinal vessel", dataset="beta"),
        *rows_of([0.3, 0.2], structure="liver", prompt="box-shift"),
    )

    def test_exactly_the_weak_ones_of_the_first_prompt_are_listed_the_weakest_first(
        self, tmp_path: Path
    ) -> None:
        page = page_of(tmp_path, list(self.ROWS), prompts=("box", "box-shift"))
        table, others = page.sections["weak"]
        assert table.column("structure") == ["retinal vessel", "left adrenal gland", "oesophagus"]
        assert table.column("data set") == ["beta", "alpha", "alpha"]
        assert table.column("interval") == ["below 0.80", "below 0.80", "reaches 0.80"]
        interval = bootstrap([0.6, 0.7, 0.5])
        assert table.column("mean Dice [95 %]")[1] == f"0.600 [{interval.low:.3f}, {interval.high:.3f}]"
        assert others.column("structure") == ["liver"]
        assert "3 of 5 structures are weak" in page.texts[""]

    def test_the_first_prompt_is_that_of_the_run(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, list(self.ROWS), prompts=("box-shift", "box"))
        # Where a data set was not prompted with it, the next one counts.
        assert page.sections["weak"][0].column("structure") == ["retinal vessel", "liver"]

    def test_each_model_counts_by_the_first_prompt_that_it_learned(self, tmp_path: Path) -> None:
        rows = [*rows_of([0.2, 0.3], prompt="centre", model="clicker"), *rows_of([0.4, 0.5], model="boxer")]
        page = page_of(tmp_path, rows, prompts=("centre", "box"))
        assert sorted(page.sections["weak"][0].column("setting")) == ["boxer, box", "clicker, centre"]

    def test_none_is_said(self, tmp_path: Path) -> None:
        assert "None when prompted with box." in page_of(tmp_path, rows_of([0.9])).texts["weak"]

    def test_without_dice_nothing_is_called_weak_or_strong(self, tmp_path: Path) -> None:
        rows = [{k: v for k, v in each.items() if k != "dice"} for each in rows_of([0.9, 0.8], iou=0.3)]
        page = page_of(tmp_path, rows, metrics=("iou", "nsd"))
        assert "Dice was not measured" in page.texts["weak"]
        (line,) = page.sections["results"][0].where(structure="liver")
        assert line["mean IoU [95 %]"] == "0.300 [0.300, 0.300]"
        assert "distributions" not in page.sections


class TestPage:
    def test_nothing_comes_from_elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = bench_page(measured_run(tmp_path, monkeypatch, "discs", "cells", prompts=("box", "clicks-3")))
        page = Page(text)
        addresses = [*page.attributes("src"), *page.attributes("href")]
        assert addresses
        assert all(address.startswith(("data:image/", "#")) for address in addresses)
        assert not {"script", "link", "iframe", "object"} & {name for name, _ in page.elements}
        assert "http" not in re.sub(r"http-equiv", "", text)
        assert not re.search(r"url\(|@import|\son\w+=", text)
        (policy,) = (m["content"] for m in page.all("meta") if "content-security-policy" in str(m).lower())
        assert policy.startswith("default-src 'none'")

    def test_it_can_be_read_without_eyes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Page(bench_page(measured_run(tmp_path, monkeypatch, "discs", prompts=("box", "box-jitter"))))
        assert all(table.caption and table.titles for table in page.tables)
        assert all(image["alt"] for image in page.all("img"))
        drawings = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
        assert drawings
        assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
        assert [level for level, _ in page.headings].count("h1") == 1
        assert page.all("html")[0]["lang"] == "en"

    def test_links_lead_somewhere_and_ids_are_unique(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, [*TestWeak.ROWS], prompts=("box", "box-shift"))
        ids = page.attributes("id")
        assert len(ids) == len(set(ids))
        assert {address[1:] for address in page.attributes("href")} <= set(ids)

    def test_names_are_text_whatever_they_hold(self, tmp_path: Path) -> None:
        evil = "<script>alert('x')</script>\"&"
        rows = rows_of([0.3, 0.9], structure=evil, case=evil, patient="p")
        rows += rows_of([0.3], structure=evil, model='"><img src=x onerror=y>')
        failure = {"dataset": "alpha", "case": evil, "model": "tiny", "message": evil}
        text = bench_page(write_run(tmp_path, rows, failures=[failure], prompts=("box",)))
        page = Page(text)
        assert "<script" not in text
        assert "<img" not in text
        assert evil in page.sections["weak"][0].column("structure")
        assert evil in page.sections["left-out"][-1].column("case")

    def test_the_seed_alone_decides(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path, rows_of([0.1, 0.5, 0.9, 0.4]))
        assert bench_page(folder) == bench_page(folder)


class TestPictures:
    def test_best_median_and_worst_of_each_structure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = measured_run(tmp_path, monkeypatch, "discs", prompts=("box", "box-jitter"))
        page = Page(bench_page(folder))
        images = page.all("img")
        assert len(images) == 2 * 3
        for structure in ("liver", "spleen"):
            places = [i["alt"].split(", ")[1] for i in images if i["alt"].startswith(structure)]
            assert places == ["best", "median", "worst"]
        scores = [float(i["alt"].split("Dice ")[1].split(":")[0]) for i in images]
        assert scores[0] >= scores[1] >= scores[2]
        for image in images:
            head, data = image["src"].split(",", 1)
            assert head == "data:image/jpeg;base64"
            with Picture.open(io.BytesIO(base64.b64decode(data))) as picture:
                assert picture.format == "JPEG"
                assert max(picture.size) == 480

    def test_volumes_name_their_slice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Page(bench_page(measured_run(tmp_path, monkeypatch, "balls")))
        assert page.all("img")[0]["alt"].split("; ")[0].endswith(", slice 4")
        whole = measured_run(tmp_path / "b", monkeypatch, "balls", volume="authors")
        assert len(Page(bench_page(whole)).all("img")) == 3

    def test_as_many_as_asked_and_none_for_zero(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = measured_run(tmp_path, monkeypatch, "discs")
        assert len(Page(bench_page(folder, pictures=1)).all("img")) == 2
        none = Page(bench_page(folder, pictures=0))
        assert not none.all("img")
        assert "cases" not in none.sections

    def test_progress_counts_pictures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[int, int, str]] = []
        bench_page(measured_run(tmp_path, monkeypatch, "discs"), progress=lambda *values: seen.append(values))
        assert [(done, total) for done, total, _ in seen] == [(i, 6) for i in range(1, 7)]
        assert seen[0][2].startswith("discs p")

    def test_a_data_set_that_is_gone_is_said_and_the_rest_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = measured_run(tmp_path, monkeypatch, "discs", "balls")
        shutil.rmtree(tmp_path / "discs")
        page = Page(bench_page(folder))
        assert "No pictures: the data set is not on this machine." in page.texts["cases"]
        assert len(page.all("img")) == 3
        assert page.sections["results"][0].column("structure") == ["liver", "spleen"]

    def test_a_run_without_masks_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Page(bench_page(measured_run(tmp_path, monkeypatch, "discs", keep_masks=False)))
        assert "No pictures: the run was made without keeping masks." in page.texts["cases"]
        assert not page.all("img")

    def test_labels_that_changed_since_are_not_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = measured_run(tmp_path, monkeypatch, "discs")
        for path in (tmp_path / "discs" / "masks").iterdir():
            label = np.asarray(Picture.open(path)).copy()
            label[:25][label[:25] == 1] = 0
            Picture.fromarray(label).save(path)
        page = Page(bench_page(folder))
        assert "the label on this machine is another one than that of the run" in page.texts["cases"]
        assert {image["alt"].split(",")[0] for image in page.all("img")} == {"spleen"}


class TestSections:
    def test_moved_boxes_cost_what_they_cost(self, tmp_path: Path) -> None:
        rows = [
            *rows_of([0.9, 0.8]),
            *rows_of([0.8, 0.5], prompt="box-jitter", shift=8.0),
            *rows_of([0.2, 0.1], prompt="box-shift", shift=25.0),
        ]
        page = page_of(tmp_path, rows)
        (table,) = page.sections["robustness"]
        assert table.column("shift (pixels at 1024)") == ["5 to 10", "20 to 30"]
        changes = [text.split()[0] for text in table.column("change of Dice [95 %]")]
        assert changes == ["-0.200", "-0.700"]

    def test_without_moved_boxes_it_says_what_it_takes(self, tmp_path: Path) -> None:
        assert "box-jitter" in page_of(tmp_path, rows_of([0.9])).texts["robustness"]

    def test_clicks_and_instances_have_their_sections(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = measured_run(tmp_path, monkeypatch, "cells", prompts=("clicks-3",))
        page = Page(bench_page(folder))
        (line,) = page.sections["interactive"][0].where(**{"data set": "cells"})
        rows = runner.collected(sorted((folder / "parts").glob("*/*.parquet")), ("dice",))
        held = [r for r in rows if r["dice_curve"]]
        assert line["Dice at 1"] == f"{np.mean([r['dice_curve'][0] for r in held]):.3f} (one patient)"
        assert line["IoU 0.9 reached"] == f"{sum(r['noc90_reached'] for r in held)} of {len(held)}"
        (case,) = [r for r in rows if r["level"] == "case"]
        assert page.sections["instances"][0].column("PQ") == [f"{case['pq']:.3f} (one patient)"]

    def test_comparisons_are_of_patients_and_few_are_not_tested(self, tmp_path: Path) -> None:
        rows = [*rows_of(np.linspace(0.5, 0.7, 8)), *rows_of(np.linspace(0.6, 0.9, 8), prompt="box-jitter")]
        rows += [
            *rows_of([0.5, 0.6], dataset="beta"),
            *rows_of([0.4, 0.4], dataset="beta", prompt="box-jitter"),
        ]
        table = page_of(tmp_path, rows).sections["comparisons"][0]
        first, second = table.rows
        assert first[table.titles.index("p")] == "0.008"
        assert "Holm" in table.caption
        assert second[table.titles.index("p")] == "too few patients"

    def test_a_single_setting_is_compared_with_nothing(self, tmp_path: Path) -> None:
        assert "comparisons" not in page_of(tmp_path, rows_of([0.5] * 8)).sections

    def test_exposure_has_a_state_and_a_reason_for_each_model_and_set(self, tmp_path: Path) -> None:
        rows = [*rows_of([0.9], model="litemedsam", dataset="busi"), *rows_of([0.9], model="litemedsam")]
        (table,) = page_of(tmp_path, rows).sections["exposure"]
        (known,) = table.where(**{"data set": "busi"})
        assert known["in the training data"] == "unknown"
        assert "no list" in known["why"]
        (strange,) = table.where(**{"data set": "alpha"})
        assert strange["why"] == "a card of the two is not on this machine"

    def test_what_was_not_measured_is_counted_and_explained(self, tmp_path: Path) -> None:
        rows = [
            *rows_of([0.9, 0.8]),
            row(case="case 0", object="2", status="too small"),
            row(case="case 0", object="3", status="beyond the limit"),
            row(case="case 9", object="", status="absent"),
        ]
        failure = {
            "dataset": "alpha",
            "case": "case 7",
            "model": "tiny",
            "message": "/home/jo doe/data/a.nii has shape (3, 4), but its image /data/x/b.nii has (4, 4)",
        }
        page = page_of(tmp_path, rows, failures=[failure])
        assert "Of 4 labelled objects, 2 were measured; 1 were too small" in page.texts["left-out"]
        (line,) = page.sections["left-out"][0].where(structure="liver")
        assert [line[n] for n in ("measured", "too small", "beyond the limit", "absent")] == list("2111")
        (message,) = page.sections["left-out"][-1].column("message")
        assert message == "a.nii has shape (3, 4), but its image b.nii has (4, 4)"

    def test_the_protocol_is_there(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, rows_of([0.9]), seed=7, versions={"anytomy": "1.2.3", "numpy": "9.8"})
        text = page.texts["method"]
        for wanted in ("ab" * 32, "percentile:0.5,99.5", "docs/metrics.md", "docs/prompts.md", "9.8", "Holm"):
            assert wanted in text
        assert "seed 7" in page.texts[""]
        assert "not a medical device" in page.texts[""]


class TestRunFolders:
    def test_an_unfinished_run_shows_what_is_there(self, tmp_path: Path) -> None:
        page = page_of(tmp_path, rows_of([0.9, 0.3]), finished=False)
        assert "not finished" in page.texts[""]
        assert page.sections["results"][0].column("patients") == ["2"]

    def test_a_run_of_failures_only(self, tmp_path: Path) -> None:
        failure = {"dataset": "alpha", "case": "c", "model": "tiny", "message": "cannot be read"}
        page = page_of(tmp_path, [], failures=[failure])
        assert "Nothing was measured." in page.texts[""]
        assert page.sections["left-out"][-1].column("message") == ["cannot be read"]
        assert "results" not in page.sections

    def test_another_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=r"no run\.json"):
            bench_page(tmp_path)
        (tmp_path / "run.json").write_text(json.dumps({"schema": "other"}))
        with pytest.raises(OptionError, match="schema"):
            bench_page(tmp_path)


class TestWriting:
    def test_the_file_is_the_page(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path / "run", rows_of([0.9, 0.8]))
        target = tmp_path / "new" / "report.html"
        write_bench_page(folder, target)
        assert target.read_text(encoding="utf-8") == bench_page(folder)
        assert [path.name for path in target.parent.iterdir()] == ["report.html"]

    def test_a_place_that_cannot_be_written_to_is_found_before_any_work(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            write_bench_page(tmp_path / "no run", tmp_path)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("/home/jo/a.nii cannot be read", "a.nii cannot be read"),
        (r"C:\Users\Jo Doe\x y.nii cannot be read", "x y.nii cannot be read"),
        ("expected 3 / 4 or a/b, got 0.5/1", "expected 3 / 4 or a/b, got 0.5/1"),
        ("/a/b.png and /c/d.png differ", "b.png and d.png differ"),
    ],
)
def test_messages_keep_names_of_files_without_their_folders(message: str, kept: str) -> None:
    assert without_folders(message) == kept
