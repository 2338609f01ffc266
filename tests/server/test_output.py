from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from anytomy.io.objects import read_objects
from anytomy.io.read import read
from tests.io import dicom_phantom
from tests.server.serving import API, Annotator, ball_volume, packed, serving

BOX = [15, 10, 50, 40]


def drawn(client: object, name: str = "ball.nii.gz", **begin: object) -> Annotator:
    user = Annotator(client, name, who="ada", **begin)
    user.do("labels", 201, name="ball")
    return user


class TestSave:
    def test_beside_the_image_on_its_grid_with_who_and_what(self, folder: Path) -> None:
        with serving(folder) as client:
            user = drawn(client)
            user.do("prompts", label=1, slice=6, box=BOX)
            saved = user.do("save", who="grace")
        assert saved["files"] == ["ball.labels.nii.gz", "ball.labels.nii.gz.json"]
        image, labels = nibabel.load(folder / "ball.nii.gz"), nibabel.load(folder / "ball.labels.nii.gz")
        assert np.array_equal(image.affine, labels.affine)
        values = np.asarray(labels.dataobj).transpose(2, 1, 0)
        assert np.array_equal(values[6] == 1, ball_volume()[6] > 500)
        assert np.count_nonzero(values) == np.count_nonzero(values[6])
        about = json.loads((folder / "ball.labels.nii.gz.json").read_text())
        assert about["saved_by"] == "grace"
        assert about["labels"][0]["name"] == "ball"
        prompt = about["actions"][-1]
        assert (prompt["who"], prompt["group"]["model"], prompt["group"]["box"]) == ("ada", "tiny", BOX)

    def test_to_the_output_folder_in_the_same_subfolders(self, folder: Path, tmp_path: Path) -> None:
        (folder / "a").mkdir()
        (folder / "bar.png").rename(folder / "a" / "bar.png")
        with serving(folder, output=tmp_path / "out") as client:
            drawn(client, "a/bar.png").do("save")
        assert (tmp_path / "out" / "a" / "bar.labels.png").is_file()
        assert not list(folder.rglob("*labels*"))

    def test_images_of_the_same_stem_do_not_share_a_label_map(self, folder: Path) -> None:
        (folder / "bar.tif").write_bytes((folder / "bar.png").read_bytes())
        with serving(folder) as client:
            names = [drawn(client, name).do("save")["files"][0] for name in ("bar.png", "bar.tif")]
        assert len(set(names)) == 2

    def test_labels_that_overlap_are_saved_whole(self, folder: Path) -> None:
        with serving(folder) as client:
            user = drawn(client, overlap="keep")
            user.do("labels", 201, name="core")
            for label in (1, 2):
                user.do(
                    "drawings",
                    label=label,
                    slice=6,
                    box=[2, 2, 6, 6],
                    data=packed(np.ones((4, 4), dtype=bool)),
                )
            name = user.do("save")["files"][0]
        found = read_objects(folder / name).segments
        assert found.names == ("ball", "core")
        assert [mask.voxels for mask in found.masks.objects] == [16, 16]

    def test_a_dicom_folder_that_is_the_root_keeps_it_inside(self, tmp_path: Path) -> None:
        folder = tmp_path / "study"
        dicom_phantom.write_series(folder, dicom_phantom.grid((16, 12, 5)))
        with serving(folder) as client:
            (name,) = Annotator(client, next(iter(cases_of(client)))).cases
            user = drawn(client, name)
            user.do("drawings", label=1, slice=2, box=[2, 2, 6, 6], data=packed(np.ones((4, 4), dtype=bool)))
            user.do("save")
            answer = client.get(f"{API}/sessions/{user.id}/export?format=seg.dcm")
            assert answer.status_code == 200
            (tmp_path / "out.seg.dcm").write_bytes(answer.content)
        assert (folder / "study.labels.nii.gz").is_file()
        assert read_objects(tmp_path / "out.seg.dcm").segments.names == ("ball",)
        with serving(folder) as client:
            assert len(cases_of(client)) == 1

    def test_a_folder_that_cannot_be_written_loses_nothing(self, folder: Path) -> None:
        (folder / "ball.labels.nii.gz").mkdir()
        with serving(folder) as client:
            user = drawn(client)
            status, message = user.refused("save")
            assert status == 409
            assert str(folder) not in message
            assert user.state()["seq"] == 1


def cases_of(client: object) -> dict[str, str]:
    return {case["name"]: case["id"] for case in client.get(f"{API}/cases").json()}  # type: ignore[attr-defined]


class TestExport:
    @pytest.mark.parametrize("ending", ["nii.gz", "nii", "nrrd", "mha", "seg.nrrd", "npz", "tif"])
    def test_a_volume(self, folder: Path, tmp_path: Path, ending: str) -> None:
        with serving(folder) as client:
            user = drawn(client)
            user.do("prompts", label=1, slice=6, box=BOX)
            answer = client.get(f"{API}/sessions/{user.id}/export?format={ending}")
        assert answer.headers["content-disposition"] == f'attachment; filename="case-{user.case}.{ending}"'
        path = tmp_path / f"out.{ending}"
        path.write_bytes(answer.content)
        segments = read_objects(path).segments
        assert segments.masks.objects[0].voxels == np.count_nonzero(ball_volume()[6] > 500)
        if ending != "tif":
            assert np.allclose(
                segments.geometry.affine_lps, read(folder / "ball.nii.gz").geometry.affine_lps, atol=1e-5
            )

    @pytest.mark.parametrize("ending", ["png", "json"])
    def test_a_picture(self, folder: Path, tmp_path: Path, ending: str) -> None:
        with serving(folder) as client:
            user = drawn(client, "bar.png")
            user.do("prompts", label=1, slice=0, box=[10, 5, 40, 30])
            answer = client.get(f"{API}/sessions/{user.id}/export?format={ending}")
        path = tmp_path / f"out.{ending}"
        path.write_bytes(answer.content)
        assert read_objects(path).segments.masks.objects[0].voxels == 200

    @pytest.mark.parametrize("ending", ["png", "json", "seg.dcm", "exe", "../x", "mhd", ""])
    def test_what_cannot_be_is_refused(self, folder: Path, ending: str) -> None:
        with serving(folder) as client:
            user = drawn(client)
            answer = client.get(f"{API}/sessions/{user.id}/export?format={ending}")
            assert 400 <= answer.status_code < 500
        assert not list((folder.parent / "state" / "exports").glob("*"))
