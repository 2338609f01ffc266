"""Resizing against definitions written down a second time, and against torch and Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anytomy.engine.resample import (
    apply_along,
    resize_area,
    resize_bilinear,
    resize_nearest,
    resize_pillow,
    triangle_kernel,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

sides = st.integers(1, 40)


def picture(height: int, width: int, *rest: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, *rest), dtype=np.uint8)


def overlap_average(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Mean over the covered area, pixel by pixel."""
    out = np.zeros((*shape, *array.shape[2:]))
    for (i, j), _ in np.ndenumerate(out[..., 0] if out.ndim == 3 else out):
        total = 0.0
        y0, y1 = i * array.shape[0] / shape[0], (i + 1) * array.shape[0] / shape[0]
        x0, x1 = j * array.shape[1] / shape[1], (j + 1) * array.shape[1] / shape[1]
        for y in range(int(y0), min(int(np.ceil(y1)), array.shape[0])):
            for x in range(int(x0), min(int(np.ceil(x1)), array.shape[1])):
                share = (min(y1, y + 1) - max(y0, y)) * (min(x1, x + 1) - max(x0, x))
                out[i, j] += share * array[y, x].astype(float)
                total += share
        out[i, j] /= total
    return out


def opencv_enlarge(array: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """OpenCV's 8-bit INTER_AREA where a side grows, in its fixed-point numbers (11 bits)."""

    def taps(target: int, source: int) -> list[tuple[int, int, int, int]]:
        inverse = target / source
        scale = 1 / inverse
        found = []
        for d in range(target):
            s = int(np.floor(d * scale))
            f = np.float32((d + 1) - (s + 1) * inverse)
            f = np.float32(0) if f <= 0 else f - np.floor(f)
            if s >= source - 1:
                s, f = source - 1, np.float32(0)
            whole = round(float((1 - f) * 2048)), round(float(f * 2048))
            found.append((s, min(s + 1, source - 1), *whole))
        return found

    source = array.astype(np.int64)
    across = [source[:, a] * wa + source[:, b] * wb for a, b, wa, wb in taps(shape[1], array.shape[1])]
    rows = np.stack(across, axis=1)
    down = [
        (((wa * (rows[a] >> 4)) >> 16) + ((wb * (rows[b] >> 4)) >> 16) + 2) >> 2
        for a, b, wa, wb in taps(shape[0], array.shape[0])
    ]
    return np.stack(down).astype(np.uint8)


class TestArea:
    @settings(max_examples=25)
    @given(sides, sides, st.data())
    def test_shrinking_is_the_mean_of_what_is_covered(self, height: int, width: int, data: Any) -> None:
        shape = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
        array = picture(height, width)
        expected = overlap_average(array, shape)
        got = resize_area(array, shape)
        assert got.dtype == np.uint8
        assert np.abs(got - expected).max() <= 0.5 + 1e-3

    def test_colours_are_resized_one_by_one(self) -> None:
        array = picture(23, 31, 3)
        for shape in ((10, 17), (50, 60)):
            got = resize_area(array, shape)
            for channel in range(3):
                np.testing.assert_array_equal(got[..., channel], resize_area(array[..., channel], shape))

    def test_exact_halves_round_up(self) -> None:
        array = np.array([[0, 1], [1, 0]], dtype=np.uint8)
        assert resize_area(array, (1, 1)) == 1  # (2 + 2) >> 2
        # Elsewhere OpenCV rounds ties to even.
        assert resize_area(np.array([[0, 1]], dtype=np.uint8), (1, 1)) == 0
        assert resize_area(np.array([[1, 2]], dtype=np.uint8), (1, 1)) == 2

    @settings(max_examples=60)
    @given(sides, sides, st.data())
    def test_enlarging_is_opencvs_own_variant(self, height: int, width: int, data: Any) -> None:
        taller, wider = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))
        shape = (
            data.draw(st.integers(height + 1, 80) if taller else st.integers(1, height)),
            data.draw(st.integers(width + 1, 80) if wider else st.integers(1, width)),
        )
        array = picture(height, width)
        gap = resize_area(array, shape).astype(int) - opencv_enlarge(array, shape)
        assert np.abs(gap).max() <= 1

    @pytest.mark.parametrize("source", [35, 51, 128, 160, 186, 198, 210, 234, 246, 255])
    def test_enlarging_falls_to_the_same_pixels(self, source: int) -> None:
        array = picture(source, source)
        gap = resize_area(array, (256, 256)).astype(int) - opencv_enlarge(array, (256, 256))
        assert np.abs(gap).max() <= 1

    @settings(max_examples=25)
    @given(sides, sides, st.integers(1, 40), st.integers(1, 40))
    def test_shrinking_commutes_with_flips(self, height: int, width: int, h: int, w: int) -> None:
        shape, array = (min(h, height), min(w, width)), picture(height, width)
        for axis in (0, 1):
            gap = resize_area(np.flip(array, axis), shape).astype(int) - np.flip(
                resize_area(array, shape), axis
            )
            assert np.abs(gap).max() <= 1  # a tie may round either way

    def test_constants_stay_and_the_same_size_is_the_same_picture(self) -> None:
        for shape in ((7, 9), (90, 80), (31, 64)):
            assert (resize_area(np.full((31, 64), 255, np.uint8), shape) == 255).all()
        array = picture(31, 64)
        np.testing.assert_array_equal(resize_area(array, (31, 64)), array)


@settings(max_examples=60)
@given(sides, sides, sides, sides)
def test_bilinear_is_torchs(height: int, width: int, h: int, w: int) -> None:
    array = np.random.default_rng(0).normal(0, 10, (height, width)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(array)[None, None], size=(h, w), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    got = resize_bilinear(array, (h, w))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_bilinear_of_large_pictures_is_torchs() -> None:
    array = np.random.default_rng(0).normal(0, 10, (256, 199)).astype(np.float32)
    for shape in ((1024, 1024), (2001, 517)):
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(array)[None, None], size=shape, mode="bilinear", align_corners=False
        )[0, 0].numpy()
        np.testing.assert_allclose(resize_bilinear(array, shape), expected, atol=1e-3)


@given(sides, sides, sides, sides)
def test_nearest_repeats_pixels(height: int, width: int, h: int, w: int) -> None:
    array = picture(height, width)
    got = resize_nearest(array, (h, w))
    for i in range(h):
        for j in range(w):
            assert got[i, j] == array[int(i * height / h + 1e-9), int(j * width / w + 1e-9)]


@pytest.mark.parametrize("bicubic", [False, True])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pillow_path(bicubic: bool, channels: tuple[int, ...]) -> None:
    from PIL import Image

    array = picture(30, 47, *channels)
    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    expected = np.asarray(Image.fromarray(array).resize((19, 12), method))
    np.testing.assert_array_equal(resize_pillow(array, (12, 19), bicubic=bicubic), expected)
    flipped = resize_pillow(array[:, ::-1], (12, 19), bicubic=bicubic)  # not contiguous
    assert np.abs(flipped[:, ::-1].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("source", "target"), [(47, 19), (47, 46), (30, 77), (5, 1), (1, 4), (12, 12)])
def test_triangle_is_pillows_bilinear_for_real_numbers(source: int, target: int) -> None:
    from PIL import Image

    values = np.random.default_rng(0).normal(0, 100, (1, source)).astype(np.float32)
    expected = np.asarray(Image.fromarray(values).resize((target, 1), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(apply_along(values, triangle_kernel(target, source), 1), expected, atol=1e-3)


def test_large_pictures_are_quick() -> None:
    import time

    array = picture(2000, 2000, 3)
    resize_area(array, (256, 256))
    started = time.process_time()
    resize_area(array, (256, 256))
    resize_bilinear(array[..., 0].astype(np.float32)[:256, :256], (2000, 2000))
    assert time.process_time() - started < 1.5  # dense matrices take many times that
