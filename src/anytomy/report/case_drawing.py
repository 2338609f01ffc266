"""One object of a benchmark in the plane that shows it: `Flat`, drawn by `drawn`."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.evaluation.metrics import dice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.report.signs import Signs

    Mask = NDArray[np.bool_]

TRUTH, FOUND, PROMPT = (255, 214, 10), (90, 200, 255), (255, 255, 255)
_SIDE = 480
_STROKE = 3
# Dashes of what was found, pixels on and off; the box has longer ones.
_DASH = (9.0, 6.0)
_QUALITY = 85


class LeftOutError(Exception):
    """Why a picture is left out."""


@dataclass(frozen=True, eq=False)
class Flat:
    """An object in the plane that is shown, the right way up.

    Attributes:
        plane: Values of the image `(row, column[, c])`.
        found: Mask `(row, column)`.
        truth: Mask `(row, column)`.
        boxes: Prompts, column and row of start and exclusive end.
        points: Prompts, column, row and label.
        spacing: Of columns and of rows.
        slice: Its number in the file; None in a picture.
        dice: Of what is judged: of the whole object where that is all of a volume.
    """

    plane: NDArray[Any]
    found: Mask
    truth: Mask
    boxes: list[tuple[float, ...]]
    points: list[tuple[float, float, int]]
    spacing: tuple[float, float]
    slice: int | None
    dice: float

    @classmethod
    def of_picture(cls, image: Image, found: Mask, truth: Mask, prompts: Sequence[Prompt]) -> Flat:
        """An object of a picture."""
        rows, columns = image.geometry.spacing_zyx_mm[1:]
        points = [
            (point[0], point[1], label)
            for prompt in prompts
            for point, label in zip(prompt.points, prompt.labels, strict=True)
        ]
        boxes = [prompt.box for prompt in prompts if prompt.box is not None]
        return cls(image.array, found, truth, boxes, points, (columns, rows), None, dice(found, truth))

    @classmethod
    def of_volume(
        cls,
        image: Image,
        found: Mask,
        truth: Mask,
        prompts: Sequence[Prompt],
        *,
        axis: str,
        judged: int | None,
    ) -> Flat:
        """An object of a volume, in the slice that is judged, else in that where the object is largest.

        Args:
            image: The volume.
            found: `(row, column)` as the file has the judged slice, else `(z, y, x)`.
            truth: `(z, y, x)`.
            prompts: On the file's grid.
            axis: The file's axis that slices run along.
            judged: The judged slice; None where all of the volume is.
        """
        from anytomy.core.view import SliceView
        from anytomy.evaluation.simulators.simulator import Truth, cut
        from anytomy.report.signs import in_view

        seen = Truth(truth, True, axis)
        value = dice(found, cut(seen, truth, judged))
        if judged is None:
            plane = seen.largest_plane()
            judged = 0 if plane is None or plane.slice is None else plane.slice
            found = cut(seen, found, judged)
        view = SliceView.canonical(image.geometry, axis)
        index = view.slice_to_view(judged)
        signs = [in_view(prompt, view) for prompt in prompts]
        boxes = [s.box for s in signs if s.box is not None and s.box[2] <= index < s.box[5]]
        columns, rows = (image.geometry.spacing_xyz_mm[a] for a in view.axes[:2])
        return cls(
            plane=view.apply(image.volume)[index],
            found=view.apply(np.expand_dims(found, seen.along))[0],
            truth=view.apply(truth)[index],
            boxes=[(b[0], b[1], b[3], b[4]) for b in boxes],
            points=[each for s in signs for each in _points(s, index)],
            spacing=(columns, rows),
            slice=judged,
            dice=value,
        )


def _points(signs: Signs, index: int) -> list[tuple[float, float, int]]:
    held = zip(signs.points, signs.labels, strict=True)
    return [(float(p[0]), float(p[1]), int(label)) for p, label in held if round(float(p[2])) == index]


# -- drawing -------------------------------------------------------------------------------------


def drawn(shown: Flat, grey: Callable[[NDArray[Any]], NDArray[np.uint8]]) -> bytes:
    """Image, truth, what was found and prompts as a JPEG file; see `painted`."""
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(painted(shown, grey)).save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def painted(shown: Flat, grey: Callable[[NDArray[Any]], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Image, truth, what was found and prompts as an RGB picture.

    Args:
        shown: What to draw.
        grey: Values to grey levels.
    """
    from anytomy.report.draw import Canvas, resized

    left, top, right, bottom = window(shown)
    part = (slice(top, bottom), slice(left, right))
    levels = grey(shown.plane[part])
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    wide, high = (right - left) * shown.spacing[0], (bottom - top) * shown.spacing[1]
    factor = _SIDE / max(wide, high)
    width, height = max(round(wide * factor), 8), max(round(high * factor), 8)
    scale = (width / (right - left), height / (bottom - top))
    canvas = Canvas(
        resized(np.ascontiguousarray(levels[..., :3]), height, width, smooth=True), stroke=_STROKE
    )
    canvas.contour(shown.truth[part], TRUTH, scale=scale)
    canvas.contour(shown.found[part], FOUND, scale=scale, dash=_DASH)
    canvas.stroke = 2
    for x0, y0, x1, y1 in shown.boxes:
        canvas.box((x0 - left, y0 - top, x1 - left, y1 - top), PROMPT, scale)
    for x, y, label in shown.points:
        canvas.point((x - left, y - top), label, PROMPT, scale)
    return canvas.array


def window(shown: Flat) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of what is shown: twice the object's extent, a square in mm."""
    marked = shown.truth | shown.found
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    spans = [(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)] if rows.size else []
    spans += [
        (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)) for x0, y0, x1, y1 in shown.boxes
    ]
    full = np.asarray(marked.shape[::-1])
    if not spans:
        return 0, 0, int(full[0]), int(full[1])
    spacing = np.asarray(shown.spacing)
    low, high = np.min(spans, axis=0)[:2], np.max(spans, axis=0)[2:]
    side = max(float(((high - low) * spacing).max()) * 2, 64 * float(spacing.min()))
    size = np.minimum(np.ceil(side / spacing).astype(int), full)
    start = np.clip(((low + high - size) / 2).round().astype(int), 0, full - size)
    return int(start[0]), int(start[1]), int(start[0] + size[0]), int(start[1] + size[1])
