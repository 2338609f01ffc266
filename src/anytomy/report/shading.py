"""Light on bodies and what lies before what: `paint`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.report.draw import Colour
    from anytomy.report.raycast import Hits

    Floats = NDArray[np.float32]

# Right, up, toward the viewer: a lamp above the viewer's left shoulder, a weak one from the other side.
_LAMP = np.array([-0.42, 0.52, 0.74], np.float32)
_FILL = np.array([0.70, -0.25, 0.66], np.float32)
_AMBIENT, _DIFFUSE, _WEAK, _GLOSS, _SHINE = 0.30, 0.62, 0.16, 0.22, 26
_CLEAR = 0.26  # how much of itself a translucent surface shows where one looks straight at it
_HIDDEN = 0.03  # an object of which less is seen than this share, from all sides, is inside of others
_HIDING = 0.2  # what covers more than this share of it becomes translucent


@dataclass(frozen=True, eq=False)
class Layer:
    """One object in one view.

    Attributes:
        hits: Where its surface is.
        colour: Red, green, blue.
        translucent: Whether what lies behind it is seen through it.
    """

    hits: Hits
    colour: Colour
    translucent: bool = False


def paint(layers: Sequence[Layer], width: int, height: int, paper: Colour) -> NDArray[np.uint8]:
    """Bodies lit and put before each other, `(height, width, 3)`.

    What lies behind an edge near it is darkened a little: so one tells what is in front.
    """
    from scipy.ndimage import gaussian_filter

    picture = np.empty((width * height, 3), np.float32)
    picture[:] = np.asarray(paper, np.float32)
    front = np.full(width * height, -np.inf, np.float32)
    for layer in layers:
        if layer.translucent:
            continue
        hits = layer.hits
        seen = hits.depth > front[hits.pixels]
        front[hits.pixels[seen]] = hits.depth[seen]
        picture[hits.pixels[seen]] = _lit(hits.normals[seen], layer.colour)
    there = np.isfinite(front)
    if there.any():
        depth = np.where(there, front, front[there].min()).reshape(height, width)
        reach = max(width, height) / 90
        rise = (gaussian_filter(depth, reach, truncate=2.5) - depth).ravel()[there]
        span = max(float(np.ptp(front[there])), 1e-6)
        picture[there] *= (1 - 0.6 * np.clip(rise / (0.12 * span), 0, 1))[:, None]
    through = sorted((x for x in layers if x.translucent and x.hits.depth.size), key=_farthest_first)
    for layer in through:
        hits = layer.hits
        seen = hits.depth > front[hits.pixels]
        pixels, normals = hits.pixels[seen], hits.normals[seen]
        # As glass: clear where one looks straight at it, denser towards its rim.
        share = _CLEAR + (1 - _CLEAR) * 0.75 * (1 - np.abs(normals[:, 2:])) ** 2
        picture[pixels] += share * (1.15 * _lit(normals, layer.colour) - picture[pixels])
    return np.asarray(picture.clip(0, 255).reshape(height, width, 3).round(), np.uint8)


def _farthest_first(layer: Layer) -> float:
    return float(layer.hits.depth.mean())


def _lit(normals: Floats, colour: Colour) -> Floats:
    """The colour of a surface with these normals, 0 to 255 and brighter where it shines."""
    lamp, fill = _LAMP / np.linalg.norm(_LAMP), _FILL / np.linalg.norm(_FILL)
    halfway = lamp + np.array([0, 0, 1], np.float32)
    halfway /= np.linalg.norm(halfway)
    light = _AMBIENT + _DIFFUSE * np.maximum(normals @ lamp, 0) + _WEAK * np.maximum(normals @ fill, 0)
    # Darker towards the silhouette, as eyes are used to from round things.
    light *= 0.62 + 0.38 * np.maximum(normals[:, 2], 0)
    shine = _GLOSS * np.maximum(normals @ halfway, 0) ** _SHINE
    lit: Floats = light[:, None] * np.asarray(colour, np.float32) * 1.12 + 255 * shine[:, None]
    return lit


class Cover(NamedTuple):
    """How objects hide each other in one view: pixels.

    Attributes:
        total: For each object those that it would have alone.
        covered: For each object (rows) those that another (columns) lies before.
    """

    total: NDArray[np.int64]
    covered: NDArray[np.int64]

    @property
    def visible(self) -> NDArray[np.float64]:
        """The share of each object that is seen."""
        return np.asarray(1 - self.covered.sum(axis=1) / np.maximum(self.total, 1))


def cover(view: Sequence[Hits], clear: frozenset[int] = frozenset()) -> Cover:
    """What hides what.

    Args:
        view: The hits of each object.
        clear: Objects that hide nothing.
    """
    count = len(view)
    found = Cover(np.array([hits.pixels.size for hits in view]), np.zeros((count, count), np.int64))
    size = max((int(hits.pixels[-1]) + 1 for hits in view if hits.pixels.size), default=0)
    front, owner = np.full(size, -np.inf, np.float32), np.zeros(size, np.int64)
    for index, hits in enumerate(view):
        if index not in clear:
            nearer = hits.depth > front[hits.pixels]
            front[hits.pixels[nearer]], owner[hits.pixels[nearer]] = hits.depth[nearer], index
    for index, hits in enumerate(view):
        before = owner[hits.pixels][front[hits.pixels] > hits.depth]
        found.covered[index] = np.bincount(before, minlength=count)
    return found


def translucent_ones(views: Sequence[Sequence[Hits]]) -> frozenset[int]:
    """Objects that must be seen through, or others inside of them would be seen from nowhere.

    Args:
        views: For views from all sides the hits of each object, in the same order.
    """
    chosen: frozenset[int] = frozenset()
    while True:
        covers = [cover(view, chosen) for view in views]
        hidden = np.max([each.visible for each in covers], axis=0) < _HIDDEN
        covered = np.sum([each.covered for each in covers], axis=0)
        shares = covered[hidden] / np.maximum(covered[hidden].sum(axis=1, keepdims=True), 1)
        found = {int(i) for i in np.flatnonzero((shares > _HIDING).any(axis=0))}
        if found <= chosen:
            return chosen
        chosen |= found
