"""Looking closer: encode a crop around the box instead of the whole picture.

A model with a small input sees a nucleus of 15 pixels in a large picture as a smear. A crop shows it larger,
but also without its surroundings, which the model was trained to see: what helps nuclei hurts organs. `auto`
therefore zooms only where the box would be tiny in the model's input and the picture has detail to offer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from anytomy.core.errors import OptionError

Box = tuple[float, float, float, float]
Window = tuple[int, int, int, int]

# Measured with LiteMedSAM by benchmarks/zoom.py; see docs/zoom.md.
AUTO_FACTOR = 4.0
AUTO_LARGEST_SIDE = 28.0


@dataclass(frozen=True)
class Zoom:
    """When and how far to zoom.

    Attributes:
        mode: `off`, `auto` or `fixed`.
        factor: Side of the crop in multiples of the box's longer side.
    """

    mode: str = "off"
    factor: float = AUTO_FACTOR

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

    def window(self, box: Box | None, shape: tuple[int, int], input_size: int) -> Window | None:
        """The crop `x0, y0, x1, y1` for a box, or None for the whole picture.

        Decided from box and picture alone.

        Args:
            box: `x0, y0, x1, y1` in pixels, ends exclusive; a prompt without a box is not zoomed.
            shape: `(y, x)` of the picture.
            input_size: Side of the model's input.
        """
        if self.mode == "off" or box is None:
            return None
        longer = max(box[2] - box[0], box[3] - box[1])
        if self.mode == "auto":
            # Sides on a scale of 256, whatever the input: that is what the rule was measured on.
            seen = longer * 256 / max(shape)
            if seen > AUTO_LARGEST_SIDE:
                return None
        return _square(box, shape, math.ceil(longer * self.factor))


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
