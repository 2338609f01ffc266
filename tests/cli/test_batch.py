"""`anytomy segment` on many inputs: resuming, failing cases, names, folders."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.cli import work
from anytomy.core.errors import FetchError

from .conftest import left_in, write_photo, write_prompts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import BoxEngine, Outcome

    Run = Callable[..., Outcome]


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Three cases with their prompts; the options that segment them."""
    monkeypatch.chdir(tmp_path)
    for n in (1, 2, 3):
        write_photo(tmp_path / "cases" / f"c{n}.png", seed=n)
        write_prompts(tmp_path / "p" / f"c{n}.json", (4, 6, 20, 16))
    return ("segment", "cases/*.png", "--prompts-dir", "p", "-o", "out/")


def done(outcome: Outcome) -> list[str]:
    """Inputs that were segmented now, not before."""
    cases = outcome.json["data"]["cases"]
    return [os.path.basename(c["input"]) for c in cases if c["ok"] and not c["skipped"]]


def test_only_the_rest_is_done(run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path) -> None:
    first = run(*batch, "--json")
    assert first.code == 0, first.err
    assert done(first) == ["c1.png", "c2.png", "c3.png"]
    names = {f"c{n}.png" for n in (1, 2, 3)}
    assert left_in(tmp_path / "out") == names | {f"{n}.json" for n in names}
    assert done(run(*batch, "--json")) == []
    (tmp_path / "out" / "c2.png").unlink()
    assert done(run(*batch, "--json")) == ["c2.png"]
    (tmp_path / "out" / "c2.png.json").write_text("{")
    assert done(run(*batch, "--json")) == ["c2.png"]
    assert "already done" in run(*batch).out
    assert len(done(run(*batch, "--redo", "--json"))) == 3


def test_what_decides_a_result_redoes_it(
    run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path
) -> None:
    run(*batch)
    write_prompts(tmp_path / "p" / "c1.json", (4, 6, 22, 16))
    assert done(run(*batch, "--json")) == ["c1.png"]
    write_photo(tmp_path / "cases" / "c2.png", seed=9)
    assert done(run(*batch, "--json")) == ["c2.png"]
    assert len(done(run(*batch, "--largest", "--json"))) == 3
    assert done(run(*batch, "--largest", "--json")) == []
    assert len(done(run(*batch, "--largest", "--preview", "look", "--json"))) == 3
    assert done(run(*batch, "--largest", "--preview", "look", "--json")) == []
    (tmp_path / "look" / "c3.png").unlink()
    assert done(run(*batch, "--largest", "--preview", "look", "--json")) == ["c3.png"]


def test_measures_of_all_cases_are_one_table(
    run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path
) -> None:
    def table() -> list[dict[str, str]]:
        return list(csv.DictReader((tmp_path / "t" / "all.csv").open(newline="")))

    run(*batch)
    measured = (*batch, "--measure", "t/all.csv")
    outcome = run(*measured, "--json")
    assert len(done(outcome)) == 3  # the first run measured nothing
    assert outcome.json["data"]["tables"] == ["t/all.csv", "t/all.json"]
    assert [row["case"] for row in table()] == [f"cases/c{n}.png" for n in (1, 2, 3)]
    assert {"area_px", "perimeter_px", "mean"} <= set(table()[0])
    before = table()
    (tmp_path / "t" / "all.csv").unlink()
    (tmp_path / "out" / "c2.png").unlink()
    assert done(run(*measured, "--json")) == ["c2.png"]
    assert table() == before
    assert done(run(*batch, "--json")) == []  # measured or not, the result is the same
    write_prompts(tmp_path / "p" / "c1.json", (4, 6, 999, 16))
    assert run(*measured).code == 1
    assert table() == before[1:]
    rows = json.loads((tmp_path / "t" / "all.json").read_text())["rows"]
    assert [row["case"] for row in rows] == ["cases/c2.png", "cases/c3.png"]


def test_combinations_for_all_cases(
    run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path
) -> None:
    for n in (1, 2, 3):
        write_prompts(tmp_path / "p" / f"c{n}.json", (4, 6, 40, 36), (12, 14, 30, 28))
    write_prompts(tmp_path / "p" / "c2.json", (4, 6, 40, 36))
    outcome = run(*batch, "--combine", "ring = 1 - 2")
    assert "2 of 3 cases done" in outcome.out
    assert "cases/c2.png" in outcome.err
    assert "no object with the id 2" in outcome.err
    assert done(run(*batch, "--combine", "ring = 1 - 2", "--json")) == []
    assert done(run(*batch, "--combine", "ring = 1 & 2", "--json")) == ["c1.png", "c3.png"]


def test_a_run_cut_off_between_result_and_manifest_is_done_again(
    run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path
) -> None:
    run(*batch)
    result, manifest = tmp_path / "out" / "c1.png", tmp_path / "out" / "c1.png.json"
    later = manifest.stat().st_mtime_ns + 10**9
    os.utime(result, ns=(later, later))
    assert done(run(*batch, "--json")) == ["c1.png"]


def test_interrupted_and_resumed(run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path) -> None:
    calls = iter(range(100))

    def second() -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt

    engine.hook = second
    assert run(*batch).code == 130
    assert left_in(tmp_path / "out") == {"c1.png", "c1.png.json"}
    assert done(run(*batch, "--json")) == ["c2.png", "c3.png"]


def test_a_bad_case_is_reported_and_the_rest_goes_on(
    run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "cases" / "a-empty.png").touch()
    write_photo(tmp_path / "cases" / "b-lost.png")
    write_prompts(tmp_path / "p" / "a-empty.json", (4, 6, 20, 16))
    write_prompts(tmp_path / "p" / "c2.json", (4, 6, 999, 16))
    outcome = run(*batch)
    assert outcome.code == 1
    assert "2 of 5 cases done, 3 failed" in outcome.out
    failed = [line for line in outcome.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert "no prompts for cases/b-lost.png" in outcome.err
    envelope = run(*batch, "--json").json
    assert envelope["ok"] is False
    assert envelope["data"]["failed"] == 3
    assert [c["ok"] for c in envelope["data"]["cases"]] == [False, False, True, False, True]


def test_a_case_that_breaks_the_program_does_not_stop_the_rest(
    run: Run, engine: BoxEngine, batch: tuple[str, ...]
) -> None:
    calls = iter(range(100))

    def first() -> None:
        if next(calls) == 0:
            raise MemoryError

    engine.hook = first
    outcome = run(*batch, "--json")
    assert outcome.code == 1
    assert [c["ok"] for c in outcome.json["data"]["cases"]] == [False, True, True]
    assert "memory" in outcome.json["data"]["cases"][0]["error"]


def test_a_model_that_cannot_be_had_stops_all(
    run: Run, batch: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def load(options: object) -> None:
        tried.append(options)
        raise FetchError("no source works")

    monkeypatch.setattr(work, "_load", load)
    assert "no source works" in run(*batch).error
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cases/c1.png", "other/c1.png", "-o", "out/"), "both be written"),
        (("cases/*.png", "-o", "cases"), "input itself"),
        (("cases/*.png", "-o", "p"), "prompts"),
        (("cases/*.png", "-o", "file"), "expected a folder"),
        (("cases/*.png", "-o", "out.nii.gz"), "expected a folder"),
        (("cases/*.png", "-o", "out", "--preview", "look.png"), "expected a folder"),
        (("cases/*.png", "-o", "out", "--preview", "out"), "both be written"),
        (("cases/*.png", "-o", "out", "--format", ".xyz"), "--format"),
        (("cases/*.png", "-o", "out", "--measure", "file/t.csv"), "not a folder"),
        (("cases/*.png", "-o", "out", "--measure", "p/c1.json"), "input"),
        (("cases/*.png", "-o", "out", "--combine", "ring"), "no '='"),
        (("cases/*.png", "-o", "out", "--prompts-dir", "nowhere"), "nowhere"),
        (("cases/*.png", "-o", "out", "--prompts-dir", "file"), "file"),
        (("cases/*.png", "-o", "out", "--engine", "steam"), "engine"),
    ],
)
@pytest.mark.usefixtures("no_model")
def test_what_is_wrong_with_all_is_said_before(
    run: Run, batch: tuple[str, ...], tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    write_photo(tmp_path / "other" / "c1.png")
    (tmp_path / "file").write_text("mine")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    more = () if "--prompts-dir" in arguments else ("--prompts-dir", "p")
    assert says in run("segment", *arguments, *more).error
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_another_input_of_the_run_is_spared_as_well(
    run: Run, engine: BoxEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "a" / "x.png")
    Picture.open(tmp_path / "a" / "x.png").save(tmp_path / "b.tif")
    Picture.open(tmp_path / "a" / "x.png").save(tmp_path / "x.tif")
    outcome = run("segment", "a/x.png", "x.tif", "--box", "4,6,20,16", "--format", "tif", "-o", ".")
    assert "x.tif" in outcome.error


def test_one_input_and_a_folder(run: Run, engine: BoxEngine, photo: Path, tmp_path: Path) -> None:
    for folder in ("new/", "there"):
        (tmp_path / "there").mkdir(exist_ok=True)
        assert run("segment", photo, "--box", "4,6,20,16", "-o", f"{tmp_path}/{folder}").code == 0
        assert left_in(tmp_path / folder.rstrip("/")) == {"photo.png", "photo.png.json"}


def test_one_input_and_a_folder_of_prompts(run: Run, engine: BoxEngine, batch: tuple[str, ...]) -> None:
    outcome = run("segment", "cases/c1.png", "--prompts-dir", "p", "-o", "mask.png")
    assert outcome.code == 0, outcome.err
    assert os.path.isfile("mask.png")


def test_formats_of_many(run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path) -> None:
    assert run(*batch, "--format", "seg.nrrd").code == 0
    assert "c1.seg.nrrd" in left_in(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "c1.seg.nrrd.json").read_text())
    assert manifest["outputs"] == ["out/c1.seg.nrrd"]


def test_the_same_boxes_for_many(run: Run, engine: BoxEngine, batch: tuple[str, ...], tmp_path: Path) -> None:
    outcome = run("segment", "cases/c1.png", "cases/c2.png", "--box", "4,6,20,16", "-o", "out")
    assert outcome.code == 0, outcome.err
    for n in (1, 2):
        assert np.asarray(Picture.open(tmp_path / "out" / f"c{n}.png")).any()
