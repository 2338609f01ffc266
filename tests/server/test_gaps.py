from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.server.serving import SHAPE, Annotator, packed, serving


def square(half: int, centre: tuple[int, int] = (24, 30)) -> NDArray[np.bool_]:
    y, x = np.indices(SHAPE[1:])
    return (np.abs(y - centre[0]) <= half) & (np.abs(x - centre[1]) <= half)


def box_of(mask: NDArray[np.bool_]) -> list[int]:
    """First and last row and column."""
    found = np.argwhere(mask)
    return [*found.min(axis=0).tolist(), *found.max(axis=0).tolist()]


def draw(user: Annotator, slice_: int, mask: NDArray[np.bool_], mode: str = "replace") -> None:
    box = [0, 0, SHAPE[2], SHAPE[1]]
    user.do("drawings", label=1, slice=slice_, box=box, data=packed(mask), mode=mode)


@pytest.fixture
def user(folder: Path) -> Iterator[Annotator]:
    with serving(folder) as client:
        user = Annotator(client, who="ann")
        user.do("labels", 201, name="liver")
        draw(user, 2, square(4))
        draw(user, 8, square(10))
        yield user


class TestInterpolate:
    def test_empty_slices_between_drawn_ones_are_filled_in_proportion(self, user: Annotator) -> None:
        reply = user.do("interpolate", label=1, show={"axis": "z", "slice": 5})
        assert reply["changed"][0]["slices"]["z"] == [3, 8]
        assert box_of(user.mask(1, 5)) == box_of(square(7))
        assert np.array_equal(user.mask(1, 2), square(4))
        assert reply["shown"]["patches"]

    def test_it_is_one_action_that_the_history_names_and_undo_takes_back(self, user: Annotator) -> None:
        seq = user.do("interpolate", label=1)["seq"]
        last = user.ok("GET", f"/sessions/{user.id}/history")["actions"][-1]
        assert (last["seq"], last["kind"], last["who"]) == (seq, "interpolate", "ann")
        assert last["carried"]["between"] == [2, 8]
        user.do("undo")
        assert not user.mask(1, 5).any()
        user.do("redo")
        assert user.mask(1, 5).any()

    def test_a_range_is_made_anew_but_for_what_was_drawn_by_hand(self, user: Annotator) -> None:
        user.do("interpolate", label=1)
        draw(user, 4, square(2))
        user.do("interpolate", label=1, range=[2, 9])
        assert np.array_equal(user.mask(1, 4), square(2))
        assert box_of(user.mask(1, 3)) == box_of(square(3))
        assert box_of(user.mask(1, 6)) == box_of(square(6))

    def test_a_slice_that_was_erased_by_hand_stays_empty(self, user: Annotator) -> None:
        draw(user, 5, np.zeros(SHAPE[1:], dtype=bool))
        user.do("interpolate", label=1)
        assert not user.mask(1, 5).any()
        assert user.mask(1, 4).any()

    def test_locked_labels_keep_their_voxels(self, user: Annotator) -> None:
        user.do("labels", 201, name="vessel")
        box = [28, 22, 32, 26]
        bits = packed(np.ones((4, 4), dtype=bool))
        user.do("drawings", label=2, slice=5, box=box, data=bits)
        user.ok("PATCH", f"/sessions/{user.id}/labels/2", {"locked": True})
        user.do("interpolate", label=1)
        assert user.mask(2, 5).sum() == 16
        assert not (user.mask(1, 5) & user.mask(2, 5)).any()

    def test_other_axes_too(self, user: Annotator) -> None:
        user.do("clear", label=1, axis="x", slice=30)
        user.do("interpolate", label=1, axis="x")
        assert user.mask(1, 30, "x", SHAPE[:2]).any()

    def test_it_is_still_there_after_a_restart(self, user: Annotator, folder: Path) -> None:
        user.do("interpolate", label=1)
        expected = user.voxels()
        user.client.__exit__(None, None, None)
        with serving(folder) as client:
            assert Annotator(client, session=user.id).voxels() == expected

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({"label": 9}, 404, "no label 9"),
            ({"label": 1, "range": [2, 3]}, 422, "no range"),
            ({"label": 1, "range": [0, 9]}, 422, "slice 0 is empty"),
            ({"label": 1, "range": [2, 99]}, 422, "no range"),
        ],
    )
    def test_what_cannot_be_done_is_said(
        self, user: Annotator, body: dict[str, object], status: int, words: str
    ) -> None:
        found, message = user.refused("interpolate", **body)
        assert found == status
        assert words in message

    def test_one_slice_has_nothing_between(self, user: Annotator) -> None:
        user.do("clear", label=1, axis="z", slice=8)
        assert user.refused("interpolate", label=1)[0] == 409
