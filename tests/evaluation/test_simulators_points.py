"""Points that are given at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from anytomy.core.errors import OptionError
from anytomy.core.prompt import Prompt
from anytomy.evaluation.simulators import Truth, seeded, simulator
from anytomy.evaluation.simulators.regions import Region
from tests.evaluation.simulator_shapes import PICTURES, components, depths, disc, tight

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def ask(name: str, mask: np.ndarray, seed: int = 0) -> Prompt:
    (prompt,) = simulator(name).start(Truth(mask, False), seeded(seed))
    return prompt


def split(prompt: Prompt) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Array indices of the positive and of the negative points."""
    pairs = [(int(y), int(x)) for x, y in prompt.points]
    labelled = list(zip(pairs, prompt.labels, strict=True))
    return [p for p, label in labelled if label], [p for p, label in labelled if not label]


class TestDeepest:
    @pytest.mark.parametrize(
        ("shape", "point"),
        [
            ("disc", (31, 20)),
            ("two parts", (15, 12)),
            ("one pixel", (23, 17)),
            ("corner pixel", (59, 39)),
            ("all", (19, 19)),  # beyond the border is outside; the first of equals
        ],
    )
    def test_is_known_for_simple_shapes(self, shape: str, point: tuple[int, int]) -> None:
        assert ask("deepest", PICTURES[shape]).points == (point,)

    def test_the_border_of_the_picture_counts_as_outside(self) -> None:
        mask = np.zeros((9, 9), bool)
        mask[:, :5] = True
        assert ask("deepest", mask).points == ((2, 2),)

    @given(masks)
    def test_no_other_pixel_is_deeper_and_none_before_it_as_deep(self, mask: np.ndarray) -> None:
        expected = depths(mask)
        if expected:
            (point,) = ask("deepest", mask).points
            most = max(expected.values())
            assert point[::-1] == min(i for i, depth in expected.items() if depth > most - 1e-9)

    @given(
        arrays(bool, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)),
        st.none() | st.tuples(*[st.floats(0.3, 5)] * 3),
    )
    def test_holds_in_volumes_with_any_spacing(self, mask: np.ndarray, spacing: tuple[float, ...]) -> None:
        region, expected = Region.of(mask), depths(mask, spacing)
        assert (region is None) == (not expected)
        if region is not None:
            found = region.deepest(spacing)
            assert expected[found] == pytest.approx(max(expected.values()), rel=1e-5)
            if spacing is None:
                most = max(expected.values())
                assert found == min(i for i, depth in expected.items() if depth > most - 1e-9)

    def test_points_n_starts_with_it(self) -> None:
        for mask in PICTURES.values():
            deepest = ask("deepest", mask).points
            for name in ("points-1", "points-9", "points-5+5", "box-points-3"):
                assert ask(name, mask).points[:1] == deepest


class TestCentre:
    @pytest.mark.parametrize(("shape", "point"), [("disc", (31, 20)), ("one pixel", (23, 17))])
    def test_is_the_centre_of_mass_where_that_is_inside(self, shape: str, point: tuple[int, int]) -> None:
        assert ask("centre", PICTURES[shape]).points == (point,)

    def test_is_the_nearest_pixel_inside_where_it_is_not(self) -> None:
        # Twelve pixels of the inner rim are as near; the first in array order counts.
        assert ask("centre", PICTURES["ring"]).points == ((29, 13),)

    def test_is_that_of_the_largest_part(self) -> None:
        assert ask("centre", PICTURES["two parts"]).points == ((15, 12),)
        assert ask("centre", PICTURES["two parts"][::-1, ::-1]).points == ((44, 27),)

    def test_differs_from_the_deepest_point(self) -> None:
        mask = disc(20, 12, 8) | (np.zeros((40, 60), bool))
        mask[20, 12:58] = True
        assert ask("deepest", mask).points == ((12, 20),)
        assert ask("centre", mask).points[0][0] > 15

    @given(masks)
    def test_lies_in_a_largest_part(self, mask: np.ndarray) -> None:
        parts = components(mask)
        if parts:
            (point,) = ask("centre", mask).points
            (part,) = [p for p in parts if point[::-1] in p]
            assert len(part) == len(parts[0])


class TestDrawn:
    @given(masks, st.integers(1, 9), st.integers(0, 9), st.integers(0, 2**32))
    def test_positive_ones_lie_inside_negative_ones_outside_none_twice(
        self, mask: np.ndarray, positive: int, negative: int, seed: int
    ) -> None:
        if not mask.any():
            return
        name = f"points-{positive}+{negative}" if negative else f"points-{positive}"
        inside, outside = split(ask(name, mask, seed))
        assert all(mask[p] for p in inside)
        assert not any(mask[p] for p in outside)
        assert len({*inside, *outside}) == len(inside) + len(outside)
        assert len(inside) == min(positive, mask.sum())
        x0, y0, x1, y1 = tight(mask)
        grow_x, grow_y = max(-(-(x1 - x0) // 2), 5), max(-(-(y1 - y0) // 2), 5)
        around = ~mask[max(y0 - grow_y, 0) : y1 + grow_y, max(x0 - grow_x, 0) : x1 + grow_x]
        assert len(outside) == min(negative, around.sum())
        assert all(y0 - grow_y <= y < y1 + grow_y and x0 - grow_x <= x < x1 + grow_x for y, x in outside)

    def test_all_of_the_object_and_of_the_band_comes_up(self) -> None:
        mask = np.zeros((30, 30), bool)
        mask[10:14, 10:14] = True
        drawn = [split(ask("points-5+5", mask, seed)) for seed in range(400)]
        assert {p for inside, _ in drawn for p in inside} == {tuple(p) for p in np.argwhere(mask)}
        band = np.zeros_like(mask)
        band[5:19, 5:19] = True
        assert {p for _, outside in drawn for p in outside} == {tuple(p) for p in np.argwhere(band & ~mask)}

    def test_there_are_no_negative_ones_where_nothing_is_outside(self) -> None:
        assert ask("points-5+5", PICTURES["all"]).labels == (1,) * 5

    def test_seeds_differ(self) -> None:
        assert len({ask("points-5", PICTURES["disc"], seed).points for seed in range(20)}) == 20


def test_a_box_with_points_has_both() -> None:
    prompt = ask("box-points-3", PICTURES["disc"])
    assert prompt.box == (22, 11, 41, 30)
    assert prompt.labels == (1, 1, 1)


@pytest.mark.parametrize("name", ["points-0", "points-101", "points-0+5", "points-5+0", "box-points-0"])
def test_numbers_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="expected 1 to 100 points"):
        simulator(name)
