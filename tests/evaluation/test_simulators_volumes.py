"""Prompts that volumes have."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.prompt import Prompt
from anytomy.evaluation.simulators import Truth, seeded, simulator, simulators
from tests.evaluation.simulator_shapes import comparable, depths, placed, tapered, tight


def ask(name: str, volume: np.ndarray, axis: str = "z") -> tuple[Prompt, ...]:
    return simulator(name).start(Truth(volume, True, axis), seeded(0))


@given(arrays(bool, (4, 5, 6)), st.sampled_from("xyz"))
def test_the_cuboid_is_tight_whatever_the_axis(volume: np.ndarray, axis: str) -> None:
    if volume.any():
        (prompt,) = ask("box-3d", volume, axis)
        assert comparable(prompt) == (tight(volume), (), (), None, None, None, None, None)


def test_largest_slice_box_is_box() -> None:
    for radii in ((4, 6, 9, 7, 3), (3, 3), (0, 2, 0, 2)):
        for axis in "zyx":
            got, expected = (ask(n, tapered(radii), axis) for n in ("largest-slice-box", "box"))
            assert [comparable(p) for p in got] == [comparable(p) for p in expected]
    assert simulator("largest-slice-box").scope == simulator("box").scope == "slice"


class TestKeySlice:
    @pytest.mark.parametrize(
        ("radii", "key"),
        [
            ((4,), 1),
            ((4, 5), 1),
            ((4, 5, 6), 2),
            ((4, 5, 6, 7), 2),
            ((4, 6, 9, 7, 3), 3),
            ((4, 5, 0, 5, 4), 2),  # a gap in the middle: the lower of two that are as near
            ((4, 0, 0, 5, 4), 4),
            ((4, 0, 0, 0, 0, 5), 1),
        ],
    )
    def test_is_the_middle_or_the_nearest_that_has_some(self, radii: tuple[int, ...], key: int) -> None:
        volume = tapered(radii)
        for name in ("key-slice-box", "key-slice-box-z"):
            (prompt,) = ask(name, volume)
            assert prompt.slice == key
            assert prompt.box == tight(volume[key])

    def test_the_rule_is_that_of_the_authors(self) -> None:
        for first in range(1, 4):
            for last in range(first, 9):
                volume = np.zeros((10, 4, 4), bool)
                volume[first : last + 1, 1:3, 1:3] = True
                assert ask("key-slice-box", volume)[0].slice == int((last - first) / 2 + first)

    def test_only_the_one_with_z_tells_how_far_it_reaches(self) -> None:
        assert ask("key-slice-box", tapered())[0].z is None
        (prompt,) = ask("key-slice-box-z", tapered())
        assert prompt.z == (1, 6)
        track = placed(Truth(tapered(), True), prompt)
        assert (track.start, track.stop, track.middle) == (1, 6, 3)

    def test_without_z_nothing_of_the_ends_shows(self) -> None:
        seen = {comparable(ask("key-slice-box", v)[0]) for v in (tapered((4, 6, 9, 7, 3)), tapered((1,) * 5))}
        assert len(seen) == 2
        first, second = tapered((4, 6, 9, 7, 3)), tapered((1, 8, 9, 2, 8))
        assert comparable(ask("key-slice-box", first)[0]) == comparable(ask("key-slice-box", second)[0])


class TestEverySlice:
    @given(arrays(bool, (4, 3, 5)), st.sampled_from("xyz"))
    def test_has_its_box(self, volume: np.ndarray, axis: str) -> None:
        planes = np.moveaxis(volume, "zyx".index(axis), 0)
        expected = [(s, tight(plane)) for s, plane in enumerate(planes) if plane.any()]
        got = ask("box-per-slice", volume, axis)
        assert [(p.slice, p.box) for p in got] == expected
        for prompt in got:
            track = placed(Truth(volume, True, axis), prompt)
            assert track.stop - track.start == 1

    @given(arrays(bool, (4, 3, 5)), st.sampled_from("xyz"))
    def test_has_its_click_in_the_deepest_point(self, volume: np.ndarray, axis: str) -> None:
        across = "xyz".index(axis)
        planes = np.moveaxis(volume, 2 - across, 0)
        prompts = ask("click-per-slice", volume, axis)
        if not volume.any():
            assert prompts == ()
            return
        (prompt,) = prompts
        assert [p[across] for p in prompt.points] == [s for s, plane in enumerate(planes) if plane.any()]
        assert set(prompt.labels) == {1}
        for point in prompt.points:
            x, y = (int(v) for a, v in enumerate(point) if a != across)
            inside = depths(planes[int(point[across])])
            assert inside[y, x] == pytest.approx(max(inside.values()))

    def test_of_a_gap_has_none(self) -> None:
        volume = tapered((4, 0, 5))
        assert [p.slice for p in ask("box-per-slice", volume)] == [1, 3]
        assert [p[2] for p in ask("click-per-slice", volume)[0].points] == [1, 3]


@pytest.mark.slow
def test_an_organ_in_a_full_scan_takes_about_a_second_at_most() -> None:
    z, y, x = np.ogrid[:300, :512, :512]
    organ = ((z - 150) / 60) ** 2 + ((y - 256) / 100) ** 2 + ((x - 256) / 125) ** 2 < 1
    found = np.roll(organ, 30, axis=1)
    for axis in "zyx":
        truth = Truth(organ, True, axis, (2.0, 0.8, 0.8))
        for one in simulators():
            started = time.perf_counter()
            prompts = one.start(truth, seeded(0))
            one.correct(truth, found, prompts, seeded(0), feed_mask=True)
            assert time.perf_counter() - started < 3, one.name
