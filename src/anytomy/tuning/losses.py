"""What is minimised: masks against labels, classes against labels, the score against the real IoU.

MONAI's losses; weights as published: MedSAM adds Dice and cross-entropy (arXiv 2304.12306), SAM weighs focal
to Dice 20 : 1 (arXiv 2304.02643, appendix A), SAMed cross-entropy to Dice 0.2 : 0.8 (arXiv 2304.13785).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from anytomy.models.mask_decoder import DecoderOutput

_FOCAL_WEIGHT = 20.0
_CE_WEIGHT, _DICE_WEIGHT = 0.2, 0.8


class PromptLoss(nn.Module):
    """Loss of masks that were prompted, each against its object.

    Args:
        kind: `dice-ce` or `dice-focal`.
        score_weight: Of the squared error of the model's own IoU score.
    """

    def __init__(self, kind: str, score_weight: float) -> None:
        super().__init__()
        from monai.losses import DiceLoss, FocalLoss

        self.dice = DiceLoss(sigmoid=True, reduction="none")
        self.focal = FocalLoss(reduction="none") if kind == "dice-focal" else None
        self.score_weight = score_weight

    def forward(self, out: DecoderOutput, target: Tensor, tokens: tuple[int, ...]) -> Tensor:
        """The mean loss of a batch; of several tokens each object counts its best one (SAM, appendix A).

        Args:
            out: Of the decoder, B prompts.
            target: Objects (B, 1, side, side), 0 or 1.
            tokens: Which masks answer.
        """
        logits = out.mask_logits[:, list(tokens)].float()  # (B, T, side, side)
        scores = out.iou_scores[:, list(tokens)].float()
        wanted = target.expand_as(logits)
        masks = self._of_masks(logits.flatten(0, 1)[:, None], wanted.flatten(0, 1)[:, None])
        best, place = masks.reshape(logits.shape[:2]).min(dim=1)
        if self.score_weight == 0:
            return best.mean()
        real = iou(logits.detach(), wanted)
        off = F.mse_loss(scores, real, reduction="none").gather(1, place[:, None])
        return best.mean() + self.score_weight * off.mean()

    def _of_masks(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of each of N masks (N, 1, side, side)."""
        dice = self.dice(logits, target).flatten(1).mean(1)
        if self.focal is not None:
            return dice + _FOCAL_WEIGHT * self.focal(logits, target).flatten(1).mean(1)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return dice + cross_entropy.flatten(1).mean(1)


class ClassLoss(nn.Module):
    """Loss of classes (SAMed, section 3.4).

    Dice is taken over the batch: a class that is absent from a slice has none of its own.

    Args:
        kind: `dice-ce` or `dice-focal`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        from monai.losses import DiceLoss, FocalLoss

        self.dice = DiceLoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
        self.focal = FocalLoss(to_onehot_y=True, use_softmax=True) if kind == "dice-focal" else None

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            logits: (B, classes + 1, side, side).
            target: Classes (B, side, side), 0 the background.
        """
        logits, wanted = logits.float(), target[:, None]
        dice = self.dice(logits, wanted)
        if self.focal is not None:
            return _DICE_WEIGHT * dice + _FOCAL_WEIGHT * _CE_WEIGHT * self.focal(logits, wanted)
        return _DICE_WEIGHT * dice + _CE_WEIGHT * F.cross_entropy(logits, target)


@torch.no_grad()
def iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of masks (..., side, side) with their targets, over the last two axes; 1 where both are empty."""
    found, wanted = logits > 0, target > 0.5
    shared = (found & wanted).flatten(-2).sum(-1).float()
    either = (found | wanted).flatten(-2).sum(-1).float()
    return torch.where(either > 0, shared / either.clamp(min=1), torch.ones_like(either))
