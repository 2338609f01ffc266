from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient

from anytomy.server.app import create_app
from anytomy.server.models import zoo_models
from tests.server.monai_label.clients import Slicer, serving
from tests.server.monai_label.test_datastore import session_of
from tests.server.monai_label.test_infer import case_of
from tests.server.serving import API, Annotator, ball_volume, settings_for

AFFINE = np.diag([-0.8, -0.8, 2.5, 1.0])


def until(slicer: Slicer, selector: str, *, seconds: float = 60) -> dict[str, Any]:
    """The task, once it is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        task = slicer.get(selector).json()
        if task["status"] != "RUNNING":
            return task
        time.sleep(0.1)
    raise AssertionError(f"it takes too long: {task}")


class TestBatch:
    def test_untouched_images_get_an_answer_and_begun_ones_are_left_alone(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            user = Annotator(client, "bar.png")
            user.do("labels", 201, name="mine")
            started = slicer.post("/batch/infer/levels?images=all", {"client_id": "a"})
            assert started.json()["status"] in ("RUNNING", "DONE")
            task = until(slicer, "/batch/infer")
            assert task["status"] == "DONE"
            assert sorted(task["details"]) == ["1 of 2: done", "2 of 2: left alone, somebody began it"]
            case = case_of(slicer)
            info = slicer.get("/datastore/?output=all").json()["objects"][case]["labels"]
            assert list(info) == ["original"]
            assert info["original"]["info"]["params"]["label_names"] == {"grey": 1, "white": 2}
            assert session_of(client, case).voxels()[2] > 500
            assert [label["name"] for label in user.state()["labels"]] == ["mine"]
            assert "1 of 2: done" in slicer.get("/logs/?lines=10&text=true").text

    def test_models_that_need_prompts_cannot(self, folder: Path) -> None:
        with serving(folder) as client:
            assert Slicer(client).post("/batch/infer/clicks", {}).status_code == 422

    def test_without_one_there_is_nothing_to_tell_or_stop(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.get("/batch/infer").status_code == 404
            assert slicer.delete("/batch/infer").status_code == 404


class TestTraining:
    def test_models_with_prompts_can_be_trained(self, folder: Path) -> None:
        with serving(folder) as client:
            trainers = Slicer(client).get("/info/").json()["trainers"]
            assert set(trainers) == {"tiny", "clicks"}
            assert trainers["tiny"]["config"]["mode"] == ["promptable", "semantic"]

    @pytest.mark.parametrize(
        ("selector", "params", "status"),
        [
            ("/train/clicks", {}, 409),  # nothing was saved yet
            ("/train/", {"clicks": {}}, 409),
            ("/train/levels", {}, 404),
            ("/train/clicks", {"max_minutes": -1}, 422),
            ("/train/clicks", {"max_minutes": "x"}, 422),
            ("/train/clicks", {"mode": "other"}, 422),
        ],
    )
    def test_what_cannot_be_trained_is_refused(
        self, folder: Path, selector: str, params: dict[str, Any], status: int
    ) -> None:
        with serving(folder) as client:
            assert Slicer(client).post(selector, params).status_code == status

    def test_nothing_runs_before_something_was_started(self, folder: Path) -> None:
        with serving(folder) as client:
            slicer = Slicer(client)
            assert slicer.get("/train/").status_code == 404
            assert slicer.get("/train/?check_if_running=true").status_code == 404
            assert slicer.get("/train/?all=true").json() == []
            assert slicer.delete("/train/").status_code == 404


@pytest.mark.slow
@pytest.mark.usefixtures("real_cache")
@pytest.mark.timeout(1200)
class TestRealTraining:
    """`anytomy tune` itself, on three phantoms and for seconds; it learns nothing worth having."""

    def test_it_is_stopped_goes_on_and_is_offered_also_after_a_restart(self, tmp_path: Path) -> None:
        folder = tmp_path / "scans"
        folder.mkdir()
        for number in range(3):
            volume = np.roll(ball_volume(), number * 3, axis=2).transpose(2, 1, 0)
            nibabel.save(nibabel.Nifti1Image(volume, AFFINE), folder / f"ball{number}.nii.gz")
        settings = settings_for(folder, model="litemedsam")

        def server() -> TestClient:
            app = create_app(settings, zoo_models("litemedsam"))
            return TestClient(app, base_url="http://127.0.0.1")

        with server() as client:
            slicer = Slicer(client)
            for case in client.get(f"{API}/cases").json():
                label = tmp_path / "label.nii.gz"
                values = nibabel.load(folder / case["name"]).get_fdata() > 500
                nibabel.save(nibabel.Nifti1Image(values.astype(np.uint8), AFFINE), label)
                info = {"label_info": [{"name": "liver", "idx": 1}]}
                assert slicer.save_label(case["id"], label, info).status_code == 200
            params = {"max_minutes": 0.3, "mode": ["semantic"]}
            task = slicer.post("/train/litemedsam", params).json()
            assert (task["status"], task["model"]) == ("RUNNING", "litemedsam")
            assert slicer.post("/train/litemedsam", params).status_code == 429
            assert slicer.get("/train/?check_if_running=true").json()["id"] == task["id"]
            time.sleep(15)
            assert slicer.delete("/train/").json()["status"] == "STOPPED"
            slicer.post("/train/litemedsam", params)
            over = until(slicer, "/train/", seconds=900)
            assert over["status"] == "DONE", over["details"]
            assert over["details"][-1] == "offered as litemedsam-classes"
            assert str(tmp_path) not in str(over)
        with server() as client:
            slicer = Slicer(client)
            info = slicer.get("/info/").json()
            assert info["models"]["litemedsam-classes"]["labels"] == {"liver": 1}
            assert info["train_stats"]["litemedsam-classes"]["epoch"] > 0
            case = client.get(f"{API}/cases").json()[0]["id"]
            assert slicer.infer("litemedsam-classes", case, {}).status_code == 200
