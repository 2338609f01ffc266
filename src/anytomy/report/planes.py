"""Three planes through a result, at right angles: `planes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anytomy.core.view import SliceView
from anytomy.report.draw import FAINT, INK, PAPER, Canvas, Colour, colour_of, fitted, resized
from anytomy.report.overlay import SIGNS
from anytomy.report.signs import Signs, in_space, seen
from anytomy.report.units import levels_text, scale_bar, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry, IntTriple
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prediction import Prediction

    Vector = NDArray[np.int64]

_WIDTH, _HEIGHT, _GAP = 1440, 1240, 4
_LEAST = 40  # pixels of a tile each way: for a few slices more than they would have
_TEXT, _LINE = 330, 22  # pixels that the list of objects is wide at least, and a line is high
_NAMES = ("sagittal", "coronal", "axial")
# Left, right, top and bottom of planes across L, P, S: views are turned so that it is always these.
_LETTERS = ("APSI", "RLSI", "RLAP")


class _Part(NamedTuple):
    """An object where it is: its first voxel x, y, z and the mask `(z, y, x)` from there."""

    start: IntTriple
    mask: NDArray[np.bool_]


class _Scene(NamedTuple):
    """What is shown: the voxel that planes meet in, and the part of the grid, x, y, z, ends exclusive."""

    image: Image
    grey: GreyScale | None
    parts: list[_Part]
    signs: list[Signs]
    colours: list[Colour]
    at: Vector
    low: Vector
    high: Vector


def planes(
    image: Image,
    prediction: Prediction,
    grey: GreyScale | None,
    *,
    alpha: float = 0.3,
    colours: Sequence[Colour] | None = None,
) -> NDArray[np.uint8]:
    """Axial, coronal and sagittal plane as a radiologist looks at them, with results, prompts and volumes.

    They meet in the centre of mass of the largest object. Planes are those of the file's own grid, named for
    the patient's that they are nearest to. The coronal one lies below the axial one and shares its columns,
    the sagittal one is beside it and shares its rows; small objects are zoomed in on.

    Args:
        image: The volume.
        prediction: What was asked and what came out.
        grey: Values to grey levels; None for masks alone, on black.
        alpha: Opacity of masks.
        colours: RGB per object; repeats.

    Returns:
        uint8 RGB, one scale in all planes, pixels of equal mm.
    """
    scene = _scene(image, prediction, grey, colours)
    nearest = image.geometry.nearest_axes
    left, back, up = (nearest.index(patient) for patient in range(3))  # the file's axes
    extent = (scene.high - scene.low) * image.geometry.spacing_xyz_mm
    scale = min(
        (_WIDTH - _GAP) / float(extent[left] + extent[back]),
        (_HEIGHT - _GAP) / float(extent[back] + extent[up]),
    )
    # One rounding for each axis, so that tiles that share it fit together.
    size = np.maximum(np.round(extent * scale), _LEAST).astype(int)
    axial, coronal, sagittal = (_tile(scene, axis, size, alpha) for axis in (up, back, left))
    if image.has_scale:
        bar = scale_bar(scale, axial.shape[1] / 4)
        canvas = Canvas(axial)
        canvas.scale_bar(bar.pixels, bar.text, (10, axial.shape[0] - 12))
        axial = canvas.array
    listed = _list(scene, prediction, max(int(size[back]), _TEXT), axial.shape[0])
    return _joined([[axial, listed], [coronal, sagittal]])


# -- what is shown -------------------------------------------------------------------------------


def _scene(
    image: Image, prediction: Prediction, grey: GreyScale | None, colours: Sequence[Colour] | None
) -> _Scene:
    objects = prediction.masks.objects
    parts = [_Part(*each.crop()) for each in objects]
    across = objects[0].view.axes[2] if objects else 2
    signs = [in_space(prompt, across) for prompt in prediction.prompts]
    at = _middle(parts, image.geometry)
    low, high = _window(parts, signs, at, image.geometry)
    shades = [colour_of(number, colours) for number in range(len(objects))]
    return _Scene(image, grey, parts, signs, shades, at, low, high)


def _middle(parts: Sequence[_Part], geometry: Geometry) -> Vector:
    """The voxel nearest to the centre of mass of the largest object; the grid's where there is none."""
    largest = max(parts, key=lambda part: int(part.mask.sum()), default=None)
    if largest is None or largest.mask.size == 0:
        return np.asarray(geometry.size_xyz) // 2
    centre = [float(axis.mean()) for axis in np.nonzero(largest.mask)][::-1]
    return np.round(np.add(largest.start, centre)).astype(int)


def _window(
    parts: Sequence[_Part], signs: Sequence[Signs], at: Vector, geometry: Geometry
) -> tuple[Vector, Vector]:
    """The whole grid, or a part of it where all objects are small."""
    size, spacing = np.asarray(geometry.size_xyz), np.asarray(geometry.spacing_xyz_mm)
    starts, stops = [at.astype(float)], [at + 1.0]
    for part in parts:
        if part.mask.size:
            starts.append(np.array(part.start, dtype=float))
            stops.append(np.add(part.start, part.mask.shape[::-1]).astype(float))
    for sign in signs:
        if sign.box is not None:
            starts.append(np.array(sign.box[:3]))
            stops.append(np.array(sign.box[3:]))
    low, high = np.maximum(np.min(starts, axis=0), 0), np.minimum(np.max(stops, axis=0), size)
    # Half as much again as the objects need, in mm the same each way, and not less than 64 fine voxels.
    side = max(float(((high - low) * spacing).max()) * 1.5, 64 * float(spacing.min()))
    wanted = np.minimum(np.maximum(side / spacing, high - low), size)
    if np.prod(wanted / size) > 0.4:
        return np.zeros(3, int), size
    start = np.clip((low + high - wanted) / 2, 0, size - wanted).round().astype(int)
    return start, np.minimum(start + np.ceil(wanted).astype(int), size)


# -- drawing -------------------------------------------------------------------------------------


def _tile(scene: _Scene, across: int, size_xyz: Vector, alpha: float) -> NDArray[np.uint8]:
    """The plane across one of the file's axes."""
    image = scene.image
    view = SliceView.canonical(image.geometry, across)
    width, height = int(size_xyz[view.axes[0]]), int(size_xyz[view.axes[1]])
    index = view.slice_to_view(int(scene.at[across]))
    low, high = scene.low.copy(), scene.high.copy()
    low[across], high[across] = scene.at[across], scene.at[across] + 1
    canvas = Canvas(_background(scene, view, low, high, height, width), stroke=max(1, round(width / 300)))
    for part, colour in zip(scene.parts, scene.colours, strict=True):
        mask = view.apply(_cut(part, low, high))[0]
        if mask.any():
            canvas.mask(resized(mask, height, width), colour, alpha=alpha)
    corner = view.box_to_view((*low, *high))
    shift, scale = np.asarray(corner[:2]), (width / (corner[3] - corner[0]), height / (corner[4] - corner[1]))
    _cross(canvas, (view.to_view(scene.at)[:2] - shift + 0.5) * scale)
    for sign, colour in zip(scene.signs, scene.colours, strict=False):
        here = seen(sign, view)
        if here.box is not None and here.box[2] <= index < here.box[5]:
            canvas.box((*(here.box[:2] - shift), *(here.box[3:5] - shift)), colour, scale)
        for point, label in zip(here.points, here.labels, strict=True):
            if round(point[2]) == index:
                canvas.point(point[:2] - shift, label, colour, scale)
    _label(canvas, image, across, int(scene.at[across]), height, width)
    return canvas.array


def _background(
    scene: _Scene, view: SliceView, low: Vector, high: Vector, height: int, width: int
) -> NDArray[np.uint8]:
    if scene.grey is None:
        return np.zeros((height, width, 3), np.uint8)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    levels = scene.grey.apply(view.apply(scene.image.volume[z, y, x])[0])
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    return resized(levels, height, width, smooth=True)


def _cut(part: _Part, low: Vector, high: Vector) -> NDArray[np.bool_]:
    """An object in a part of the grid, `(z, y, x)`."""
    out = np.zeros((high - low)[::-1], dtype=bool)
    start, stop = np.asarray(part.start), np.add(part.start, part.mask.shape[::-1])
    first, last = np.maximum(start, low), np.minimum(stop, high)
    if np.all(first < last):
        there = tuple(slice(a, b) for a, b in zip((first - low)[::-1], (last - low)[::-1], strict=True))
        here = tuple(slice(a, b) for a, b in zip((first - start)[::-1], (last - start)[::-1], strict=True))
        out[there] = part.mask[here]
    return out


def _cross(canvas: Canvas, at: NDArray[np.float64]) -> None:
    """Where the other planes cut this one: thin lines that leave the middle free."""
    picture = canvas.array
    height, width = picture.shape[:2]
    x, y = np.clip(at.astype(int), 0, (width - 1, height - 1))
    gap = max(6, min(height, width) // 16)
    lines = np.zeros((height, width), dtype=bool)
    lines[y, :], lines[:, x] = True, True
    lines[max(y - gap, 0) : y + gap + 1, max(x - gap, 0) : x + gap + 1] = False
    canvas.blend(lines, INK, alpha=0.4)


def _label(canvas: Canvas, image: Image, across: int, index: int, height: int, width: int) -> None:
    patient = image.geometry.nearest_axes[across]
    axis = "xyz"[across]
    small = min(height, width) < 90
    name = f"{_NAMES[patient]}  {axis} {index}" if image.has_place else f"across {axis}, at {index}"
    canvas.text(fitted(name, width - 12, 14), (7, 5), rim=True)
    if not image.has_place or small:
        return
    places = ((6, height / 2), (width - 6, height / 2), (width / 2, 5), (width / 2, height - 5))
    for letter, at, anchor in zip(_LETTERS[patient], places, ("lm", "rm", "ma", "md"), strict=True):
        canvas.text(letter, at, size=14, colour=FAINT, anchor=anchor, rim=True)


def _list(scene: _Scene, prediction: Prediction, width: int, height: int) -> NDArray[np.uint8]:
    """Name, facts and objects with their sizes; as high as it must be, and at least `height`."""
    image, margin = scene.image, 14
    entries = [
        (name, size_text(image, each.voxels) if each.slices else "empty", colour)
        for name, each, colour in zip(prediction.names, prediction.masks.objects, scene.colours, strict=True)
    ]
    facts = _facts(scene)
    top = margin + 30 + 18 * len(facts) + 14
    room = max((height - top - margin) // _LINE, 6)
    shown = entries if len(entries) <= room else entries[: room - 1]
    height = max(height, top + _LINE * min(len(entries), room) + margin)
    canvas = Canvas(np.full((height, width, 3), PAPER, np.uint8))
    name = image.path.name if image.path else "volume"
    canvas.text(fitted(name, width - 2 * margin, 17), (margin, margin), size=17)
    for number, fact in enumerate(facts):
        at = (margin, margin + 30 + 18 * number)
        canvas.text(fitted(fact, width - 2 * margin, 13), at, size=13, colour=FAINT)
    right = min(width - margin, 480)
    for number, (name, size, colour) in enumerate(shown):
        y = top + _LINE * number + _LINE / 2
        canvas.swatch((margin, y - 7), colour)
        canvas.text(fitted(name, right - margin - 150, 14), (margin + 22, y), anchor="lm")
        canvas.text(size, (right, y), anchor="rm", colour=INK if size != "empty" else FAINT)
    if len(shown) < len(entries):
        y = top + _LINE * len(shown) + _LINE / 2
        more = f"and {len(entries) - len(shown)} more"
        canvas.text(more, (margin + 22, y), anchor="lm", colour=FAINT)
    return canvas.array


def _facts(scene: _Scene) -> list[str]:
    geometry, grey = scene.image.geometry, scene.grey
    size = " x ".join(str(n) for n in geometry.size_xyz)
    if scene.image.has_scale:
        size += "   " + " x ".join(f"{s:.3g}" for s in geometry.spacing_xyz_mm) + " mm"
    zoomed = tuple(scene.high - scene.low) != geometry.size_xyz
    drawn = {"box"} if any(sign.box is not None for sign in scene.signs) else set()
    drawn |= {"object" if label else "background" for sign in scene.signs for label in sign.labels}
    signs = "   ".join(text for sign, text in SIGNS.items() if sign in drawn)
    return [fact for fact in (size, levels_text(grey) + ("   zoomed in" if zoomed else ""), signs) if fact]


def _joined(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Tiles in rows and columns, each as large as its largest."""
    widths = [max(tile.shape[1] for tile in column) for column in zip(*rows, strict=True)]
    heights = [max(tile.shape[0] for tile in row) for row in rows]
    sheet = np.full((sum(heights) + _GAP, sum(widths) + _GAP, 3), PAPER, np.uint8)
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for tile, width in zip(row, widths, strict=True):
            sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
            x += width + _GAP
        y += height + _GAP
    return sheet
