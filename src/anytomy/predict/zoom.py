"""Looking closer: encode a crop around the box instead of the whole picture.

A model with a small input sees a nucleus of 15 pixels in a large picture as a smear. A crop shows it larger,
but without the surroundings that the model was trained to see: what helps nuclei hurts organs. `auto`
therefore looks at boxes that are small in the model's input twice, in the whole picture and in a crop, and
takes the answer that the model itself trusts more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from anytomy.core.errors import OptionError

Box = tuple[float, float, float, float]
Window = tuple[int, int, int, int]

# Measured with LiteMedSAM by benchmarks/zoom.py; see docs/zoom.md.
AUTO_FACTOR = 4.0
# Least side of the crop in pixels: enlarged further, a picture has no more to show.
AUTO_LEAST_SIDE = 96.0
# Boxes up to this side, on a scale of 256 pixels for the longer side of the picture.
AUTO_LARGEST_SIDE = 32.0
# How much higher a crop's score must be than that of the whole picture, which is what it was trained on.
AUTO_HEAD_START = 0.03


@dataclass(frozen=True)
class Zoom:
    """When and how far to zoom.

    Attributes:
        mode: `off`, `auto` or `fixed`.
        factor: Side of a fixed crop in multiples of the box's longer side.
    """

    mode: str = "off"
    factor: float = 1.0

    @classmethod
    def parse(cls, text: str | float) -> Zoom:
        """`off`, `auto` or a factor of 1 or more.

        Raises:
            OptionError: For anything else.
        """
        if text in ("off", "auto"):
            return cls(mode=str(text))
        try:
            factor = float(text)
        except (TypeError, ValueError):
            factor = math.nan
        if not (math.isfinite(factor) and factor >= 1):
            raise OptionError(f"expected a zoom of off, auto or a factor of 1 or more, got {text!r}")
        return cls(mode="fixed", factor=factor)

    def windows(self, box: Box | None, shape: tuple[int, int]) -> tuple[Window | None, ...]:
        """The crops `x0, y0, x1, y1` to look at, None for the whole picture; never empty.

        Decided from box and picture alone.

        Args:
            box: `x0, y0, x1, y1` in pixels, ends exclusive; a prompt without a box is not zoomed.
            shape: `(y, x)` of the picture.
        """
        if self.mode == "off" or box is None:
            return (None,)
        longer = max(box[2] - box[0], box[3] - box[1])
        if self.mode == "fixed":
            return (_square(box, shape, math.ceil(longer * self.factor)),)
        if longer * 256 / max(shape) > AUTO_LARGEST_SIDE:
            return (None,)
        crop = _square(box, shape, math.ceil(max(longer * AUTO_FACTOR, AUTO_LEAST_SIDE)))
        return (None,) if crop is None else (None, crop)


def _square(box: Box, shape: tuple[int, int], side: int) -> Window | None:
    """A square of `side` around the box, moved into the picture; None if it would be all of it."""
    height, width = shape
    if side >= max(height, width):
        return None
    x0, x1 = _span((box[0] + box[2]) / 2, side, width)
    y0, y1 = _span((box[1] + box[3]) / 2, side, height)
    return x0, y0, x1, y1


def _span(centre: float, side: int, limit: int) -> tuple[int, int]:
    if side >= limit:
        return 0, limit
    start = min(max(math.floor(centre - side / 2 + 0.5), 0), limit - side)
    return start, start + side
