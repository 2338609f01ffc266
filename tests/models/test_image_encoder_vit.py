from __future__ import annotations

import pytest
import torch

from anytomy.models.adapters.sam_med2d import SamMed2dAdapter
from anytomy.models.common import join_windows, split_windows
from anytomy.models.image_encoder_vit import (
    RelativePositionAttention,
    ViTImageEncoder,
    relative_positions,
)


def test_windows_come_back(randomise):
    x = torch.randn(2, 5, 7, 3)
    windows = split_windows(x, 4)
    assert windows.shape == (2 * 2 * 2, 4, 4, 3)
    assert torch.equal(windows[1, :, :3], x[0, :4, 4:])
    assert (windows[1, :, 3] == 0).all()
    assert torch.equal(join_windows(windows, 5, 7), x)


def test_relative_positions_are_query_minus_key():
    table = torch.arange(5.0)[:, None]  # distances -2 ... 2
    assert relative_positions(table, 3)[..., 0].tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2]]


def test_relative_positions_of_another_size_are_interpolated():
    table = torch.arange(5.0)[:, None]
    resized = relative_positions(table, 6)[..., 0]
    assert resized.shape == (6, 6)
    assert resized.min() == 0
    assert resized.max() == 4
    torch.testing.assert_close(resized.diagonal(), torch.full((6,), 2.0))


def test_attention_equals_the_formula(randomise):
    attention = RelativePositionAttention(dim=8, heads=2, table_size=3)
    randomise(attention)
    x = torch.randn(1, 3, 3, 8)
    q, k, v = (layer(x).reshape(9, 2, 4) for layer in (attention.q_proj, attention.k_proj, attention.v_proj))
    out = torch.zeros(9, 2, 4)
    for head in range(2):
        logits = torch.zeros(9, 9)
        for i in range(9):
            for j in range(9):
                query = q[i, head]
                bias = attention.rel_pos_h[i // 3 - j // 3 + 2] + attention.rel_pos_w[i % 3 - j % 3 + 2]
                logits[i, j] = query @ k[j, head] / 2 + query @ bias
        out[:, head] = logits.softmax(dim=1) @ v[:, head]
    expected = attention.proj(out.reshape(1, 3, 3, 8))
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [64, 128])
def test_other_input_sizes_work(tiny_vit, size):
    assert tiny_vit.encode(torch.randn(1, 3, size, size)).shape == (1, 32, size // 16, size // 16)


@pytest.mark.parametrize("training", [True, False])
def test_position_tables_receive_gradients(tiny_vit, training):
    encoder = tiny_vit.image_encoder.train(training)
    assert isinstance(encoder, ViTImageEncoder)
    out = encoder(torch.randn(1, 3, 96, 96))
    (out * torch.randn_like(out)).sum().backward()
    tables = [encoder.pos_embed]
    tables += [t for block in encoder.blocks for t in (block.attn.rel_pos_h, block.attn.rel_pos_w)]
    for table in tables:
        assert table.grad is not None
        assert (table.grad != 0).any()


def test_adapter_equals_the_formula(randomise):
    adapter = SamMed2dAdapter(8)
    randomise(adapter)
    x = torch.randn(2, 4, 4, 8)
    down, up = adapter.spatial[0], adapter.spatial[2]
    gate = torch.sigmoid(
        torch.relu(x.mean(dim=(1, 2)) @ adapter.channel[0].weight.T) @ adapter.channel[2].weight.T
    )
    features = (x * gate[:, None, None]).permute(0, 3, 1, 2)
    features = torch.nn.functional.conv2d(features, down.weight, stride=2, padding=1).relu()
    features = torch.nn.functional.conv_transpose2d(features, up.weight, stride=2, padding=1).relu()
    expected = adapter.norm(x + features.permute(0, 2, 3, 1))
    assert adapter.channel[0].out_features == 2  # a quarter
    torch.testing.assert_close(adapter(x), expected)


def test_adapters_run_parallel_to_the_mlp_on_the_normalised_input(specs, randomise):
    from anytomy.models.architectures import build_architecture

    block = build_architecture(specs["med2d"]).image_encoder.blocks[1]
    randomise(block)
    x = torch.randn(1, 6, 6, 32)
    with_adapter = block(x)
    adapter, block.adapter = block.adapter, None
    without = block(x)
    normed = block.norm2(x + block.attn(block.norm1(x)))
    torch.testing.assert_close(with_adapter - without, adapter(normed), atol=1e-5, rtol=1e-4)
