from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from anytomy.core.errors import AnytomyWarning, DatasetError, ModelError, OptionError, UnsupportedPromptError
from anytomy.evaluation.bench import runner
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.runner import run_bench
from anytomy.evaluation.bench.table import read_rows
from tests.evaluation.bench.phantoms import cells, pictures, volumes

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.predict.model import Model

CONFIG = BenchConfig(models=("litemedsam",), data=("discs",), prompts=("box", "box-jitter"))


def bench(config: BenchConfig, folder: Path, **options: Any) -> list[dict[str, Any]]:
    return run_bench(config, folder, workers=1, **options).rows


def without_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_every_object_of_every_case_is_measured(tmp_path: Path, models: dict[str, Model]) -> None:
    pictures(tmp_path / "data")
    rows = bench(CONFIG, tmp_path / "run")
    assert len(rows) == 3 * 2 * 2 * 2
    boxed = [r for r in rows if r["prompt"] == "box"]
    assert {(r["case"], r["patient"]) for r in rows} == {
        (f"p{p}_{n}", f"p{p}") for p in range(3) for n in range(2)
    }
    bright = [r["dice"] for r in boxed if (r["structure"], r["patient"]) != ("spleen", "p2")]
    assert min(bright) > 0.9
    dark = [r for r in boxed if (r["structure"], r["patient"]) == ("spleen", "p2")]
    assert all(r["dice"] < 0.1 for r in dark)
    assert {r["unit"] for r in rows} == {"px"}
    assert all(r["seconds"] > 0 for r in rows)


def test_the_table_on_disk_is_parquet_with_the_promised_columns(
    tmp_path: Path, models: dict[str, Model]
) -> None:
    pictures(tmp_path / "data")
    rows = bench(CONFIG, tmp_path / "run")
    table = pq.read_table(tmp_path / "run" / "results.parquet")
    promised = "dataset case patient structure object model prompt volume zoom seed dice iou nsd hd95 seconds"
    assert set(promised.split()) <= set(table.column_names)
    assert table.to_pylist() == rows
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["config"]["prompts"] == ["box", "box-jitter"]
    model = run["facts"]["models"]["litemedsam"]
    assert {"weights_sha256", "input_size", "mask_selection", "intensity"} <= set(model)
    assert run["versions"]["anytomy"]


def test_each_picture_is_encoded_once_however_many_prompts(tmp_path: Path, models: dict[str, Model]) -> None:
    pictures(tmp_path / "data")
    prompts = ("box", "box-jitter", "box-shift", "box-all", "box-parts")
    bench(replace(CONFIG, prompts=prompts), tmp_path / "run")
    assert models["litemedsam"].encodings == 6


def test_a_volume_is_judged_in_the_largest_slice_unless_a_strategy_is_named(
    tmp_path: Path, models: dict[str, Model]
) -> None:
    volumes(tmp_path / "data")
    config = replace(CONFIG, data=("balls",), prompts=("box", "largest-slice-box", "box-jitter"))
    rows = bench(config, tmp_path / "run")
    flat = [r for r in rows if r["status"] == "measured" and r["structure"] == "liver"]
    assert {r["slice"] for r in flat} == {4}
    assert {r["scope"] for r in flat} == {"slice"}
    assert {r["volume"] for r in flat} == {None}
    by_prompt = {r["prompt"]: r["dice"] for r in flat if r["case"] == "p0"}
    assert by_prompt["box"] == by_prompt["largest-slice-box"]
    rows = bench(replace(config, prompts=("box", "key-slice-box-z"), volume="authors"), tmp_path / "run3d")
    solid = [r for r in rows if r["status"] == "measured" and r["structure"] == "liver"]
    assert {r["prompt"] for r in solid} == {"box-3d", "key-slice-box-z"}
    assert {(r["scope"], r["volume"]) for r in solid} == {("volume", "authors")}
    assert {r["unit"] for r in solid} == {"mm"}
    assert min(r["dice"] for r in solid) > 0.9


def test_what_is_not_measured_is_counted(tmp_path: Path, models: dict[str, Model]) -> None:
    volumes(tmp_path / "v")
    cells(tmp_path / "c")
    rows = bench(replace(CONFIG, data=("balls", "cells"), prompts=("box",), most=5), tmp_path / "run")
    status = {(r["case"], r["structure"], r["object"]): r["status"] for r in rows if r["level"] == "object"}
    assert status["p1", "spleen", ""] == "absent"
    assert status["a_0", "nucleus", "5"] == "too small"
    assert [status["a_0", "nucleus", str(n)] for n in (7, 8, 9)] == ["beyond the limit"] * 3
    unmeasured = [r for r in rows if r["status"] != "measured"]
    assert all(r["dice"] is None and r["prompt"] is None for r in unmeasured)


def test_instances_get_ap_and_pq(tmp_path: Path, models: dict[str, Model]) -> None:
    cells(tmp_path / "c")
    rows = bench(replace(CONFIG, data=("cells",), prompts=("box",)), tmp_path / "run")
    (case,) = [r for r in rows if r["level"] == "case"]
    # Seven of the eight objects that are large enough are bright; the dark one is found as nothing.
    assert case["object"] == "8 objects"
    assert case["ap50"] == pytest.approx(7 / 8)
    assert case["dq"] == pytest.approx(7 / 7.5)


def test_clicks_give_curves_and_feed_the_mask_back(tmp_path: Path, models: dict[str, Model]) -> None:
    pictures(tmp_path / "data", patients=1)
    config = replace(CONFIG, models=("sam_vit_b",), prompts=("clicks-3", "box-clicks-2"))
    rows = bench(config, tmp_path / "run")
    for row in rows:
        steps = 3
        assert 1 <= len(row["dice_curve"]) <= steps
        assert row["dice_curve"][-1] == pytest.approx(row["dice"])
        assert 0 <= row["auc"] <= 1
        assert row["noc90"] >= 1


def test_models_take_only_what_they_learned(tmp_path: Path, models: dict[str, Model]) -> None:
    pictures(tmp_path / "data", patients=1)
    with pytest.raises(UnsupportedPromptError, match="deepest"):
        bench(replace(CONFIG, prompts=("box", "deepest")), tmp_path / "run")
    both = replace(CONFIG, models=("litemedsam", "sam_vit_b"), prompts=("box", "deepest"))
    with pytest.warns(AnytomyWarning, match="deepest is left out for litemedsam"):
        rows = bench(both, tmp_path / "run")
    assert {(r["model"], r["prompt"]) for r in rows} == {
        ("litemedsam", "box"),
        ("sam_vit_b", "box"),
        ("sam_vit_b", "deepest"),
    }


def test_a_stopped_run_goes_on_and_comes_to_the_same(
    tmp_path: Path, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "data")
    whole = bench(CONFIG, tmp_path / "whole")
    real, done = runner._do, []

    def stop(unit: Any, *rest: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(unit.case.id)
        return real(unit, *rest)

    monkeypatch.setattr(runner, "_do", stop)
    with pytest.raises(KeyboardInterrupt):
        bench(CONFIG, tmp_path / "run")
    monkeypatch.setattr(runner, "_do", real)
    before = models["litemedsam"].encodings
    models["litemedsam"].cache._memory.clear()
    again = run_bench(CONFIG, tmp_path / "run", workers=1)
    assert (again.kept, again.done) == (2, 4)
    assert models["litemedsam"].encodings - before == 4
    assert without_time(again.rows) == without_time(whole)


def test_results_do_not_depend_on_the_order_of_the_work(
    tmp_path: Path, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "data")
    forward = bench(CONFIG, tmp_path / "forward")
    real = runner.chosen
    monkeypatch.setattr(runner, "chosen", lambda *a: list(reversed(real(*a))))
    assert without_time(bench(CONFIG, tmp_path / "backward")) == without_time(forward)


def test_another_seed_gives_another_jitter_and_the_same_tight_boxes(
    tmp_path: Path, models: dict[str, Model]
) -> None:
    pictures(tmp_path / "data")
    first, second = (bench(replace(CONFIG, seed=s), tmp_path / f"run{s}") for s in (0, 1))
    assert [r["prompts"] for r in first if r["prompt"] == "box"] == [
        r["prompts"] for r in second if r["prompt"] == "box"
    ]
    assert [r["shift"] for r in first] != [r["shift"] for r in second]


def test_an_unreadable_file_is_reported_and_the_rest_goes_on(
    tmp_path: Path, models: dict[str, Model]
) -> None:
    pictures(tmp_path / "data")
    broken = tmp_path / "data" / "masks" / "p1_0.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.warns(AnytomyWarning, match="p1_0.png"):
        run = run_bench(CONFIG, tmp_path / "run", workers=1)
    assert [f.case for f in run.failures] == ["p1_0"]
    assert len({r["case"] for r in run.rows}) == 5
    (kept,) = json.loads((tmp_path / "run" / "failures.json").read_text())
    assert "p1_0.png" in kept["message"]


def test_an_error_that_nobody_thought_of_is_reported_and_the_rest_goes_on(
    tmp_path: Path, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    from anytomy.datasets.case import Case

    pictures(tmp_path / "data", patients=1)
    real = Case.load

    def load(self: Case) -> Any:
        if self.id == "p0_0":
            raise ZeroDivisionError("odd\nfile")
        return real(self)

    monkeypatch.setattr(Case, "load", load)
    with pytest.warns(AnytomyWarning, match=r"p0_0\.png: ZeroDivisionError: odd file"):
        run = run_bench(CONFIG, tmp_path / "run", workers=1)
    assert {r["case"] for r in run.rows} == {"p0_1"}


def test_a_folder_of_another_run_is_refused_with_the_difference(
    tmp_path: Path, models: dict[str, Model]
) -> None:
    pictures(tmp_path / "data")
    bench(CONFIG, tmp_path / "run")
    before = (tmp_path / "run" / "results.parquet").read_bytes()
    with pytest.raises(OptionError, match=r"seed 0 there, 5 here"):
        bench(replace(CONFIG, seed=5), tmp_path / "run")
    (tmp_path / "data" / "images" / "p2_1.png").unlink()
    with pytest.raises(OptionError, match=r"data.discs.cases 6 there, 5 here"):
        bench(CONFIG, tmp_path / "run")
    assert (tmp_path / "run" / "results.parquet").read_bytes() == before


def test_a_limit_draws_cases_by_seed(tmp_path: Path, models: dict[str, Model]) -> None:
    data = pictures(tmp_path / "data")
    draws = [{c.id for c in runner.chosen(data, replace(CONFIG, limit=2, seed=seed))} for seed in range(12)]
    assert all(len(draw) == 2 for draw in draws)
    assert len({frozenset(draw) for draw in draws}) > 3


def test_only_the_wanted_structures(tmp_path: Path, models: dict[str, Model]) -> None:
    pictures(tmp_path / "data")
    rows = bench(replace(CONFIG, structures=("Liver",)), tmp_path / "run")
    assert {r["structure"] for r in rows} == {"liver"}


def test_masks_are_kept_in_the_parts_only(tmp_path: Path, models: dict[str, Model]) -> None:
    from anytomy.evaluation.bench.table import unpacked

    pictures(tmp_path / "data", patients=1)
    bench(CONFIG, tmp_path / "run")
    rows = [r for p in (tmp_path / "run" / "parts").rglob("*.parquet") for r in read_rows(p)]
    for row in rows:
        assert unpacked(row["mask"]).sum() == row["found_voxels"]
    assert "mask" not in pq.read_schema(tmp_path / "run" / "results.parquet").names
    bench(CONFIG, tmp_path / "bare", keep_masks=False)
    assert all(
        "mask" not in pq.read_schema(p).names for p in (tmp_path / "bare" / "parts").rglob("*.parquet")
    )


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"prompts": ("bx",)}, OptionError, "bx"),
        ({"prompts": ()}, OptionError, "--prompts"),
        ({"data": ("nothing-like-it",)}, DatasetError, "nothing-like-it"),
        ({"models": ("litemedsan",)}, ModelError, "litemedsam"),
        ({"metrics": ("dise",)}, OptionError, "dice"),
        ({"limit": 0}, OptionError, "limit"),
        ({"volume": "spiral"}, OptionError, "spiral"),
        ({"zoom": "huge"}, OptionError, "huge"),
        ({"structures": ("aorta",)}, OptionError, "nothing to measure"),
    ],
)
def test_bad_input_is_found_before_any_work(
    tmp_path: Path, models: dict[str, Model], change: dict[str, Any], error: type[Exception], match: str
) -> None:
    pictures(tmp_path / "data", patients=1)
    with pytest.raises(error, match=match):
        bench(replace(CONFIG, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not models


def test_the_model_never_sees_the_label(
    tmp_path: Path, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another label whose tight boxes are the same, the found masks are the same."""
    data = pictures(tmp_path / "data", patients=1)
    first = bench(replace(CONFIG, prompts=("box",)), tmp_path / "run")
    from PIL import Image as Picture

    for case in data:
        path = case.masks[0].paths[0]
        labels = np.array(Picture.open(path))
        framed = np.zeros_like(labels)
        for value in (1, 2):
            rows, columns = np.nonzero(labels == value)
            y0, y1, x0, x1 = rows.min(), rows.max(), columns.min(), columns.max()
            framed[y0, x0 : x1 + 1] = framed[y1, x0 : x1 + 1] = value
            framed[y0 : y1 + 1, x0] = framed[y0 : y1 + 1, x1] = value
        Picture.fromarray(framed).save(path)
    second = bench(replace(CONFIG, prompts=("box",)), tmp_path / "run2")
    assert [r["found_voxels"] for r in first] == [r["found_voxels"] for r in second]
    assert [r["dice"] for r in first] != [r["dice"] for r in second]
