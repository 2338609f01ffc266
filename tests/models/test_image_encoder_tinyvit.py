from __future__ import annotations

import pytest
import torch

from anytomy.models.image_encoder_tinyvit import BiasedAttention, TinyViTImageEncoder


def test_attention_equals_the_formula(randomise):
    attention = BiasedAttention(dim=8, heads=2, window=3)
    randomise(attention)
    x = torch.randn(1, 3, 3, 8)
    normed = attention.norm(x)
    q, k, v = (
        layer(normed).reshape(9, 2, 4) for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    out = torch.zeros(9, 2, 4)
    for head in range(2):
        logits = torch.zeros(9, 9)
        for i in range(9):
            for j in range(9):
                dy, dx = abs(i // 3 - j // 3), abs(i % 3 - j % 3)
                bias = attention.attention_biases[head, 3 * dy + dx]
                logits[i, j] = q[i, head] @ k[j, head] / 2 + bias
        out[:, head] = logits.softmax(dim=1) @ v[:, head]
    expected = attention.proj(out.reshape(1, 3, 3, 8))
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_attention_biases_receive_gradients(tiny_tinyvit, training):
    encoder = tiny_tinyvit.image_encoder.train(training)
    out = encoder(torch.randn(2, 3, 32, 32))
    (out * torch.randn_like(out)).sum().backward()
    tables = [module for module in encoder.modules() if isinstance(module, BiasedAttention)]
    assert len(tables) == 4
    for module in tables:
        assert module.attention_biases.grad is not None
        assert (module.attention_biases.grad != 0).all()


def test_changed_biases_change_the_output_in_eval(tiny_tinyvit):
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        before = tiny_tinyvit.encode(image)
        tiny_tinyvit.image_encoder.layers[2].blocks[0].attn.attention_biases += torch.randn(3, 25)
        assert not torch.equal(tiny_tinyvit.encode(image), before)


def test_the_two_stems():
    with torch.device("meta"):
        mobile = TinyViTImageEncoder(stem_stride=2)
        lite = TinyViTImageEncoder(stem_stride=1)
        assert mobile(torch.zeros(1, 3, 1024, 1024)).shape == (1, 256, 64, 64)
        assert lite(torch.zeros(1, 3, 256, 256)).shape == (1, 256, 64, 64)
    assert mobile.patch_embed.seq[0].c.kernel_size == (3, 3)
    assert lite.patch_embed.seq[0].c.kernel_size == (1, 1)
