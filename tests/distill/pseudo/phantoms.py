"""Bright ellipses, a student that sees them badly, and teachers that err on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from anytomy.core.image import Image
from anytomy.engine.model import Decoded
from tests.engine.tiny import BrightEngine, bright_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.engine.frame import PlanePrompt
    from anytomy.engine.model import Embedding
    from anytomy.predict.model import Model

SIDE = 64


def ellipse(seed: int, side: int = SIDE) -> NDArray[np.bool_]:
    """An ellipse of 14 to 30 pixels somewhere in the picture."""
    rng = np.random.default_rng(seed)
    radii = rng.uniform(7, 15, 2)
    middle = rng.uniform(radii + 2, side - radii - 2)
    y, x = np.indices((side, side))
    return ((y - middle[0]) / radii[0]) ** 2 + ((x - middle[1]) / radii[1]) ** 2 <= 1


def picture(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The ellipse in white on black, uint8."""
    return np.where(mask, 255, 0).astype(np.uint8)


def image(mask: NDArray[np.bool_]) -> Image:
    return Image.from_array(picture(mask), is_volume=mask.ndim == 3)


def student_of(truth: NDArray[np.bool_], seed: int, target: float) -> NDArray[np.float32]:
    """Probabilities `(2, y, x)` of a student whose Dice with the truth is about `target`.

    The distance to the edge plus smooth noise, so that it swells here and shrinks there as networks do.
    """
    rng = np.random.default_rng(seed)
    inside = ndimage.distance_transform_edt(truth) - ndimage.distance_transform_edt(~truth)
    noise = ndimage.gaussian_filter(rng.normal(size=truth.shape), 6)
    noise *= inside.max() / noise.std()
    low, high = 0.0, 3.0
    for _ in range(12):
        middle = (low + high) / 2
        found = inside + middle * noise > 0
        dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
        low, high = (middle, high) if dice > target else (low, middle)
    chance = 1 / (1 + np.exp(-np.clip(inside + low * noise, -15, 15)))
    return np.stack([1 - chance, chance]).astype(np.float32)


def bright(**changes: Any) -> Model:
    """A teacher that finds what is bright in its box, and is sure of it."""
    return bright_model(engine=BrightEngine(scores=(0.9, 0.9, 0.9, 0.9)), **changes)


class Wrong:
    """A teacher whose answers are changed, always in the same way: it agrees with itself.

    Args:
        model: The right one.
        how: `shifted` (by a quarter of the object's size, in both directions) or `blob` (something of the
            object's area, anywhere in the picture).
    """

    def __init__(self, model: Model, how: str) -> None:
        self.model = model
        self.how = how
        self.card = model.card

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        return self.model.encode(picture)

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        right = self.model.decode(embedding, prompt)
        mask = right.logits > 0
        if not mask.any():
            return right
        if self.how == "shifted":
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            by = [round((found[-1] - found[0] + 1) / 4) for found in (rows, columns)]
            return Decoded(ndimage.shift(right.logits, by, order=0, cval=-10.0), right.score)
        rng = np.random.default_rng(int(embedding.array.sum()))
        noise = ndimage.gaussian_filter(rng.normal(size=mask.shape), 4)
        level = np.sort(noise.ravel())[-int(mask.sum())]
        return Decoded(np.where(noise >= level, 10.0, -10.0).astype(np.float32), right.score)
