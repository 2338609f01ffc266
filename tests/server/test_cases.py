from __future__ import annotations

import io
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from anytomy.core.geometry import Geometry
from anytomy.core.view import SliceView
from anytomy.server.cases import Cases
from anytomy.server.problems import NotFoundError
from tests.io import dicom_phantom
from tests.server.serving import API, SHAPE, Annotator, ball_volume, serving, settings_for


def listed(folder: Path, **changes: object) -> dict[str, str]:
    cases = Cases(settings_for(folder, **changes), b"secret")
    return {case.name: case.id for case in cases.all()}


class TestListing:
    def test_images_are_cases_and_what_we_write_is_not(self, folder: Path) -> None:
        for name in ("ball.labels.nii.gz", "ball.labels.nii.gz.json", "notes.txt", ".hidden.png"):
            (folder / name).write_bytes(b"x")
        (folder / "sub").mkdir()
        (folder / "bar.png").rename(folder / "sub" / "bar.png")
        assert set(listed(folder)) == {"ball.nii.gz", "sub/bar.png"}

    def test_the_output_folder_is_not_looked_into(self, folder: Path) -> None:
        (folder / "out").mkdir()
        (folder / "out" / "mask.png").write_bytes((folder / "bar.png").read_bytes())
        assert "out/mask.png" not in listed(folder, output=folder / "out")

    def test_ids_tell_no_names_and_stay_the_same(self, folder: Path) -> None:
        first = listed(folder)
        assert first == listed(folder)
        assert all(len(each) == 16 for each in first.values())
        other = Cases(settings_for(folder), b"another secret")
        assert {case.id for case in other.all()}.isdisjoint(first.values())

    def test_links_out_of_the_roots_are_no_cases(self, folder: Path, tmp_path: Path) -> None:
        secret = tmp_path / "elsewhere"
        secret.mkdir()
        (folder / "bar.png").rename(secret / "bar.png")
        (folder / "link.png").symlink_to(secret / "bar.png")
        (folder / "dir").symlink_to(secret)
        (folder / "within.nii.gz").symlink_to(folder / "ball.nii.gz")
        cases = Cases(settings_for(folder), b"secret")
        assert {case.path.name for case in cases.all()} == {"ball.nii.gz"}

    def test_a_case_that_became_a_link_out_is_refused(self, folder: Path, tmp_path: Path) -> None:
        cases = Cases(settings_for(folder), b"secret")
        bar = next(case for case in cases.all() if case.name == "bar.png")
        (folder / "bar.png").rename(tmp_path / "bar.png")
        (folder / "bar.png").symlink_to(tmp_path / "bar.png")
        with pytest.raises(NotFoundError):
            cases.get(bar.id)

    def test_each_series_of_a_dicom_folder_is_a_case(self, tmp_path: Path) -> None:
        folder = tmp_path / "scans"
        for number in (1, 2):
            dicom_phantom.write_series(folder / "study" / f"s{number}", dicom_phantom.grid())
        assert len(listed(folder)) == 2
        assert all("series" in name for name in listed(folder))

    def test_a_file_may_be_a_root(self, folder: Path) -> None:
        assert set(listed(folder, roots=(folder / "bar.png",))) == {"bar.png"}


class TestSlices:
    def test_they_are_what_a_radiologist_sees(self, folder: Path) -> None:
        geometry = Geometry.from_affine(np.diag([-0.8, -0.8, 2.5, 1]), (64, 48, 12), frame="RAS")
        with serving(folder) as client:
            user = Annotator(client)
            for axis in "xyz":
                seen = SliceView.canonical(geometry, axis).apply(ball_volume())
                middle = seen.shape[0] // 2
                answer = client.get(f"{API}/cases/{user.case}/slices/{axis}/{middle}?window=window:1000,500")
                picture = np.asarray(Pillow.open(io.BytesIO(answer.content)))
                expected = (np.clip(seen[middle], 0, 1000) / 1000 * 255).astype(np.uint8)
                assert np.array_equal(picture, expected)

    def test_raw_ones_are_the_same_without_png(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            place = f"{API}/cases/{user.case}/slices/z/6"
            picture = np.asarray(Pillow.open(io.BytesIO(client.get(place).content)))
            raw = client.get(f"{place}?raw=1")
            assert raw.headers["x-shape"] == "48x64"
            assert np.array_equal(np.frombuffer(raw.content, np.uint8).reshape(SHAPE[1:]), picture)

    def test_stored_values_come_as_they_are(self, folder: Path) -> None:
        affine = np.diag([-0.8, -0.8, 2.5, 1])
        volumes = {
            "int16": ball_volume() - 300,
            "uint16": ball_volume().astype(np.uint16) * 60,
            "float32": ball_volume() / np.float32(7),
        }
        for name, volume in volumes.items():
            nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), affine), folder / f"{name}.nii.gz")
        view = SliceView.canonical(Geometry.from_affine(affine, (64, 48, 12), frame="RAS"), "y")
        with serving(folder) as client:
            for name, volume in volumes.items():
                user = Annotator(client, f"{name}.nii.gz")
                answer = client.get(f"{API}/cases/{user.case}/slices/y/9?values=1")
                expected = view.apply(volume)[9]
                assert answer.headers["x-type"] == name
                assert answer.headers["x-shape"] == "x".join(str(n) for n in expected.shape)
                assert np.array_equal(
                    np.frombuffer(answer.content, f"<{volume.dtype.str[1:]}"), expected.ravel()
                )

    def test_facts_say_what_is_black_and_white(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            window = user.ok("GET", f"/cases/{user.case}")["window"]
            place = f"{API}/cases/{user.case}/slices/z/6"
            grey = np.frombuffer(client.get(f"{place}?raw=1").content, np.uint8)
            values = np.frombuffer(client.get(f"{place}?values=1").content, np.int16).astype(np.float64)
            scaled = np.clip((values - window["low"]) / (window["high"] - window["low"]), 0, 1)
            scaled[(values == 0) & window["zero_is_black"]] = 0
            assert np.array_equal((scaled * 255).astype(np.uint8), grey)

    @pytest.mark.parametrize(
        ("place", "status"),
        [
            ("slices/z/12", 404),
            ("slices/z/-1", 404),
            ("slices/q/1", 422),
            ("slices/z/1?window=bright", 422),
            ("slices/z/1?window=window:nan,1", 422),
            ("slices/z/99999999999999999999999999", 404),
        ],
    )
    def test_what_is_none_is_refused(self, folder: Path, place: str, status: int) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            assert client.get(f"{API}/cases/{user.case}/{place}").status_code == status

    def test_thumbnails_are_small(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client, "bar.png")
            picture = Pillow.open(io.BytesIO(client.get(f"{API}/cases/{user.case}/thumbnail").content))
            assert max(picture.size) <= 128

    def test_a_damaged_image_is_said_to_be_so_without_its_path(self, folder: Path) -> None:
        (folder / "Doe_John.nii.gz").write_bytes((folder / "ball.nii.gz").read_bytes()[:300])
        with serving(folder) as client:
            user = Annotator(client)
            answer = client.get(f"{API}/cases/{user.cases['Doe_John.nii.gz']}")
            assert answer.status_code == 422
            assert str(folder) not in answer.text

    @pytest.mark.parametrize(
        "place",
        [
            "/cases/..%2f..%2fetc",
            "/cases/../../../etc/passwd",
            "/cases/%00",
            "/cases/0000000000000000",
            "/../etc/passwd",
        ],
    )
    def test_paths_are_no_ids(self, folder: Path, place: str) -> None:
        with serving(folder) as client:
            assert 400 <= client.get(API + place).status_code < 500


class TestStates:
    def test_a_case_is_new_then_started_then_saved(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)

            def state() -> str:
                return next(c["state"] for c in user.ok("GET", "/cases") if c["id"] == user.case)

            assert state() == "new"
            user.do("labels", 201)
            assert state() == "started"
            user.do("save")
            assert state() == "saved"
            user.do("undo")
            assert state() == "started"

    def test_models_say_what_they_refuse_and_why(self, folder: Path) -> None:
        with serving(folder) as client:
            models = {each["id"]: each for each in Annotator(client).ok("GET", "/models")}
            assert set(models) == {"tiny", "clicks"}
            assert models["tiny"]["default"]
            assert "boxes only" in models["tiny"]["refuses"]["points"]
            assert models["clicks"]["refuses"] == {}


class TestSessions:
    def test_idle_ones_are_parked_and_come_back_as_they_were(self, folder: Path) -> None:
        from tests.server.serving import with_limits

        with serving(folder, limits=with_limits(live_sessions=1)) as client:
            first, second = Annotator(client), Annotator(client)
            first.do("labels", 201)
            first.do("prompts", label=1, slice=6, box=[15, 10, 50, 40])
            before = first.state()
            second.do("labels", 201)
            assert first.ok("GET", "/health")["live_sessions"] == 1
            assert first.state() == before

    def test_work_is_not_shown_on_another_image(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client, "bar.png")
            user.do("labels", 201)
        Pillow.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(folder / "bar.png")
        with serving(folder) as client:
            answer = client.get(f"{API}/sessions/{user.id}")
            assert answer.status_code == 409
            assert "another one" in answer.json()["error"]["message"]

    def test_two_servers_do_not_work_on_the_same_state(self, folder: Path) -> None:
        from anytomy.core.errors import OutputError

        with serving(folder), pytest.raises(OutputError, match="another server"), serving(folder):
            pass

    def test_scrolling_does_not_wait_for_the_model(self, folder: Path) -> None:
        import threading

        from tests.engine.tiny import BrightEngine

        class Slow(BrightEngine):
            def __init__(self) -> None:
                super().__init__()
                self.go = threading.Event()

            def encode(self, pixels: np.ndarray) -> np.ndarray:
                self.go.wait(20)
                return super().encode(pixels)

        engine = Slow()
        with serving(folder, engine=engine) as client:
            user = Annotator(client)
            user.do("labels", 201)
            asking = threading.Thread(
                target=user.do, args=("prompts",), kwargs={"label": 1, "box": [1, 1, 9, 9]}
            )
            asking.start()
            user.do("look", 202, axis="z", slice=5)
            started = time.monotonic()
            for slice_ in range(12):
                assert client.get(f"{API}/cases/{user.case}/slices/z/{slice_}").status_code == 200
                user.mask(1, slice_)
            assert time.monotonic() - started < 10
            assert asking.is_alive()
            engine.go.set()
            asking.join()

    def test_a_looked_at_slice_is_encoded_ahead_with_its_neighbours(self, folder: Path) -> None:
        from tests.engine.tiny import BrightEngine

        engine = BrightEngine()
        with serving(folder, engine=engine) as client:
            user = Annotator(client)
            user.do("labels", 201)
            assert user.do("look", 202, axis="z", slice=6) == {"ahead": 5}
            wait_for(lambda: engine.encoded == 3)  # the ball is the same above and below its middle
            user.do("prompts", label=1, slice=7, box=[15, 10, 50, 40])
            assert engine.encoded == 3

    def test_it_is_encoded_for_the_model_that_will_be_asked(self, folder: Path) -> None:
        from tests.engine.tiny import BrightEngine

        engine = BrightEngine()
        with serving(folder, engine=engine) as client:
            user = Annotator(client)
            user.do("labels", 201)
            user.do("look", 202, axis="z", slice=6, model="clicks")
            wait_for(lambda: engine.encoded == 3)
            user.do("prompts", label=1, slice=6, points=[[30, 24, 1]], model="clicks")
            assert engine.encoded == 3
            far = client.post(
                f"{API}/sessions/{user.id}/look", json={"axis": "z", "slice": 6, "model": "far"}
            )
            assert far.status_code == 422


def wait_for(true: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)
