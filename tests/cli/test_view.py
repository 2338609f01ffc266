"""`anytomy view`: from files to pictures, with what the manifest says, and one line for what cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.cli.results import Source, open_result
from anytomy.report import surface as surface_module
from tests.io import dicom_phantom

from .conftest import left_in, write_photo, write_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import BoxEngine, Outcome

    Run = Callable[..., Outcome]

AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])
KINDS = ("sheet", "planes", "surface")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures are made fast."""
    for name, value in {"_WIDTH": 400, "_HEIGHT": 360, "_LEAST": 100, "_SAMPLES": 1}.items():
        monkeypatch.setattr(surface_module, name, value)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label map of two blocks on the grid of `scan`: 3 near the corner, 7 in the middle."""
    return write_labels(tmp_path / "labels.nii.gz")


def write_labels(path: Path, affine: Any = AFFINE, shape: tuple[int, ...] = (32, 24, 6)) -> Path:
    values = np.zeros(shape, np.uint8)
    values[4:10, 3:9, 1:3] = 3
    values[14:26, 8:20, 2:5] = 7
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


@pytest.fixture
def result(run: Run, engine: BoxEngine, scan: Path, tmp_path: Path) -> Path:
    """What `anytomy segment` leaves of two boxes."""
    out = tmp_path / "out" / "masks.nii.gz"
    prompts = tmp_path / "prompts.json"
    objects = [
        {"id": 2, "name": "cyst", "box": [4, 3, 1, 12, 11, 4]},
        {"id": 5, "name": "stone", "box": [14, 8, 26, 20], "slice": 3, "z": [2, 5]},
    ]
    prompts.write_text(json.dumps({"objects": objects}))
    assert run("segment", scan, "--prompts", prompts, "-o", out).code == 0
    return out


# -- what is drawn -------------------------------------------------------------------------------


def test_three_pictures_beside_the_result(run: Run, labels: Path, scan: Path) -> None:
    outcome = run("view", labels, "--image", scan)
    assert (outcome.code, outcome.err) == (0, "")
    for kind in KINDS:
        path = labels.parent / f"labels_{kind}.png"
        assert f"wrote {path}" in outcome.out
        assert min(Picture.open(path).size) > 100


def test_facts_for_machines(run: Run, labels: Path, scan: Path, tmp_path: Path) -> None:
    data = run("view", labels, "--image", scan, "-o", tmp_path / "new" / "folder", "--json").json["data"]
    assert data["image"] == str(scan)
    assert [o["id"] for o in data["objects"]] == [3, 7]
    assert [o["voxels"] for o in data["objects"]] == [72, 432]
    assert [o["volume_ml"] for o in data["objects"]] == [0.216, 1.296]
    assert [p["kind"] for p in data["pictures"]] == list(KINDS)
    for each in data["pictures"]:
        assert each["path"].startswith(str(tmp_path / "new" / "folder" / "labels_"))
        assert tuple(each["size"]) == Picture.open(each["path"]).size


@pytest.mark.parametrize("kind", KINDS)
def test_one_picture_where_it_is_wanted(run: Run, labels: Path, tmp_path: Path, kind: str) -> None:
    assert run("view", labels, "--kind", kind, "-o", tmp_path / "a.jpg").code == 0
    assert Picture.open(tmp_path / "a.jpg").format == "JPEG"
    assert left_in(tmp_path) == {"labels.nii.gz", "a.jpg"}


def test_image_prompts_and_names_come_from_the_manifest(result: Path, scan: Path) -> None:
    for path in (result, result.with_name("masks.nii.gz.json")):
        found = open_result(path, Source())
        assert found.image.path == scan
        assert found.grey is not None
        assert found.prediction.ids == (2, 5)
        assert found.prediction.names == ("cyst", "stone")
        first, second = found.prediction.prompts
        assert first.box == (4, 3, 1, 12, 11, 4)
        assert (second.box, second.slice) == ((14, 8, 26, 20), 3)
        # The engine's answer: the inside of the boxes.
        assert found.prediction.masks.objects[0].slices == (1, 2, 3)


def test_pictures_of_a_manifest_are_called_as_those_of_its_result(run: Run, result: Path) -> None:
    assert run("view", result.with_name("masks.nii.gz.json"), "--kind", "planes").code == 0
    assert (result.parent / "masks_planes.png").is_file()


def test_prompts_are_in_the_picture(run: Run, result: Path, tmp_path: Path) -> None:
    manifest = result.with_name("masks.nii.gz.json")
    document = json.loads(manifest.read_text())
    drawn = {}
    for name, prompts in {"with": document["prompts"], "without": []}.items():
        manifest.write_text(json.dumps({**document, "prompts": prompts}))
        for kind in ("sheet", "planes"):
            path = tmp_path / f"{kind}_{name}.png"
            assert run("view", result, "--kind", kind, "-o", path).code == 0
            drawn[kind, name] = path.read_bytes()
    assert drawn["sheet", "with"] != drawn["sheet", "without"]
    assert drawn["planes", "with"] != drawn["planes", "without"]


def test_intensity_is_that_of_the_manifest_or_what_is_asked_for(result: Path) -> None:
    manifest = result.with_name("masks.nii.gz.json")
    document = json.loads(manifest.read_text())
    document["intensity"]["policy"] = "window:200,100"
    manifest.write_text(json.dumps(document))
    grey = open_result(result, Source()).grey
    assert grey is not None
    assert (grey.low, grey.high) == (0, 200)
    grey = open_result(result, Source(intensity="window:20,0")).grey
    assert grey is not None
    assert (grey.low, grey.high) == (-10, 10)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_along_another_axis_prompts_stay_where_they_are(result: Path, axis: str) -> None:
    found = open_result(result, Source(axis=axis))
    across = found.prediction.masks.objects[0].view.axes[2]
    assert "xyz"[across] == axis
    second = found.prediction.prompts[1]
    if axis == "z":
        assert second.slice == 3
    else:
        assert second.box == (14, 8, 3, 26, 20, 4)
    np.testing.assert_array_equal(
        found.prediction.masks[0], open_result(result, Source()).prediction.masks[0]
    )


def test_objects_kept_whole_are_found_in_their_files(
    run: Run, engine: BoxEngine, scan: Path, tmp_path: Path
) -> None:
    out = tmp_path / "masks.nii.gz"
    boxes = ["--box", "4,3,1,20,15,4", "--box", "10,8,1,26,20,4"]
    names = ["--name", "cyst", "--name", "stone"]
    assert run("segment", scan, *boxes, *names, "--overlap", "keep", "-o", out).code == 0
    files = sorted(p.name for p in tmp_path.glob("masks_*"))
    assert files == ["masks_1_cyst.nii.gz", "masks_2_stone.nii.gz"]
    both = open_result(tmp_path / "masks.nii.gz.json", Source()).prediction
    assert both.names == ("cyst", "stone")
    assert np.logical_and(*both.masks).any()
    one = open_result(tmp_path / files[1], Source()).prediction
    assert (one.ids, one.names) == ((2,), ("stone",))
    assert one.prompts[0].box == (10, 8, 1, 26, 20, 4)
    np.testing.assert_array_equal(one.masks[0], both.masks[1])


@pytest.mark.parametrize("ending", [".seg.nrrd", ".npz", ".mha", ".mhd", ".tif"])
def test_results_of_any_format(run: Run, engine: BoxEngine, scan: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"masks{ending}"
    assert run("segment", scan, "--box", "4,3,1,20,15,4", "--name", "cyst", "-o", out).code == 0
    found = open_result(out, Source())
    assert found.prediction.names == ("cyst",)
    assert found.image.path == scan
    with_manifest = found.prediction.masks[0]
    (tmp_path / f"masks{ending}.json").unlink()
    found = open_result(out, Source(image=scan))
    np.testing.assert_array_equal(found.prediction.masks[0], with_manifest)
    assert with_manifest.any()


def test_dicom_segments_have_the_names_and_prompts_of_the_manifest(
    run: Run, engine: BoxEngine, tmp_path: Path
) -> None:
    dicom_phantom.write_series(tmp_path / "ct", dicom_phantom.grid((20, 18, 5)))
    prompts = tmp_path / "p.json"
    objects = [{"id": 4, "name": "cyst", "box": [3, 3, 1, 12, 11, 4]}, {"id": 9, "box": [9, 8, 1, 18, 16, 4]}]
    prompts.write_text(json.dumps({"objects": objects}))
    out = tmp_path / "masks.seg.dcm"
    assert run("segment", tmp_path / "ct", "--prompts", prompts, "-o", out).code == 0
    found = open_result(out, Source()).prediction
    assert (found.ids, found.names) == ((4, 9), ("cyst", "object 9"))
    assert found.prompts[1].box == (9, 8, 1, 18, 16, 4)
    assert found.geometry.size_xyz == (20, 18, 5)
    assert run("view", out, "--kind", "planes").code == 0


def test_a_picture_has_an_overlay_only(run: Run, engine: BoxEngine, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "mask.png"
    assert run("segment", photo, "--box", "10,8,40,30", "-o", out).code == 0
    assert run("view", out).code == 0
    assert left_in(out.parent) == {"mask.png", "mask.png.json", "mask_overlay.png"}
    drawn = np.array(Picture.open(out.parent / "mask_overlay.png")).astype(int)
    assert (np.ptp(drawn, axis=2) > 40).any()  # a colour on the grey photo
    assert "needs a volume" in run("view", out, "--kind", "surface").error
    assert run("view", out, "--no-image", "-o", tmp_path / "alone.png").code == 0
    alone = np.array(Picture.open(tmp_path / "alone.png"))
    assert (alone[:400] == 0).all(axis=2).mean() > 0.5


def test_one_slice_has_a_sheet_only(run: Run, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.nii.gz", shape=(32, 24, 6))
    image = nibabel.load(labels)
    nibabel.save(image.slicer[:, :, 2:3], tmp_path / "flat.nii.gz")
    assert run("view", tmp_path / "flat.nii.gz").code == 0
    assert {n for n in left_in(tmp_path) if n.endswith(".png")} == {"flat_sheet.png"}


def test_without_an_image_masks_stand_alone(run: Run, labels: Path) -> None:
    outcome = run("view", labels, "--kind", "planes")
    assert outcome.code == 0
    assert "without an image; give it with --image" in outcome.out
    assert run("view", labels, "--kind", "planes", "--json").json["data"]["image"] is None


def test_only_some_objects_in_their_own_colours(
    run: Run, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        "anytomy.report.planes.planes",
        lambda image, prediction, grey, colours: (
            seen.append((prediction.names, colours)),
            np.zeros((9, 9, 3), np.uint8),
        )[1],
    )
    for only in (["stone"], ["5"], ["STONE", "cyst"], []):
        more = [word for name in only for word in ("--only", name)]
        assert run("view", result, "--kind", "planes", *more).code == 0
    (stone, colour), (by_id, _), (both, colours), (every, _) = seen
    assert stone == by_id == ("stone",)
    assert both == every == ("cyst", "stone")
    assert colour == [colours[1]]


def test_the_part_of_the_file_is_that_of_the_manifest(run: Run, engine: BoxEngine, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(100, 20, (32, 24, 6, 3)).astype(np.float32)
    values[..., 2] += 500
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "cine.nii.gz")
    out = tmp_path / "masks.nii.gz"
    box = ["--box", "4,3,1,20,15,4"]
    assert run("segment", tmp_path / "cine.nii.gz", "--time", "2", *box, "-o", out).code == 0
    assert open_result(out, Source()).image.array.mean() > 500
    assert open_result(out, Source(time=0)).image.array.mean() < 300


def test_relative_names_are_found_beside_the_manifest(
    run: Run, engine: BoxEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    write_scan(folder / "scan.nii.gz")
    monkeypatch.chdir(folder)
    assert run("segment", "scan.nii.gz", "--box", "4,3,1,20,15,4", "-o", "masks.nii.gz").code == 0
    monkeypatch.chdir(tmp_path)
    assert open_result(folder / "masks.nii.gz", Source()).grey is not None


# -- what cannot be ------------------------------------------------------------------------------


def test_an_image_on_another_grid(run: Run, labels: Path, tmp_path: Path) -> None:
    other = write_scan(tmp_path / "other.nii.gz", np.zeros((30, 24, 6), np.float32))
    error = run("view", labels, "--image", other).error
    assert f"{labels} has 32 x 24 x 6 voxels and {other} 30 x 24 x 6" in error
    assert "--no-image" in error
    values = np.zeros((32, 24, 6), np.float32)
    moved = AFFINE.copy()
    moved[0, 3] = 40
    nibabel.save(nibabel.Nifti1Image(values, moved), other)
    assert f"{labels} and {other} do not lie in the same place" in run("view", labels, "--image", other).error


def test_headers_may_differ_in_the_last_digits(run: Run, labels: Path, tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] = 0.01
    scan = tmp_path / "other.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((32, 24, 6), np.float32), moved), scan)
    assert run("view", labels, "--image", scan, "--kind", "planes").code == 0


def test_an_image_that_moved_away(run: Run, result: Path, scan: Path, tmp_path: Path) -> None:
    scan.rename(tmp_path / "elsewhere.nii.gz")
    error = run("view", result).error
    assert str(scan) in error
    assert "--image" in error
    assert "--no-image" in error
    assert run("view", result, "--image", tmp_path / "elsewhere.nii.gz", "--kind", "planes").code == 0
    assert run("view", result, "--no-image", "--kind", "planes").code == 0


def test_an_empty_result(run: Run, scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((32, 24, 6), np.uint8), AFFINE), path)
    assert f"{path} holds no object" in run("view", path, "--image", scan).error
    assert left_in(tmp_path) == {"empty.nii.gz", "scan.nii.gz"}


def test_an_empty_object_is_named(run: Run, result: Path) -> None:
    image = nibabel.load(result)
    values = np.asarray(image.dataobj).copy()
    values[values == 2] = 0
    nibabel.save(nibabel.Nifti1Image(values, image.affine), result)
    found = open_result(result, Source()).prediction
    assert (found.names, found.masks.objects[0].voxels) == (("cyst", "stone"), 0)
    assert run("view", result).code == 0
    assert f"{result} holds nothing of cyst" in run("view", result, "--only", "cyst").error


def test_an_unknown_object(run: Run, result: Path) -> None:
    error = run("view", result, "--only", "liver").error
    assert "there is no object 'liver'" in error
    assert "cyst, stone" in error


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--kind", "film"], "expected a kind of sheet, planes, surface or all, got 'film'"),
        (["--axis", "t"], "expected the axis x, y or z"),
        (["--intensity", "bright"], "expected an intensity"),
        (["-o", "a.png"], "3 pictures for one file"),
        (["-o", "a.gif", "--kind", "sheet"], "expected PNG or JPEG"),
        (["-o", "labels.nii.gz/"], "labels.nii.gz"),
        (["--image", "nowhere.nii.gz"], "nowhere.nii.gz does not exist"),
        (["--image", "labels.nii.gz", "--no-image"], "there are --image and --no-image"),
    ],
)
def test_bad_options(
    run: Run, labels: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(labels.parent)
    assert says in run("view", "labels.nii.gz", *options).error
    assert left_in(labels.parent) == {"labels.nii.gz"}


@pytest.mark.parametrize("name", ["nowhere.nii.gz", "nowhere.json"])
def test_a_missing_result(run: Run, tmp_path: Path, name: str) -> None:
    assert f"{tmp_path / name} does not exist" in run("view", tmp_path / name).error


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"schema": "other"}', '{"objects": []}'])
def test_json_that_is_no_manifest(run: Run, tmp_path: Path, labels: Path, text: str) -> None:
    other = tmp_path / "labels.nii.gz.json"
    other.write_text(text)
    assert f"{other} is no manifest of anytomy segment" in run("view", other).error
    assert run("view", labels, "--kind", "planes").code == 0  # beside a result it is somebody else's


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outputs": []}, "names no output"),
        ({"outputs": ["gone.nii.gz"]}, "gone.nii.gz does not exist"),
        ({"prompts": [{"id": 2, "box": [1, 2, 3]}]}, "cannot use the manifest"),
    ],
)
def test_a_manifest_that_was_changed(run: Run, result: Path, change: dict[str, Any], says: str) -> None:
    manifest = result.with_name("masks.nii.gz.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    assert says in run("view", manifest).error


def test_what_was_read_is_not_written_over(run: Run, tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.png")
    values = np.zeros((48, 64), np.uint8)
    values[5:20, 5:20] = 1
    Picture.fromarray(values).save(tmp_path / "a.png")
    before = (tmp_path / "photo.png").read_bytes()
    error = run(
        "view", tmp_path / "a.png", "--image", tmp_path / "photo.png", "-o", tmp_path / "photo.png"
    ).error
    assert "cannot write the overlay" in error
    assert (tmp_path / "photo.png").read_bytes() == before


def test_an_image_instead_of_masks(run: Run, scan: Path) -> None:
    assert "is it the image?" in run("view", scan).error
