"""Windows: every pixel is seen, overlaps are blended, and answers stay in their place."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.predict.student.grid import StudentGrid
from anytomy.predict.student.windows import bell, in_windows, logits, probabilities, starts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pointwise(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that looks at one pixel at a time: windows cannot change its answer."""
    first = pixels[:, :1]
    return np.concatenate([first * 0, first * 3 - 1, 1 - first], axis=1)


@given(size=st.integers(1, 300), patch=st.integers(4, 64))
def test_windows_reach_from_end_to_end(size: int, patch: int) -> None:
    found = starts(max(size, patch), patch)
    assert found[0] == 0
    assert found[-1] == max(size - patch, 0)
    assert all(0 < b - a <= patch - patch // 4 for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("size", [(7, 9), (16, 16), (40, 23), (16, 61)])
def test_a_pointwise_network_is_answered_pixel_by_pixel(size: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).random((1, *size), dtype=np.float32)
    found = in_windows(pointwise, StudentGrid(2, 1, (16, 16)), levels)
    np.testing.assert_allclose(found, pointwise(levels[None])[0], atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_volumes(dims: int) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (1, 11, 20, 9), dtype=np.uint8)
    mine = StudentGrid(dims, 1, (8,) * dims)
    found = logits(pointwise, mine, levels)
    np.testing.assert_allclose(found, pointwise(levels[None].astype(np.float32) / 255)[0], atol=1e-5)
    shares = probabilities(pointwise, mine, levels / np.float32(255))
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(shares.argmax(axis=0), found.argmax(axis=0))


def test_the_middle_of_a_window_counts_more_than_its_border() -> None:
    def place(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Says how far right in the window a pixel lies."""
        return np.broadcast_to(np.arange(16, dtype=np.float32), pixels.shape)

    found = in_windows(place, StudentGrid(2, 1, (16, 16)), np.zeros((1, 16, 28), np.float32))[0, 0]
    assert starts(28, 16) == [0, 12]
    np.testing.assert_allclose(found[:12], np.arange(12), rtol=1e-5)
    first, second = bell(16)[12:], bell(16)[:4]
    expected = (np.arange(12, 16) * first + np.arange(4) * second) / (first + second)
    np.testing.assert_allclose(found[12:16], expected, rtol=1e-5)


def test_outside_of_a_small_picture_it_is_black() -> None:
    seen = []

    def look(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(pixels)
        return pixels

    mine = StudentGrid(2, 1, (8, 8), mean=(51.0,), std=(102.0,))
    in_windows(look, mine, np.ones((1, 3, 5), np.float32), np.ones((1, 3, 5), np.float32))
    np.testing.assert_allclose(seen[0][0, 0, :3, :5], 2)
    np.testing.assert_allclose(seen[0][0, 0, 3:], -0.5)
    np.testing.assert_allclose(seen[0][0, 1, 3:], 0)  # a teacher's mask is empty there, and not normalised
