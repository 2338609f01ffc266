"""Images with known objects, made up from a seed; `python scenes.py FOLDER` writes them as data sets.

After the idea of SynthSeg (Billot et al., arXiv 2107.09559): what varies widely and at random in training
need not look real. Each family imitates one kind of imaging and becomes a data set of its own, so that the
sampler, which takes data sets alike, takes families alike. Nothing but numpy and SciPy; the same number gives
the same scene.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from anytomy.io.atomic import write_text
from bodies import radiograph, section, ultrasound
from colours import endoscopy, histology
from drawing import SIDE, Array, Rng, field
from plain import cells, patchwork, shapes, strands

FAMILIES: dict[str, Callable[[Rng], tuple[Array, list[Array]]]] = {
    each.__name__: each
    for each in (patchwork, shapes, cells, strands, section, ultrasound, radiograph, endoscopy, histology)
}
SHARES = {
    "patchwork": 1.0,
    "shapes": 1.0,
    "section": 2.0,
    "ultrasound": 1.6,
    "radiograph": 1.0,
    "endoscopy": 1.3,
    "histology": 1.4,
    "cells": 0.7,
}
"""How often each family is drawn."""
COUNT, THIN = 600, 32
_SEED = 20_331
# Of five scenes in a row these are for the test: nothing trains on them.
_TESTED = (1, 3)
_LEAST, _MOST = 16, 0.7
"""Pixels of the smallest object, share of the picture of the largest."""
_QUARTERED = 0.35
"""Share of the scenes that are four small ones: glands and vessels fill less of a picture than most drawn."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A made-up picture.

    Attributes:
        family: What it imitates.
        picture: uint8 `(y, x)` or `(y, x, 3)`, longest side `SIDE`.
        labels: uint8 `(y, x)`, one value for each connected object, 0 outside; of nested objects the inner
            one counts.
    """

    family: str
    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def scene(number: int, family: str | None = None) -> Scene:
    """The scene of a number; its family is drawn as well unless given."""
    rng = np.random.default_rng([number, _SEED])
    family = family or str(rng.choice(list(SHARES), p=np.array(list(SHARES.values())) / sum(SHARES.values())))
    quartered = rng.random() < _QUARTERED
    image, masks = _quartered(rng, family) if quartered else FAMILIES[family](rng)
    image, masks = _framed(rng, image, masks)
    picture = _taken(rng, image)
    return Scene(family, picture, _labelled(masks, picture.shape[:2]))


def write(folder: Path, count: int, *, thin: int) -> list[Path]:
    """Write a data set for each family, unless it is there: `images`, `labels`, `splits.json`.

    Args:
        folder: Where to; a folder in it for each family.
        count: Scenes of drawn families.
        thin: Scenes of strands, which are not drawn.

    Returns:
        The folders.
    """
    wanted = [(number, None) for number in range(count)] + [(number, "strands") for number in range(thin)]
    names: dict[str, list[str]] = {}
    index = folder / "index.json"
    held = json.loads(index.read_text()) if index.is_file() else {}
    if held.get("wanted") == [count, thin]:
        return [folder / family for family in held["families"]]
    for number, family in wanted:
        made = scene(number, family)
        if not made.labels.any():
            continue
        names.setdefault(made.family, []).append(f"{number:04}")
        for what, array in (("images", made.picture), ("labels", made.labels)):
            (folder / made.family / what).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / made.family / what / f"{number:04}.png")
    for family, mine in names.items():
        tested = [name for name in mine if int(name) % 5 in _TESTED]
        splits = {"train": [name for name in mine if name not in tested], "test": tested}
        write_text(folder / family / "splits.json", json.dumps(splits) + "\n")
    write_text(index, json.dumps({"wanted": [count, thin], "families": sorted(names)}) + "\n")
    return [folder / family for family in sorted(names)]


def _quartered(rng: Rng, family: str) -> tuple[Array, list[Array]]:
    """Four pictures of a family at half the size, side by side."""
    half = SIDE // 2
    image, masks = None, []
    for corner in np.ndindex(2, 2):
        large, objects = FAMILIES[family](rng)
        if image is None:
            image = np.zeros_like(large, dtype=float)
        at = tuple(slice(half * each, half * (each + 1)) for each in corner)
        image[at] = _halved(large)
        for mask in objects:
            placed = np.zeros((SIDE, SIDE), bool)
            placed[at] = _halved(mask) >= 0.5
            masks.append(placed)
    assert image is not None
    return image, masks


def _halved(array: Array) -> Array:
    """Means of squares of four pixels."""
    rows, columns, *colours = array.shape
    return array.astype(float).reshape(rows // 2, 2, columns // 2, 2, *colours).mean(axis=(1, 3))


def _labelled(masks: list[Array], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Masks as one label map, inner ones over outer ones; of each the largest part that is seen."""
    map_ = np.zeros(shape, np.int32)
    for number, mask in enumerate(sorted(masks, key=lambda m: -int(m.sum())), start=1):
        map_[mask] = number
    out, count = np.zeros(shape, np.uint8), 0
    for number in np.unique(map_[map_ > 0]):
        parts, _ = ndimage.label(map_ == number)
        part = parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
        if _LEAST <= part.sum() <= _MOST * part.size and count < 255:
            count += 1
            out[part] = count
    return out


def _framed(rng: Rng, image: Array, masks: list[Array]) -> tuple[Array, list[Array]]:
    """A random flip or quarter turn and, at times, a picture that is not square."""
    turns, flip = int(rng.integers(4)) if rng.random() < 0.3 else 0, rng.random() < 0.5
    cut = int(rng.integers(0, 110)) if rng.random() < 0.4 else 0
    rows = rng.random() < 0.7

    def move(a: Array) -> Array:
        a = np.rot90(a, turns)
        a = a[:, ::-1] if flip else a
        start, stop = cut // 2, SIDE - (cut - cut // 2)
        return np.ascontiguousarray(a[start:stop] if rows else a[:, start:stop])

    return move(image), [move(m) for m in masks]


def _taken(rng: Rng, image: Array) -> NDArray[np.uint8]:
    """Shading, blur, noise, gamma and contrast, then 8 bits."""
    shape = image.shape[:2]
    lift = (lambda a: a[..., None]) if image.ndim == 3 else (lambda a: a)
    image = image * lift(1 + rng.uniform(0, 0.25) * field(rng, 2, shape))
    if rng.random() < 0.5:
        sigma = rng.uniform(0.2, 1.4)
        image = ndimage.gaussian_filter(image, (sigma, sigma, 0)[: image.ndim])
    low, high = np.percentile(image, [rng.uniform(0, 1), rng.uniform(99, 100)])
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1) ** np.exp(rng.normal(0, 0.3))
    noise = rng.normal(size=shape if rng.random() < 0.5 else image.shape) * rng.uniform(0, 0.06)
    image = image + (lift(noise) if noise.ndim < image.ndim else noise)
    if image.ndim == 2 and rng.random() < 0.08:
        image = 1 - image
    if image.ndim == 3 and rng.random() < 0.3:
        image = image * rng.uniform(0.7, 1.2, 3)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    """Write scenes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT, help="scenes of drawn families")
    parser.add_argument("--thin", type=int, default=THIN, help="scenes of strands")
    options = parser.parse_args()
    for place in write(options.folder, options.count, thin=options.thin):
        print(place)


if __name__ == "__main__":
    main()
