"""Variants of pictures and volumes on the student's grid, in torch: `Warp`, and `Look` for grey levels.

`tuning.augment` draws how far a variant goes; here tensors of a picture and its soft target move together,
in 2D and 3D, and a patch is cut in the same step. A warp without a bend can be undone, which is how a student
is asked about several views of a case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.tuning.augment import Variation

# Control points of a bend along each axis, and how far they go as a share of their distance.
_CONTROLS, _BEND = 4, 0.12
# How much of the rotation in a slice a volume is turned out of it.
_TILT = 0.5


@dataclass(frozen=True, eq=False)
class Warp:
    """Where each pixel of a patch comes from: `source = matrix @ (pixel - middle) + centre`.

    Attributes:
        matrix: `(d, d)`, rows and columns in the order of array axes.
        centre: The pixel of the source that comes to `middle`, `(d,)`.
        middle: A pixel of the patch, `(d,)`.
        size: Of the patch.
        bend: Displacements of control points in pixels of the patch, `(d, n, ..., n)`; none where None.
    """

    matrix: NDArray[Any]
    centre: NDArray[np.float64]
    middle: NDArray[np.float64]
    size: tuple[int, ...]
    bend: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        variation: Variation,
        size: Sequence[int],
        rng: np.random.Generator,
        *,
        centre: NDArray[np.float64] | None = None,
        middle: NDArray[np.float64] | None = None,
        bends: bool = False,
    ) -> Warp:
        """The warp of a drawn variation.

        Args:
            variation: Flips, angle, scale and shift; volumes are also turned out of the slice by up to half
                its angle.
            size: Of the patch, 2 or 3 axes.
            rng: Draws what a variation does not have.
            centre: The pixel of the source that it turns around; the patch's own middle by
                default.
            middle: Where that comes to in the patch, before the shift; into its middle by default.
            bends: Whether to bend as well.
        """
        axes = len(size)
        tilts = rng.uniform(-_TILT, _TILT, 2) * variation.angle if axes == 3 else ()
        matrix = np.eye(axes)
        for angle, (a, b) in zip((variation.angle, *tilts), ((-2, -1), (-3, -1), (-3, -2)), strict=False):
            turn = np.eye(axes)
            c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, s, -s, c
            matrix = turn @ matrix
        signs = [1.0] * (axes - 2) + [-1.0 if variation.flip_y else 1.0, -1.0 if variation.flip_x else 1.0]
        matrix = np.asarray(np.diag(signs) @ matrix / variation.scale, dtype=np.float64)
        shares = [0.0] * (axes - 2) + [variation.shift_y, variation.shift_x]
        around = _middle(size) if centre is None else centre
        moved = (_middle(size) if middle is None else middle) + np.asarray(shares) * size
        bend = None
        if bends:
            apart = np.asarray(size, float) / (_CONTROLS - 1)
            drawn = rng.normal(0, _BEND, (axes, *(_CONTROLS,) * axes))
            bend = (drawn * apart.reshape(-1, *(1,) * axes)).astype(np.float32)
        return cls(matrix, around, moved, tuple(size), bend)

    def inverse(self, size: Sequence[int]) -> Warp:
        """From the patch back to a source of a size; a bend cannot be undone and is left out."""
        return Warp(np.linalg.inv(self.matrix), self.middle, self.centre, tuple(size))

    def __call__(self, array: Tensor) -> Tensor:
        """The patch `(C, *size)` of a source `(C, ...)`; 0 outside of it."""
        axes, source = len(self.size), array.shape[1:]
        grids = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in self.size), indexing="ij")
        pixels = torch.stack(grids, dim=-1) - torch.from_numpy(self.middle).float()
        if self.bend is not None:
            mode = "bilinear" if axes == 2 else "trilinear"
            bend = torch.from_numpy(self.bend)[None]
            smooth = F.interpolate(bend, size=self.size, mode=mode, align_corners=True)[0]
            pixels = pixels + smooth.movedim(0, -1)
        matrix = torch.from_numpy(self.matrix).float()
        places = pixels @ matrix.T + torch.from_numpy(self.centre).float()
        # As grid_sample wants them: x first, -1 and 1 at the outer edges of the first and last pixel.
        scaled = (2 * places + 1) / torch.tensor(source, dtype=torch.float32) - 1
        return F.grid_sample(array[None], scaled.flip(-1)[None], align_corners=False)[0]


@dataclass(frozen=True)
class Look:
    """How grey levels change.

    Attributes:
        gamma: Exponent.
        contrast: Factor around the mean.
        noise: Standard deviation as a share of the range.
        seed: Of the noise.
    """

    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    seed: int = 0

    @classmethod
    def of(cls, variation: Variation) -> Look:
        """That of a drawn variation."""
        return cls(variation.gamma, variation.contrast, variation.noise / 255, variation.seed)

    def __call__(self, grey: Tensor) -> Tensor:
        """Levels 0 to 1, changed."""
        if self == replace(Look(), seed=self.seed):
            return grey
        levels = grey.clamp(0, 1) ** self.gamma
        mean = levels.mean()
        levels = (levels - mean) * self.contrast + mean
        if self.noise:
            drawn = np.random.default_rng(self.seed).standard_normal(tuple(grey.shape[1:]), np.float32)
            levels = levels + self.noise * torch.from_numpy(drawn)
        return levels.clamp(0, 1)


def _middle(size: Sequence[int]) -> NDArray[np.float64]:
    return (np.asarray(size, float) - 1) / 2
