"""Families in colour: endoscopy and stained tissue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from drawing import SIDE, Array, Rng, blob, disc, field, spots, texture


def endoscopy(rng: Rng) -> tuple[Array, list[Array]]:
    """Wet red folds with a lit bump or two, vessels, highlights and dark corners; in colour."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    height = 0.5 * field(rng, 3) + 0.15 * field(rng, 9)
    if rng.random() < 0.6:  # the lumen
        hy, hx = rng.uniform(-0.4, 0.4, 2)
        away = np.hypot(y - hy, x - hx)
        height += 0.3 * np.sin(away * rng.uniform(15, 40) + field(rng, 3))
        depth = np.clip(away / rng.uniform(0.15, 0.35), 0, 1)
    else:
        depth = np.ones_like(x)
    masks, tint = [], np.zeros((SIDE, SIDE))
    for _ in range(int(rng.integers(1, 3))):
        mask = blob(rng, rng.uniform(50, 206, 2), rng.uniform(16, 80), rng.uniform(0.02, 0.2), 0.5)
        if masks and (mask & masks[0]).any():
            continue
        deep = np.asarray(ndimage.distance_transform_edt(mask))
        dome = np.sqrt(np.clip(deep / deep.max(), 0, 1))
        height = height * (1 - 0.8 * dome) + rng.uniform(0.8, 2.5) * dome + 0.05 * mask * texture(rng)
        tint += ndimage.gaussian_filter(mask.astype(float), 2) * rng.normal(0, 0.12)
        masks.append(mask)
    gy, gx = np.gradient(ndimage.gaussian_filter(height, 1.5) * rng.uniform(4, 12))
    light = rng.normal(size=2)
    normal = 1 / np.sqrt(1 + gy**2 + gx**2)
    shade = np.clip(normal * (0.8 + 0.4 * (light[0] * gy + light[1] * gx)), 0, 1.5)
    shade *= (1 - rng.uniform(0.3, 1.2) * (x**2 + y**2)) * (0.2 + 0.8 * depth)
    base = np.array([rng.uniform(0.65, 0.95), rng.uniform(0.3, 0.55), rng.uniform(0.2, 0.45)])
    veins = np.exp(-((field(rng, 10) / 0.08) ** 2)) * rng.uniform(0, 0.25)
    image = shade[..., None] * (base + tint[..., None] * [0.5, 1, 1] - veins[..., None] * [0.3, 1, 1])
    image += 0.02 * texture(rng)[..., None]
    shine = ndimage.gaussian_filter((field(rng, 25) > 2.2).astype(float) * (normal > 0.9), 0.8)
    image += shine[..., None] * rng.uniform(0.3, 1)
    if rng.random() < 0.6:
        cut = rng.uniform(0.55, 0.68)
        dark = (np.abs(x) + np.abs(y) > cut + 0.2) | (
            np.maximum(np.abs(x), np.abs(y)) > rng.uniform(0.45, 0.5)
        )
        image = image * ~dark[..., None]
        masks = [m & ~dark for m in masks]
    return image, masks


def histology(rng: Rng) -> tuple[Array, list[Array]]:
    """Pink stroma with glands (a pale lumen in a ring of purple nuclei), or scattered nuclei; in colour."""
    stain = np.array([0.9, 0.65, 0.8]) + rng.uniform(-0.12, 0.08, 3)
    dye = np.array([0.42, 0.25, 0.58]) + rng.uniform(-0.12, 0.12, 3)
    pale = np.array([0.95, 0.9, 0.95]) + rng.uniform(-0.15, 0.05, 3)
    cloud = 0.06 * texture(rng) + 0.05 * field(rng, 20)
    image = stain + cloud[..., None] * [0.6, 1, 0.6]
    nuclei = np.zeros((SIDE, SIDE), bool)
    masks: list[Array] = []
    everywhere = np.ones((SIDE, SIDE), bool)
    glands = rng.random() < 0.75
    outside = everywhere.copy()
    size = float(np.exp(rng.uniform(np.log(16), np.log(65))))
    places = spots(rng, int(rng.integers(4, 24)), 0.6 * size, size, everywhere, 0.8) if glands else []
    grain = rng.uniform(1.3, 4)
    for centre, radius in places:
        gland = blob(rng, tuple(centre), radius, rng.uniform(0.03, 0.2), 0.55) & outside
        outside &= ~ndimage.binary_dilation(gland, iterations=2)
        deep = np.asarray(ndimage.distance_transform_edt(gland))
        ring = gland & (deep < 2.5 * grain)
        lumen = deep > deep.max() * rng.uniform(0.4, 0.8)
        cells = 0.08 * texture(rng)
        body = dye * 0.5 + stain * 0.5 + rng.normal(0, 0.04, 3)
        image = np.where(gland[..., None], body + cells[..., None], image)
        image = np.where(lumen[..., None], pale + 0.3 * cells[..., None], image)
        for c, r in spots(rng, int(6 * radius / grain), 0.7 * grain, 1.3 * grain, ring, 0.8):
            nuclei |= disc(c, r)
        masks.append(gland)
    for c, r in spots(rng, int(rng.integers(30, 130)), 0.8 * grain, 1.5 * grain, outside, 1.2):
        spot = disc(c, r)
        nuclei |= spot
        if not glands and r > 3.8:
            masks.append(spot)
    share = ndimage.gaussian_filter(nuclei.astype(float), 0.7)[..., None]
    image = image * (1 - share) + share * (dye + 0.08 * texture(rng)[..., None])
    return ndimage.gaussian_filter(image, (rng.uniform(0, 0.9),) * 2 + (0,)), masks
