from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

POINTS = torch.tensor([[[10.0, 12.0], [20.0, 5.0], [0.0, 0.0]], [[3.0, 4.0], [25.0, 28.0], [8.0, 8.0]]])
LABELS = torch.tensor([[1, 0, -1], [2, 3, 1]])


def test_output_shapes(tiny_sam):
    embedding = tiny_sam.encode(torch.randn(1, 3, tiny_sam.input_size, tiny_sam.input_size))
    assert embedding.shape == (1, 32, tiny_sam.grid, tiny_sam.grid)
    out = tiny_sam.decode(embedding, POINTS, LABELS)
    assert out.mask_logits.shape == (2, 4, 4 * tiny_sam.grid, 4 * tiny_sam.grid)
    assert out.iou_scores.shape == (2, 4)


@torch.no_grad()
def test_images_and_prompts_of_a_batch_do_not_touch_each_other(tiny_sam):
    images = torch.randn(2, 3, tiny_sam.input_size, tiny_sam.input_size)
    masks = torch.randn(2, 1, 4 * tiny_sam.grid, 4 * tiny_sam.grid)
    has_mask = torch.tensor([1.0, 0.0])
    together = tiny_sam(images, POINTS, LABELS, masks, has_mask)
    for i in range(2):
        one = slice(i, i + 1)
        alone = tiny_sam(images[one], POINTS[one], LABELS[one], masks[one], has_mask[one])
        torch.testing.assert_close(together.mask_logits[one], alone.mask_logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.iou_scores[one], alone.iou_scores, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_one_embedding_serves_all_prompts(tiny_sam):
    embedding = tiny_sam.encode(torch.randn(1, 3, tiny_sam.input_size, tiny_sam.input_size))
    shared = tiny_sam.decode(embedding, POINTS, LABELS)
    repeated = tiny_sam.decode(embedding.expand(2, -1, -1, -1), POINTS, LABELS)
    torch.testing.assert_close(shared.mask_logits, repeated.mask_logits)


@torch.no_grad()
def test_no_mask_equals_has_mask_zero(tiny_vit):
    embedding = torch.randn(1, 32, 6, 6)
    mask = torch.randn(2, 1, 24, 24)
    without = tiny_vit.decode(embedding, POINTS, LABELS)
    with_zero = tiny_vit.decode(embedding, POINTS, LABELS, mask, torch.zeros(2))
    torch.testing.assert_close(without.mask_logits, with_zero.mask_logits)
    default = tiny_vit.decode(embedding, POINTS, LABELS, mask)
    with_ones = tiny_vit.decode(embedding, POINTS, LABELS, mask, torch.ones(2))
    assert torch.equal(default.mask_logits, with_ones.mask_logits)
    assert not torch.allclose(default.mask_logits, without.mask_logits)


def test_gradients_reach_every_part(tiny_sam):
    tiny_sam.train()
    size = tiny_sam.input_size
    mask = torch.randn(2, 1, 4 * tiny_sam.grid, 4 * tiny_sam.grid)
    labels = torch.tensor([[0, 1, -1], [2, 3, 1]])
    out = tiny_sam(torch.randn(2, 3, size, size), POINTS, labels, mask, torch.tensor([1.0, 0.0]))
    loss = (out.mask_logits * torch.randn_like(out.mask_logits)).sum() + out.iou_scores.sum()
    loss.backward()
    silent = [name for name, p in tiny_sam.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    # A key's bias shifts all logits of a query alike, which the softmax does not see.
    assert [name for name in silent if not name.endswith("k_proj.bias")] == []


def test_the_decoder_learns_one_mask(tiny_vit):
    torch.manual_seed(0)
    grid = torch.arange(24.0)
    target = ((grid[:, None] - 10) ** 2 + (grid[None, :] - 14) ** 2 < 36).float()[None]
    with torch.no_grad():
        embedding = tiny_vit.encode(torch.randn(1, 3, 96, 96))
    box = torch.tensor([[[32.0, 16.0], [80.0, 64.0]]])
    optimizer = torch.optim.AdamW(tiny_vit.mask_decoder.parameters(), lr=1e-3)
    for _ in range(250):
        logits = tiny_vit.decode(embedding, box, torch.tensor([[2, 3]])).mask_logits[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    inside = logits > 0
    iou = (inside & (target > 0)).sum() / (inside | (target > 0)).sum()
    assert iou > 0.9


def test_half_precision_stays_close(tiny_vit):
    embedding = torch.randn(1, 32, 6, 6)
    with torch.no_grad():
        full = tiny_vit.decode(embedding, POINTS, LABELS)
        half = tiny_vit.to(torch.bfloat16).decode(embedding.bfloat16(), POINTS, LABELS)
    assert half.mask_logits.dtype == torch.bfloat16
    assert (half.mask_logits.float() - full.mask_logits).abs().max() < 0.2


@pytest.mark.parametrize("points", [1, 7])
def test_any_number_of_points(tiny_vit, points):
    out = tiny_vit.decode(torch.randn(1, 32, 6, 6), torch.rand(1, points, 2), torch.ones(1, points))
    assert out.mask_logits.shape == (1, 4, 24, 24)
