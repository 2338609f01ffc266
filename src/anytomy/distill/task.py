"""What a step does: `StudentTask`, whose `forward` is the loss of a batch with soft targets and weights.

Dice and cross-entropy in equal parts, as nnU-Net has it (Isensee et al., arXiv 1904.08128), each pixel by its
weight, as WS-SAM weighs pseudo-labels (He et al., arXiv 2305.11003, equation 5). Cross-entropy with the
teacher's probabilities is Hinton's distillation up to a constant (arXiv 1503.02531).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Pixels that a class must have for its Dice to count fully; keeps the Dice of absent classes tame.
_SMOOTH = 1.0


@dataclass(eq=False)
class StudentBatch:
    """Patches of a step.

    Attributes:
        image: `(B, C, [z,] y, x)`, as the network gets it.
        target: Probabilities `(B, classes + 1, [z,] y, x)`, channel 0 the background; or embeddings `(B,
            channels, rows, columns)` of the whole patch.
        weight: `(B, 1, ...)` on the pixels of `target`, 0 where nothing is known.
        names: Of the samples, for messages.
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    names: list[str]

    def to(self, device: torch.device) -> Self:
        """The tensors on a device."""
        self.image, self.target = self.image.to(device), self.target.to(device)
        self.weight = self.weight.to(device)
        return self


class StudentTask(nn.Module):
    """A student and its loss.

    Args:
        model: Picture to logits `(B, classes + 1, [z,] y, x)`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: StudentBatch) -> Tensor:
        """The loss."""
        return soft_loss(self.model(batch.image), batch.target, batch.weight)


def soft_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy plus weighted Dice of the foreground classes, taken over the batch.

    Args:
        logits: `(B, classes + 1, ...)`.
        target: Probabilities of the same shape.
        weight: `(B, 1, ...)`.
    """
    logs = F.log_softmax(logits.float(), dim=1)
    entropy = -(target * logs).sum(dim=1, keepdim=True)
    cross_entropy = (weight * entropy).sum() / weight.sum().clamp(min=1.0)
    axes = [0, *range(2, logits.ndim)]
    found = logs.exp()[:, 1:] * weight
    wanted = target[:, 1:]
    shared = (found * wanted).sum(axes)
    total = found.sum(axes) + (wanted * weight).sum(axes)
    dice = 1 - (2 * shared + _SMOOTH) / (total + _SMOOTH)
    return cross_entropy + dice.mean()
