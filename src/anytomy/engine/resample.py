"""Resizing as the models' authors did it, without OpenCV: a resize is two small matrices.

`area` and `linear` reproduce OpenCV's INTER_AREA to one grey level, `bilinear` PyTorch's
`interpolate(mode="bilinear", align_corners=False)`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resize_area(array: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize `(y, x[, c])` grey levels like `cv2.resize(..., interpolation=cv2.INTER_AREA)`.

    Shrinking averages the covered pixels. Enlarging is OpenCV's own variant of linear interpolation that it
    falls back to in this mode (`resize.cpp`, `area_mode`).
    """
    height, width = array.shape[:2]
    if shape == (height, width):
        return array
    kernel = _area_matrix if shape[0] <= height and shape[1] <= width else _area_enlarge_matrix
    values: NDArray[Any] = _apply(array, kernel(shape[0], height), kernel(shape[1], width))
    if (height, width) == (2 * shape[0], 2 * shape[1]):
        # OpenCV's special case for exact halves adds 2 and shifts: it rounds ties up, not to even.
        values = np.floor(values + 0.5)
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)


def resize_bilinear(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize `(y, x)` linearly between pixel centres, without antialiasing (PyTorch's bilinear)."""
    height, width = array.shape
    if shape == (height, width):
        return array.astype(np.float32, copy=False)
    return _apply(array, _linear_matrix(shape[0], height), _linear_matrix(shape[1], width))


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


def _apply(
    array: NDArray[Any], rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    values: NDArray[Any] = array.astype(np.float32, copy=False)
    if values.ndim == 3:
        return np.stack([_apply(values[..., c], rows, columns) for c in range(values.shape[-1])], axis=-1)
    resized: NDArray[np.float32] = (rows @ values) @ columns.T
    return resized


@lru_cache(maxsize=32)
def _area_matrix(target: int, source: int) -> NDArray[np.float32]:
    """Share of each source pixel in each target pixel; rows sum to 1."""
    edges = np.arange(target + 1) * (source / target)
    start, stop = edges[:-1, None], edges[1:, None]
    pixel = np.arange(source)[None, :]
    overlap = np.clip(np.minimum(stop, pixel + 1) - np.maximum(start, pixel), 0, None)
    return _frozen(overlap / overlap.sum(axis=1, keepdims=True))


@lru_cache(maxsize=32)
def _area_enlarge_matrix(target: int, source: int) -> NDArray[np.float32]:
    scale = source / target
    index = np.arange(target)
    left = np.floor(index * scale).astype(int)
    weight = (index + 1) - (left + 1) / scale
    weight = np.where(weight <= 0, 0.0, weight - np.floor(weight))
    return _lerp_matrix(target, source, left, weight)


@lru_cache(maxsize=64)
def _linear_matrix(target: int, source: int) -> NDArray[np.float32]:
    centre = np.maximum((np.arange(target) + 0.5) * (source / target) - 0.5, 0)
    left = np.floor(centre).astype(int)
    return _lerp_matrix(target, source, left, centre - left)


def _lerp_matrix(
    target: int, source: int, left: NDArray[np.int_], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    matrix = np.zeros((target, source))
    rows = np.arange(target)
    np.add.at(matrix, (rows, left.clip(0, source - 1)), 1 - weight)
    np.add.at(matrix, (rows, (left + 1).clip(0, source - 1)), weight)
    return _frozen(matrix)


def _frozen(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    out: NDArray[np.float32] = matrix.astype(np.float32)
    out.flags.writeable = False  # shared through the cache
    return out
