"""Lengths, volumes and grey levels as people read them: `volume_text`, `scale_bar`, `levels_text`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale


class ScaleBar(NamedTuple):
    """A bar of a round length: how long it is drawn and what stands beside it."""

    pixels: int
    text: str


def scale_bar(pixels_per_mm: float, longest: float) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten that is no longer than so many pixels.

    Example:
        >>> scale_bar(2.0, 150)
        ScaleBar(pixels=100, text='50 mm')
    """
    limit = longest / pixels_per_mm
    power = 10.0 ** math.floor(math.log10(limit))
    length = next(power * step for step in (5, 2, 1) if power * step <= limit * (1 + 1e-9))
    return ScaleBar(round(length * pixels_per_mm), length_text(length))


def length_text(mm: float) -> str:
    """A length in µm, mm or m."""
    if mm < 0.1:
        return f"{_figures(mm * 1000)} µm"
    return f"{_figures(mm)} mm" if mm < 1000 else f"{_figures(mm / 1000)} m"


def volume_text(mm3: float) -> str:
    """A volume in ml, or in mm³ or µm³ where ml would be zeros."""
    if mm3 >= 10:
        return f"{_figures(mm3 / 1000)} ml"
    return f"{_figures(mm3)} mm³" if mm3 >= 1e-3 else f"{_figures(mm3 * 1e9)} µm³"


def size_text(image: Image, voxels: int) -> str:
    """How large an object is: its volume, or voxels where nobody said how large these are."""
    if not image.has_scale:
        return f"{voxels} voxels"
    x, y, z = image.geometry.spacing_xyz_mm
    return volume_text(voxels * x * y * z)


def levels_text(grey: GreyScale | None) -> str:
    """What became black and white; None where there was no image."""
    if grey is None:
        return "masks alone"
    return "grey levels as stored" if grey.keep else f"black {grey.low:.6g}, white {grey.high:.6g}"


def _figures(value: float) -> str:
    """Three significant digits, never as a power of ten."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
