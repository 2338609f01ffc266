from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from tests.io import dicom_phantom
from tests.server.monai_label.clients import Ohif, Slicer, as_ohif_reads, label_map, parts, serving
from tests.server.serving import API, BALL, SHAPE, ball_volume

VIEWER = "https://viewer.example.org"
INSIDE = [BALL[2], BALL[1], BALL[0]]  # x, y, z: the file's own voxel indices


def case_of(slicer: Slicer, name: str = "ball.nii.gz") -> str:
    objects = slicer.get("/datastore/?output=all").json()["objects"]
    return next(key for key, each in objects.items() if each["image"]["info"]["file"] == name)


class TestClicks:
    def test_slicer_gets_the_slice_that_was_clicked_on_the_grid_of_the_file(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            params = {"label": "liver", "foreground": [INSIDE], "background": []}
            said, name, data = parts(slicer.infer("clicks", case_of(slicer), params))
        assert said["label_names"] == {"liver": 1}
        assert said["centroids"]["liver"] == pytest.approx([1, *INSIDE], abs=1)
        assert name.endswith(".nii.gz")
        found, image = label_map(name, data), SimpleITK.ReadImage(str(folder / "ball.nii.gz"))
        assert found.GetSize() == image.GetSize()
        assert np.allclose(found.GetOrigin(), image.GetOrigin())
        assert np.allclose(found.GetDirection(), image.GetDirection())
        values = SimpleITK.GetArrayFromImage(found)
        assert np.flatnonzero(values.any(axis=(1, 2))).tolist() == [BALL[0]]
        assert values[BALL[0], BALL[1], BALL[2]] == 1
        assert (ball_volume()[values > 0] > 500).all()

    def test_clicks_on_two_slices_are_answered_each_for_itself(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            clicks = [INSIDE, [INSIDE[0], INSIDE[1], INSIDE[2] + 2]]
            *_, data = parts(slicer.infer("clicks", case_of(slicer), {"foreground": clicks}))
        values = SimpleITK.GetArrayFromImage(label_map("a.nii.gz", data))
        assert np.flatnonzero(values.any(axis=(1, 2))).tolist() == [BALL[0], BALL[0] + 2]

    def test_the_volume_model_carries_them_on(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            clicks = [[*INSIDE[:2], 4], [*INSIDE[:2], 8]]
            *_, data = parts(slicer.infer("clicks-volume", case_of(slicer), {"foreground": clicks}))
        values = SimpleITK.GetArrayFromImage(label_map("a.nii.gz", data))
        assert {4, 5, 6, 7, 8} <= set(np.flatnonzero(values.any(axis=(1, 2))).tolist())

    def test_a_picture_has_clicks_of_two_or_three_numbers(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            for click in ([25, 15], [25, 15, 0]):
                *_, data = parts(slicer.infer("clicks", case_of(slicer, "bar.png"), {"foreground": [click]}))
                assert SimpleITK.GetArrayFromImage(label_map("a.nii.gz", data)).sum() > 20

    def test_an_answer_is_not_kept_unless_that_is_wished(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case, params = case_of(slicer), {"label": "liver", "foreground": [INSIDE]}
            slicer.infer("clicks", case, params)
            assert slicer.get(f"/datastore/label?label={case}&tag=original").status_code == 404
            slicer.infer("clicks", case, {**params, "save_label": True})
            assert slicer.get(f"/datastore/label?label={case}&tag=original").status_code == 200
            assert slicer.get(f"/datastore/label?label={case}&tag=final").status_code == 404
            (session,) = next(c for c in client.get(f"{API}/cases").json() if c["id"] == case)["sessions"]
            (action,) = client.get(f"{API}/sessions/{session['id']}/history").json()["actions"]
            assert (action["kind"], action["who"]) == ("import", "user-xyz")
            assert action["imported"]["model"] == "clicks"

    @pytest.mark.parametrize(
        ("params", "status", "words"),
        [
            ({}, 422, "no foreground click"),
            ({"foreground": [], "background": [INSIDE]}, 422, "no foreground click"),
            ({"foreground": [[1, 2]]}, 422, "three numbers"),
            ({"foreground": [[1e5, 2, 3]]}, 422, "outside"),
            ({"foreground": "all"}, 422, "list of clicks"),
            ({"foreground": [["a", 2, 3]]}, 422, "numbers"),
            ({"foreground": [INSIDE], "result_extension": "../x"}, 422, "result_extension"),
            ({"foreground": [INSIDE], "result_dtype": "object"}, 422, "result_dtype"),
            ({"foreground": [[1, 2, 3]] * 1001}, 413, "at most 1000"),
        ],
    )
    def test_what_is_wrong_is_said(self, folder: Path, params: dict, status: int, words: str) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            answer = slicer.infer("clicks", case_of(slicer), params)
            assert answer.status_code == status
            assert words in answer.json()["error"]["message"]

    def test_parameters_that_are_no_json_object_are_refused(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            for text in ("[1]", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', "[" * 10**5):
                answer = slicer.multipart(
                    "POST", f"/infer/clicks?image={case_of(slicer)}", {"params": text}, {}
                )
                assert answer.status_code == 422, text[:20]


class TestOtherKinds:
    def test_a_model_that_takes_boxes_only_is_asked_with_a_region(self, folder: Path) -> None:
        """Slicer sends both ends of each axis, the last voxel included, swapped where an axis is mirrored."""
        with serving(folder) as client:
            slicer = Slicer(client)
            roi = [45, 15, 38, 10, 4, 8]
            *_, data = parts(slicer.infer("tiny", case_of(slicer), {"roi": roi}))
            assert "no foreground" in slicer.infer("tiny", case_of(slicer), {}).json()["error"]["message"]
            refused = slicer.infer("tiny", case_of(slicer), {"foreground": [INSIDE]})
            assert refused.status_code == 422
        values = SimpleITK.GetArrayFromImage(label_map("a.nii.gz", data))
        assert np.flatnonzero(values.any(axis=(1, 2))).tolist() == [4, 5, 6, 7, 8]

    def test_a_model_with_classes_needs_no_prompt(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            said, _, data = parts(slicer.infer("levels", case_of(slicer), {}))
        assert said["label_names"] == {"grey": 1, "white": 2}
        values = SimpleITK.GetArrayFromImage(label_map("a.nii.gz", data))
        assert values[BALL[0], BALL[1], BALL[2]] == 2

    def test_an_image_may_come_with_the_request(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            files = {"file": folder / "ball.nii.gz"}
            answer = slicer.multipart("POST", "/infer/levels?image=", {"params": "{}"}, files)
            assert parts(answer)[0]["label_names"] == {"grey": 1, "white": 2}
        assert not list((folder.parent / "state" / "uploads").iterdir())

    @pytest.mark.parametrize(
        ("output", "media"), [("json", "application/json"), ("image", "application/octet-stream")]
    )
    def test_a_part_of_the_answer_can_be_had(self, folder: Path, output: str, media: str) -> None:
        with serving(folder) as client:
            case = case_of(Slicer(client))
            answer = client.post(f"/infer/levels?image={case}&output={output}", data={"params": "{}"})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == media

    def test_unknown_models_and_images_are_refused(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.infer("nothing", case_of(slicer), {}).status_code == 404
            for image in ("0" * 16, "../ball.nii.gz", str(folder / "ball.nii.gz"), "ball", ""):
                assert slicer.infer("levels", image, {}).status_code in (404, 422)


class TestOhif:
    def test_a_series_is_named_by_its_uid_and_answered_in_the_order_of_its_slices(
        self, tmp_path: Path
    ) -> None:
        files = dicom_phantom.write_series(
            tmp_path / "scans" / "one",
            dicom_phantom.grid((64, 48, 12)),
            ball_volume(),
            order=range(11, -1, -1),
        )
        import pydicom

        uid = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
        with serving(tmp_path / "scans", origins=frozenset({VIEWER})) as client:
            ohif = Ohif(client, VIEWER)
            answer = ohif.infer("clicks", uid, {"foreground": [INSIDE], "background": []})
            assert answer.headers["access-control-allow-origin"] == VIEWER
            said, voxels = as_ohif_reads(answer)
            values = voxels.reshape(SHAPE)
            assert values[BALL[0], BALL[1], BALL[2]] == 1
            assert said["centroids"]["object"][0] == 1
            seg = client.post(
                f"/infer/levels?image={uid}&output=dicom_seg",
                data={"params": "{}"},
                headers={"origin": VIEWER},
            )
            assert seg.headers["content-type"] == "application/dicom"
            assert seg.content[128:132] == b"DICM"

    def test_its_label_map_comes_back_as_bare_voxels(self, folder: Path) -> None:
        with serving(folder, origins=frozenset({VIEWER})) as client:
            ohif, case = Ohif(client, VIEWER), case_of(Slicer(client))
            values = (ball_volume() > 500).astype("<u2") * 2
            info = [{"SegmentLabel": "ball", "labelID": 2}]
            assert ohif.save_label(case, values.tobytes(), {"label_info": info}).status_code == 200
            assert ohif.save_label(case, b"12345", {}).status_code == 422
            (session,) = next(c for c in client.get(f"{API}/cases").json() if c["id"] == case)["sessions"]
            (label,) = client.get(f"{API}/sessions/{session['id']}").json()["labels"]
            assert (label["name"], label["voxels"]) == ("ball", int((values > 0).sum()))

    def test_a_browser_may_ask_to_put(self, folder: Path) -> None:
        with serving(folder, origins=frozenset({VIEWER})) as client:
            head = {"origin": VIEWER, "access-control-request-method": "PUT"}
            answer = client.options("/datastore/label", headers=head)
            assert "PUT" in answer.headers["access-control-allow-methods"]

    def test_a_page_that_was_not_allowed_may_not(self, folder: Path) -> None:
        with serving(folder) as client:
            ohif, case = Ohif(client, "https://evil.example.org"), case_of(Slicer(client))
            assert ohif.infer("levels", case, {}).status_code == 403
            assert ohif.save_label(case, b"", {}).status_code == 403
