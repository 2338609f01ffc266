"""Windows cover a picture, and grids cover a window."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.predict.automatic.settings import AutomaticSettings
from anytomy.predict.automatic.windows import OVERLAP, Window, grid_points, layers_of, tile_side


@given(st.integers(1, 500), st.integers(1, 500), st.integers(32, 600), st.integers(0, 3))
def test_every_layer_covers_the_picture(height: int, width: int, tile: int, layers: int) -> None:
    for layer, windows in enumerate(
        layers_of((height, width), 64, AutomaticSettings(tile=tile, layers=layers))
    ):
        seen = np.zeros((height, width), dtype=int)
        for window in windows:
            seen[window.part] += 1
            assert window.shape == windows[0].shape
            assert max(window.shape) <= -(-tile // 2**layer)
        assert seen.all()


def test_neighbours_overlap_by_a_quarter_at_least() -> None:
    windows = layers_of((100, 1000), 64, AutomaticSettings(tile=128))[0]
    assert windows[0] == Window(0, 0, 100, 128)
    for one, other in pairwise(windows):
        common = one.common(other)
        assert common is not None
        assert common.shape[1] >= OVERLAP * 128


@pytest.mark.parametrize(
    ("shape", "tile", "side"),
    [
        ((512, 512), "auto", 512),
        ((100, 768), "auto", 768),
        ((100, 769), "auto", 512),
        ((5000, 5000), "off", 5000),
        ((5000, 4000), 1000, 1000),
        ((500, 400), 1000, 500),
    ],
)
def test_sides_of_tiles_for_an_input_of_256(shape: tuple[int, int], tile: str | int, side: int) -> None:
    assert tile_side(shape, 256, tile) == side


def test_inner_sides() -> None:
    assert Window(0, 5, 10, 20).inner_sides((10, 20)) == (False, True, False, False)
    assert Window(1, 0, 9, 19).inner_sides((10, 20)) == (True, False, True, True)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40))
def test_points_lie_inside_and_are_evenly_spread(height: int, width: int, count: int) -> None:
    points = grid_points((height, width), count)
    x, y = np.unique(points[:, 0]), np.unique(points[:, 1])
    assert len(points) == len(x) * len(y)
    assert max(len(x), len(y)) == count
    assert points.min() > -0.5
    assert x[-1] < width - 0.5
    assert y[-1] < height - 0.5
    np.testing.assert_allclose(np.diff(x), width / len(x))
    np.testing.assert_allclose(x[0] + 0.5, width - 0.5 - x[-1])


def test_a_square_has_count_squared_points() -> None:
    assert len(grid_points((512, 512), 32)) == 1024
    np.testing.assert_array_equal(grid_points((4, 4), 2), [[0.5, 0.5], [2.5, 0.5], [0.5, 2.5], [2.5, 2.5]])
