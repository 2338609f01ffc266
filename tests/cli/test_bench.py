from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from anytomy.evaluation.bench import runner
from anytomy.evaluation.bench.table import read_rows
from tests.engine.tiny import BrightEngine, bright_model
from tests.evaluation.bench.phantoms import pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data sets that a test adds are its own."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that sees what is bright in a box."""
    made = bright_model(engine=BrightEngine(), id="litemedsam")
    monkeypatch.setattr(runner, "_model", lambda model_id, threads: made)


@pytest.mark.usefixtures("bright")
def test_bench_measures_and_says_what_is_weak(run: Run, tmp_path: Path) -> None:
    pictures(tmp_path / "data")
    bench = ("bench", "--data", "discs", "--workers", "1", "-o", tmp_path / "run")
    done = run(*bench)
    assert done.code == 0, done.err
    # Dark in the last of three patients: right in two of three.
    results, weak = done.out.split("Weak structures")
    assert "spleen" in results
    assert "liver" in results
    assert "spleen" in weak
    assert "liver" not in weak
    again = run(*bench, "--json").json
    assert again["ok"]
    assert (again["data"]["kept"], again["data"]["done"]) == (6, 0)
    by_structure = {cell["structure"]: cell for cell in again["data"]["dice"]}
    assert by_structure["spleen"]["mean"] < 0.8 < by_structure["liver"]["mean"]
    assert by_structure["liver"]["patients"] == 3
    assert by_structure["liver"]["objects"] == 6


@pytest.mark.usefixtures("bright")
def test_a_benchmark_that_measures_nothing_has_not_worked_and_says_so(run: Run, tmp_path: Path) -> None:
    pictures(tmp_path / "data")
    bench = ("bench", "--data", "discs", "--least", "9999", "--workers", "1", "-o", tmp_path / "run")
    done = run(*bench)
    assert done.code == 1
    assert "nothing was measured: 12 objects are too small" in done.out
    again = run(*bench, "--json")
    assert (again.code, again.json["ok"]) == (1, False)


@pytest.mark.usefixtures("bright")
def test_numbers_in_names_of_simulators_keep_their_commas(run: Run, tmp_path: Path) -> None:
    pictures(tmp_path / "data", patients=1)
    prompts = "box,box-jitter:5,10,box-shift"
    data = run(
        "bench", "--data", "discs", "--prompts", prompts, "--workers", "1", "-o", tmp_path / "run", "--json"
    ).json["data"]
    assert {c["prompt"] for c in data["dice"]} == {"box", "box-jitter:5,10", "box-shift"}


@pytest.mark.usefixtures("bright")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "discs"], "-o"),
        (["-o", "run"], "--data"),
        (["--data", "disks", "-o", "run"], "discs"),
        (["--data", "discs", "--prompts", "boxx", "-o", "run"], "box"),
        (["--data", "discs", "--prompts", "deepest", "-o", "run"], "trained on boxes only"),
        (["--data", "discs", "--metrics", "dies", "-o", "run"], "dice"),
        (["--data", "discs", "--models", "sam", "-o", "run"], "sam_vit_b"),
        (["--data", "acdc", "-o", "run"], "anytomy datasets"),
        (["report", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    pictures(tmp_path / "data", patients=1)
    monkeypatch.chdir(tmp_path)
    assert says in run("bench", *arguments).error
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("bright")
def test_all_means_what_is_here(run: Run, tmp_path: Path) -> None:
    assert "none" in run("bench", "--data", "all", "-o", tmp_path / "run").error
    pictures(tmp_path / "data", patients=1)
    rows = run("bench", "--data", "all", "--workers", "1", "-o", tmp_path / "run", "--json").json
    assert {c["dataset"] for c in rows["data"]["dice"]} == {"discs"}


def _start(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anytomy.cli.main", "bench", "--data", "discs", "--prompts"]
    command += ["box,box-jitter", "--workers", str(workers), "-o", str(folder)]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err.decode()


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_rows(folder / "results.parquet")]


@pytest.mark.usefixtures("real_cache")
def test_a_run_whose_process_group_was_killed_comes_to_the_same_table(tmp_path: Path) -> None:
    """With the real model and real processes: killed once, resumed by two workers; the other run by one."""
    pictures(tmp_path / "data", patients=4)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = _start(killed, workers=2)
    deadline = time.monotonic() + 120
    while not list((killed / "parts").rglob("*.parquet")):
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "results.parquet").exists()
    _finish(_start(killed, workers=2))
    _finish(_start(whole, workers=1))
    assert len(_rows(whole)) == 4 * 2 * 2 * 2
    assert _rows(killed) == _rows(whole)
    assert json.loads((killed / "failures.json").read_text()) == []
