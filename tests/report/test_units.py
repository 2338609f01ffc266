"""Lengths and volumes as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import GreyScale
from anytomy.report.units import length_text, levels_text, scale_bar, size_text, volume_text


@pytest.mark.parametrize(
    ("pixels_per_mm", "longest", "pixels", "text"),
    [
        (2.0, 150, 100, "50 mm"),
        (2.0, 99, 40, "20 mm"),
        (10.0, 100, 100, "10 mm"),
        (0.1, 150, 100, "1 m"),
        (3000.0, 160, 150, "50 µm"),
        (100.0, 60, 50, "0.5 mm"),
    ],
)
def test_scale_bars_are_round_and_fit(pixels_per_mm, longest, pixels, text):
    assert scale_bar(pixels_per_mm, longest) == (pixels, text)


@pytest.mark.parametrize("limit", np.geomspace(1e-5, 1e4, 40))
def test_no_scale_bar_is_shorter_than_two_fifths(limit):
    bar = scale_bar(1 / limit * 1000, 1000)
    assert 399 <= bar.pixels <= 1000


@pytest.mark.parametrize(
    ("mm3", "text"),
    [
        (1_234_567, "1235 ml"),
        (12_345, "12.3 ml"),
        (10, "0.01 ml"),
        (9.87654, "9.88 mm³"),
        (0.05, "0.05 mm³"),
        (1e-6, "1000 µm³"),
    ],
)
def test_volumes_have_three_figures(mm3, text):
    assert volume_text(mm3) == text


def test_lengths_have_units():
    assert [length_text(v) for v in (0.005, 0.25, 12, 1500)] == ["5 µm", "0.25 mm", "12 mm", "1.5 m"]


def test_sizes_without_a_scale_are_voxels():
    values = np.zeros((4, 4, 4), np.uint8)
    assert size_text(Image.from_array(values, is_volume=True), 12) == "12 voxels"
    measured = Image.from_array(values, geometry=Geometry((4, 4, 4), (2.0, 2.0, 5.0)), is_volume=True)
    assert size_text(measured, 1000) == "20 ml"


def test_levels_are_said():
    assert levels_text(None) == "masks alone"
    assert levels_text(GreyScale(0, 255, keep=True, zero_is_black=False)) == "grey levels as stored"
    assert levels_text(GreyScale(-160, 240, keep=False, zero_is_black=False)) == "black -160, white 240"
