"""Automatic masks in a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from anytomy.core.errors import AnytomyWarning, UnsupportedPromptError
from anytomy.evaluation.bench import runner
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.runner import run_bench
from anytomy.report.bench_results import BenchResults
from anytomy.report.bench_tables import instance_table
from tests.evaluation.bench import phantoms
from tests.predict.automatic.blobs import blob_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _models(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`litemedsam` takes boxes, `sam_vit_b` finds blobs under points."""
    others = runner._model

    def load(model_id: str, threads: int) -> Any:
        return blob_model(id=model_id) if model_id == "sam_vit_b" else others(model_id, threads)

    monkeypatch.setattr(runner, "_model", load)


def run(folder: Path, *, models: tuple[str, ...], prompts: tuple[str, ...]) -> list[dict[str, Any]]:
    config = BenchConfig(models=models, data=("cells",), prompts=prompts)
    return run_bench(config, folder, workers=1).rows


def test_all_labelled_objects_count(tmp_path: Path) -> None:
    phantoms.cells(tmp_path / "data")
    (row,) = [
        r
        for r in run(tmp_path / "run", models=("sam_vit_b",), prompts=("everything",))
        if r["status"] == "measured"
    ]
    # Nine squares: one of nine pixels (least is ten), one as dark as the background.
    assert row["ap50"] == pytest.approx(7 / 9)
    assert row["pq"] == pytest.approx(row["dq"] * row["sq"])
    assert (row["level"], row["prompt"], row["object"]) == ("case", "everything", "9 objects")
    assert row["structure"] == "nucleus"
    assert row["seconds"] > 0


def test_stands_beside_boxes(tmp_path: Path) -> None:
    phantoms.cells(tmp_path / "data")
    with pytest.warns(
        AnytomyWarning, match="everything is left out for litemedsam, which did not learn poin"
    ):
        rows = run(tmp_path / "run", models=("litemedsam", "sam_vit_b"), prompts=("box", "Everything"))
    cases = {(r["model"], r["prompt"]): r["ap50"] for r in rows if r["level"] == "case"}
    assert set(cases) == {("litemedsam", "box"), ("sam_vit_b", "box"), ("sam_vit_b", "everything")}
    table = str(instance_table(BenchResults.read(tmp_path / "run")))
    assert "sam_vit_b, everything" in table
    assert "nobody prompted" in table


def test_a_model_of_boxes_alone_is_refused(tmp_path: Path) -> None:
    phantoms.cells(tmp_path / "data")
    with pytest.raises(
        UnsupportedPromptError, match="everything has points, but LiteMedSAM was trained on box"
    ):
        run(tmp_path / "run", models=("litemedsam",), prompts=("everything",))


def test_volumes_and_single_organs_have_none(tmp_path: Path) -> None:
    phantoms.volumes(tmp_path / "balls")
    phantoms.pictures(tmp_path / "discs")
    config = BenchConfig(models=("sam_vit_b",), data=("balls", "discs"), prompts=("everything",))
    rows = run_bench(config, tmp_path / "run", workers=1).rows
    assert not [r for r in rows if r["prompt"] == "everything"]


def test_the_page_of_a_run_without_prompts(tmp_path: Path) -> None:
    from anytomy.report.bench_page import write_bench_page

    phantoms.cells(tmp_path / "data")
    run(tmp_path / "run", models=("sam_vit_b",), prompts=("everything",))
    write_bench_page(tmp_path / "run", tmp_path / "page.html", pictures=1)
    assert "Objects told apart" in (tmp_path / "page.html").read_text()


def test_the_command_says_the_ap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from anytomy.cli.main import main

    phantoms.cells(tmp_path / "data")
    command = [
        "bench",
        "--models",
        "sam_vit_b",
        "--data",
        "cells",
        "--prompts",
        "everything",
        "--workers",
        "1",
    ]
    with pytest.raises(SystemExit) as exit_:
        main([*command, "-o", str(tmp_path / "run")])
    assert not exit_.value.code
    said = " ".join(capsys.readouterr().out.split())
    assert "cells, nucleus, sam_vit_b, everything: AP at IoU 0.5 0.778 over 1 images" in said
