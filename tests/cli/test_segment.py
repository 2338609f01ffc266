"""`anytomy segment` on one input: what is written, where, and what is said."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture

from anytomy.zoo.home import cache_dir
from tests.io import dicom_phantom

from .conftest import left_in, write_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import BoxEngine, Outcome

    Run = Callable[..., Outcome]


def test_a_picture_with_two_boxes(run: Run, engine: BoxEngine, photo: Path, tmp_path: Path) -> None:
    output, preview = tmp_path / "new" / "mask.png", tmp_path / "else" / "overlay.png"
    boxes = ("--box", "4,6,20,16", "--box", "30,20,50,40")
    done = run("segment", photo, *boxes, "-o", output, "--preview", preview)
    assert (done.code, done.err) == (0, "")
    assert f"wrote {output}" in done.out
    labels = np.asarray(Picture.open(output))
    assert labels.shape == (48, 64)
    assert (labels[7:15, 5:19] == 1).all()
    assert (labels[21:39, 31:49] == 2).all()
    assert set(np.unique(labels)) == {0, 1, 2}
    assert Picture.open(preview).format == "PNG"
    assert left_in(output.parent) == {"mask.png", "mask.png.json"}
    assert engine.encoded == 1


def test_the_manifest_says_how_the_result_came_about(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path
) -> None:
    output = tmp_path / "liver.nii.gz"
    run("segment", scan, "--box", "4,5,1,20,15,4", "--name", "liver", "--largest", "-o", output)
    manifest = json.loads((tmp_path / "liver.nii.gz.json").read_text())
    assert manifest["schema"] == "anytomy.manifest/1"
    assert manifest["prompts"] == [{"id": 1, "name": "liver", "box": [4, 5, 1, 20, 15, 4]}]
    assert manifest["model"]["id"] == "litemedsam"
    assert manifest["model"]["weights_sha256"] == "0" * 64
    assert manifest["intensity"]["guessed"] is True
    assert manifest["options"]["largest"] is True
    assert set(manifest["seconds"]) >= {"read", "segment", "all"}
    assert {"anytomy", "numpy", "python"} <= set(manifest["versions"])
    entry = manifest["objects"][0]
    assert (entry["id"], entry["name"]) == (1, "liver")
    labels = np.asarray(nibabel.load(output).dataobj)
    assert entry["voxels"] == (labels == 1).sum() > 0
    assert entry["volume_ml"] == pytest.approx((labels == 1).sum() * 3 / 1000)
    assert np.array_equal(nibabel.load(output).affine, nibabel.load(scan).affine)
    assert set(np.flatnonzero(labels.any(axis=(0, 1)))) <= {1, 2, 3}


def test_a_dicom_folder_with_a_slice_and_a_range(run: Run, engine: BoxEngine, tmp_path: Path) -> None:
    grid = dicom_phantom.grid((32, 24, 6))
    dicom_phantom.write_series(tmp_path / "dicom", grid)
    before = left_in(tmp_path / "dicom")
    prompt = ("--slice", "2", "--z", "1,5", "--box", "4,5,20,15", "--name", "liver")
    output = tmp_path / "liver.seg.nrrd"
    # With the slash that completion in a shell puts there.
    done = run("segment", f"{tmp_path}/dicom/", *prompt, "-o", output)
    assert done.code == 0, done.err
    image = SimpleITK.ReadImage(str(output))
    assert image.GetMetaData("Segment0_Name") == "liver"
    assert image.GetSize() == (32, 24, 6)
    assert np.allclose(image.GetOrigin(), grid.origin_lps_mm)
    assert left_in(tmp_path / "dicom") == before


@pytest.mark.parametrize("spelling", ["./scan.nii.gz", "../{here}/scan.nii.gz", "scan.nii.gz"])
def test_a_path_in_any_spelling_is_one_input(
    run: Run, engine: BoxEngine, scan: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(scan.parent)
    path = spelling.format(here=scan.parent.name)
    assert run("segment", path, "--box", "4,5,1,20,15,4", "-o", "out.nii.gz").code == 0
    assert os.path.isfile("out.nii.gz")


def test_a_guessed_modality_is_said_once_and_stands_in_the_envelope(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path
) -> None:
    command = ("segment", scan, "--box", "4,5,1,20,15,4", "-o", tmp_path / "m.nii.gz")
    said = run(*command)
    assert said.err.count("\n") == 1
    assert "modality " in said.err
    assert "modality " in run(*command, "--json").json["warnings"][0]


def test_json_holds_the_manifest(run: Run, engine: BoxEngine, photo: Path, tmp_path: Path) -> None:
    done = run("segment", photo, "--box", "4,6,20,16", "-o", tmp_path / "m.png", "--json")
    envelope = done.json
    assert envelope["ok"] is True
    assert envelope["command"] == "segment"
    assert envelope["data"]["outputs"] == [str(tmp_path / "m.png")]
    assert envelope["data"]["manifest"] == str(tmp_path / "m.png.json")


def test_a_ring_from_two_boxes(run: Run, engine: BoxEngine, scan: Path, tmp_path: Path) -> None:
    boxes = ("--box", "4,5,1,26,21,5", "--box", "10,10,1,20,16,5", "--name", "disc", "--name", "hole")
    ring = ("--combine", "ring = disc - hole", "--combine", "'all of it' = ring + 2")
    files = ("-o", tmp_path / "m.nii.gz", "--preview", tmp_path / "p.png")
    done = run("segment", scan, *boxes, *ring, *files, "--json")
    assert done.code == 0, done.err
    data = done.json["data"]
    assert [(entry["id"], entry["name"]) for entry in data["objects"]] == [
        (1, "disc"),
        (2, "hole"),
        (3, "ring"),
        (4, "all of it"),
    ]
    assert data["combine"] == [
        {"id": 3, "name": "ring", "expression": "disc - hole"},
        {"id": 4, "name": "all of it", "expression": "ring + 2"},
    ]
    voxels = {entry["name"]: entry["voxels"] for entry in data["objects"]}
    assert voxels["ring"] == voxels["disc"] - voxels["hole"] > 0
    assert voxels["all of it"] == voxels["disc"]
    labels = np.asarray(nibabel.load(tmp_path / "m.nii.gz").dataobj)
    assert set(np.unique(labels)) == {0, 4}
    run("segment", scan, *boxes, *ring[:2], "-o", tmp_path / "m.nii.gz")
    labels = np.asarray(nibabel.load(tmp_path / "m.nii.gz").dataobj)
    assert (labels == 3).sum() == voxels["ring"]
    assert (labels == 2).sum() == voxels["hole"]
    assert (labels == 1).sum() == 0


def test_combinations_of_the_prompt_file_come_first(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path
) -> None:
    prompts = {
        "objects": [{"box": [4, 6, 40, 36], "name": "disc"}, {"box": [12, 14, 30, 28]}],
        "combine": [{"name": "ring", "expression": "disc - 2", "id": 9}],
    }
    (tmp_path / "p.json").write_text(json.dumps(prompts))
    more = ("--combine", "hole = disc - ring", "-o", tmp_path / "m.seg.nrrd", "--overlap", "keep")
    done = run("segment", photo, "--prompts", tmp_path / "p.json", *more, "--json")
    assert done.code == 0, done.err
    found = done.json["data"]["objects"]
    assert [(entry["id"], entry["name"]) for entry in found] == [
        (1, "disc"),
        (2, "object 2"),
        (9, "ring"),
        (3, "hole"),
    ]
    assert found[3]["voxels"] == found[1]["voxels"]


def test_measures_as_csv_and_json(run: Run, engine: BoxEngine, scan: Path, tmp_path: Path) -> None:
    boxes = ("--box", "4,5,1,20,15,4", "--box", "8,8,1,26,21,5", "--name", "liver", "--overlap", "keep")
    files = ("-o", tmp_path / "m.seg.nrrd", "--measure", tmp_path / "t" / "m.csv")
    done = run("segment", scan, *boxes, *files, "--json")
    assert done.code == 0, done.err
    data = done.json["data"]
    assert data["tables"] == [str(tmp_path / "t" / "m.csv"), str(tmp_path / "t" / "m.json")]
    assert left_in(tmp_path / "t") == {"m.csv", "m.json"}
    assert f"wrote {tmp_path / 't' / 'm.csv'}" in run("segment", scan, *boxes, *files).out
    table = json.loads((tmp_path / "t" / "m.json").read_text())
    assert table["schema"] == "anytomy.measures/1"
    assert table["rows"] == [{"case": str(scan), **row} for row in data["measures"]]
    assert json.loads((tmp_path / "m.seg.nrrd.json").read_text())["measures"] == data["measures"]
    lines = list(csv.DictReader((tmp_path / "t" / "m.csv").open(newline="")))
    assert [line["name"] for line in lines] == ["liver", "object 2"]
    values = np.asarray(nibabel.load(scan).dataobj)
    for line, row, entry in zip(lines, data["measures"], data["objects"], strict=True):
        assert {key: str(value) for key, value in row.items()} == {
            key: line[key] for key in line if key != "case"
        }
        assert row["voxels"] == entry["voxels"]
        assert row["volume_ml"] == pytest.approx(entry["volume_ml"], rel=1e-3)
        (x0, y0, z0), (x1, y1, z1) = ([row[f"box_{a}{n}"] for a in "xyz"] for n in (0, 1))
        # Each object of this engine is a box.
        assert row["mean"] == pytest.approx(values[x0:x1, y0:y1, z0:z1].mean(), rel=1e-4)
        assert row["voxels"] == (x1 - x0) * (y1 - y0) * (z1 - z0)


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz", ".npz", ".mha", ".tif"])
def test_what_was_written_can_be_measured_later(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"m{ending}"
    boxes = ("--box", "4,5,1,14,15,4", "--box", "16,8,1,26,21,5", "--name", "liver", "--name", "cyst")
    first = run("segment", scan, *boxes, "-o", output, "--measure", tmp_path / "a", "--json").json
    later = run("measure", output, scan, "-o", tmp_path / "b.json", "--json").json
    assert later["data"]["measures"] == [{"case": str(scan), **row} for row in first["data"]["measures"]]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    text = run("measure", output)
    assert text.code == 0
    assert "1 liver: " in text.out
    assert "axial" in text.out
    assert "mean" not in text.out


@pytest.mark.parametrize("ending", [".seg.nrrd", ".npz", ".seg.dcm"])
def test_overlapping_objects_of_a_file_are_measured_whole(
    run: Run, engine: BoxEngine, tmp_path: Path, ending: str
) -> None:
    dicom_phantom.write_series(tmp_path / "dicom", dicom_phantom.grid((32, 24, 6)))
    boxes = ("--box", "4,5,1,26,21,5", "--box", "10,10,2,20,16,4", "--name", "disc", "--name", "hole")
    output = tmp_path / f"m{ending}"
    more = ("--combine", "ring = disc - hole", "--overlap", "keep", "--measure", tmp_path / "t")
    first = run("segment", tmp_path / "dicom", *boxes, *more, "-o", output, "--json").json["data"]
    later = run("measure", output, tmp_path / "dicom", "--json")
    assert later.err == ""
    rows = [{k: v for k, v in row.items() if k != "case"} for row in later.json["data"]["measures"]]
    assert rows == first["measures"]
    assert [row["name"] for row in rows] == ["disc", "hole", "ring"]
    assert rows[0]["voxels"] == rows[1]["voxels"] + rows[2]["voxels"]
    assert run("measure", output).code == 0


def test_a_picture_is_measured_in_pixels(run: Run, photo: Path, tmp_path: Path) -> None:
    labels = np.zeros((48, 64), np.uint8)
    labels[10:20, 5:45] = 7
    Picture.fromarray(labels).save(tmp_path / "l.png")
    done = run("measure", tmp_path / "l.png", photo, "--json").json["data"]
    (row,) = done["measures"]
    assert (row["id"], row["name"], row["area_px"], row["unit"]) == (7, "object 7", 400, "px")
    assert row["mean"] == pytest.approx(np.asarray(Picture.open(photo))[10:20, 5:45].mean(), rel=1e-5)
    assert done["tables"] == []
    Picture.fromarray(labels * 0).save(tmp_path / "l.png")
    assert "no object" in run("measure", tmp_path / "l.png").out


@pytest.mark.parametrize("axis", ["x", "y", "z", "Z"])
def test_volumes_are_previewed_along_each_axis(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path, axis: str
) -> None:
    command = ("segment", scan, "--box", "4,5,1,20,15,4", "--axis", axis, "-o", tmp_path / "m.nrrd")
    assert run(*command, "--preview", tmp_path / "sheet.jpg").code == 0
    assert Picture.open(tmp_path / "sheet.jpg").format == "JPEG"


def test_a_thousand_objects_have_a_thousand_ids(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path
) -> None:
    objects = [
        {"id": i + 1, "box": [i % 40, i // 40, i % 40 + 8, i // 40 + 8], "name": f"cell {i}"}
        for i in range(1000)
    ]
    prompts = tmp_path / "many.json"
    prompts.write_text(json.dumps({"objects": objects}))
    files = ("--prompts", prompts, "-o", tmp_path / "m.seg.nrrd", "--overlap", "keep")
    done = run("segment", photo, *files, "--preview", tmp_path / "p.png", "--json")
    assert done.code == 0, done.err
    assert [entry["id"] for entry in done.json["data"]["objects"]] == list(range(1, 1001))


@pytest.mark.parametrize(
    "name", ["línea\nzwei", "肝臓", "[bold]x[/bold]", "a:=b", "🫀", "ß" * 300], ids=range(6)
)
def test_any_name_goes_through_files_pictures_and_text(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path, name: str
) -> None:
    for ending in (".png", ".seg.nrrd"):
        output = tmp_path / f"{name[:4]} ü{ending}"
        files = ("-o", output, "--preview", tmp_path / "p.png")
        done = run("segment", photo, "--box", "4,6,20,16", "--name", name, *files)
        assert done.code == 0, done.err
        manifest = json.loads(output.with_name(output.name + ".json").read_text())
        assert manifest["objects"][0]["name"] == name


def test_file_names_that_are_no_text(run: Run, engine: BoxEngine, photo: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"b\xff [x]\n.png")
    try:
        path = photo.rename(tmp_path / odd)
    except OSError:
        pytest.skip("this file system wants text")
    output = tmp_path / f"out-{odd}"
    assert run("segment", path, "--box", "4,6,20,16", "-o", output).code == 0
    assert run("segment", path, "--box", "4,6,20,16", "-o", output, "--json").json["ok"]
    assert output.is_file()


def test_some_values_that_are_not_finite_are_a_warning(run: Run, engine: BoxEngine, tmp_path: Path) -> None:
    from .conftest import write_scan

    values = np.random.default_rng(0).normal(size=(32, 24, 6)).astype(np.float32)
    values[:2] = np.nan
    scan = write_scan(tmp_path / "s.nii.gz", values)
    done = run("segment", scan, "--box", "4,5,1,20,15,4", "-o", tmp_path / "m.nii.gz")
    assert done.code == 0
    assert "NaN or infinite" in done.err


def _interrupt() -> None:
    raise KeyboardInterrupt


def _out_of_memory() -> None:
    raise MemoryError


def _bug() -> None:
    raise RuntimeError("two\nlines")


@pytest.mark.parametrize(
    ("hook", "code", "says"),
    [(_interrupt, 130, "interrupted"), (_out_of_memory, 1, "memory"), (_bug, 1, "two lines")],
)
def test_a_run_that_breaks_off_leaves_nothing_new(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path, hook: Any, code: int, says: str
) -> None:
    old = tmp_path / "out" / "m.png"
    old.parent.mkdir()
    old.write_bytes(b"old")
    engine.hook = hook
    command = ("segment", photo, "--box", "4,6,20,16", "-o", old)
    done = run(*command)
    assert done.code == code
    assert says in done.error
    assert left_in(tmp_path / "out") == {"m.png"}
    assert old.read_bytes() == b"old"
    envelope = run(*command, "--json").json
    assert says in envelope["error"]["message"].replace("\n", " ")


VOLUME = ("--box", "4,5,1,20,15,6", "--name", "liver", "--combine", "copy = liver", "-o")


def stop_at(number: int) -> Callable[[], None]:
    """What raises an interrupt when it is called for the time of that number, and only then."""
    calls = iter(range(1, 1000))

    def hook() -> None:
        if next(calls) == number:
            raise KeyboardInterrupt

    return hook


@pytest.mark.parametrize("strategy", ["authors", "propagate", "triplanar"])
def test_an_interrupted_volume_is_kept_in_part_and_goes_on(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path, strategy: str
) -> None:
    out = tmp_path / "out" / "m.nii.gz"
    command = ("segment", scan, *VOLUME, out, "--volume", strategy)
    engine.hook = stop_at(4)
    stopped = run(*command)
    assert stopped.code == 130
    assert "interrupted after 3 of" in stopped.error
    assert "out/m.partial.nii.gz; the same command goes on" in stopped.error
    assert left_in(out.parent) == {"m.partial.nii.gz", "m.partial.nii.gz.json"}
    manifest = json.loads((out.parent / "m.partial.nii.gz.json").read_text())
    assert manifest["partial"]["done"] == 3
    (entry,) = manifest["objects"]  # nothing is combined
    start, stop = entry["slices_done"][0]
    assert stop - start == 3
    found = np.asarray(nibabel.load(out.parent / "m.partial.nii.gz").dataobj)
    assert np.flatnonzero(found.any(axis=(0, 1))).tolist() == list(range(start, stop))
    before, engine.hook = engine.encoded, lambda: None
    done = run(*command, "--json").json["data"]
    assert left_in(out.parent) == {"m.nii.gz", "m.nii.gz.json"}
    assert done["encodings"] == engine.encoded - before
    fresh = tmp_path / "fresh" / "m.nii.gz"
    again = run("segment", scan, *VOLUME, fresh, "--volume", strategy, "--json").json["data"]
    assert again["encodings"] == done["encodings"] + before  # those of the first run were not made again
    assert fresh.read_bytes() == out.read_bytes()
    assert not list(cache_dir("embeddings").rglob("*.npy"))  # nothing is kept of what is done


def test_an_interrupt_before_anything_is_done_leaves_nothing(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path
) -> None:
    engine.hook = stop_at(1)
    stopped = run("segment", scan, *VOLUME, tmp_path / "out" / "m.nii.gz")
    assert stopped.code == 130
    assert "interrupted" in stopped.error
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_kept_is_said(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    engine.hook = stop_at(3)
    stopped = run("segment", scan, *VOLUME, tmp_path / "out" / "m.nii.gz")
    assert stopped.code == 130
    assert "cannot be kept" in stopped.error
    assert "No space left" in stopped.error
    assert left_in(tmp_path / "out") == set()


def test_an_interrupt_ends_a_run_of_many(run: Run, engine: BoxEngine, tmp_path: Path) -> None:
    scans = [write_scan(tmp_path / "in" / f"{name}.nii.gz") for name in "ab"]
    engine.hook = stop_at(8)  # in the second one, of the same content
    command = ("segment", *scans, "--box", "4,5,1,20,15,6", "-o", tmp_path / "out/")
    stopped = run(*command)
    assert stopped.code == 130
    assert "b.partial.nii.gz" in stopped.err
    assert left_in(tmp_path / "out") == {
        "a.nii.gz",
        "a.nii.gz.json",
        "b.partial.nii.gz",
        "b.partial.nii.gz.json",
    }
    assert "1 of 2" not in run(*command).out
    assert left_in(tmp_path / "out") == {"a.nii.gz", "a.nii.gz.json", "b.nii.gz", "b.nii.gz.json"}


def test_uncertainty_is_written_on_the_grid_of_the_input(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path
) -> None:
    out, map_ = tmp_path / "m.nii.gz", tmp_path / "u.nii.gz"
    done = run("segment", scan, *VOLUME, out, "--volume", "triplanar", "--uncertainty", map_, "--json")
    assert done.code == 0, done.err
    assert done.json["data"]["uncertainty"] == str(map_)
    written, source = nibabel.load(map_), nibabel.load(scan)
    np.testing.assert_array_equal(written.affine, source.affine)
    values = np.asarray(written.dataobj)
    assert (values.dtype, values.shape) == (np.float32, source.shape)
    assert 0 < values.max() <= 1


def test_a_strategy_for_volumes_changes_nothing_in_a_picture_and_says_so(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path
) -> None:
    done = run("segment", photo, "--box", "4,6,20,16", "-o", tmp_path / "m.png", "--volume", "slices")
    assert done.code == 0
    assert "single picture, so --volume slices changes nothing" in done.err


def test_a_full_disk_loses_nothing(
    run: Run, engine: BoxEngine, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "out" / "m.png"
    old.parent.mkdir()
    old.write_bytes(b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = run("segment", photo, "--box", "4,6,20,16", "-o", old)
    assert str(old) in done.error
    assert "No space left" in done.err
    assert old.read_bytes() == b"old"
    assert left_in(tmp_path / "out") == {"m.png"}
