from __future__ import annotations

import io
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from tests.io import dicom_phantom
from tests.server.monai_label.clients import Slicer, label_map, serving
from tests.server.monai_label.test_infer import case_of
from tests.server.serving import API, SHAPE, Annotator, ball_volume, with_limits

LABELS = [{"name": "spleen", "idx": 1}, {"name": "liver", "idx": 2}]


def write_labels(folder: Path, values: np.ndarray, name: str = "label.nii.gz") -> Path:
    """As Slicer writes a label map of the ball, on the grid of its file."""
    path = folder / name
    affine = np.diag([-0.8, -0.8, 2.5, 1.0])
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0).astype(np.uint8), affine), path)
    return path


def two_labels() -> np.ndarray:
    values = np.zeros(SHAPE, dtype=np.uint8)
    values[3:6, 10:20, 10:30] = 1
    values[5:8, 25:35, 20:40] = 2
    return values


def session_of(client: object, case: str) -> Annotator:
    (session,) = next(c for c in client.get(f"{API}/cases").json() if c["id"] == case)["sessions"]  # type: ignore[attr-defined]
    return Annotator(client, session=session["id"])


class TestInfo:
    def test_models_are_what_the_plug_ins_know(self, folder: Path) -> None:
        with serving(folder) as client:
            info = Slicer(client).get("/info/").json()
        kinds = {name: (model["type"], model["dimension"]) for name, model in info["models"].items()}
        assert kinds == {
            "tiny": ("box", 3),
            "clicks": ("deepgrow", 2),
            "clicks-volume": ("deepgrow", 3),
            "levels": ("segmentation", 3),
        }
        assert info["models"]["levels"]["labels"] == {"grey": 1, "white": 2}
        assert set(info["strategies"]) == {"first", "random", "unsure"}
        assert info["datastore"] == {
            "total": 2,
            "completed": 0,
            "label_tags": {"final": 0, "original": 0},
            "train": [],
        }
        assert "config" not in info  # Slicer's plug-in takes that for a server of long ago

    def test_labels_are_those_that_were_made_so_far(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            user.do("labels", 201, name="liver")
            assert Slicer(client).get("/info/").json()["labels"] == ["liver", "grey", "white"]

    def test_no_answer_tells_where_files_lie(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case = case_of(slicer)
            asked = ["/info/", "/datastore/?output=all", f"/datastore/image/info?image={case}"]
            for selector in asked:
                assert str(folder.parent) not in slicer.get(selector).text
            sample = slicer.post("/activelearning/first", {"client_id": "user-xyz"}).json()
            assert "path" not in sample


class TestImages:
    def test_a_file_is_sent_as_it_is(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            answer = slicer.get(f"/datastore/image?image={case_of(slicer)}")
            assert answer.content == (folder / "ball.nii.gz").read_bytes()
            info = slicer.get(f"/datastore/image/info?image={case_of(slicer)}").json()
            assert info["file"] == "ball.nii.gz"
            assert info["name"].startswith("ball-")
            assert info["name"].endswith(".nii.gz")
            assert client.head(f"/datastore/image?image={case_of(slicer)}").status_code == 200

    def test_a_series_is_sent_as_nrrd_in_the_order_of_its_voxels(self, tmp_path: Path) -> None:
        grid = dicom_phantom.grid((64, 48, 12))
        dicom_phantom.write_series(tmp_path / "scans" / "one", grid, ball_volume())
        with serving(tmp_path / "scans") as client:
            slicer = Slicer(client)
            ((case, each),) = slicer.get("/datastore/?output=all").json()["objects"].items()
            image = label_map("a.nrrd", slicer.get(f"/datastore/image?image={case}").content)
        assert each["image"]["ext"] == ".nrrd"
        assert np.array_equal(SimpleITK.GetArrayFromImage(image), ball_volume())
        assert np.allclose(image.GetOrigin(), grid.origin_lps_mm)
        assert np.allclose(np.reshape(image.GetDirection(), (3, 3)), grid.direction, atol=1e-6)

    def test_an_upload_goes_by_the_name_that_its_client_gave_it(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.upload(folder / "ball.nii.gz", "Doe^John CT").status_code == 200
            answer = slicer.infer("levels", "Doe^John CT", {})
            assert answer.status_code == 200
            assert slicer.save_label(
                "Doe^John CT", write_labels(folder.parent, two_labels()), {"label_info": LABELS}
            ).json()["image"] == ("Doe^John CT")
            for path in (folder.parent / "state").rglob("*"):
                assert "Doe" not in path.name
                assert not path.is_file() or b"Doe" not in path.read_bytes()
            assert slicer.delete("/datastore/image?id=Doe%5EJohn+CT").status_code == 200
            assert slicer.infer("levels", "Doe^John CT", {}).status_code == 404

    def test_files_of_the_user_are_never_deleted(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.delete(f"/datastore/image?id={case_of(slicer)}").status_code == 409
        assert (folder / "ball.nii.gz").exists()


class TestSessions:
    def test_a_session_is_an_upload_that_can_be_asked_about(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            files = [("files", ("ball.nii.gz", (folder / "ball.nii.gz").read_bytes()))]
            answer = client.put("/session/", files=files, data={"client_id": "user-xyz"})
            session = answer.json()["session_id"]
            assert slicer.get(f"/session/{session}").json()["name"] == session
            assert slicer.infer("levels", "ball", {}, session=session).status_code == 200
            assert slicer.get(f"/session/{session}?image=true").content[:4] == b"NRRD"
            assert slicer.delete(f"/session/{session}").status_code == 200
            assert slicer.get(f"/session/{session}").status_code == 404

    @pytest.mark.parametrize("how", ["slices", "archive"])
    def test_a_series_may_come_slice_by_slice_or_as_an_archive(self, folder: Path, how: str) -> None:
        grid = dicom_phantom.grid((64, 48, 12))
        files = dicom_phantom.write_series(folder.parent / "one", grid, ball_volume())
        sent = [("files", (path.name, path.read_bytes())) for path in files]
        if how == "archive":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for number, path in enumerate(files):
                    archive.writestr(f"../../etc/{number}", path.read_bytes())
            sent = [("files", ("series.zip", packed.getvalue()))]
        with serving(folder) as client:
            answer = client.put(f"/session/?uncompress={how == 'archive'}", files=sent)
            assert answer.status_code == 200, answer.text
            facts = client.get(f"{API}/cases/{answer.json()['session_id']}").json()
        assert facts["size_xyz"] == [64, 48, 12]
        assert not (folder.parent / "state" / "etc").exists()

    def test_an_archive_that_unpacks_to_too_much_is_refused(self, folder: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(8):
                archive.writestr(str(number), bytes(100 * 2**20))
        with serving(folder, limits=with_limits(decode_bytes=500 * 2**20)) as client:
            answer = client.put("/session/", files=[("files", ("bomb.zip", packed.getvalue()))])
            assert answer.status_code == 422
            assert "larger than is allowed" in answer.json()["error"]["message"]
        assert not list((folder.parent / "state" / "uploads").iterdir())


class TestLabels:
    def test_a_label_map_comes_in_is_saved_and_comes_out_again(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case, path = case_of(slicer), write_labels(folder.parent, two_labels())
            answer = slicer.save_label(case, path, {"label_info": LABELS})
            assert answer.json()["label"] == case
            back = slicer.get(f"/datastore/label?label={case}&tag=final")
            name = back.headers["content-disposition"].split('"')[1]
            assert np.array_equal(SimpleITK.GetArrayFromImage(label_map(name, back.content)), two_labels())
            info = slicer.get(f"/datastore/label/info?label={case}&tag=final").json()
            assert info["params"]["label_names"] == {"spleen": 1, "liver": 2}
            assert slicer.get("/info/").json()["datastore"]["completed"] == 1
            assert [each["image"] for each in slicer.get("/datastore/?output=train").json()] == [case]
        saved = nibabel.load(folder / "ball.labels.nii.gz")
        assert np.array_equal(np.asarray(saved.dataobj).transpose(2, 1, 0), two_labels())

    def test_it_is_an_action_like_any_other(self, folder: Path) -> None:
        """What somebody drew before is in the history, and undo brings it back."""
        with serving(folder) as client:
            slicer = Slicer(client)
            user = Annotator(client, who="ann")
            user.do("labels", 201, name="liver")
            user.do("prompts", label=1, slice=6, box=[15, 10, 50, 40])
            before = user.voxels()
            path = write_labels(folder.parent, two_labels())
            assert slicer.save_label(user.case, path, {"label_info": LABELS}).json()["session"] == user.id
            labels = {label["name"]: label["voxels"] for label in user.state()["labels"]}
            assert labels == {"liver": 600, "spleen": 600}
            last = user.ok("GET", f"/sessions/{user.id}/history")["actions"][-1]
            assert (last["kind"], last["who"]) == ("import", "user-xyz")
            user.do("undo")
            assert user.voxels() == before

    def test_a_locked_label_stays(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            user.do("labels", 201, name="liver")
            user.do("prompts", label=1, slice=6, box=[15, 10, 50, 40])
            user.ok("PATCH", f"/sessions/{user.id}/labels/1", {"locked": True})
            before = user.voxels()[1]
            Slicer(client).save_label(
                user.case, write_labels(folder.parent, two_labels()), {"label_info": LABELS}
            )
            assert user.voxels()[1] == before

    def test_an_original_one_is_not_written_beside_the_image(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case, path = case_of(slicer), write_labels(folder.parent, two_labels())
            assert slicer.save_label(case, path, {}, tag="original").status_code == 200
            names = slicer.get(f"/datastore/label/info?label={case}&tag=original").json()["params"]
            assert names["label_names"] == {"label 1": 1, "label 2": 2}
        assert not list(folder.glob("*.labels*"))

    def test_a_removed_one_can_be_brought_back_and_its_file_stays(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case, path = case_of(slicer), write_labels(folder.parent, two_labels())
            slicer.save_label(case, path, {"label_info": LABELS})
            assert slicer.delete(f"/datastore/label?id={case}&tag=final").status_code == 200
            assert slicer.get(f"/datastore/label?label={case}&tag=final").status_code == 404
            user = session_of(client, case)
            assert set(user.voxels().values()) == {0}
            user.do("undo")
            assert set(user.voxels().values()) == {600}
        assert (folder / "ball.labels.nii.gz").exists()

    def test_another_grid_is_refused(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case = case_of(slicer)
            small = write_labels(folder.parent, two_labels()[:5], "small.nii.gz")
            assert slicer.save_label(case, small, {}).status_code == 422
            moved = folder.parent / "moved.nii.gz"
            affine = np.diag([-0.8, -0.8, 2.5, 1.0])
            affine[2, 3] = 5
            nibabel.save(nibabel.Nifti1Image(two_labels().transpose(2, 1, 0), affine), moved)
            answer = slicer.save_label(case, moved, {})
            assert answer.status_code == 422
            assert "2 voxels away" in answer.json()["error"]["message"]
            assert slicer.save_label(case, folder / "bar.png", {}).status_code == 422
            broken = folder.parent / "broken.nii.gz"
            broken.write_bytes(b"\x1f\x8bnothing")
            assert slicer.save_label(case, broken, {}).status_code == 422
            assert slicer.get(f"/datastore/label?label={case}&tag=original").status_code == 404

    def test_notes_of_reviewers_are_kept(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            case = case_of(slicer)
            slicer.save_label(case, write_labels(folder.parent, two_labels()), {"label_info": LABELS})
            form = {"params": '{"segmentationMeta": {"status": "approved"}}'}
            where = f"/datastore/updatelabelinfo?label={case}&tag=final"
            assert slicer.multipart("PUT", where, form, {}).status_code == 200
        with serving(folder) as client:
            objects = Slicer(client).get("/datastore/?output=all").json()["objects"]
            assert objects[case]["labels"]["final"]["info"]["segmentationMeta"]["status"] == "approved"


class TestActiveLearning:
    def test_labelled_images_are_not_asked_for_again(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            seen = []
            for _ in range(2):
                sample = slicer.post("/activelearning/first", {"client_id": "a"}).json()
                seen.append(sample["file"])
                user = Annotator(client, sample["file"])
                user.do("labels", 201)
                user.do("save")
            assert seen == ["ball.nii.gz", "bar.png"]
            for strategy in ("first", "random", "unsure"):
                assert slicer.post(f"/activelearning/{strategy}", {"client_id": "a"}).json() == {}

    def test_unsure_takes_the_answer_with_the_lowest_score(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.post("/activelearning/unsure", {}).json()["file"] == "ball.nii.gz"
            user = Annotator(client, "bar.png")
            user.do("labels", 201)
            user.do("prompts", label=1, box=[10, 5, 40, 30])
            assert slicer.post("/activelearning/unsure", {}).json()["file"] == "bar.png"

    def test_unknown_strategies_are_refused(self, folder: Path) -> None:
        with serving(folder) as client:
            assert Slicer(client).post("/activelearning/best", {"client_id": "a"}).status_code == 404


class TestLogin:
    def test_a_server_without_a_token_needs_none(self, folder: Path) -> None:
        with serving(folder) as client:
            assert Slicer(client).get("/auth/").json() == {"enabled": False}

    def test_the_token_is_the_password(self, folder: Path) -> None:
        token = "t" * 43
        with serving(folder, host="0.0.0.0", token=token) as client:
            assert Slicer(client).get("/info/").status_code == 401
            assert Slicer(client).get("/auth/").json() == {"enabled": True}
            form = {"username": "ann", "password": "wrong", "grant_type": "password"}
            assert client.post("/auth/token", data=form).status_code == 401
            given = client.post("/auth/token", data={**form, "password": token}).json()
            slicer = Slicer(client, Authorization=f"{given['token_type']} {given['access_token']}")
            assert slicer.get("/auth/token/valid").status_code == 200
            assert slicer.get("/info/").status_code == 200


@pytest.mark.parametrize("address", ["/ohif/", "/logs/gpu", "/model/tiny"])
def test_what_is_not_here_says_so(folder: Path, address: str) -> None:
    with serving(folder) as client:
        answer = client.get(address)
        assert answer.status_code == 404
        assert "not here" in answer.json()["error"]["message"]
