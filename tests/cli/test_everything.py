"""`anytomy segment --everything`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.cli import work
from anytomy.predict.model import Model
from anytomy.zoo.registry import card
from tests.predict.automatic.blobs import BlobEngine, matched, spread

from .conftest import left_in, write_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

TRUTH = spread((96, 128), 3, 4, 9)
POINTS = ("--everything", "--model", "sam_med2d", "--grid", "16")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.png"
    Picture.fromarray(np.where(TRUTH, 220, 20).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def _blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine behind `anytomy segment` finds blobs."""
    monkeypatch.setattr(
        work, "_load", lambda options: Model(card(options.model), BlobEngine(), weights_sha256="0" * 64)
    )


@pytest.mark.usefixtures("_blobs")
class TestResult:
    @pytest.mark.parametrize("name", ["out.png", "out.tif", "out.nii.gz"])
    def test_as_a_label_map(self, run: Run, cells: Path, tmp_path: Path, name: str) -> None:
        from anytomy import read
        from anytomy.io.labels import read_labels

        done = run("segment", cells, *POINTS, "-o", tmp_path / name, "--preview", tmp_path / "seen.png")
        assert (done.code, done.err) == (0, "")
        labels = (read if name.endswith(".gz") else read_labels)(tmp_path / name).array.reshape(96, 128)
        assert labels.max() == 12
        assert min(matched(labels.astype(int), TRUTH)) > 0.9
        assert left_in(tmp_path) == {"cells.png", name, f"{name}.json", "seen.png"}

    def test_as_coco_json(self, run: Run, cells: Path, tmp_path: Path) -> None:
        done = run("segment", cells, *POINTS, "-o", tmp_path / "masks.json", "--json")
        data = done.json["data"]
        assert [entry["id"] for entry in data["objects"]] == list(range(1, 13))
        assert data["options"]["everything"]["points"] == 16
        assert data["overlap"] == "smaller"
        assert len(data["prompts"]) == 12
        document = json.loads((tmp_path / "masks.json").read_text())
        assert len(document["annotations"]) == 12
        assert document["images"][0]["file_name"] == "cells.png"

    def test_can_be_looked_at(self, run: Run, cells: Path, tmp_path: Path) -> None:
        run("segment", cells, *POINTS, "-o", tmp_path / "masks.json")
        for what in ("masks.json", "masks.json.json"):
            done = run("view", tmp_path / what, "-o", tmp_path / "seen.png", "--json")
            assert len(done.json["data"]["objects"]) == 12
            assert done.json["data"]["image"] == str(cells)

    def test_many_pictures_and_again(self, run: Run, cells: Path, tmp_path: Path) -> None:
        Picture.open(cells).transpose(Picture.Transpose.ROTATE_90).save(tmp_path / "cells2.png")
        command = ("segment", tmp_path / "cells*.png", *POINTS, "-o", tmp_path / "out", "--format", "json")
        done = run(*command, "--json")
        assert [len(case["objects"]) for case in done.json["data"]["cases"]] == [12, 12]
        assert all(case["skipped"] for case in run(*command, "--json").json["data"]["cases"])
        other = run(*command, "--min-score", "0.99", "--json").json["data"]["cases"]
        assert [(case["skipped"], case["objects"]) for case in other] == [(False, [])] * 2

    def test_one_slice_of_a_volume(self, run: Run, tmp_path: Path) -> None:
        values = np.zeros((128, 96, 4), np.float32)
        values[:, :, 2] = np.where(TRUTH, 220, 20).T
        scan = write_scan(tmp_path / "scan.nii.gz", values)
        done = run("segment", scan, *POINTS, "--slice", "2", "-o", tmp_path / "out.nii.gz", "--json")
        assert len(done.json["data"]["objects"]) == 12
        assert {prompt["slice"] for prompt in done.json["data"]["prompts"]} == {2}


@pytest.mark.usefixtures("no_model")
class TestRefusals:
    def test_a_model_of_boxes_that_nobody_stands_in_for(self, run: Run, cells: Path, tmp_path: Path) -> None:
        done = run("segment", cells, "--everything", "--model", "medsam", "-o", tmp_path / "out.png")
        assert "--everything needs a model that learned points, but MedSAM" in done.error
        assert "choose a --model that did: " in done.error
        assert "sam_med2d" in done.error

    @pytest.mark.parametrize(
        ("said", "what"),
        [
            (("--box", "1,2,3,4", "--name", "x"), "there is --box and --name"),
            (("--zoom", "auto"), "there is --zoom"),
            (("--overlap", "last"), "smaller or keep"),
            (("--grid", "0"), "points of 1 to 256"),
            (("--tile", "tiny"), "tile of auto, off"),
            (("--slice", "1"), "no slices"),
        ],
    )
    def test_what_does_not_go_with_it(
        self, run: Run, cells: Path, tmp_path: Path, said: tuple[Any, ...], what: str
    ) -> None:
        assert what in run("segment", cells, *POINTS, *said, "-o", tmp_path / "out.png").error

    def test_its_numbers_without_it(self, run: Run, cells: Path, tmp_path: Path) -> None:
        done = run("segment", cells, "--box", "1,2,9,9", "--grid", "9", "-o", tmp_path / "out.png")
        assert "--grid is for automatic masks; add --everything" in done.error

    def test_a_volume_without_a_slice(self, run: Run, scan: Path, tmp_path: Path) -> None:
        done = run("segment", scan, *POINTS, "-o", tmp_path / "out.nii.gz")
        assert "volume of 6 slices" in done.error
        assert "--slice 0 to 5" in done.error


def test_what_stands_in_is_said(
    run: Run, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from anytomy.zoo import registry

    real = registry.card
    monkeypatch.setattr(
        registry,
        "card",
        lambda model_id: (
            replace(real(model_id), stands_in_for=("medsam",)) if model_id == "sam_med2d" else real(model_id)
        ),
    )
    monkeypatch.setattr(work, "_load", lambda options: Model(card(options.model), BlobEngine()))
    done = run(
        "segment",
        cells,
        "--everything",
        "--grid",
        "16",
        "--model",
        "medsam",
        "-o",
        tmp_path / "o.png",
        "--json",
    )
    assert done.json["data"]["model"]["id"] == "sam_med2d"
    assert done.json["warnings"] == ["medsam takes no points, so sam_med2d finds everything in its place"]
