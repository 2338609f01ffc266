from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.engine.tiny import BrightEngine
from tests.server.serving import API, Annotator, ball_volume, packed, serving

BOX = [15, 10, 50, 40]


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with serving(folder) as made:
        yield made


def annotator(client: Any) -> Annotator:
    made = Annotator(client)
    made.do("labels", 201, name="ball")
    made.do("prompts", label=1, slice=6, box=BOX)
    return made


def finished(user: Annotator, job: str, seconds: float = 30.0) -> Any:
    until = time.monotonic() + seconds
    while True:
        found = user.ok("GET", f"/jobs/{job}")
        if found["state"] not in ("waiting", "running"):
            return found
        assert time.monotonic() < until
        time.sleep(0.02)


class TestPropagation:
    def test_a_ball_is_carried_to_its_ends(self, client: TestClient) -> None:
        user = annotator(client)
        job = finished(user, user.do("propagate", 202, range=[2, 11])["id"])
        assert job["state"] == "done"
        assert job["done"] == job["expected"]
        truth = int((ball_volume() > 500).sum())
        assert abs(user.voxels()[1] - truth) <= 0.1 * truth
        assert job["reply"]["changed"][0]["label"] == 1

    def test_it_is_one_action_and_can_be_undone(self, client: TestClient) -> None:
        user = annotator(client)
        before = user.state()
        finished(user, user.do("propagate", 202, range=[2, 11])["id"])
        assert user.state()["seq"] == before["seq"] + 1
        user.do("undo")
        assert user.voxels() == {1: before["labels"][0]["voxels"]}

    def test_progress_is_a_stream_that_ends(self, client: TestClient) -> None:
        user = annotator(client)
        job = user.do("propagate", 202, range=[2, 11])
        with client.stream("GET", f"{API}/jobs/{job['id']}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
        last = json.loads(lines[-1].removeprefix("data: "))
        assert last["state"] == "done"
        assert last["reply"]["seq"] == user.state()["seq"]

    def test_what_a_person_prompted_or_drew_stays(self, client: TestClient) -> None:
        user = annotator(client)
        user.do("clear", label=1, axis="z", slice=6)
        user.do("prompts", label=1, slice=6, box=[15, 10, 31, 40])
        data = packed(np.ones((4, 4), dtype=bool))
        user.do("drawings", label=1, slice=8, box=[2, 2, 6, 6], data=data)
        prompted, drawn = user.mask(1, 6), user.mask(1, 8)
        finished(user, user.do("propagate", 202, range=[4, 10])["id"])
        assert np.array_equal(user.mask(1, 6), prompted)
        assert np.array_equal(user.mask(1, 8), drawn)
        assert user.mask(1, 7).any()

    def test_between_two_key_slices_both_count(self, client: TestClient) -> None:
        user = annotator(client)
        user.do("prompts", label=1, slice=8, box=BOX)
        job = finished(user, user.do("propagate", 202, volume="auto")["id"])
        assert job["state"] == "done"
        assert user.mask(1, 7).any()
        assert not user.mask(1, 9).any()

    def test_prompts_outside_of_the_range_do_not_count(self, client: TestClient) -> None:
        user = annotator(client)
        user.do("prompts", label=1, slice=2, box=BOX)
        job = finished(user, user.do("propagate", 202, range=[5, 8])["id"])
        assert (job["state"], job["expected"]) == ("done", 3)

    def test_several_labels_go_together(self, client: TestClient) -> None:
        user = annotator(client)
        user.do("labels", 201, name="other")
        user.do("prompts", label=2, slice=6, box=[2, 2, 12, 12])
        job = finished(user, user.do("propagate", 202, range=[5, 8], labels=[1, 2])["id"])
        assert job["expected"] == 6

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"range": [2, 99]}, 422),
            ({"range": [8, 2]}, 422),
            ({"range": [7, 9]}, 422),
            ({"labels": [7]}, 404),
            ({"axis": "x"}, 422),
            ({"volume": "magic"}, 422),
            ({"zoom": "much"}, 422),
            ({"model": "/tmp"}, 422),
        ],
    )
    def test_what_cannot_be_is_refused(self, client: TestClient, body: dict[str, Any], status: int) -> None:
        assert annotator(client).refused("propagate", **body)[0] == status

    def test_a_single_picture_has_nothing_to_carry_through(self, client: TestClient) -> None:
        user = Annotator(client, "bar.png")
        assert user.refused("propagate")[0] == 422

    def test_a_job_that_is_none_is_not_found(self, client: TestClient) -> None:
        assert client.get(f"{API}/jobs/{'0' * 32}").status_code == 404

    def test_one_that_fails_says_why_and_changes_nothing(self, client: TestClient) -> None:
        user = annotator(client)
        user.do("prompts", label=1, slice=4, points=[[30, 24, 1]], model="clicks")
        before = user.state()
        job = finished(user, user.do("propagate", 202, range=[3, 8], model="tiny")["id"])
        assert job["state"] == "failed"
        assert "boxes only" in job["error"]["message"]
        assert user.state() == before


class Gated(BrightEngine):
    """Decodes only while the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def decode(self, *values: Any) -> Any:
        self.gate.wait(20)
        time.sleep(0.02)
        return super().decode(*values)


class TestTurns:
    def test_a_cancelled_one_changes_nothing(self, folder: Path) -> None:
        engine = Gated()
        with serving(folder, engine=engine) as client:
            user = annotator(client)
            before = user.voxels()
            engine.gate.clear()
            job = user.do("propagate", 202, range=[2, 11])
            user.ok("DELETE", f"/jobs/{job['id']}")
            engine.gate.set()
            assert finished(user, job["id"])["state"] == "cancelled"
            assert user.voxels() == before

    def test_what_is_done_can_be_kept(self, folder: Path) -> None:
        engine = Gated()
        with serving(folder, engine=engine) as client:
            user = annotator(client)
            before = user.voxels()[1]
            job = user.do("propagate", 202, range=[2, 11])
            while user.ok("GET", f"/jobs/{job['id']}")["done"] < 3:
                time.sleep(0.005)
            user.ok("DELETE", f"/jobs/{job['id']}?keep=true")
            found = finished(user, job["id"])
            assert found["state"] == "cancelled"
            assert found["done"] < found["expected"]
            assert user.voxels()[1] > before

    def test_a_click_goes_in_between_the_slices_of_long_work(self, folder: Path) -> None:
        with serving(folder, engine=Gated()) as client:
            one, two = annotator(client), annotator(client)
            jobs = [one.do("propagate", 202, range=[0, 12])["id"] for _ in range(4)]
            two.do("prompts", label=1, slice=5, box=BOX)
            assert one.ok("GET", f"/jobs/{jobs[-1]}")["state"] in ("waiting", "running")
            for job in jobs:
                one.ok("DELETE", f"/jobs/{job}")
                finished(one, job)

    def test_a_session_has_only_so_many(self, folder: Path) -> None:
        engine = Gated()
        with serving(folder, engine=engine) as client:
            user = annotator(client)
            engine.gate.clear()
            jobs = [user.do("propagate", 202, range=[0, 12])["id"] for _ in range(4)]
            assert user.refused("propagate", range=[0, 12])[0] == 429
            for job in jobs:
                user.ok("DELETE", f"/jobs/{job}")
            engine.gate.set()
