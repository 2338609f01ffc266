from __future__ import annotations

import pytest
import torch

from anytomy.core.errors import ModelError
from anytomy.models import converters


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_original_round_trip_is_exact(tiny_sam):
    ours = tiny_sam.state_dict()
    original = converters.to_original(ours)
    assert not any("q_proj" in key for key in original if key.startswith("image_encoder"))
    assert same(converters.from_original(original), ours)
    assert same(converters.to_original(converters.from_original(original)), original)


def test_hugging_face_round_trip_is_exact(tiny_vit):
    ours = tiny_vit.state_dict()
    theirs = converters.to_hugging_face(ours)
    assert same(converters.from_hugging_face(theirs), ours)
    assert same(converters.to_hugging_face(converters.from_hugging_face(theirs)), theirs)


def test_naming_is_detected(tiny_sam, tiny_vit):
    ours = tiny_sam.state_dict()
    assert converters.detect_naming(ours) == "anytomy"
    assert converters.detect_naming(converters.to_original(ours)) == "original"
    theirs = converters.to_hugging_face(tiny_vit.state_dict())
    assert converters.detect_naming(theirs) == "hugging_face"
    assert same(converters.to_ours(theirs), tiny_vit.state_dict())


@pytest.mark.parametrize("kind", ["vit", "tinyvit"])
def test_fused_projection_is_cut_where_the_authors_code_cuts_it(kind):
    heads, channels, dim = 3, 4, 12
    prefix = "image_encoder.layers.1.blocks.0.attn"
    fused = torch.randn(3 * dim, dim)
    state = {f"{prefix}.qkv.weight": fused}
    if kind == "tinyvit":
        state[f"{prefix}.attention_biases"] = torch.zeros(heads, 9)
    ours = converters.from_original(state)
    x = torch.randn(dim)
    rows = fused @ x
    # segment-anything: (3, heads, channels); TinyViT: (heads, 3 * channels)
    if kind == "vit":
        expected = rows.reshape(3, heads, channels)
    else:
        expected = rows.reshape(heads, 3, channels).transpose(0, 1)
    for index, role in enumerate("qkv"):
        got = (ours[f"{prefix}.{role}_proj.weight"] @ x).reshape(heads, channels)
        torch.testing.assert_close(got, expected[index])


def test_original_names_of_the_special_parts(tiny_sam):
    keys = set(converters.to_original(tiny_sam.state_dict()))
    assert {
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "prompt_encoder.point_embeddings.3.weight",
        "prompt_encoder.not_a_point_embed.weight",
        "prompt_encoder.mask_downscaling.6.bias",
        "mask_decoder.transformer.layers.1.cross_attn_image_to_token.out_proj.weight",
        "mask_decoder.output_upscaling.3.weight",
        "mask_decoder.output_hypernetworks_mlps.3.layers.2.bias",
        "mask_decoder.iou_prediction_head.layers.0.weight",
        "image_encoder.neck.3.bias",
    } <= keys


def test_sam_med2d_names_its_adapters(specs, randomise):
    from anytomy.models.architectures import build_architecture

    keys = set(converters.to_original(build_architecture(specs["med2d"]).state_dict()))
    block = "image_encoder.blocks.2.Adapter"
    names = ["norm.weight", "norm.bias", "channel.0.weight", "channel.2.weight"]
    names += ["spatial.0.weight", "spatial.2.weight"]
    assert {key for key in keys if key.startswith(block)} == {f"{block}.{name}" for name in names}


def test_known_leftovers_are_dropped(tiny_tinyvit):
    ours = tiny_tinyvit.state_dict()
    original = converters.to_original(ours)
    attention = "image_encoder.layers.1.blocks.0.attn"
    extra = {
        "image_encoder.norm_head.weight": torch.zeros(32),
        "image_encoder.norm_head.bias": torch.zeros(32),
        "image_encoder.head.weight": torch.zeros(1000, 32),
        "image_encoder.head.bias": torch.zeros(1000),
        f"{attention}.attention_bias_idxs": torch.zeros(9, 9, dtype=torch.long),
        f"{attention}.ab": torch.zeros(2, 9, 9),
        "pixel_mean": torch.zeros(3, 1, 1),
    }
    assert same(converters.from_original({**original, **extra}), ours)


@pytest.mark.parametrize("kind", ["med2d", "tinyvit"])
def test_models_that_hugging_face_does_not_know_are_refused(kind, specs):
    from anytomy.models.architectures import build_architecture

    with pytest.raises(ModelError, match="only a plain ViT fits"):
        converters.to_hugging_face(build_architecture(specs[kind]).state_dict())
