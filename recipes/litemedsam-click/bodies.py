"""Families after scans of bodies: sections (CT, MR), ultrasound, radiographs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from drawing import SIDE, Array, Rng, bent, blob, ellipse, field, inner, paint, spots, texture


def section(rng: Rng) -> tuple[Array, list[Array]]:
    """A slice through a body, as in CT or MR: skin, fat, organs, bones and vessels on black."""
    body = ellipse(rng)
    muscle = inner(body, rng.uniform(3, 18))
    cavity = inner(muscle, rng.uniform(3, 12))
    canvas = np.zeros((SIDE, SIDE)) + rng.uniform(0, 0.03)
    rough, soft = rng.uniform(0.005, 0.06), rng.uniform(0.4, 1.4)
    ground = rng.uniform(0.1, 0.5)
    paint(rng, canvas, body, rng.uniform(0.1, 0.9), rough, soft)
    paint(rng, canvas, muscle, rng.uniform(0.2, 0.7), rough, soft)
    paint(rng, canvas, cavity, ground, 1.5 * rough, soft)
    bend = 7 * field(rng, 4), 7 * field(rng, 4)
    masks: list[Array] = []
    free = cavity.copy()
    for index in range(int(rng.integers(7, 22))):
        big = index < 3
        radius = rng.uniform(22, 60) if big else float(np.exp(rng.uniform(np.log(4), np.log(26))))
        places = np.argwhere(free)
        if len(places) < 100:
            break
        mask = blob(rng, places[rng.integers(len(places))], radius, rng.uniform(0, 0.3), 0.35)
        mask = bent(mask, bend) & free
        labels, n = ndimage.label(mask)
        if n == 0:
            continue
        mask = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
        free &= ~ndimage.binary_dilation(mask, iterations=int(rng.integers(0, 4)))
        level = ground + rng.choice([-1, 1], p=[0.3, 0.7]) * rng.uniform(0.08, 0.5)
        paint(rng, canvas, mask, level, rough * rng.uniform(0.5, 1.5), soft)
        masks.append(mask)
        if big and rng.random() < 0.3:  # vessels or a lesion inside
            for centre, r in spots(rng, 4, 2, 8, inner(mask, 6)):
                spot = blob(rng, tuple(centre), r)
                paint(rng, canvas, spot, level + rng.choice([-1, 1]) * rng.uniform(0.08, 0.25), rough, soft)
                masks.append(spot)
    if rng.random() < 0.4:
        masks += _heart(rng, canvas, rough, soft)
    if rng.random() < 0.5:
        spine = blob(rng, (rng.uniform(175, 200), 128 + rng.uniform(-12, 12)), rng.uniform(10, 18), 0.15)
        paint(rng, canvas, spine, rng.choice([rng.uniform(0.8, 1), rng.uniform(0.05, 0.4)]), 2 * rough, soft)
        masks = [m & ~spine for m in masks] + [spine]
    masks.append(body) if rng.random() < 0.15 else None
    return canvas, masks


def _heart(rng: Rng, canvas: Array, rough: float, soft: float) -> list[Array]:
    """Left ventricle, its wall and the right ventricle beside it, somewhere in a section."""
    centre = rng.uniform(90, 165, 2)
    radius = rng.uniform(9, 34)
    outer = blob(rng, tuple(centre), radius + rng.uniform(3, 12), 0.06, 0.8)
    wall = np.asarray(ndimage.distance_transform_edt(outer))
    cavity = wall > wall.max() * rng.uniform(0.25, 0.5)
    turn = rng.uniform(0, 2 * np.pi)
    beside = centre + (radius + 8) * np.array([np.sin(turn), np.cos(turn)])
    right = blob(rng, tuple(beside), radius * rng.uniform(0.8, 1.3), 0.15, 0.6)
    right &= ~ndimage.binary_dilation(outer, iterations=int(rng.integers(0, 3)))
    blood, muscle = (rng.uniform(0.6, 1), rng.uniform(0.15, 0.45))
    if rng.random() < 0.3:
        blood, muscle = muscle, blood
    paint(rng, canvas, right, blood, rough, soft)
    paint(rng, canvas, outer, muscle, rough, soft)
    paint(rng, canvas, cavity, blood + rng.uniform(-0.05, 0.05), rough, soft)
    return [right, outer & ~cavity, cavity]


def ultrasound(rng: Rng) -> tuple[Array, list[Array]]:
    """Echoes: layers, lesions or a skull, multiplied by speckle, with shadows and a fan-shaped border."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    bend = 0.05 * field(rng, 3)
    canvas = (
        0.4 + 0.18 * np.interp(y + bend, np.linspace(0, 1, 9), rng.normal(size=9)) + 0.08 * field(rng, 10)
    )
    masks: list[Array] = []
    if rng.random() < 0.25:  # a bright ring with little inside
        ring = blob(rng, rng.uniform(100, 156, 2), rng.uniform(45, 95), 0.04, 0.65)
        hollow = inner(ring, rng.uniform(2, 6))
        paint(rng, canvas, ring, rng.uniform(0.7, 1), 0.2, 1.5)
        paint(rng, canvas, hollow, rng.uniform(0.1, 0.35), 0.1, 2)
        masks.append(ring)
    else:
        taken = np.zeros((SIDE, SIDE), bool)
        for _ in range(int(rng.integers(1, 5))):
            radius = float(np.exp(rng.uniform(np.log(10), np.log(65))))
            mask = blob(rng, rng.uniform(45, 210, 2), radius, rng.uniform(0.05, 0.4), 0.4)
            if (mask & taken).any():
                continue
            taken |= mask
            level = float(canvas[mask].mean())
            dark = rng.random() < 0.75
            level = level * rng.uniform(0.1, 0.65) if dark else level + rng.uniform(0.15, 0.4)
            paint(rng, canvas, mask, level, rng.uniform(0.02, 0.08), rng.uniform(0.5, 3))
            if rng.random() < 0.4:  # a brighter rim
                rim = ndimage.binary_dilation(mask, iterations=3) & ~mask
                paint(rng, canvas, rim, rng.uniform(0.5, 0.9), 0.1, 1.5)
            if rng.random() < 0.4:  # shadow or enhancement behind it
                columns = mask.any(axis=0)
                top = np.where(columns, SIDE - 1 - mask[::-1].argmax(axis=0), SIDE)
                behind = np.arange(SIDE)[:, None] > top[None]
                canvas *= 1 + ndimage.gaussian_filter(behind.astype(float), 4) * rng.uniform(-0.7, 0.6)
            masks.append(mask)
    grain = rng.uniform(0.6, 2.2)
    waves = [ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), (grain * 0.6, grain)) for _ in range(2)]
    speckle = np.hypot(*waves)
    canvas = np.clip(canvas, 0.01, None) * (1 + rng.uniform(0.4, 1) * (speckle / speckle.mean() - 1))
    canvas = np.clip(canvas, 0, None) ** rng.uniform(0.5, 1) * (1 - rng.uniform(0, 0.6) * y)
    if rng.random() < 0.4:
        angle, apex = rng.uniform(0.5, 1), rng.uniform(-0.3, 0)
        fan = (np.abs(np.arctan2(x - 0.5, y - apex)) < angle) & (np.hypot(x - 0.5, y - apex) < 1 - apex)
        canvas = canvas * fan
        masks = [m & fan for m in masks]
    return canvas, masks


def radiograph(rng: Rng) -> tuple[Array, list[Array]]:
    """Shadows that add up: a trunk with two dark lungs, ribs, heart; or a few overlapping bodies."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    middle = 128 + rng.uniform(-10, 10)
    thickness = 1.2 + 0.2 * field(rng, 2)
    trunk = np.abs(x - middle) < rng.uniform(95, 135) + 10 * field(rng, 2)
    density = thickness * trunk
    masks: list[Array] = []
    tall, wide = rng.uniform(60, 105), rng.uniform(28, 52)
    gap, mid = rng.uniform(40, 62), rng.uniform(100, 145)
    for side in (-1, 1):
        cx = middle + side * gap * rng.uniform(0.9, 1.1)
        taper = 0.55 + 0.45 * np.clip((y - mid + tall) / (1.6 * tall), 0, 1)
        lung = np.hypot((y - mid) / tall, (x - cx) / (wide * taper)) < 1 + 0.05 * field(rng, 5)
        lung &= (
            y
            < mid + tall * rng.uniform(0.55, 0.85) - 12 * np.cos((x - cx) / wide * rng.uniform(0.6, 1.4)) + 12
        )
        density -= rng.uniform(0.55, 0.9) * ndimage.gaussian_filter(lung.astype(float), rng.uniform(0.8, 3))
        masks.append(lung)
    heart = blob(rng, (mid + tall * 0.3, middle + rng.uniform(0, 25)), rng.uniform(26, 48), 0.08, 0.7)
    density += rng.uniform(0.2, 0.6) * ndimage.gaussian_filter(heart.astype(float), 2)
    visible = [m & ~heart for m in masks]
    period, slope = rng.uniform(16, 26), rng.uniform(-0.004, 0.004)
    ribs = np.sin(2 * np.pi * (y + slope * (x - middle) ** 2 - 0.25 * np.abs(x - middle)) / period) > 0.3
    density += rng.uniform(0.03, 0.25) * ndimage.gaussian_filter((ribs & trunk).astype(float), 1.2)
    spine = np.abs(x - middle) < rng.uniform(7, 14)
    density += rng.uniform(0.1, 0.5) * ndimage.gaussian_filter(spine.astype(float), 2)
    for centre, r in spots(rng, int(rng.integers(0, 3)), 5, 18, trunk):
        mass = blob(rng, tuple(centre), r)
        density += 0.3 * ndimage.gaussian_filter(mass.astype(float), 1.5)
        masks.append(mass)
    image = 1 - np.exp(-rng.uniform(0.8, 1.6) * np.clip(density, 0, None))
    image += 0.02 * texture(rng) + rng.uniform(0, 0.06) * field(rng, 12)
    return image, [*visible, *masks[2:], *([heart] if rng.random() < 0.5 else [])]
