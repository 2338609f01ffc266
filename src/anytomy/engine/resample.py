"""Resizing as the models' authors did it, without OpenCV: a resize is a few weighted pixels per axis.

`area` and `linear` reproduce OpenCV's INTER_AREA to one grey level, `bilinear` PyTorch's
`interpolate(mode="bilinear", align_corners=False)`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# For each target pixel of one axis: the source pixels that it takes and their shares, `(target, taps)` each.
Kernel = tuple["NDArray[np.intp]", "NDArray[np.float32]"]


def resize_area(array: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize `(y, x[, c])` grey levels like `cv2.resize(..., interpolation=cv2.INTER_AREA)`.

    Shrinking averages the covered pixels. Enlarging is OpenCV's own variant of linear interpolation that it
    falls back to in this mode (`resize.cpp`, `area_mode`).
    """
    height, width = array.shape[:2]
    if shape == (height, width):
        return array
    shrinks = shape[0] <= height and shape[1] <= width
    kernel = _area_kernel if shrinks else _area_enlarge_kernel
    values: NDArray[Any] = _apply(array, kernel(shape[0], height), kernel(shape[1], width))
    if not shrinks or (height, width) == (2 * shape[0], 2 * shape[1]):
        # OpenCV enlarges, and takes exact halves, in whole numbers: ties go up, not to even.
        return np.asarray(np.floor(values + 0.5).clip(0, 255), dtype=np.uint8)
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)


def resize_bilinear(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize `(y, x)` linearly between pixel centres, without antialiasing (PyTorch's bilinear)."""
    height, width = array.shape
    if shape == (height, width):
        return array.astype(np.float32, copy=False)
    return _apply(array, _linear_kernel(shape[0], height), _linear_kernel(shape[1], width))


def resize_nearest(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Resize `(y, x[, c])` by repeating pixels, as OpenCV's INTER_NEAREST (left edge of the target)."""
    rows = np.arange(shape[0]) * array.shape[0] // shape[0]
    columns = np.arange(shape[1]) * array.shape[1] // shape[1]
    picked: NDArray[Any] = array[rows[:, None], columns[None, :]]
    return picked


def resize_pillow(array: NDArray[np.uint8], shape: tuple[int, int], *, bicubic: bool) -> NDArray[np.uint8]:
    """Resize `(y, x[, c])` grey levels with Pillow (antialiased), as SAM's own code does."""
    from PIL import Image

    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    picture = Image.fromarray(np.ascontiguousarray(array))
    return np.asarray(picture.resize((shape[1], shape[0]), method))


def _apply(array: NDArray[Any], rows: Kernel, columns: Kernel) -> NDArray[np.float32]:
    """Resize the first two axes; the order is that in which less is left for the second."""
    passes = ((0, rows), (1, columns))
    values = array
    for axis, kernel in passes if rows[0].shape[0] <= array.shape[0] else reversed(passes):
        values = apply_along(values, kernel, axis)
    return values


def apply_along(values: NDArray[Any], kernel: Kernel, axis: int) -> NDArray[np.float32]:
    """Resize one axis of an array of any shape."""
    index, weight = kernel
    share_shape = tuple(-1 if a == axis else 1 for a in range(values.ndim))
    out = np.zeros((*values.shape[:axis], index.shape[0], *values.shape[axis + 1 :]), dtype=np.float32)
    for tap in range(index.shape[1]):
        out += weight[:, tap].reshape(share_shape) * values.take(index[:, tap], axis=axis)
    return out


@lru_cache(maxsize=32)
def _area_kernel(target: int, source: int) -> Kernel:
    """Share of each source pixel in each target pixel; shares sum to 1."""
    edges = np.arange(target + 1) * (source / target)
    start, stop = edges[:-1, None], edges[1:, None]
    pixel = np.floor(start).astype(np.intp) + np.arange(math.ceil(source / target) + 1)
    overlap = np.clip(np.minimum(stop, pixel + 1) - np.maximum(start, pixel), 0, None)
    overlap[pixel >= source] = 0
    return _frozen(pixel, overlap / overlap.sum(axis=1, keepdims=True), source)


@lru_cache(maxsize=32)
def _area_enlarge_kernel(target: int, source: int) -> Kernel:
    # OpenCV's own expressions in its own precision: others fall to the neighbouring pixel at some sizes.
    inverse = target / source
    index = np.arange(target)
    left = np.floor(index * (1 / inverse)).astype(np.intp)
    weight = ((index + 1) - (left + 1) * inverse).astype(np.float32)
    weight = np.where(weight <= 0, 0.0, weight - np.floor(weight))
    return _frozen(np.stack([left, left + 1], axis=1), np.stack([1 - weight, weight], axis=1), source)


@lru_cache(maxsize=32)
def triangle_kernel(target: int, source: int) -> Kernel:
    """Linear between pixel centres where an axis grows, a mean over what is covered where it shrinks.

    Weights are a triangle around the target's centre, as wide as the coarser of both grids: Pillow's BILINEAR
    for real numbers.
    """
    step = source / target
    reach = max(step, 1.0)
    centre = ((np.arange(target) + 0.5) * step - 0.5)[:, None]
    pixel = np.floor(centre - reach).astype(np.intp) + 1 + np.arange(math.ceil(2 * reach))
    weight = np.maximum(1 - np.abs(centre - pixel) / reach, 0)
    weight[(pixel < 0) | (pixel >= source)] = 0
    return _frozen(pixel, weight / weight.sum(axis=1, keepdims=True), source)


@lru_cache(maxsize=32)
def _linear_kernel(target: int, source: int) -> Kernel:
    centre = np.maximum((np.arange(target) + 0.5) * (source / target) - 0.5, 0)
    left = np.floor(centre).astype(np.intp)
    weight = centre - left
    return _frozen(np.stack([left, left + 1], axis=1), np.stack([1 - weight, weight], axis=1), source)


def _frozen(pixel: NDArray[np.intp], share: NDArray[np.float64], source: int) -> Kernel:
    index, weight = pixel.clip(0, source - 1), share.astype(np.float32)
    index.flags.writeable = weight.flags.writeable = False  # shared through the cache
    return index, weight
