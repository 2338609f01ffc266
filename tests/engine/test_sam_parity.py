"""A `LoadedModel` end to end against `transformers.SamModel` and its processor, on the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import LoadedModel
from anytomy.engine.torch_engine import TorchEngine
from tests.engine.tiny import EVERYTHING, SAM, card, random_sam

transformers = pytest.importorskip("transformers")

SIZE = 96


@pytest.fixture(scope="module")
def theirs() -> Any:
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIZE,
            "patch_size": 16, "window_size": 4, "global_attn_indexes": [1], "mlp_dim": 128,
            "output_channels": 32, "num_pos_feats": 16,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": SIZE, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 24,
            "layer_norm_eps": 1e-5,
        },
    )  # fmt: skip
    config.prompt_encoder_config.image_embedding_size = SIZE // 16
    return transformers.SamModel(config).eval()


@pytest.fixture(scope="module")
def ours(theirs: Any) -> LoadedModel:
    from anytomy.models.converters import to_hugging_face

    sam = random_sam(input_size=SIZE, kind="vit")
    theirs.load_state_dict(to_hugging_face(sam.state_dict()))
    return LoadedModel(card(input_size=SIZE, preprocess=SAM, **EVERYTHING), TorchEngine(sam))


@pytest.fixture(scope="module")
def processor() -> Any:
    from transformers.models.sam.processing_sam import SamProcessor

    sizes = {"size": {"longest_edge": SIZE}, "pad_size": {"height": SIZE, "width": SIZE}}
    images = transformers.SamImageProcessor(
        **sizes,
        mask_size={"longest_edge": SIZE // 4},
        mask_pad_size={"height": SIZE // 4, "width": SIZE // 4},
    )
    processor = SamProcessor(images)
    processor.target_size = SIZE
    return processor


def picture(height: int, width: int) -> Any:
    """A colour picture with structure."""
    y, x = np.indices((height, width))
    waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 13)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 0.2, waves.shape)
    return ((waves + noise).clip(-1, 1) * 127 + 128).astype(np.uint8)


@pytest.mark.parametrize("shape", [(96, 96), (150, 110), (61, 140), (40, 30)])
@pytest.mark.parametrize("kind", ["box", "point", "points", "box and point"])
def test_masks_agree(
    ours: LoadedModel, theirs: Any, processor: Any, shape: tuple[int, int], kind: str
) -> None:
    height, width = shape
    image = picture(height, width)
    box = (0.2 * width, 0.1 * height, 0.7 * width, 0.8 * height) if "box" in kind else None
    points = {"box": [], "point": [(0.5, 0.5)], "points": [(0.5, 0.5), (0.2, 0.8)]}.get(kind, [(0.4, 0.4)])
    spots = tuple((x * width, y * height) for x, y in points)
    labels = (1, 0)[: len(spots)]
    got = ours.decode(ours.encode(image), PlanePrompt(box=box, points=spots, labels=labels))

    inputs = processor(
        image,
        input_boxes=None if box is None else [[list(box)]],
        input_points=[[[list(p) for p in spots]]] if spots else None,
        input_labels=[[list(labels)]] if spots else None,
        return_tensors="pt",
    )
    multimask = kind == "point"
    with torch.no_grad():
        out = theirs(
            **{k: v.float() if v.is_floating_point() else v for k, v in inputs.items()
               if k not in ("original_sizes", "reshaped_input_sizes")},
            multimask_output=multimask,
        )  # fmt: skip
    (masks,) = processor.image_processor.post_process_masks(
        out.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"], binarize=False,
        pad_size={"height": SIZE, "width": SIZE},
    )  # fmt: skip
    scores = out.iou_scores[0, 0]
    best = int(scores.argmax()) if multimask else 0
    expected = masks[0, best].numpy()
    assert got.score == pytest.approx(float(scores[best]), abs=2e-3)
    mask, truth = got.logits > 0, expected > 0
    assert truth.any()
    assert not truth.all()
    assert np.abs(got.logits - expected).max() < 0.01 * np.abs(expected).max() + 0.01
    assert (mask & truth).sum() / (mask | truth).sum() >= 0.999
