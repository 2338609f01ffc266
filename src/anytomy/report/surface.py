"""Objects as bodies, seen from four sides: `surface`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anytomy.report.draw import FAINT, INK, PAPER, Canvas, Colour, colour_of, fitted, legend
from anytomy.report.raycast import Camera, cast
from anytomy.report.shading import Layer, cover, paint, translucent_ones
from anytomy.report.sides import OBLIQUES, SIDES, Side, letters
from anytomy.report.solid import solid
from anytomy.report.units import scale_bar, size_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prediction import Prediction
    from anytomy.report.raycast import Hits
    from anytomy.report.solid import Solid

_WIDTH, _HEIGHT = 1440, 1240
_GAP, _HEADER = 4, 50
_EDGE = 40  # pixels around the bodies for letters
_LEAST = 240  # pixels that a tile is wide and high at least
_SQUARE = 1.2  # how much smaller bodies may be for tiles in two columns
_DETAIL = 256  # voxels along the longest side of all objects
_SAMPLES = 2  # rays for a pixel, each way
_COARSE = 0.25  # the same to find out what hides what
_NIGHT: Colour = (14, 15, 18)


class _Sheet(NamedTuple):
    """Where tiles stand: a camera for each side, in so many columns."""

    cameras: list[Camera]
    columns: int


def surface(
    image: Image, prediction: Prediction, *, colours: Sequence[Colour] | None = None
) -> NDArray[np.uint8]:
    """All objects as bodies in their colours: from the front, the left, above, and from a corner.

    The corner is the one that shows most of what the other views hide. Surfaces are smoothed by about a
    voxel. Objects that others enclose are seen through these.

    Args:
        image: What was segmented: its grid and name.
        prediction: What came out; at least one object is not empty.
        colours: RGB per object; repeats.

    Returns:
        uint8 RGB, one scale in all views.
    """
    bodies = _solids(prediction)
    numbers = list(bodies)
    clear, corner = _look_around(list(bodies.values()))
    sides = (*SIDES[:3], corner)
    sheet = _arranged(list(bodies.values()), sides)
    tiles = []
    for side, camera in zip(sides, sheet.cameras, strict=True):
        layers = _layers(list(bodies.values()), _times(camera, _SAMPLES), clear)
        painted = [
            Layer(hits, colour_of(numbers[index], colours), index in clear) for index, hits in layers.items()
        ]
        tiles.append(_tile(painted, camera, side, image))
    body = _joined(tiles, sheet.columns)
    canvas = Canvas(body)
    name = image.path.name if image.path else "volume"
    canvas.text(fitted(name, body.shape[1] - 16, 17), (8, 4), size=17)
    facts = "surfaces, smoothed by about a voxel   one scale in all views"
    facts += "   translucent where one encloses another" if clear else ""
    canvas.text(fitted(facts, body.shape[1] - 16, 13), (8, 28), size=13, colour=FAINT)
    if image.has_scale:
        bar = scale_bar(sheet.cameras[0].pixels_per_mm, min(180, sheet.cameras[0].width / 2))
        canvas.scale_bar(bar.pixels, bar.text, (12, _HEADER + sheet.cameras[0].height - 12))
    return np.concatenate([canvas.array, legend(_entries(image, prediction, colours), body.shape[1])])


def _entries(
    image: Image, prediction: Prediction, colours: Sequence[Colour] | None
) -> list[tuple[str, Colour]]:
    pairs = enumerate(zip(prediction.names, prediction.masks.objects, strict=True))
    return [
        (
            f"{name}  {size_text(image, each.voxels)}" if each.slices else f"{name} (empty)",
            colour_of(n, colours),
        )
        for n, (name, each) in pairs
    ]


def _solids(prediction: Prediction) -> dict[int, Solid]:
    """Body of each object that is not empty, by its number."""
    crops = {n: each.crop() for n, each in enumerate(prediction.masks.objects) if each.slices}
    low = np.min([start for start, _ in crops.values()], axis=0)
    high = np.max([np.add(start, mask.shape[::-1]) for start, mask in crops.values()], axis=0)
    detail = float(((high - low) * prediction.geometry.spacing_xyz_mm).max()) / _DETAIL
    found = {n: solid(mask, start, prediction.geometry, detail) for n, (start, mask) in crops.items()}
    return {n: body for n, body in found.items() if body.border.size}


# -- from where ----------------------------------------------------------------------------------


def _look_around(bodies: Sequence[Solid]) -> tuple[frozenset[int], Side]:
    """Objects that have to be seen through, and the corner that shows most of what the other views hide.

    A coarse look is enough to tell.
    """
    backs = [Side("", "", tuple(-v for v in side.right), side.up) for side in SIDES]
    around = [*SIDES, *backs, *OBLIQUES]
    cameras = _arranged(bodies, around).cameras
    views = [[cast(body, _times(camera, _COARSE)) for body in bodies] for camera in cameras]
    clear = translucent_ones(views)
    seen = np.array([cover(view, clear).visible for view in views])
    known = seen[: len(SIDES)].max(axis=0)
    gains = [
        float(np.maximum(seen[len(SIDES) + len(backs) + i] - known, 0).sum()) for i in range(len(OBLIQUES))
    ]
    # The front is what people know: another corner must show clearly more.
    best = int(np.argmax([gain - 0.1 * bool(i) for i, gain in enumerate(gains)]))
    return clear, OBLIQUES[best]


def _arranged(bodies: Sequence[Solid], sides: Sequence[Side]) -> _Sheet:
    """A camera for each side, in one scale, in as many columns as make the bodies largest."""
    boxes = []
    for side in sides:
        seen = [body.border @ side.axes.T for body in bodies]
        low, high = (
            np.min([s.min(axis=0) for s in seen], axis=0),
            np.max([s.max(axis=0) for s in seen], axis=0),
        )
        boxes.append((low, high))
    voxel = max(max(body.geometry.spacing_xyz_mm) for body in bodies)
    extents = np.array([high - low for low, high in boxes])[:, :2] + voxel
    options = []
    for columns in range(1, len(sides) + 1):
        rows = math.ceil(len(sides) / columns)
        wide = [float(extents[c::columns, 0].max()) for c in range(columns)]
        high = [float(extents[r * columns : (r + 1) * columns, 1].max()) for r in range(rows)]
        scale = min(
            (_WIDTH - _GAP * (columns - 1) - 2 * _EDGE * columns) / sum(wide),
            (_HEIGHT - _GAP * (rows - 1) - 2 * _EDGE * rows) / sum(high),
        )
        widths, heights = ([max(round(mm * scale) + 2 * _EDGE, _LEAST) for mm in mms] for mms in (wide, high))
        # Flat things would make a long strip of tiles with nothing in them.
        fits = sum(widths) <= 1.1 * _WIDTH and sum(heights) <= 1.1 * _HEIGHT
        options.append((fits, scale * (_SQUARE if columns == 2 else 1), scale, columns, widths, heights))
    *_, scale, columns, widths, heights = max(options, key=lambda option: option[:2])
    cameras = []
    for place, (side, (low, top)) in enumerate(zip(sides, boxes, strict=True)):
        right, up, toward = side.axes
        centre = side.axes.T @ ((low + top) / 2)
        size = widths[place % columns], heights[place // columns]
        cameras.append(Camera(right, up, toward, centre, scale, *size))
    return _Sheet(cameras, columns)


def _times(camera: Camera, factor: float) -> Camera:
    """The same view in so many times as many pixels each way."""
    return replace(
        camera,
        pixels_per_mm=camera.pixels_per_mm * factor,
        width=round(camera.width * factor),
        height=round(camera.height * factor),
    )


# -- drawing -------------------------------------------------------------------------------------


def _layers(bodies: Sequence[Solid], camera: Camera, clear: frozenset[int]) -> Mapping[int, Hits]:
    """What is seen of each body; those in front come first, so that no ray is sent behind them."""
    front = np.full(camera.width * camera.height, -np.inf, np.float32)
    nearest = [float((body.border @ camera.toward).max()) for body in bodies]
    found = {}
    for index in sorted(range(len(bodies)), key=lambda i: (i in clear, -nearest[i])):
        found[index] = hits = cast(bodies[index], camera, front)
        if index not in clear:
            front[hits.pixels] = np.maximum(front[hits.pixels], hits.depth)
    return found


def _tile(layers: Sequence[Layer], camera: Camera, side: Side, image: Image) -> NDArray[np.uint8]:
    fine = paint(layers, camera.width * _SAMPLES, camera.height * _SAMPLES, _NIGHT)
    around = letters(side, in_patient=image.has_place)
    if around is None:
        fine = _with_axes(fine, _times(camera, _SAMPLES), "LAS" if image.has_place else "xyz")
    blocks = fine.reshape(camera.height, _SAMPLES, camera.width, _SAMPLES, 3)
    canvas = Canvas(np.round(blocks.mean(axis=(1, 3))).astype(np.uint8))
    canvas.text(side.name if image.has_place else side.plain, (10, 7), size=15)
    if around is not None:
        width, height = camera.width, camera.height
        places = ((10, height / 2), (width - 10, height / 2), (width / 2, 8), (width / 2, height - 8))
        for letter, at, anchor in zip(around, places, ("lm", "rm", "ma", "md"), strict=True):
            canvas.text(letter, at, size=15, colour=FAINT, anchor=anchor, rim=True)
    return canvas.array


def _with_axes(picture: NDArray[np.uint8], camera: Camera, names: str) -> NDArray[np.uint8]:
    """Three lines from one point in the lower right corner; those that lead away are faint."""
    canvas = Canvas(picture, stroke=round(1.5 * _SAMPLES))
    ways = np.diag([1.0, -1.0, 1.0]) if names == "LAS" else np.eye(3)
    seen = ways @ camera.axes.T
    middle = np.array([camera.width, camera.height]) - 54.0 * _SAMPLES
    for name, (across, along, toward) in sorted(zip(names, seen, strict=True), key=lambda pair: pair[1][2]):
        colour = FAINT if toward < -0.05 else INK
        way = np.array([across, -along]) * _SAMPLES
        if math.hypot(across, along) > 0.1:
            tip, at = middle + 26 * way, middle + 38 * way
            canvas.line((middle[0], middle[1]), (tip[0], tip[1]), colour)
            canvas.text(name, (at[0], at[1]), size=14 * _SAMPLES, colour=colour, anchor="mm", rim=True)
    return canvas.array


def _joined(tiles: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Tiles in rows below a header."""
    rows = []
    for first in range(0, len(tiles), columns):
        parts: list[NDArray[np.uint8]] = []
        for tile in tiles[first : first + columns]:
            if parts:
                parts.append(np.full((tile.shape[0], _GAP, 3), PAPER, np.uint8))
            parts.append(tile)
        rows.append(np.concatenate(parts, axis=1))
    width = max(row.shape[1] for row in rows)
    blocks = [np.full((_HEADER, width, 3), PAPER, np.uint8)]
    for row in rows:
        rest = np.full((row.shape[0], width - row.shape[1], 3), PAPER, np.uint8)
        blocks += [np.concatenate([row, rest], axis=1), np.full((_GAP, width, 3), PAPER, np.uint8)]
    return np.concatenate(blocks)
