"""Variants of a picture and its labels: `Variation`, drawn by a policy that knows what may be flipped."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.evaluation.simulators import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SIDED = re.compile(r"\b(left|right)\b")


@dataclass(frozen=True)
class Variation:
    """One way to change a picture; the labels change with it.

    Attributes:
        flip_x: Whether columns are reversed.
        flip_y: Whether rows are reversed.
        angle: Rotation in degrees.
        scale: Enlargement around the middle.
        shift_x: Displacement as a share of the width.
        shift_y: Displacement as a share of the height.
        gamma: Exponent of the grey levels.
        contrast: Factor around the mean.
        noise: Standard deviation of the noise in grey levels.
        cut: Shares of the sides that are cut off left, right, above and below. It changes the size, and so
            where the picture lies in the model's input: a small scan is enlarged until it fills it.
        seed: Of the noise.
    """

    flip_x: bool = False
    flip_y: bool = False
    angle: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    cut: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    seed: int = 0

    def picture(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture `(y, x)` or `(y, x, 3)`, changed; of the same size unless it is cut."""
        moved = self._moved(picture, order=1)
        if self.gamma == 1 and self.contrast == 1 and self.noise == 0:
            return np.ascontiguousarray(moved)
        values = 255 * (moved.astype(np.float32) / 255) ** self.gamma
        mean = float(values.mean())
        values = (values - mean) * self.contrast + mean
        if self.noise:
            rng = np.random.default_rng(self.seed)
            values += rng.normal(0, self.noise, values.shape[:2] + (1,) * (values.ndim - 2)).astype(
                np.float32
            )
        return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """A label map `(y, x)`, moved as the picture is; values stay."""
        return np.ascontiguousarray(self._moved(labels, order=0))

    def _moved(self, array: NDArray[Any], order: int) -> NDArray[Any]:
        height, width = array.shape[:2]
        left, right, top, bottom = self.cut
        rows = slice(round(top * height), height - round(bottom * height))
        return self._turned(array, order)[rows, round(left * width) : width - round(right * width)]

    def _turned(self, array: NDArray[Any], order: int) -> NDArray[Any]:
        array = array[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        if (self.angle, self.scale, self.shift_x, self.shift_y) == (0, 1, 0, 0):
            return array
        from scipy.ndimage import affine_transform

        height, width = array.shape[:2]
        turn = math.radians(self.angle)
        # Where each pixel of the result comes from: rotation and scale around the middle, then the shift.
        matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]) / self.scale
        middle = (np.array([height, width]) - 1) / 2
        shift = np.array([self.shift_y * height, self.shift_x * width])
        offset = middle - matrix @ (middle + shift)
        if array.ndim == 2:
            return np.asarray(affine_transform(array, matrix, offset, order=order))
        layers = [affine_transform(array[..., c], matrix, offset, order=order) for c in range(array.shape[2])]
        return np.stack(layers, axis=-1)


IDENTITY = Variation()


@dataclass(frozen=True)
class Augmentation:
    """A policy: how far variations go.

    Attributes:
        flip_x: Whether left and right may be exchanged.
        flip_y: Whether up and down may be.
        angle: Largest rotation in degrees.
        scale: Largest enlargement and reduction, as a factor.
        shift: Largest displacement as a share of the side.
        gamma: Largest exponent, and its inverse.
        contrast: Largest change of the contrast, as a factor.
        noise: Largest standard deviation of the noise.
        cut: Largest share that is cut off at a side; half of the sides keep all.
    """

    flip_x: bool = False
    flip_y: bool = False
    angle: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    cut: float = 0.0

    @classmethod
    def named(cls, name: str, *, flip_x: bool, flip_y: bool) -> Augmentation:
        """The policy of an option: `none`, `flips`, `light` or `strong`."""
        if name == "none":
            return cls()
        flips = cls(flip_x=flip_x, flip_y=flip_y)
        if name == "flips":
            return flips
        if name == "light":
            return cls(flip_x, flip_y, angle=15, scale=1.2, shift=0.06, gamma=1.25, contrast=1.15, cut=0.15)
        return cls(flip_x, flip_y, angle=30, scale=1.4, shift=0.1, gamma=1.5, contrast=1.3, noise=6, cut=0.2)

    @property
    def changes(self) -> bool:
        """Whether there is anything to draw."""
        return self != Augmentation()

    def draw(self, rng: np.random.Generator) -> Variation:
        """A random variation."""
        # All numbers are drawn whatever the policy is, so that each depends on the generator alone.
        flips = rng.random(2) < 0.5
        sides = rng.uniform(-1, 1, 11)
        seed = int(rng.integers(2**31))
        return Variation(
            flip_x=bool(flips[0]) and self.flip_x,
            flip_y=bool(flips[1]) and self.flip_y,
            angle=float(sides[0]) * self.angle,
            scale=float(self.scale ** sides[1]),
            shift_x=float(sides[2]) * self.shift,
            shift_y=float(sides[3]) * self.shift,
            gamma=float(self.gamma ** sides[4]),
            contrast=float(self.contrast ** sides[5]),
            noise=float(abs(sides[6])) * self.noise,
            cut=tuple(max(float(side), 0.0) * self.cut for side in sides[7:]),  # type: ignore[arg-type]
            seed=seed,
        )

    def fixed(self, seed: int, key: str, number: int) -> Variation:
        """Variant `number` of a picture, always the same; 0 is the picture itself."""
        if number == 0:
            return IDENTITY
        return self.draw(seeded(seed, "variant", key, number))


def allowed_flips(option: str, classes: Sequence[str], *, placed: bool) -> tuple[bool, bool]:
    """Whether pictures may be flipped along x and along y.

    By itself only where a mirror image is as likely as the picture. A head that knows slices of a body by
    what lies where would spend itself on bodies that do not exist.

    Args:
        option: `auto`, or the axes by name.
        classes: What is learned by name (semantic mode); a left kidney must not become a right one.
        placed: Whether pictures are slices of a body, where up and down mean something.
    """
    if option != "auto":
        return "x" in option, "y" in option
    sided = any(_SIDED.search(name.lower()) for name in classes)
    return not sided and not (placed and classes), not placed
