"""The most telling slices of a volume on one picture: `contact_sheet`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anytomy.core.view import SliceView
from anytomy.report.draw import FAINT, PAPER, Canvas, Colour, colour_of, fitted, legend, resized
from anytomy.report.overlay import SIGNS
from anytomy.report.signs import in_view
from anytomy.report.units import levels_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prediction import Prediction
    from anytomy.report.signs import Signs

_WIDTH = 1440
_GAP = 4
_HEADER = 50
_PLANES = ("sagittal", "coronal", "axial")
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
# Pictures and stacks of them: their grid is not placed in a body, so that letters would be invented.


class _Window(NamedTuple):
    """The part of each slice that is shown, in columns and rows of the view; ends exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def contact_sheet(
    image: Image,
    prediction: Prediction | None,
    grey: GreyScale | None,
    *,
    axis: str | int = "z",
    count: int = 12,
    alpha: float = 0.35,
    colours: Sequence[Colour] | None = None,
) -> NDArray[np.uint8]:
    """A grid of slices as a radiologist would look at them, with results and prompts.

    With a prediction, slices are those in which objects were prompted, are largest, begin and end, and some
    between; small objects are zoomed in on. Without, slices are evenly spaced.

    Args:
        image: The volume.
        prediction: What was asked and what came out.
        grey: Values to grey levels; None for masks alone, on black.
        axis: The file's axis to look along; a prediction is shown as it was made, whatever this says.
        count: Number of slices at most.
        alpha: Opacity of masks.
        colours: RGB per object; repeats.

    Returns:
        uint8 RGB. Slice numbers are those of the file.
    """
    objects = prediction.masks.objects if prediction else ()
    view = objects[0].view if objects else SliceView.canonical(image.geometry, axis)
    prompts = prediction.prompts if prediction else ()
    signs = [in_view(prompt, view) for prompt in prompts]
    shown = telling_slices(prediction, view, count)
    window = _window(prediction, signs, view, image.geometry, shown)
    columns, height, width = _layout(window, view, image.geometry, len(shown))
    rows = math.ceil(len(shown) / columns)
    body = np.full(
        (_HEADER + rows * (height + _GAP), max(columns * (width + _GAP) - _GAP, 480), 3), PAPER, np.uint8
    )
    slices = view.apply(image.volume)
    scale = (width / (window.right - window.left), height / (window.bottom - window.top))
    for place, index in enumerate(shown):
        canvas = Canvas(
            _grey_tile(slices[index], grey, window, height, width), stroke=max(1, round(width / 240))
        )
        for number, each in enumerate(objects):
            part = each.get(index)[window.top : window.bottom, window.left : window.right]
            canvas.mask(resized(part, height, width), colour_of(number, colours), alpha=alpha)
        for number, each_signs in enumerate(signs):
            _draw_signs(canvas, each_signs, index, window, scale, colour_of(number, colours))
        _annotate(canvas, view, image, index, height, width)
        y = _HEADER + place // columns * (height + _GAP)
        x = place % columns * (width + _GAP)
        body[y : y + height, x : x + width] = canvas.array
    sheet = Canvas(body)
    _write_header(sheet, view, image, grey, body.shape[1], zoomed=window != _Window(0, 0, *view.size[:2]))
    if prediction is None:
        return sheet.array
    return np.concatenate([sheet.array, _legend(prediction, signs, colours, body.shape[1])])


# -- what is shown -------------------------------------------------------------------------------


def telling_slices(prediction: Prediction | None, view: SliceView, count: int) -> list[int]:
    """Slices of the view, ascending: key slices, those where an object is largest, then spread ones."""
    total = view.size[2]
    count = min(count, total)
    wanted: list[int] = []
    reached: set[int] = set()
    if prediction is not None:
        for prompt in prediction.prompts:
            if prompt.slice is not None and 0 <= prompt.slice < total:
                wanted.append(view.slice_to_view(prompt.slice))
        for each in prediction.masks.objects:
            reached.update(each.slices)
            if each.slices:
                wanted.append(max(each.slices, key=lambda s, m=each: int(m.get(s).sum())))  # type: ignore[misc]
    wanted = sorted(set(wanted))
    candidates = sorted(reached | set(wanted))
    if not candidates:
        return [int((i + 0.5) * total / count) for i in range(count)]
    if len(candidates) <= count - 2:
        # Whether it ends where it should is seen on the slice beyond.
        beyond = {max(candidates[0] - 1, 0), min(candidates[-1] + 1, total - 1)}
        return sorted(beyond.union(candidates))
    if len(candidates) <= count:
        return candidates
    if len(wanted) >= count:
        return [wanted[i] for i in _spread(len(wanted), count)]
    chosen = list(wanted)
    while len(chosen) < count:
        chosen.append(max(candidates, key=lambda s: min((abs(s - c) for c in chosen), default=0)))
    return sorted(chosen)


def _spread(length: int, count: int) -> list[int]:
    return [round(i) for i in np.linspace(0, length - 1, count)]


def _window(
    prediction: Prediction | None,
    signs: Sequence[Signs],
    view: SliceView,
    geometry: Geometry,
    shown: Sequence[int],
) -> _Window:
    """The whole slice, or a part of it where all objects are small."""
    width, height = view.size[0], view.size[1]
    whole = _Window(0, 0, width, height)
    spans: list[tuple[float, float, float, float]] = []
    for each in prediction.masks.objects if prediction else ():
        for index in shown:
            mask = each.get(index)
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if rows.size:
                spans.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    for sign in signs:
        if sign.box is not None:
            spans.append((sign.box[0], sign.box[1], sign.box[3], sign.box[4]))
        spans += [(c, r, c + 1, r + 1) for c, r, s in sign.points if 0 <= s < view.size[2]]
    if not spans:
        return whole
    low, high = np.min(spans, axis=0)[:2], np.max(spans, axis=0)[2:]
    spacing = np.asarray([geometry.spacing_xyz_mm[a] for a in view.axes[:2]])
    # Twice the objects' extent, in mm the same both ways, and not less than 64 fine pixels.
    side = max(float(np.max((high - low) * spacing)) * 2.0, 64 * float(spacing.min()))
    full = np.asarray([width, height])
    size = np.minimum(np.maximum(side / spacing, 1), full)
    if np.prod(size / full) > 0.5:
        return whole
    start = np.clip((low + high - size) / 2, 0, full - size).round().astype(int)
    stop = np.minimum(start + np.ceil(size).astype(int), full)
    return _Window(int(start[0]), int(start[1]), int(stop[0]), int(stop[1]))


def _layout(window: _Window, view: SliceView, geometry: Geometry, count: int) -> tuple[int, int, int]:
    """Columns of the sheet, and height and width of a tile in pixels of equal mm."""
    wide = (window.right - window.left) * geometry.spacing_xyz_mm[view.axes[0]]
    high = (window.bottom - window.top) * geometry.spacing_xyz_mm[view.axes[1]]
    columns = min(max(1, round(math.sqrt(count * 1.4 * high / wide))), count)
    # Rows as full as can be: 12 slices are 4 + 4 + 4, not 5 + 5 + 2.
    columns = math.ceil(count / math.ceil(count / columns))
    width = min((_WIDTH - _GAP * (columns - 1)) / columns, 640.0, 800.0 * wide / high)
    return columns, max(round(width * high / wide), 16), max(round(width), 16)


# -- drawing -------------------------------------------------------------------------------------


def _grey_tile(
    plane: NDArray[np.generic], grey: GreyScale | None, window: _Window, height: int, width: int
) -> NDArray[np.uint8]:
    if grey is None:
        return np.zeros((height, width, 3), np.uint8)
    levels = grey.apply(plane[window.top : window.bottom, window.left : window.right])
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    return resized(levels, height, width, smooth=True)


def _draw_signs(
    canvas: Canvas, signs: Signs, index: int, window: _Window, scale: tuple[float, float], colour: Colour
) -> None:
    shift = np.asarray([window.left, window.top])
    if signs.box is not None and signs.box[2] <= index < signs.box[5]:
        start, stop = np.asarray(signs.box[:2]) - shift, np.asarray(signs.box[3:5]) - shift
        canvas.box((*start, *stop), colour, scale)
    for point, label in zip(signs.points, signs.labels, strict=True):
        if round(point[2]) == index:
            canvas.point(point[:2] - shift, label, colour, scale)


def _annotate(canvas: Canvas, view: SliceView, image: Image, index: int, height: int, width: int) -> None:
    axis = "xyz"[view.axes[2]]
    canvas.text(f"{axis} {view.slice_to_view(index)}", (7, 5), rim=True)
    if not image.has_place:
        return
    right, bottom = (_letter(image.geometry, view, which) for which in (0, 1))
    left, top = (_letter(image.geometry, view, which, back=True) for which in (0, 1))
    for letter, at, anchor in (
        (left, (6, height / 2), "lm"),
        (right, (width - 6, height / 2), "rm"),
        (top, (width / 2, 5), "ma"),
        (bottom, (width / 2, height - 5), "md"),
    ):
        canvas.text(letter, at, size=13, colour=FAINT, anchor=anchor, rim=True)


def _letter(geometry: Geometry, view: SliceView, which: int, *, back: bool = False) -> str:
    """Where columns (0) or rows (1) of the view lead to in the patient, or come from."""
    axis = view.axes[which]
    patient = geometry.nearest_axes[axis]
    towards = bool(geometry.direction_matrix[patient, axis] > 0)
    return _LETTERS[patient][int(towards ^ view.reversed_[which] ^ back)]


def _write_header(
    sheet: Canvas, view: SliceView, image: Image, grey: GreyScale | None, width: int, *, zoomed: bool
) -> None:
    across = view.axes[2]
    plane = "" if not image.has_place else f" ({_PLANES[image.geometry.nearest_axes[across]]})"
    facts = [
        f"slices across {'xyz'[across]}{plane}",
        " x ".join(str(n) for n in image.geometry.size_xyz),
        " x ".join(f"{s:.3g}" for s in image.geometry.spacing_xyz_mm) + " mm",
        levels_text(grey),
    ]
    if zoomed:
        facts.append("zoomed in")
    name = image.path.name if image.path else "volume"
    sheet.text(fitted(name, width - 16, 17), (8, 4), size=17)
    sheet.text(fitted("   ".join(facts), width - 16, 13), (8, 28), size=13, colour=FAINT)


def _legend(
    prediction: Prediction, signs: Sequence[Signs], colours: Sequence[Colour] | None, width: int
) -> NDArray[np.uint8]:
    entries = [
        (name if each.slices else f"{name} (empty)", colour_of(number, colours))
        for number, (name, each) in enumerate(zip(prediction.names, prediction.masks.objects, strict=True))
    ]
    drawn = {"box"} if any(s.box is not None for s in signs) else set()
    drawn |= {"object" if label else "background" for s in signs for label in s.labels}
    note = "   ".join(text for sign, text in SIGNS.items() if sign in drawn)
    return legend(entries, width, note=note)
