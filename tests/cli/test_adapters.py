"""Adapters on the command line: `models info`, `merge`, `export`, and `segment` without prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from tests.cli.conftest import Outcome
from tests.engine.adapted import adapt, add_tiny

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    add_tiny(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def picture(folder: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    Picture.fromarray(values).save(folder / "a.png")
    return folder / "a.png"


def test_info_says_what_an_adapter_is(run: Run, folder: Path) -> None:
    adapt(folder / "click", "prompt-decoder", routes=("box",), data={"dsb2018": {}}, metrics={"dice": 0.75})
    shown = run("models", "info", f"tiny+{folder / 'click'}")
    assert shown.code == 0
    for text in ("prompt-decoder", "box as the base", "dsb2018", "dice 0.750", "CC0-1.0", "click"):
        assert text in shown.out
    data = run("models", "info", folder / "click", "--json").json["data"]
    assert data["adapter"]["routes"] == ["box"]
    assert data["prompts"] == ["box", "points", "mask"]


def test_segment_without_prompts_gives_the_label_map(run: Run, folder: Path, picture: Path) -> None:
    adapt(folder / "organs", "decoder", classes=("liver", "spleen"))
    out = folder / "out.png"
    done = run("segment", picture, "--model", folder / "organs", "-o", out, "--engine", "torch", "--json")
    assert done.code == 0, done.err
    assert [each["name"] for each in done.json["data"]["objects"]] == ["liver", "spleen"]
    labels = np.asarray(Picture.open(out))
    assert labels.shape == (40, 50)
    assert set(np.unique(labels)) <= {0, 1, 2}
    manifest = json.loads((folder / "out.png.json").read_text())
    assert manifest["prompts"] == []
    assert manifest["model"]["id"] == str(folder / "organs")
    counts = [each["voxels"] for each in manifest["objects"]]
    assert counts == [int((labels == value).sum()) for value in (1, 2)]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--box", "1,1,9,9"), "takes no prompts: it finds liver"),
        (("--name", "liver"), "takes no prompts"),
        (("--zoom", "auto"), "takes none"),
        (("--combine", "a = liver + heart"), "heart"),
    ],
)
def test_what_has_no_meaning_for_classes_is_refused(
    run: Run, folder: Path, picture: Path, options: tuple[str, ...], match: str
) -> None:
    adapt(folder / "organs", "decoder", classes=("liver",))
    out = folder / "out.png"
    assert match in run("segment", picture, "--model", folder / "organs", "-o", out, *options).error
    assert not out.exists()


def test_merge_writes_a_checkpoint_that_can_be_added(run: Run, folder: Path) -> None:
    adapt(folder / "tuned", "lora+decoder")
    file = folder / "merged.safetensors"
    done = run("models", "merge", f"tiny+{folder / 'tuned'}", "-o", file)
    assert done.code == 0, done.err
    assert f"anytomy models add {file} --like tiny" in done.out
    assert run("models", "add", file, "--like", "tiny", "--id", "mine").code == 0
    assert "no adapter" in run("models", "merge", "tiny", "-o", folder / "x.pth").error


def test_merge_does_not_write_over_the_base(run: Run, folder: Path) -> None:
    adapt(folder / "tuned", "decoder")
    before = (folder / "tiny.pth").read_bytes()
    assert run("models", "merge", f"tiny+{folder / 'tuned'}", "-o", folder / "tiny.pth").error
    assert (folder / "tiny.pth").read_bytes() == before


def test_export_wants_a_format(run: Run, folder: Path) -> None:
    assert "give --onnx" in run("models", "export", "tiny", "-o", folder / "out").error


def test_a_missing_adapter_is_one_line(run: Run, folder: Path, picture: Path) -> None:
    error = run(
        "segment", picture, "--model", "tiny+nowhere", "--box", "1,1,9,9", "-o", folder / "o.png"
    ).error
    assert "expected an adapter in nowhere" in error
