"""Boxes in one slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.evaluation.simulators import Truth, seeded, simulator
from tests.evaluation.simulator_shapes import PICTURES, disc, tight


def boxes(name: str, mask: np.ndarray, seed: int = 0) -> list[tuple[float, ...]]:
    return [p.box for p in simulator(name).start(Truth(mask, False), seeded(seed)) if p.box is not None]


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    """A picture with one rectangle, and its box."""
    height, width = draw(st.integers(1, 1500)), draw(st.integers(1, 1500))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return mask, (x0, y0, x1, y1)


bounds = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair)))


class TestTight:
    @pytest.mark.parametrize(
        ("shape", "box"),
        [
            ("disc", (22, 11, 41, 30)),
            ("two parts", (7, 4, 51, 34)),
            ("one pixel", (23, 17, 24, 18)),
            ("corner pixel", (59, 39, 60, 40)),
            ("border", (0, 0, 12, 12)),
            ("all", (0, 0, 60, 40)),
        ],
    )
    @pytest.mark.parametrize("name", ["box", "box-all"])
    def test_first_pixel_to_last_plus_one(self, name: str, shape: str, box: tuple[int, ...]) -> None:
        assert boxes(name, PICTURES[shape]) == [box]

    @given(st.sampled_from(sorted(PICTURES)), st.booleans(), st.booleans(), st.booleans())
    def test_a_mirrored_or_transposed_picture_has_the_box_there(
        self, shape: str, flip_x: bool, flip_y: bool, turn: bool
    ) -> None:
        mask = PICTURES[shape]
        (x0, y0, x1, y1), (height, width) = boxes("box", mask)[0], mask.shape
        if flip_x:
            mask, x0, x1 = mask[:, ::-1], width - x1, width - x0
        if flip_y:
            mask, y0, y1 = mask[::-1], height - y1, height - y0
        if turn:
            mask, x0, y0, x1, y1 = mask.T, y0, x0, y1, x1
        assert boxes("box", mask) == [(x0, y0, x1, y1)]

    def test_only_box_all_is_asked_once_for_a_structure(self) -> None:
        assert simulator("box-all").level == "structure"
        assert {simulator(n).level for n in ("box", "box-parts", "box-jitter", "box-shift")} == {"object"}


class TestParts:
    def test_one_box_for_each_the_largest_first(self) -> None:
        assert boxes("box-parts", PICTURES["two parts"]) == [(7, 4, 24, 21), (40, 23, 51, 34)]

    def test_three_at_most(self) -> None:
        assert boxes("box-parts", PICTURES["four parts"]) == [
            (25, 7, 36, 18),
            (8, 26, 17, 35),
            (42, 27, 49, 34),
        ]

    def test_of_equal_parts_the_first_counts(self) -> None:
        mask = np.zeros((9, 9), bool)
        for y, x in ((0, 8), (2, 0), (4, 4), (8, 2)):
            mask[y, x] = True
        assert boxes("box-parts", mask) == [(8, 0, 9, 1), (0, 2, 1, 3), (4, 4, 5, 5)]

    def test_corners_connect(self) -> None:
        assert boxes("box-parts", np.eye(6, dtype=bool)) == [(0, 0, 6, 6)]

    def test_a_part_in_the_hole_of_another_has_its_own_box(self) -> None:
        mask = PICTURES["ring"] | disc(20, 30, 3)
        assert boxes("box-parts", mask) == [(18, 8, 43, 33), (27, 17, 34, 24)]


class TestJitter:
    @given(cases(), bounds, st.integers(0, 2**32))
    def test_every_side_moves_outwards_within_its_bounds(
        self, case: tuple[np.ndarray, tuple[int, ...]], bound: tuple[int, int], seed: int
    ) -> None:
        mask, (x0, y0, x1, y1) = case
        height, width = mask.shape
        scale = max(height, width) / 1024
        least, most = (np.floor(b * scale + 0.5) for b in bound)
        ((left, top, right, bottom),) = boxes(f"box-jitter:{bound[0]},{bound[1]}", mask, seed)
        for moved, room in (
            (x0 - left, x0),
            (y0 - top, y0),
            (right - x1, width - x1),
            (bottom - y1, height - y1),
        ):
            assert min(least, room) <= moved <= min(most, room)
            assert moved == int(moved)

    def test_sides_move_on_their_own_and_every_number_comes_up(self) -> None:
        mask = np.zeros((1024, 1024), bool)
        mask[400:500, 300:600] = True
        moved = np.array([boxes("box-jitter", mask, seed)[0] for seed in range(400)]) - tight(mask)
        assert [sorted(set(np.abs(moved[:, i]))) for i in range(4)] == [list(range(21))] * 4
        assert np.abs(np.corrcoef(moved.T) - np.eye(4)).max() < 0.2

    def test_pixels_are_those_of_a_picture_of_1024(self) -> None:
        mask = np.zeros((100, 512), bool)
        mask[40:60, 200:300] = True
        assert boxes("box-jitter:20,20", mask) == [(190, 30, 310, 70)]


class TestShift:
    @given(cases(), bounds, st.integers(0, 2**32))
    def test_stays_in_the_picture_and_is_never_empty(
        self, case: tuple[np.ndarray, tuple[int, ...]], bound: tuple[int, int], seed: int
    ) -> None:
        mask, _ = case
        ((x0, y0, x1, y1),) = boxes(f"box-shift:{bound[0]},{bound[1]}", mask, seed)
        assert 0 <= x0 < x1 <= mask.shape[1]
        assert 0 <= y0 < y1 <= mask.shape[0]
        assert min(x1 - x0, y1 - y0) > 1 - 1e-9

    @given(st.integers(64, 1500), bounds, st.integers(0, 2**32))
    def test_moves_as_a_whole_by_that_far(self, side: int, bound: tuple[int, int], seed: int) -> None:
        mask = np.zeros((side - 3, side), bool)
        mask[side // 3 : side // 2, side // 3 : side // 2 + 2] = True
        x0, y0, x1, y1 = tight(mask)
        ((left, top, right, bottom),) = boxes(f"box-shift:{bound[0]},{bound[1]}", mask, seed)
        distance = np.hypot(left - x0, top - y0) * 1024 / side
        assert bound[0] - 1e-6 <= distance <= bound[1] + 1e-6
        assert right - left == pytest.approx(x1 - x0)
        assert bottom - top == pytest.approx(y1 - y0)

    def test_every_direction_comes_up(self) -> None:
        mask = np.zeros((1024, 1024), bool)
        mask[400:500, 300:600] = True
        moved = np.array([boxes("box-shift", mask, seed)[0] for seed in range(300)]) - tight(mask)
        angles = np.arctan2(moved[:, 1], moved[:, 0])
        counts, _ = np.histogram(angles, bins=6, range=(-np.pi, np.pi))
        assert counts.min() > 25

    def test_what_leaves_the_picture_is_cut_off(self) -> None:
        mask = np.zeros((1024, 1024), bool)
        mask[500:600, :100] = True
        found = [boxes("box-shift:60,60", mask, seed)[0] for seed in range(40)]
        assert {round(x1 - x0 - 100, 3) for x0, _, x1, _ in found if x0 > 0} == {0}
        assert min(x1 - x0 for x0, _, x1, _ in found) < 45


class TestNames:
    @pytest.mark.parametrize(
        ("asked", "name"),
        [
            ("box-jitter", "box-jitter"),
            ("box-jitter:0,20", "box-jitter"),
            ("Box-Jitter: 05, 10", "box-jitter:5,10"),
            ("box-shift:20,30", "box-shift"),
            ("box-shift:0,0", "box-shift:0,0"),
        ],
    )
    def test_are_written_in_one_way(self, asked: str, name: str) -> None:
        assert simulator(asked).name == name

    @pytest.mark.parametrize("asked", ["box-jitter:20,10", "box-shift:0,1025"])
    def test_bounds_that_make_no_sense_are_refused(self, asked: str) -> None:
        with pytest.raises(OptionError, match="0 <= LOW <= HIGH <= 1024"):
            simulator(asked)
