"""A 2D picture with what was asked and what came out: `overlay`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from anytomy.report.draw import Canvas, Colour, colour_of, legend, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MANY = 30
SIGNS = {"box": "dashed: box", "object": "+ object", "background": "x background"}


def overlay(
    image_rgb: NDArray[np.uint8],
    masks: Sequence[NDArray[np.bool_]],
    *,
    boxes: Sequence[Sequence[float] | None] = (),
    points: Sequence[Sequence[Sequence[float]]] = (),
    labels: Sequence[Sequence[int]] = (),
    names: Sequence[str] = (),
    colours: Sequence[Colour] | None = None,
    alpha: float = 0.35,
    min_side: int = 512,
) -> NDArray[np.uint8]:
    """Masks as translucent colours with a contour, prompts as signs, names in a legend below.

    Small pictures are enlarged by a whole factor, so that a contour is not wider than what it encloses.

    Args:
        image_rgb: `(y, x, 3)`.
        masks: One `(y, x)` per object; may be empty.
        boxes: For each object `(x0, y0, x1, y1)`, ends exclusive, or None; not drawn beyond 30 objects.
        points: For each object its points `(x, y)`.
        labels: For each object 1 or 0 for each of its points; 1 where left out.
        names: For each object; no legend where left out.
        colours: RGB per object; repeats.
        alpha: Opacity of the fill.
        min_side: The shorter side of the result is at least this long.

    Returns:
        uint8 RGB, with the legend below the picture.

    Example:
        >>> picture = np.zeros((64, 64, 3), np.uint8)
        >>> mask = np.zeros((64, 64), bool); mask[20:40, 20:40] = True
        >>> overlay(picture, [mask], boxes=[(18, 18, 42, 42)], min_side=256).shape
        (256, 256, 3)
    """
    height, width = image_rgb.shape[:2]
    many = len(masks) > MANY
    min_side = max(min_side, 1024) if many else min_side
    # At most 16 times: a strip of a few rows would become a poster.
    factor = min(max(1, math.ceil(min_side / min(height, width))), 16, max(1, 4096 // max(height, width)))
    size = (height * factor, width * factor)
    scale = (float(factor), float(factor))
    # Thin lines and no boxes where there are many objects, or nothing but lines would be seen.
    stroke = max(1, round(min(size) / 800)) if many else max(2, round(min(size) / 400))
    boxes = () if many else boxes
    canvas = Canvas(resized(image_rgb, *size), stroke=stroke)
    for index, mask in enumerate(masks):
        canvas.mask(resized(mask, *size), colour_of(index, colours), alpha=alpha)
    for index, box in enumerate(boxes):
        if box is not None:
            canvas.box(box, colour_of(index, colours), scale)
    signs = {"box"} if any(box is not None for box in boxes) else set()
    for index, its_points in enumerate(points):
        its_labels = labels[index] if index < len(labels) else [1] * len(its_points)
        for point, label in zip(its_points, its_labels, strict=True):
            canvas.point(point, label, colour_of(index, colours), scale)
            signs.add("object" if label else "background")
    if not names:
        return canvas.array
    entries = [(name, colour_of(index, colours)) for index, name in enumerate(names)]
    note = "   ".join(text for sign, text in SIGNS.items() if sign in signs)
    return np.concatenate([canvas.array, legend(entries, size[1], note=note)])
