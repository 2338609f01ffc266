"""Prompts that differ a little, and prompts on mirrored slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.distill.pseudo.asking import FLIPS, Asking, grown, jittered, mirrored, steps
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track

SHAPE = (40, 60)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x0, y0 = draw(st.integers(0, 58)), draw(st.integers(0, 38))
    return float(x0), float(y0), float(draw(st.integers(x0 + 1, 60))), float(draw(st.integers(y0 + 1, 40)))


def track(**prompt: object) -> Track:
    return Track({3: PlanePrompt(**prompt)}, 3, 4)  # type: ignore[arg-type]


def painted(box: tuple[float, ...]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    x0, y0, x1, y1 = (int(v) for v in box)
    mask[y0:y1, x0:x1] = True
    return mask


class TestJittered:
    @given(box=boxes(), seed=st.integers(0, 1000))
    def test_moves_no_side_farther_than_its_share_and_stays_in_the_picture(
        self, box: tuple[float, float, float, float], seed: int
    ) -> None:
        moved = jittered(track(box=box), 0.1, SHAPE, np.random.default_rng(seed)).prompts[3].box
        assert moved is not None
        reach = np.maximum(np.tile([box[2] - box[0], box[3] - box[1]], 2) * 0.1, 1.0)
        assert (moved[0] >= 0) & (moved[1] >= 0) & (moved[2] <= 60) & (moved[3] <= 40)
        assert moved[2] >= moved[0] + 1 or moved[2] == 60
        assert (np.abs(np.subtract(moved, box))[:2] <= reach[:2] + 1e-9).all()

    def test_differs_from_the_box(self) -> None:
        first = track(box=(10.0, 10.0, 40.0, 30.0))
        assert jittered(first, 0.05, SHAPE, np.random.default_rng(0)).prompts[3].box != first.prompts[3].box

    def test_moves_points_too(self) -> None:
        moved = jittered(track(points=((30.0, 20.0),)), 0.5, SHAPE, np.random.default_rng(0)).prompts[3]
        ((x, y),) = moved.points
        assert (x, y) != (30.0, 20.0)
        assert abs(x - 30) <= 3
        assert abs(y - 20) <= 2

    def test_keeps_slices_and_range(self) -> None:
        moved = jittered(track(box=(1.0, 1.0, 9.0, 9.0)), 0.1, SHAPE, np.random.default_rng(0))
        assert (moved.start, moved.stop, list(moved.prompts)) == (3, 4, [3])


@pytest.mark.parametrize("flip", FLIPS)
class TestMirrored:
    @given(box=boxes())
    def test_a_box_covers_the_mirrored_pixels(
        self, flip: tuple[bool, bool], box: tuple[float, float, float, float]
    ) -> None:
        there = mirrored(track(box=box), flip, SHAPE).prompts[3].box
        assert there is not None
        assert (painted(there) == painted(box)[steps(flip)]).all()

    def test_a_point_marks_the_mirrored_pixel(self, flip: tuple[bool, bool]) -> None:
        mask = np.zeros(SHAPE, dtype=bool)
        mask[7, 50] = True
        ((x, y),) = mirrored(track(points=((50.0, 7.0),)), flip, SHAPE).prompts[3].points
        assert mask[steps(flip)][int(y), int(x)]


def test_a_grown_box_ends_at_the_border() -> None:
    assert grown((1.0, 10.0, 58.5, 20.0), 2.0, SHAPE) == (0.0, 8.0, 60.0, 22.0)


@pytest.mark.parametrize(
    "changes",
    [{"how": "guessing"}, {"jitters": -1}, {"jitter": 0.9}, {"flips": 4}, {"share": 2}, {"least": 0}],
)
def test_refuses_what_makes_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Asking(**changes)  # type: ignore[arg-type]
