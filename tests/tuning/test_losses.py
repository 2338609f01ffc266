from __future__ import annotations

import pytest
import torch

from anytomy.models.mask_decoder import DecoderOutput
from anytomy.tuning.losses import ClassLoss, PromptLoss, iou


def target() -> torch.Tensor:
    mask = torch.zeros(2, 1, 16, 16)
    mask[:, :, 4:10, 3:12] = 1
    return mask


def output(*logits: torch.Tensor, scores: float = 1.0) -> DecoderOutput:
    stacked = torch.cat(logits, dim=1)
    return DecoderOutput(stacked, torch.full(stacked.shape[:2], scores))


@pytest.mark.parametrize("kind", ["dice-ce", "dice-focal"])
class TestKinds:
    def test_a_right_mask_costs_nothing_and_a_wrong_one_much(self, kind: str) -> None:
        right = 20 * (2 * target() - 1)
        loss = PromptLoss(kind, 0.0)
        assert loss(output(right), target(), (0,)) < 0.01
        assert loss(output(-right), target(), (0,)) > 1

    def test_right_classes_cost_nothing_and_wrong_ones_much(self, kind: str) -> None:
        classes = target()[:, 0].long()
        logits = 20 * torch.nn.functional.one_hot(classes, 2).permute(0, 3, 1, 2).float()
        loss = ClassLoss(kind)
        assert loss(logits, classes) < 0.01
        assert loss(-logits, classes) > 0.5


def test_of_three_masks_the_best_counts() -> None:
    right = 20 * (2 * target() - 1)
    loss = PromptLoss("dice-ce", 0.0)
    out = output(-right, -right, right, -right)
    assert loss(out, target(), (1, 2, 3)) < 0.01
    assert loss(out, target(), (0,)) > 1


def test_the_score_learns_the_real_iou() -> None:
    right = 20 * (2 * target() - 1)
    loss = PromptLoss("dice-ce", 1.0)
    honest = loss(output(right, scores=1.0), target(), (0,))
    modest = loss(output(right, scores=0.5), target(), (0,))
    assert modest - honest == pytest.approx(0.25, abs=1e-4)


def test_a_class_that_is_absent_does_not_count() -> None:
    classes = torch.zeros(1, 8, 8, dtype=torch.long)
    classes[0, :4] = 1
    logits = 20 * torch.nn.functional.one_hot(classes, 4).permute(0, 3, 1, 2).float()
    assert ClassLoss("dice-ce")(logits, classes) < 0.6


def test_iou_of_two_empty_masks_is_one() -> None:
    empty = torch.zeros(1, 1, 4, 4)
    assert iou(empty - 1, empty).item() == 1
    assert iou(empty + 1, empty).item() == 0
