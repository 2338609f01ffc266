"""What made-up pictures are drawn with: smooth noise, wavy blobs, textures, soft paint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]
Rng = np.random.Generator
SIDE = 256
"""Pixels along each side of the canvas: the model's input, so that nothing is resampled."""


def field(rng: Rng, cells: float, shape: tuple[int, int] = (SIDE, SIDE)) -> Array:
    """Smooth noise of mean 0 and deviation 1 with about so many bumps along each side."""
    n = max(int(cells), 1) + 3
    coarse = rng.normal(size=(n, n))
    at = np.linspace(1, n - 2, shape[0]), np.linspace(1, n - 2, shape[1])
    out = ndimage.map_coordinates(coarse, np.meshgrid(*at, indexing="ij"), order=3, mode="reflect")
    return (out - out.mean()) / (out.std() + 1e-6)


def blob(
    rng: Rng, centre: tuple[float, float], radius: float, rough: float = 0.2, flat: float = 0.6
) -> Array:
    """A star-shaped region: an ellipse with a wavy border."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    dy, dx = y - centre[0], x - centre[1]
    turn = rng.uniform(0, np.pi)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), -dx * np.sin(turn) + dy * np.cos(turn)
    v = v / rng.uniform(flat, 1)
    angle = np.arctan2(v, u)
    wave = sum(
        rng.normal() / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
        for k in range(2, int(rng.integers(4, 9)))
    )
    return np.hypot(u, v) < radius * np.maximum(1 + rough * wave, 0.25)


def texture(rng: Rng) -> Array:
    """A random texture of mean 0 and deviation 1: grain, cloud, stripes or a mixture."""
    kind = rng.choice(4, p=[0.35, 0.35, 0.12, 0.18])
    grain = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), rng.uniform(0.4, 1.6))
    grain /= grain.std()
    if kind == 0:
        return grain
    cloud = field(rng, rng.uniform(8, 50))
    if kind == 1:
        return 0.5 * grain + 0.8 * cloud
    if kind == 2:
        y, x = np.mgrid[:SIDE, :SIDE]
        turn, period = rng.uniform(0, np.pi), rng.uniform(4, 16)
        phase = (x * np.cos(turn) + y * np.sin(turn)) / period * 2 * np.pi + 1.5 * field(rng, 6)
        return 0.5 * grain + np.sin(phase)
    long = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), (rng.uniform(0.4, 1), rng.uniform(1.5, 5)))
    return long / long.std()


def paint(rng: Rng, canvas: Array, mask: Array, level: float, rough: float, soft: float = 0.0) -> None:
    """Fill a region of the canvas with a textured level, with a soft border."""
    fill = level + rough * texture(rng)
    share = ndimage.gaussian_filter(mask.astype(np.float32), soft) if soft > 0.3 else mask
    canvas += share * (fill - canvas)


def spots(
    rng: Rng, count: int, low: float, high: float, region: Array, gap: float = 1.0
) -> list[tuple[Any, float]]:
    """Centres and radii of discs that hardly overlap, with centres in a region."""
    places = np.argwhere(region)
    found: list[tuple[Any, float]] = []
    for _ in range(count * 6):
        if len(found) >= count or len(places) == 0:
            break
        centre, radius = places[rng.integers(len(places))], float(rng.uniform(low, high))
        if all(np.hypot(*(centre - c)) > gap * (radius + r) for c, r in found):
            found.append((centre, radius))
    return found


def ellipse(rng: Rng, low: float = 85, high: float = 122) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE]
    a, b = rng.uniform(low, high, 2)
    cy, cx = rng.uniform(118, 138, 2)
    edge = 1 + 0.06 * field(rng, 3)
    return np.hypot((y - cy) / a, (x - cx) / b) < edge


def inner(mask: Array, depth: float) -> Array:
    return np.asarray(ndimage.distance_transform_edt(mask)) > depth


def disc(centre: Any, radius: float) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(y - centre[0], x - centre[1]) < radius


def bent(mask: Array, bend: tuple[Array, Array]) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (
        np.asarray(ndimage.map_coordinates(mask.astype(np.float32), (y + bend[0], x + bend[1]), order=1))
        > 0.5
    )
