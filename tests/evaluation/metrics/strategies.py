"""Random masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

Masks = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]


@st.composite
def pairs(draw: st.DrawFn, min_dims: int = 2) -> Masks:
    """Two masks of one shape, in 2D or 3D; either may be empty or full."""
    shape = draw(array_shapes(min_dims=min_dims, max_dims=3, max_side=6))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@st.composite
def pairs_and_spacing(draw: st.DrawFn) -> tuple[Masks, tuple[float, ...]]:
    """Two masks and the distances of voxel centres along their axes."""
    masks = draw(pairs())
    return masks, tuple(draw(st.floats(0.1, 10)) for _ in range(masks[0].ndim))


def ball(shape: tuple[int, ...], radius: float, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """A disc or ball about the middle of the image, radius in the unit of the spacing."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    middle = [(n - 1) / 2 for n in shape]
    return sum(((a - m) * s) ** 2 for a, m, s in zip(axes, middle, spacing, strict=True)) <= radius**2


def blobs(seed: int, ndim: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[float, ...]]:
    """Two masks of smooth blobs, which may touch the border, and an anisotropic spacing."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(seed)
    shape = tuple(random.integers(10, 36, ndim))
    found, truth = (gaussian_filter(random.normal(size=shape), random.uniform(0.5, 3)) > 0 for _ in range(2))
    return found, truth, tuple(float(s) for s in random.uniform(0.3, 4, ndim))
