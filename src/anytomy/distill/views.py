"""What a student finds when it is asked several times: `averaged`, over variants of a case that are undone.

The mean of several views is better than any of them and is sure only where they agree, which is what a
pseudo-label needs (test-time augmentation; Wang et al., arXiv 1807.07356).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from anytomy.distill.warp import Look, Warp
from anytomy.evaluation.simulators import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from anytomy.tuning.augment import Augmentation


@torch.no_grad()
def averaged(
    find: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    levels: NDArray[np.uint8],
    policy: Augmentation,
    *,
    views: int,
    flat: bool,
    seed: int,
    key: str,
) -> NDArray[np.float32]:
    """The mean probabilities of a student over views of a case, on the same grid.

    Args:
        find: Grey levels 0 to 1 `(C, z, y, x)` to probabilities `(classes + 1, z, y, x)`.
        levels: Grey levels 0 to 255 `(C, z, y, x)`.
        policy: How far views go.
        views: How many; the first is the case itself.
        flat: Whether slices are turned within their plane alone.
        seed: Of the views.
        key: Of the case.
    """
    source = torch.from_numpy(np.array(levels)).float() / 255
    size = tuple(source.shape[2:] if flat else source.shape[1:])

    def moved(tensor: torch.Tensor, warp: Warp) -> torch.Tensor:
        if not flat:
            return warp(tensor)
        # Slices as channels: all move alike.
        return warp(tensor.flatten(0, 1)).reshape(tensor.shape)

    total = torch.from_numpy(find(source.numpy()))
    for number in range(1, views):
        rng = seeded(seed, "view", key, number)
        variation = policy.draw(rng)
        there = Warp.of(variation, size, rng)
        found = find(Look.of(variation)(moved(source, there)).numpy())
        # What a view has not seen is 0 in all channels, and so counts for nothing.
        total = total + moved(torch.from_numpy(found), there.inverse(size))
    return np.asarray((total / total.sum(dim=0, keepdim=True)).numpy())
