"""The learning rate over a run, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_POWER = 0.9


def rate_factor(progress: float, *, schedule: str, warmup: float) -> float:
    """The share of the peak rate.

    Args:
        progress: 0 at the start of the run, 1 at its end.
        schedule: `cosine` (to zero), `poly` (power 0.9, as SAMed) or `constant`.
        warmup: Share of the run in which the rate rises in a line.

    Example:
        >>> rate_factor(0.05, schedule="cosine", warmup=0.1), rate_factor(1.0, schedule="poly", warmup=0.1)
        (0.5, 0.0)
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return progress / warmup
    left = (1 - progress) / (1 - warmup) if warmup < 1 else 0.0
    if schedule == "cosine":
        return 0.5 * (1 - math.cos(math.pi * left))
    return left**_POWER if schedule == "poly" else 1.0


class Average:
    """Exponential moving average of tensors; in the first steps it forgets faster.

    Args:
        tensors: Those that are trained, by name; copied.
        decay: Of the average; 0 keeps the latest.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Take the weights after a step (counted from 1) in."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        for name, tensor in tensors.items():
            held = self.state[name]
            if held.is_floating_point():
                held.lerp_(tensor.detach().to(held.dtype), 1 - decay)
            else:
                held.copy_(tensor)
