from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss

from anytomy.distill.task import soft_loss


def one_hot(classes: torch.Tensor, count: int) -> torch.Tensor:
    return F.one_hot(classes, count).movedim(-1, 1).float()


def test_hard_labels_give_monais_dice_and_torchs_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(3, 4, 9, 8), torch.randint(0, 4, (3, 9, 8))
    dice = DiceLoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)(
        logits, classes[:, None]
    )
    expected = dice + F.cross_entropy(logits, classes)
    found = soft_loss(logits, one_hot(classes, 4), torch.ones(3, 1, 9, 8))
    assert abs(float(found - expected)) < 0.01  # both smooth a little, each its own way


def test_what_has_no_weight_does_not_count() -> None:
    torch.manual_seed(1)
    logits, target = torch.randn(2, 3, 6, 6, 6), one_hot(torch.randint(0, 3, (2, 6, 6, 6)), 3)
    weight = torch.ones(2, 1, 6, 6, 6)
    weight[:, :, 3:] = 0
    before = soft_loss(logits, target, weight)
    logits[:, :, 3:] = torch.randn(2, 3, 3, 6, 6)
    target[:, :, 3:] = target[:, :, 3:].roll(1, dims=1)
    assert float(soft_loss(logits, target, weight)) == float(before)
    assert float(soft_loss(logits, target, torch.ones_like(weight))) != float(before)


def test_nothing_known_is_no_loss_at_all_of_the_cross_entropy() -> None:
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    target = one_hot(torch.zeros(1, 4, 4, dtype=torch.long), 2)
    soft_loss(logits, target, torch.zeros(1, 1, 4, 4)).backward()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_soft_targets_are_best_met_by_their_own_probabilities() -> None:
    target = torch.softmax(torch.randn(1, 3, 5, 5), dim=1)
    weight = torch.ones(1, 1, 5, 5)
    own = soft_loss(target.log(), target, weight)
    sharper = soft_loss(3 * target.log(), target, weight)
    flatter = soft_loss(target.log() / 3, target, weight)
    entropy = -(target * target.log()).sum(dim=1).mean()
    assert own - entropy < sharper - entropy
    assert own < flatter
