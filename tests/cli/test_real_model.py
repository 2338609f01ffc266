"""The command as it is installed, with LiteMedSAM; skipped where its weights cannot be had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from .conftest import write_prompts, write_scan


def anytomy(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "anytomy.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.usefixtures("real_cache")
def test_a_bright_square_is_found_and_nothing_else_is_printed(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(60, 4, (96, 128))
    values[30:60, 40:80] += 120
    Picture.fromarray(values.astype(np.uint8)).save(tmp_path / "p.png")
    files = ("-o", tmp_path / "m.png", "--preview", tmp_path / "o.png")
    outcome = anytomy("segment", tmp_path / "p.png", "--box", "36,26,84,64", *files)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    mask = np.asarray(Picture.open(tmp_path / "m.png")) == 1
    truth = np.zeros_like(mask)
    truth[30:60, 40:80] = True
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9
    manifest = json.loads((tmp_path / "m.png.json").read_text())
    assert manifest["model"]["weights_sha256"].startswith("79d8c9dca6db")


@pytest.mark.usefixtures("real_cache")
def test_two_runs_at_once_in_one_folder(tmp_path: Path) -> None:
    for n in range(3):
        write_scan(tmp_path / "cases" / f"c{n}.nii.gz")
        write_prompts(tmp_path / "p" / f"c{n}.json", (4, 5, 1, 20, 15, 4))
    command = [sys.executable, "-m", "anytomy.cli.main", "segment", f"{tmp_path}/cases/*.nii.gz"]
    command += ["--prompts-dir", f"{tmp_path}/p", "-o", f"{tmp_path}/out/", "--json"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for run in runs:
        said, _ = run.communicate(timeout=250)
        assert run.returncode == 0
        assert json.loads(said)["data"]["failed"] == 0
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {f"c{n}.nii.gz{more}" for n in range(3) for more in ("", ".json")}
