"""Families that imitate no kind of imaging: regions, blobs, cells, strands."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from drawing import SIDE, Array, Rng, blob, field, inner, paint, spots, texture


def patchwork(rng: Rng) -> tuple[Array, list[Array]]:
    """Regions where one of several smooth fields is highest; any contrast, any texture."""
    count = int(rng.integers(3, 10))
    cells = rng.uniform(2, 6)
    labels = np.argmax([field(rng, cells) for _ in range(count)], axis=0)
    canvas = np.full((SIDE, SIDE), 0.5)
    rough, soft = rng.uniform(0, 0.12), rng.uniform(0, 2)
    masks = []
    for k in range(count):
        paint(rng, canvas, labels == k, rng.uniform(0, 1), rough * rng.uniform(0.3, 1.5), soft)
        parts, n = ndimage.label(labels == k)
        masks += [parts == i for i in range(1, n + 1)]
    return canvas, masks


def shapes(rng: Rng) -> tuple[Array, list[Array]]:
    """A few blobs, some inside others, on a textured ground, with low or high contrast."""
    canvas = (
        rng.uniform(0.1, 0.9) + rng.uniform(0.01, 0.1) * texture(rng) + rng.uniform(0, 0.15) * field(rng, 3)
    )
    contrast = rng.uniform(0.12, 0.6)
    taken = np.zeros((SIDE, SIDE), bool)
    masks = []
    for _ in range(int(rng.integers(1, 7))):
        radius = float(np.exp(rng.uniform(np.log(7), np.log(85))))
        mask = blob(rng, rng.uniform(30, 226, 2), radius, rng.uniform(0, 0.45), 0.4)
        if (mask & taken).sum() > 0.15 * mask.sum():
            continue
        taken |= mask
        level = float(canvas[mask].mean()) + contrast * rng.choice([-1, 1]) * rng.uniform(0.6, 1.2)
        paint(rng, canvas, mask, level, rng.uniform(0.01, 0.1), rng.uniform(0, 2.5))
        masks.append(mask)
        if rng.random() < 0.3 and radius > 20:
            core = inner(mask, radius * rng.uniform(0.2, 0.5))
            paint(rng, canvas, core, level + contrast * rng.choice([-1, 1]) * rng.uniform(0.6, 1), 0.03, 1)
            masks.append(core)
    return canvas, masks


def cells(rng: Rng) -> tuple[Array, list[Array]]:
    """Glowing nuclei on a dark ground, some touching; or dark ones on a bright ground."""
    size = float(np.exp(rng.uniform(np.log(5), np.log(28))))
    count = int(rng.integers(5, 70))
    canvas = 0.08 + 0.02 * texture(rng) + rng.uniform(0, 0.04) * field(rng, 4)
    rough = rng.uniform(0, 0.12)
    cloud = rough * texture(rng)
    free = np.ones((SIDE, SIDE), bool)
    masks = []
    for centre, radius in spots(rng, count, 0.6 * size, size, free, rng.uniform(0.75, 1.4)):
        mask = blob(rng, tuple(centre), radius, 0.08, 0.55) & free
        free &= ~mask
        deep = np.asarray(ndimage.distance_transform_edt(mask))
        level = rng.uniform(0.2, 1) * (0.7 + 0.3 * np.minimum(deep / (0.4 * radius), 1)) + cloud
        canvas = np.where(mask, level, canvas)
        masks.append(mask)
    canvas = ndimage.gaussian_filter(canvas, rng.uniform(0.3, 1.3))
    return (1 - canvas if rng.random() < 0.25 else canvas), masks


def strands(rng: Rng) -> tuple[Array, list[Array]]:
    """Thin things: rings, tubes and small spots among large bodies that look alike."""
    canvas = (
        rng.uniform(0.1, 0.9) + rng.uniform(0.01, 0.06) * texture(rng) + rng.uniform(0, 0.12) * field(rng, 4)
    )
    contrast, free, masks = rng.uniform(0.15, 0.5), np.ones((SIDE, SIDE), bool), []
    for _ in range(int(rng.integers(3, 9))):
        kind = rng.choice(4, p=[0.3, 0.3, 0.25, 0.15])
        centre = tuple(rng.uniform(30, 226, 2))
        if kind == 0:
            outer = blob(rng, centre, rng.uniform(12, 60), 0.08, 0.6)
            mask = outer & ~inner(outer, rng.uniform(3, 9))
        elif kind == 1:
            outer = mask = _tube(rng, rng.uniform(2, 6))
        elif kind == 2:
            outer = mask = blob(rng, centre, rng.uniform(4, 10), 0.2, 0.5)
        else:
            outer = mask = blob(rng, centre, rng.uniform(40, 90), 0.25, 0.5)
        if (outer & ~free).sum() > 0.1 * outer.sum():
            continue
        mask = mask & free
        free &= ~ndimage.binary_dilation(outer, iterations=2)
        level = float(canvas[outer].mean()) + contrast * rng.choice([-1, 1]) * rng.uniform(0.6, 1.2)
        paint(rng, canvas, mask, level, rng.uniform(0.01, 0.05), rng.uniform(0, 1.5))
        masks.append(mask)
        if kind == 0:  # the cavity is an object too
            cavity = outer & ~mask
            paint(
                rng, canvas, cavity, level + contrast * rng.choice([-1, 1]) * rng.uniform(0.6, 1), 0.02, 0.8
            )
            masks.append(cavity)
    return canvas, masks


def _tube(rng: Rng, radius: float) -> Array:
    """A wandering path of some width."""
    at, heading = rng.uniform(20, 236, 2), rng.uniform(0, 2 * np.pi)
    path = np.ones((SIDE, SIDE), bool)
    bend = rng.normal(0, 0.05)
    for _ in range(int(rng.integers(40, 200))):
        bend = 0.95 * bend + rng.normal(0, 0.015)
        heading += bend
        at = at + np.array([np.sin(heading), np.cos(heading)])
        y, x = np.rint(at).astype(int)
        if not (0 <= y < SIDE and 0 <= x < SIDE):
            break
        path[y, x] = False
    if path.all():
        return ~path
    return np.asarray(ndimage.distance_transform_edt(path)) < radius
