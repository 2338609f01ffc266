"""Our ViT models against `transformers.SamModel`, an independent implementation, on random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from anytomy.models.architectures import build, build_architecture
from anytomy.models.checkpoints import load_weights
from anytomy.models.converters import to_hugging_face
from anytomy.models.sam import Sam

transformers = pytest.importorskip("transformers")

EMBEDDING_TOLERANCE, LOGIT_TOLERANCE, MIN_IOU = 1e-4, 1e-3, 0.999


@pytest.fixture
def tiny_pair(specs, randomise) -> tuple[Sam, Any]:
    spec = specs["vit"]
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 96,
            "patch_size": 16,
            "window_size": 4,
            "global_attn_indexes": [1],
            "mlp_dim": 128,
            "output_channels": 32,
            "num_pos_feats": 16,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 96, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 24,
            "layer_norm_eps": DECODER_EPS,
        },
    )
    config.prompt_encoder_config.image_embedding_size = spec.grid
    return pair(config, build_architecture(spec), randomise)


# Segment-anything's decoder normalises with torch's default epsilon; Hugging Face's default is another one.
DECODER_EPS = 1e-5


def pair(config: Any, ours: Sam, randomise: Any) -> tuple[Sam, Any]:
    torch.manual_seed(0)
    theirs = transformers.SamModel(config).eval()
    randomise(theirs)
    theirs.shared_image_embedding.positional_embedding.data.normal_()
    load_weights(ours, theirs.state_dict())
    return ours.eval(), theirs


def prompts(size: int, boxes: bool) -> dict[str, Tensor]:
    """Three prompts of two points each, ours with box or pad point, theirs apart."""
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(3, 2, 2, generator=generator) * size
    labels = torch.tensor([[1, 0], [0, 1], [1, 1]])
    corners = torch.tensor([[0.1, 0.15, 0.6, 0.7], [0, 0, 1, 1], [0.4, 0.5, 0.9, 0.8]]) * size
    extra = corners.reshape(3, 2, 2) if boxes else torch.zeros(3, 1, 2)
    extra_labels = torch.tensor([[2, 3]] * 3) if boxes else torch.full((3, 1), -1)
    return {
        "coords": torch.cat([points, extra], dim=1),
        "labels": torch.cat([labels, extra_labels], dim=1),
        "points": points[None],
        "point_labels": labels[None],
        "boxes": corners[None],
    }


def assert_same_masks(ours: Tensor, theirs: Tensor) -> None:
    assert (ours - theirs).abs().max() <= LOGIT_TOLERANCE
    a, b = ours > 0, theirs > 0
    assert a.any()
    assert not a.all()
    assert (a & b).sum() / (a | b).sum() >= MIN_IOU


def check_all_prompts(ours: Sam, theirs: Any, size: int) -> None:
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        embedding, expected = ours.encode(image), theirs.get_image_embeddings(image)
        assert (embedding - expected).abs().max() <= EMBEDDING_TOLERANCE
        for boxes in (False, True):
            for multimask in (False, True):
                check_prompts(ours, theirs, expected, size, boxes=boxes, multimask=multimask)
        check_mask_prompt(ours, theirs, expected, size)


def check_prompts(
    ours: Sam, theirs: Any, embedding: Tensor, size: int, *, boxes: bool, multimask: bool
) -> None:
    given = prompts(size, boxes)
    out = ours.decode(embedding, given["coords"], given["labels"])
    expected = theirs(
        image_embeddings=embedding,
        input_points=given["points"],
        input_labels=given["point_labels"],
        input_boxes=given["boxes"] if boxes else None,
        multimask_output=multimask,
    )
    chosen = slice(1, None) if multimask else slice(0, 1)
    assert_same_masks(out.mask_logits[:, chosen], expected.pred_masks[0])
    assert (out.iou_scores[:, chosen] - expected.iou_scores[0]).abs().max() <= LOGIT_TOLERANCE


def check_mask_prompt(ours: Sam, theirs: Any, embedding: Tensor, size: int) -> None:
    given = prompts(size, boxes=True)
    mask = torch.randn(1, 1, 4 * ours.grid, 4 * ours.grid, generator=torch.Generator().manual_seed(3))
    out = ours.decode(embedding, given["coords"][:1], given["labels"][:1], mask, torch.ones(1))
    expected = theirs(
        image_embeddings=embedding,
        input_points=given["points"][:, :1],
        input_labels=given["point_labels"][:, :1],
        input_boxes=given["boxes"][:, :1],
        input_masks=mask,
        multimask_output=True,
    )
    assert_same_masks(out.mask_logits[:, 1:], expected.pred_masks[0])


def test_tiny_model_agrees(tiny_pair):
    check_all_prompts(*tiny_pair, size=96)


def test_weights_go_back_to_hugging_face_bit_for_bit(tiny_pair):
    ours, theirs = tiny_pair
    back, expected = to_hugging_face(ours.state_dict()), theirs.state_dict()
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[key], expected[key]) for key in expected)


@pytest.mark.slow
def test_vit_b_at_full_size_agrees(randomise):
    config = transformers.SamConfig(mask_decoder_config={"layer_norm_eps": DECODER_EPS})
    check_all_prompts(*pair(config, build("sam_vit_b"), randomise), size=1024)
