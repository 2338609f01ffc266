"""A student on pictures and volumes of any size: `logits`, through windows of the size of its input.

Windows overlap by a quarter, and where they do a pixel takes the mean of their logits, weighted by a Gaussian
around each centre (as nnU-Net and MONAI do). What is smaller than a window lies in its upper left corner; the
rest of it is black.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anytomy.predict.student.grid import StudentGrid

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Pixels `(1, channels, *patch)` to logits `(1, classes + 1, *patch)`."""

OVERLAP = 4
"""The share of a window that its neighbour sees too is one part in so many."""
_SIGMAS = 8  # A window is so many standard deviations wide.
_LEAST = 1e-3


def probabilities(
    network: Network, grid: StudentGrid, levels: NDArray[Any], extra: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The softmax of `logits` over classes."""
    return softmax(logits(network, grid, levels, extra))


def logits(
    network: Network, grid: StudentGrid, levels: NDArray[Any], extra: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """What a student finds on its grid.

    Args:
        network: Runs windows.
        grid: Of the student.
        levels: `(colours, z, y, x)` on the grid: uint8, or real numbers from 0 to 1.
        extra: Further channels `(extra, z, y, x)`, 0 to 1.

    Returns:
        Logits `(classes + 1, z, y, x)`; channel 0 is the background.
    """
    values = levels.astype(np.float32)
    if levels.dtype == np.uint8:
        values /= 255
    if grid.dims == 3:
        return in_windows(network, grid, values, extra)
    planes = [
        in_windows(network, grid, values[:, z], None if extra is None else extra[:, z])
        for z in range(values.shape[1])
    ]
    return np.stack(planes, axis=1)


def in_windows(
    network: Network, grid: StudentGrid, levels: NDArray[np.float32], extra: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """`logits` of one slice or volume: `(classes + 1, *spatial)` of levels 0 to 1 `(colours, *spatial)`."""
    size = levels.shape[1:]
    pixels = grid.normalised(_padded(levels, grid.patch))
    if extra is not None:
        pixels = np.concatenate([pixels, _padded(extra.astype(np.float32), grid.patch)])
    first = [starts(n, p) for n, p in zip(pixels.shape[1:], grid.patch, strict=True)]
    if all(len(each) == 1 for each in first):
        return network(pixels[None])[0][(slice(None), *(slice(n) for n in size))]
    weight = _outer([bell(p) for p in grid.patch])
    total: NDArray[np.float32] | None = None
    for corner in itertools.product(*first):
        window = (slice(None), *(slice(a, a + p) for a, p in zip(corner, grid.patch, strict=True)))
        found = network(np.ascontiguousarray(pixels[window])[None])[0]
        if total is None:
            total = np.zeros((len(found), *pixels.shape[1:]), np.float32)
        total[window] += weight * found
    assert total is not None
    total /= _outer([_sums(n, p) for n, p in zip(pixels.shape[1:], grid.patch, strict=True)])
    return total[(slice(None), *(slice(n) for n in size))]


def starts(size: int, patch: int) -> list[int]:
    """First pixels of the windows along an axis: evenly spread, from one end to the other."""
    step = patch - patch // OVERLAP
    steps = -(-max(size - patch, 0) // step)
    return [i * (size - patch) // steps if steps else 0 for i in range(steps + 1)]


def bell(patch: int) -> NDArray[np.float32]:
    """Weights of the pixels of a window along an axis."""
    away = (np.arange(patch) - (patch - 1) / 2) / (patch / _SIGMAS)
    return np.maximum(np.exp(-(away**2) / 2), _LEAST).astype(np.float32)


def softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits `(classes + 1, ...)`."""
    shares = np.exp(values - values.max(axis=0))
    shares /= shares.sum(axis=0)
    return shares


def as_network(module: Any) -> Network:
    """A torch module as a network; its mode is left as it is."""
    import torch

    device = next(module.parameters()).device

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = module(torch.tensor(pixels, device=device)).float().cpu().numpy()
        return found

    return run


def _padded(values: NDArray[np.float32], patch: tuple[int, ...]) -> NDArray[np.float32]:
    """At least as large as a window; what is added is 0."""
    lacks = [max(p - n, 0) for n, p in zip(values.shape[1:], patch, strict=True)]
    return np.pad(values, [(0, 0), *((0, lack) for lack in lacks)]) if any(lacks) else values


def _sums(size: int, patch: int) -> NDArray[np.float32]:
    """The weight of all windows over each pixel of an axis."""
    total = np.zeros(size, np.float32)
    for start in starts(size, patch):
        total[start : start + patch] += bell(patch)
    return total


def _outer(weights: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return reduce(np.multiply.outer, weights)
