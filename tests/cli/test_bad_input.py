"""What a user can get wrong: one line, a code, and nothing lost or written; before a model is loaded."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest

from tests.io import dicom_phantom

from .conftest import left_in, write_photo, write_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

pytestmark = pytest.mark.usefixtures("no_model")

BOX, BOX3 = ("--box", "4,6,20,16"), ("--box", "4,5,1,20,15,4")


@pytest.fixture
def here(tmp_path: Path, photo: Path, scan: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, good and bad; the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, source in (("short.nii.gz", scan), ("short.png", photo)):
        (tmp_path / name).write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    (tmp_path / "text.nii.gz").write_text("a letter\n")
    (tmp_path / "empty.png").touch()
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    shape = (32, 24, 6)
    write_scan(tmp_path / "nan.nii.gz", np.full(shape, np.nan, np.float32))
    write_scan(tmp_path / "complex.nii.gz", np.ones(shape, np.complex64))
    write_scan(tmp_path / "five.nii.gz", np.ones((4, 4, 4, 2, 3), np.float32))
    write_scan(tmp_path / "four.nii.gz", np.ones((4, 4, 4, 2), np.float32))
    for name, depth in (("thin", 0), ("odd", np.nan)):
        header = nibabel.Nifti1Image(np.ones(shape, np.float32), None).header
        header["pixdim"][3], header["magic"] = depth, b"n+1"
        header["vox_offset"], header["sform_code"], header["qform_code"] = 352, 0, 0
        voxels = bytes(4) + np.ones(shape, np.float32).tobytes()
        (tmp_path / f"{name}.nii").write_bytes(header.binaryblock + voxels)
    grid = dicom_phantom.grid((8, 7, 6))
    dicom_phantom.write_series(tmp_path / "gap", grid)[3].unlink()
    dicom_phantom.write_series(tmp_path / "two", grid, number=1)
    dicom_phantom.write_series(tmp_path / "two", grid, number=2, name="B{:03}")
    return tmp_path


def refused(run: Run, here: Path, *arguments: str | Path) -> str:
    """The error of a command that must change nothing, told the same way in JSON."""
    before = {p: p.read_bytes() for p in here.rglob("*") if p.is_file()}
    said = run(*arguments).error
    envelope = run(*arguments, "--json").json
    assert envelope["ok"] is False
    assert " ".join(envelope["error"]["message"].split()) in said
    assert {p: p.read_bytes() for p in here.rglob("*") if p.is_file()} == before
    return said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.nii.gz", "does not exist"),
        ("letters", "folder without a DICOM image"),
        ("short.nii.gz", "truncated"),
        ("short.png", "truncated"),
        ("text.nii.gz", "it is text"),
        ("empty.png", "empty (0 bytes)"),
        ("empty.nii.gz", "empty (0 bytes)"),
        ("nan.nii.gz", "no finite value"),
        ("complex.nii.gz", "complex"),
        ("five.nii.gz", "5 axes"),
        ("four.nii.gz", "--time"),
        ("gap", "lacks 1 slice"),
        ("two", "--series"),
        ("thin.nii", "0 mm along z"),
        ("odd.nii", "nan mm along z"),
        ("a" * 300 + ".png", "too long"),
    ],
)
def test_images(run: Run, here: Path, name: str, says: str) -> None:
    for command in (("segment", name, *BOX3, "-o", "out.nii.gz"), ("info", name)):
        said = refused(run, here, *command)
        assert says in said
        assert name in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4,6,65,16", "outside"),
        ("-5,0,10,10", "-5"),
        ("4,6,1e300,16", "outside"),
        ("4,6,99999999999999999999,16", "outside"),
        ("4,6,1e999,16", "finite"),
        ("4,6,nan,16", "finite"),
        ("4,6,inf,16", "finite"),
        ("4,6,4,16", "no extent along x"),
        ("20,6,4,16", "reversed along x"),
        ("4,6,20", "4 or 6 numbers"),
        ("4,6,20,16,", "not a number"),
        ("4,6,a,16", "'a' is not a number"),
        ("4 6 20 16", "not a number"),
        ("", "not a number"),
        ("4,5,1,20,15,4", "3D box"),
    ],
)
def test_boxes(run: Run, here: Path, text: str, says: str) -> None:
    assert says in refused(run, here, "segment", "photo.png", "--box", text, "-o", "out.png")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (BOX, "--slice 0 to 5"),
        ((*BOX, "--slice", "6"), "no slice 6"),
        ((*BOX, "--slice", "-1"), "no slice -1"),
        ((*BOX, "--slice", "4", "--z", "0,3"), "outside of z"),
        ((*BOX, "--slice", "4", "--z", "3,9"), "z range"),
        ((*BOX, "--slice", "4", "--z", "5,3"), "ascends"),
        ((*BOX, "--slice", "4", "--z", "3"), "2 numbers"),
        ((*BOX, "--slice", "4", "--z", "3.5,5"), "whole number"),
        ((*BOX3, "--slice", "2"), "leave --slice"),
        ((*BOX3, "--axis", "w"), "axis"),
        ((*BOX3, "--zoom", "0.5"), "zoom"),
        ((*BOX3, "--zoom", "nan"), "zoom"),
        ((*BOX3, "--overlap", "most"), "overlap"),
        ((*BOX3, "--intensity", "ct:knee"), "intensity"),
        ((*BOX3, "--intensity", "window:0,0"), "intensity"),
        ((*BOX3, "--engine", "steam"), "engine"),
        ((*BOX3, "--device", "abacus"), "device"),
        ((*BOX3, "--precision", "f8"), "precision"),
        ((*BOX3, "--threads", "0"), "threads"),
        ((*BOX3, "--threads", "999999999999"), "threads"),
        ((*BOX3, "--model", "nope"), "known models"),
        ((*BOX3, "--series", "3"), "--series"),
        ((*BOX3, "--time", "3"), "--time"),
        ((*BOX3, "--name", "a", "--name", "b"), "2 names for 1 object"),
        ((*BOX3, "--prompts", "p.json"), "one of them"),
        (("--prompts", "p.json"), "p.json"),
        (("--prompts", "letters"), "letters"),
        (("--prompts", "p.json", "--name", "a"), "one of them"),
        (("--prompts", "p.json", "--prompts-dir", "letters"), "one of them"),
        (("--point", "3,4,2", "--model", "medsam"), "boxes only"),
        ((*BOX3, "--negative", "3,4,2", "--model", "litemedsam"), "boxes only"),
        ((*BOX, *BOX, "--point", "3,4"), "prompt file"),
        ((), "no prompt"),
        ((*BOX3, "--format", ".nii.gz"), "many inputs"),
        ((*BOX3, "--volume", "magic"), "volume strategy"),
        ((*BOX, "--slice", "6", "--volume", "propagate"), "no slice 6"),
        ((*BOX, "--slice", "4", "--z", "0,3", "--volume", "triplanar"), "outside of z"),
        ((*BOX3, "--uncertainty", "u.nii.gz"), "got auto, which looks at one plane only"),
        ((*BOX3, "--uncertainty", "u.nii.gz", "--volume", "propagate"), "choose --volume triplanar"),
        ((*BOX3, "--uncertainty", "u.png", "--volume", "triplanar"), "expected an ending of .nii.gz"),
        ((*BOX3, "--uncertainty", "scan.nii.gz", "--volume", "triplanar"), "it is the input itself"),
        ((*BOX3, "--uncertainty", "out.nii.gz", "--volume", "triplanar"), "both be written"),
        ((*BOX3, "--combine", "ring"), "no '='"),
        ((*BOX3, "--combine", "ring = 1 -"), "got the end"),
        ((*BOX3, "--combine", "ring = 1 * 1"), "at character 10"),
        ((*BOX3, "--name", "disc", "--combine", "ring = disk - 1"), "no object disk; did you mean disc?"),
        ((*BOX3, "--combine", "ring = 1 - 2"), "no object with the id 2"),
        ((*BOX3, "--combine", "ring = ring - 1"), "circular"),
        ((*BOX3, "--combine", "a = 1 - b", "--combine", "b = a"), "circular"),
        ((*BOX3, "--name", "disc", "--combine", "disc = 1"), "already the name of object 1"),
        ((*BOX3, "--combine", "a = 1", "--combine", "a = 1"), "already the name of the combination"),
        ((*BOX3, "--measure", "table.xlsx"), ".csv or .json"),
        ((*BOX3, "--measure", "out.nii.gz"), ".csv or .json"),
        ((*BOX3, "--measure", "letters/a.txt/table"), "not a folder"),
        ((*BOX3, "--measure", "out.nii.gz.json"), "both be written"),
    ],
)
def test_options(run: Run, here: Path, more: tuple[str, ...], says: str) -> None:
    assert says in refused(run, here, "segment", "scan.nii.gz", *more, "-o", "out.nii.gz")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no valid JSON"),
        ("{", "no valid JSON"),
        ("[" * 100_000, "too deeply"),
        ("5", "'objects'"),
        ('{"objects": []}', "empty"),
        ('{"objects": [{"bxo": [1, 1, 9, 9]}]}', "did you mean 'box'"),
        ('{"objects": [{"box": [1, 1, 9]}]}', "4 or 6 numbers"),
        ('{"objects": [{"box": [1, 1, NaN, 9]}]}', "finite"),
        ('{"objects": [{"box": [1, 1, 9, 9]}, {"box": [1, 1, 99, 9]}]}', "outside"),
        ('{"objects": [{"id": 7, "box": [1, 1, 9, 9]}, {"id": 7, "box": [1, 1, 9, 9]}]}', "id 7"),
        ('{"objects": [{"box": [1, 1, 9, 9], "slice": 1}]}', "volumes"),
        ('{"objects": [{"id": 3, "box": [1, 1, 4, 4]}, {"id": 3, "box": [5, 5, 9, 9]}]}', "already that of"),
        ('{"objects": [{"mask": "missing.png"}]}', "missing.png"),
        ('{"objects": [{"box": [1, 1, 9, 9]}], "combine": ["a = b"]}', "no object b"),
        ('{"objects": [{"box": [1, 1, 9, 9]}], "combine": ["a = 1 -"]}', "combination 1 of 1"),
        ('{"objects": [{"box": [1, 1, 9, 9]}], "combine": {"a": "1"}}', "expected a list for 'combine'"),
        ('{"objects": [{"box": [1, 1, 9, 9]}], "combines": []}', "did you mean 'combine'"),
    ],
)
def test_prompt_files(run: Run, here: Path, text: str, says: str) -> None:
    (here / "p.json").write_text(text)
    assert says in refused(run, here, "segment", "photo.png", "--prompts", "p.json", "-o", "out.png")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (("-o", "out.xyz"), ".nii.gz"),
        (("-o", "out"), "got none"),
        (("-o", ""), "no output"),
        ((), "no output"),
        (("-o", "photo.png"), "input itself"),
        (("-o", "letters/../photo.png"), "input itself"),
        (("-o", "soft.png"), "input"),
        (("-o", "hard.png"), "input"),
        (("-o", "letters/a.txt/out.png"), "not a folder"),
        (("-o", "a" * 300 + ".png"), "too long"),
        (("-o", "out.png", "--preview", "out.bmp"), "PNG or JPEG"),
        (("-o", "out.png", "--preview", "out.png"), "both be written"),
        (("-o", "out.png", "--preview", "letters/../out.png"), "both be written"),
        (("-o", "out.png", "--preview", "photo.png"), "input"),
        (("-o", "out.png", "--preview", "hard.png"), "input"),
        (("-o", "out.png", "--preview", "letters/a.txt/p.png"), "not a folder"),
    ],
)
def test_outputs(run: Run, here: Path, files: tuple[str, ...], says: str) -> None:
    (here / "soft.png").symlink_to("photo.png")
    os.link(here / "photo.png", here / "hard.png")
    assert says in refused(run, here, "segment", "photo.png", *BOX, *files)


def test_a_volume_does_not_fit_into_a_png(run: Run, here: Path) -> None:
    assert "6 slices" in refused(run, here, "segment", "scan.nii.gz", *BOX3, "-o", "out.png")


def test_a_picture_has_no_uncertainty(run: Run, here: Path) -> None:
    more = ("--volume", "triplanar", "--uncertainty", "u.nii.gz")
    assert "single picture" in refused(run, here, "segment", "photo.png", *BOX, *more, "-o", "out.png")


def test_parts_of_the_input_are_the_input(run: Run, here: Path) -> None:
    """The voxels of an MHD, the prompts, the masks in them, the files of a DICOM folder."""
    header = ("NDims = 3", "DimSize = 8 8 2", "ElementType = MET_UCHAR", "ElementDataFile = out.zraw", "")
    (here / "in.mhd").write_text("\n".join(header))
    (here / "out.zraw").write_bytes(bytes(128))
    assert "out.zraw" in refused(run, here, "segment", "in.mhd", *BOX3, "-o", "out.mhd")
    write_photo(here / "m.png")
    (here / "out.png.json").write_text(json.dumps({"objects": [{"mask": "m.png"}]}))
    prompts = ("--prompts", "out.png.json")
    assert "manifest" in refused(run, here, "segment", "photo.png", *prompts, "-o", "out.png")
    assert "m.png" in refused(run, here, "segment", "photo.png", *prompts, "-o", "m.png")
    os.link(next((here / "gap").iterdir()), here / "hard.nii.gz")
    assert "gap" in refused(run, here, "segment", "gap", *BOX3, "-o", "hard.nii.gz")


def test_a_folder_that_may_not_be_written_to(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda p, mode, **more: "letters" not in str(p) and may(p, mode, **more)
    )
    for files in (("-o", "letters/out.png"), ("-o", "out.png", "--preview", "letters/p.png")):
        assert "Permission denied" in refused(run, here, "segment", "photo.png", *BOX, *files)


def test_the_preview_of_info_spares_its_input(run: Run, here: Path) -> None:
    os.link(here / "photo.png", here / "hard.png")
    for name in ("photo.png", "hard.png", "./photo.png"):
        assert "input" in refused(run, here, "info", "photo.png", "--preview", name)
    assert "PNG or JPEG" in refused(run, here, "info", "photo.png", "--preview", "p.gif")
    assert "axis" in refused(run, here, "info", "scan.nii.gz", "--axis", "w")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.nii.gz",), "does not exist"),
        (("letters",), "folder without a DICOM image"),
        (("short.nii.gz",), "truncated"),
        (("text.nii.gz",), "it is text"),
        (("nan.nii.gz",), "no finite value"),
        (("scan.nii.gz",), "expected ids"),
        (("ids.nii.gz", "missing.nii.gz"), "does not exist"),
        (("ids.nii.gz", "photo.png"), "different grids"),
        (("ids.nii.gz", "scan.nii.gz", "--time", "3"), "--time"),
        (("ids.nii.gz", "-o", "t.xlsx"), ".csv or .json"),
        (("ids.nii.gz", "-o", "letters/a.txt/t.csv"), "not a folder"),
        (("ids.nii.gz", "-o", "ids.nii.gz.json"), "input"),
        (("ids.nii.gz", "-o", "hard"), "input"),
    ],
)
def test_measuring(run: Run, here: Path, arguments: tuple[str, ...], says: str) -> None:
    write_scan(here / "ids.nii.gz", np.ones((32, 24, 6), np.uint8))
    (here / "ids.nii.gz.json").write_text("{}")
    os.link(here / "ids.nii.gz", here / "hard.csv")
    assert says in refused(run, here, "measure", *arguments)


def test_nothing_to_work_on(run: Run, here: Path) -> None:
    assert "empty name" in refused(run, here, "segment", "", *BOX, "-o", "out.png")
    assert "no file matches" in refused(run, here, "segment", "*.qqq", *BOX, "-o", "out")
    assert "letters" not in left_in(here)
