from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from anytomy.core.geometry import Geometry
from anytomy.core.view import SliceView
from tests.server.serving import SHAPE, Annotator, ball_volume, packed, serving, unpacked

BOX = [15, 10, 50, 40]


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with serving(folder) as made:
        yield made


@pytest.fixture
def user(client: TestClient) -> Annotator:
    made = Annotator(client, who="ada")
    made.do("labels", 201, name="ball")
    return made


def ball_slice(slice_: int) -> np.ndarray:
    return ball_volume()[slice_] > 500


def brush(label: int, y: int, x: int, size: int = 4, slice_: int = 6, mode: str = "add") -> dict[str, object]:
    data = packed(np.ones((size, size), dtype=bool))
    return {"label": label, "slice": slice_, "box": [x, y, x + size, y + size], "data": data, "mode": mode}


class TestPrompts:
    def test_a_box_is_answered_with_the_changed_bits_alone(self, user: Annotator) -> None:
        reply = user.do("prompts", label=1, slice=6, box=BOX)
        (patch,) = reply["shown"]["patches"]
        truth = ball_slice(6)
        y, x = np.nonzero(truth)
        assert patch["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert np.array_equal(unpacked(patch, SHAPE[1:]), truth)
        assert reply["changed"][0]["slices"]["z"] == [6, 7]
        assert np.array_equal(user.mask(1, 6), truth)
        assert reply["can_undo"]

    def test_what_changed_is_said_on_the_files_grid_and_in_all_planes(self, user: Annotator) -> None:
        (change,) = user.do("prompts", label=1, slice=6, box=BOX)["changed"]
        x0, y0, z0, x1, y1, z1 = change["box"]
        facts = user.ok("GET", f"/cases/{user.case}")
        for axis, (low, high) in {"x": (x0, x1), "y": (y0, y1), "z": (z0, z1)}.items():
            count = facts["axes"][axis]["slices"]
            against = facts["axes"][axis]["reversed"][2]
            expected = [count - high, count - low] if against else [low, high]
            assert change["slices"][axis] == expected

    def test_a_second_box_takes_the_place_of_the_first(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX)
        user.do("prompts", label=1, slice=6, box=[15, 10, 31, 40])
        half = ball_slice(6)
        half[:, 32:] = False
        assert np.array_equal(user.mask(1, 6), half)
        assert len(user.state()["prompts"]) == 1

    def test_a_new_group_keeps_what_is_there(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=[15, 10, 26, 40])
        user.do("prompts", label=1, slice=6, box=[30, 10, 50, 40], begin=True)
        mask = user.mask(1, 6)
        assert mask[24, 22]
        assert mask[24, 36]
        user.do("prompts", label=1, slice=6, box=[33, 10, 50, 40])
        mask = user.mask(1, 6)
        assert mask[24, 22]
        assert not mask[24, 31]

    def test_clicks_add_up(self, user: Annotator) -> None:
        ask = {"label": 1, "slice": 6, "model": "clicks"}
        user.do("prompts", points=[[30, 24, 1]], **ask)
        few = user.voxels()[1]
        user.do("prompts", points=[[36, 24, 1]], **ask)
        assert user.voxels()[1] > few
        assert user.state()["prompts"][0]["points"] == [[30, 24, 1], [36, 24, 1]]

    def test_what_was_drawn_and_erased_by_hand_outlives_the_next_prompt(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX)
        user.do("drawings", **brush(1, 2, 2))
        user.do("drawings", **brush(1, 22, 28, mode="erase"))
        user.do("prompts", label=1, slice=6, box=[14, 9, 51, 41])
        mask = user.mask(1, 6)
        assert mask[2:6, 2:6].all()
        assert not mask[22:26, 28:32].any()

    def test_a_click_into_what_was_erased_brings_it_back(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX, model="clicks")
        user.do("drawings", **brush(1, 22, 28, mode="erase"))
        user.do("prompts", label=1, slice=6, points=[[29, 23, 1]], model="clicks")
        assert user.mask(1, 6)[22:26, 28:32].all()

    def test_other_planes_are_prompted_as_they_are_shown(self, user: Annotator) -> None:
        view = SliceView.canonical(
            Geometry.from_affine(np.diag([-0.8, -0.8, 2.5, 1]), (64, 48, 12), frame="RAS"), "x"
        )
        seen = view.apply(ball_volume() > 500)
        slice_ = int(seen.sum(axis=(1, 2)).argmax())
        columns, rows = view.size[:2]
        user.do("prompts", label=1, axis="x", slice=slice_, box=[0, 0, columns, rows])
        mask = user.mask(1, slice_, "x", (rows, columns))
        assert np.count_nonzero(mask ^ seen[slice_]) <= 0.1 * seen[slice_].sum()
        assert user.voxels()[1] == mask.sum()

    def test_a_model_that_never_learned_clicks_refuses_them_with_the_way_out(self, user: Annotator) -> None:
        status, message = user.refused("prompts", label=1, slice=6, points=[[30, 24, 1]])
        assert status == 422
        assert "boxes only" in message
        assert user.state()["seq"] == 1

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"label": 1, "slice": 6}, 422),
            ({"label": 9, "slice": 6, "box": BOX}, 404),
            ({"label": 1, "slice": 99, "box": BOX}, 404),
            ({"label": 1, "slice": 6, "box": [0, 0, 65, 10]}, 422),
            ({"label": 1, "slice": 6, "box": [9, 9, 9, 12]}, 422),
            ({"label": 1, "slice": 6, "box": BOX, "zoom": "wide"}, 422),
            ({"label": 1, "slice": 6, "box": BOX, "model": "far"}, 422),
            ({"label": 1, "slice": 6, "box": BOX, "model": "/etc"}, 422),
            ({"label": 1, "slice": 6, "points": [[0, 0, 1]] * 100_000}, 422),
        ],
    )
    def test_what_cannot_be_is_refused(self, user: Annotator, body: dict[str, object], status: int) -> None:
        assert user.refused("prompts", **body)[0] == status
        assert user.state()["seq"] == 1

    def test_a_slice_is_encoded_once(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            user.do("labels", 201)
            for right in (40, 45, 50):
                user.do("prompts", label=1, slice=6, box=[15, 10, right, 40])
            engine = client.app.app  # type: ignore[attr-defined]
            assert engine.state.desk.models.engine.encoded == 1


class TestLabels:
    def test_the_latest_label_has_the_voxel(self, user: Annotator) -> None:
        user.do("labels", 201, name="brush")
        user.do("prompts", label=1, slice=6, box=BOX)
        before = user.voxels()[1]
        reply = user.do("drawings", **brush(2, 22, 28))
        assert {each["label"] for each in reply["changed"]} == {1, 2}
        assert user.voxels() == {1: before - 16, 2: 16}

    def test_a_locked_label_keeps_its_voxels_and_cannot_be_changed(self, user: Annotator) -> None:
        user.do("labels", 201, name="brush")
        user.do("prompts", label=1, slice=6, box=BOX)
        before = user.voxels()[1]
        user.ok("PATCH", f"/sessions/{user.id}/labels/1", {"locked": True})
        user.do("drawings", **brush(2, 22, 28))
        assert user.voxels() == {1: before, 2: 0}
        assert user.refused("drawings", **brush(1, 2, 2))[0] == 409
        assert user.refused("prompts", label=1, slice=6, box=BOX)[0] == 409
        assert user.refused("clear", label=1)[0] == 409

    def test_labels_may_overlap_where_that_was_asked_for(self, client: TestClient) -> None:
        user = Annotator(client, overlap="keep")
        for label in (1, 2):
            user.do("labels", 201)
            user.do("drawings", **brush(label, 10, 10))
        assert user.voxels() == {1: 16, 2: 16}

    def test_a_label_is_changed_and_removed_and_all_of_it_undone(self, user: Annotator) -> None:
        user.do("drawings", **brush(1, 10, 10))
        reply = user.ok("PATCH", f"/sessions/{user.id}/labels/1", {"name": "core", "visible": False})
        assert reply["label"]["name"] == "core"
        assert reply["label"]["visible"] is False
        user.ok("DELETE", f"/sessions/{user.id}/labels/1")
        assert user.voxels() == {}
        user.do("undo")
        assert user.voxels() == {1: 16}
        user.do("undo")
        assert user.state()["labels"][0]["name"] == "ball"

    def test_there_is_a_most(self, folder: Path) -> None:
        from tests.server.serving import with_limits

        with serving(folder, limits=with_limits(labels=2)) as client:
            user = Annotator(client)
            user.do("labels", 201)
            user.do("labels", 201)
            assert user.refused("labels")[0] == 409


class TestHistory:
    def test_undo_and_redo_of_everything(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX)
        user.do("drawings", **brush(1, 2, 2, slice_=3))
        user.do("clear", label=1, axis="z", slice=6)
        states = [user.voxels()]
        for _ in range(3):
            user.do("undo")
            states.append(user.voxels())
        full = int(ball_slice(6).sum())
        assert states == [{1: 16}, {1: full + 16}, {1: full}, {1: 0}]
        again = []
        for _ in range(3):
            user.do("redo")
            again.append(user.voxels())
        assert again == states[2::-1]
        assert user.refused("redo")[0] == 409

    def test_the_reply_of_undo_has_the_bits_of_the_shown_slice(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX)
        reply = user.do("undo", show={"axis": "z", "slice": 6})
        (patch,) = reply["shown"]["patches"]
        assert not unpacked(patch, SHAPE[1:]).any()
        elsewhere = user.do("redo", show={"axis": "z", "slice": 2})
        assert elsewhere["shown"]["patches"] == []

    def test_prompts_are_undone_with_their_masks(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX)
        user.do("prompts", label=1, slice=6, box=[15, 10, 31, 40])
        user.do("undo")
        assert user.state()["prompts"][0]["box"] == BOX

    def test_any_earlier_state_can_be_brought_back(self, user: Annotator) -> None:
        user.do("drawings", **brush(1, 2, 2))  # 2
        user.do("undo")  # 3
        user.do("drawings", **brush(1, 20, 20, size=6))  # 4: the first one is off the line
        user.do("restore", seq=2)
        assert user.mask(1, 6)[2:6, 2:6].all()
        assert user.voxels() == {1: 16}
        user.do("restore", seq=4)
        assert user.voxels() == {1: 36}
        user.do("restore", seq=0)
        assert user.state()["labels"] == []
        assert user.refused("restore", seq=99)[0] == 404

    def test_who_did_what_and_when_is_kept(self, user: Annotator) -> None:
        user.do("prompts", label=1, slice=6, box=BOX, who="grace")
        listed = user.ok("GET", f"/sessions/{user.id}/history")["actions"]
        assert [(each["kind"], each["who"]) for each in listed] == [("labels", "ada"), ("prompt", "grace")]
        assert listed[1]["group"]["model"] == "tiny"
        assert listed[1]["at"].endswith("+00:00")

    def test_there_is_nothing_before_the_beginning(self, client: TestClient) -> None:
        assert Annotator(client).refused("undo")[0] == 409


class TestDrawings:
    @pytest.mark.parametrize(
        "changes",
        [
            {"data": "!!!"},
            {"data": packed(np.ones((3, 4), dtype=bool))[:-8]},
            {"data": packed(np.ones((40, 40), dtype=bool))},
            {"box": [60, 2, 68, 6]},
            {"box": [8, 2, 4, 6]},
            {"axis": "q"},
        ],
    )
    def test_broken_ones_are_refused(self, user: Annotator, changes: dict[str, object]) -> None:
        status, _ = user.refused("drawings", **{**brush(1, 2, 2), **changes})
        assert status in (413, 422)

    def test_a_part_is_replaced(self, user: Annotator) -> None:
        user.do("drawings", **brush(1, 2, 2))
        checks = np.indices((4, 4)).sum(axis=0) % 2 == 0
        user.do("drawings", label=1, slice=6, box=[2, 2, 6, 6], data=packed(checks), mode="replace")
        assert np.array_equal(user.mask(1, 6)[2:6, 2:6], checks)
