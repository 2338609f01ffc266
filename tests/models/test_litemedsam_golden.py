"""LiteMedSAM's published weights in our modules against what the authors' own modules compute from them.

`shared/reference/litemedsam_golden.npz` holds the authors' outputs for two images. `tests/assets` has a small
part of it (for the image that a seed can remake), and outputs of our own modules, verified against the full
file, for a synthetic image. `python tests/models/make_golden_small.py` makes it anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
FULL = ROOT.parent / "shared" / "reference" / "litemedsam_golden.npz"
SMALL = ROOT / "tests" / "assets" / "litemedsam_golden_small.npz"
EMBEDDING_TOLERANCE, LOGIT_TOLERANCE, SCORE_TOLERANCE, MIN_IOU = 1e-4, 1e-3, 1e-4, 0.999


def noise_image() -> np.ndarray:
    """The golden file's `noise`, (256, 256, 3) in 0..1."""
    return np.random.default_rng(0).random((256, 256, 3)).astype(np.float32)


def synthetic_image() -> np.ndarray:
    """A bright ellipse on a wavy ground, (256, 256, 3) in 0..1; its box is (90, 60, 190, 140)."""
    y, x = np.mgrid[:256, :256].astype(np.float64)
    ground = 0.35 + 0.1 * np.sin(x / 17) * np.cos(y / 23)
    distance = np.hypot((x - 140) / 50, (y - 100) / 40)
    inside = 1 / (1 + np.exp(20 * (distance - 1)))
    grey = ground + 0.4 * inside
    return np.stack([grey, 0.9 * grey, 0.8 * grey + 0.05], axis=-1).astype(np.float32)


def run(sam, image: np.ndarray, box, points_xy=None, points_label=None) -> dict[str, np.ndarray]:
    """All outputs, named as in the golden file but for the prefix."""
    with torch.inference_mode():
        embedding = sam.encode(torch.from_numpy(image).permute(2, 0, 1)[None])
        corners = torch.as_tensor(np.asarray(box, dtype=np.float32)).reshape(1, 2, 2)
        boxed = sam.decode(embedding, corners, torch.tensor([[2, 3]]))
        found = {
            "embedding_every16": embedding[0, ::16],
            "embedding_mean_std": torch.stack([embedding.mean(), embedding.std()]),
            "box_logits": boxed.mask_logits[0, 0],
            "box_iou": boxed.iou_scores[:, :1],
            "box_multimask_logits": boxed.mask_logits[0, 1:],
            "box_multimask_iou": boxed.iou_scores[:, 1:],
        }
        if points_xy is not None:
            pad = torch.zeros(1, 2), torch.tensor([-1])
            coords = torch.cat([torch.from_numpy(points_xy), pad[0]])[None]
            labels = torch.cat([torch.from_numpy(points_label), pad[1]])[None]
            clicked = sam.decode(embedding, coords, labels)
            found["points_multimask_logits"] = clicked.mask_logits[0, 1:]
            found["points_multimask_iou"] = clicked.iou_scores[:, 1:]
    return {name: value.numpy() for name, value in found.items()}


def compare(found: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    for name, value in found.items():
        tolerance = LOGIT_TOLERANCE if name.endswith("logits") else SCORE_TOLERANCE
        tolerance = EMBEDDING_TOLERANCE if name.startswith("embedding") else tolerance
        assert np.abs(value - golden[name]).max() <= tolerance, name
        if name.endswith("logits"):
            a, b = value > 0, golden[name] > 0
            assert (a & b).sum() >= MIN_IOU * (a | b).sum(), name


def thin_out(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every eighth row and column of maps, the rest as it is."""
    return {
        name: value[..., ::8, ::8] if name.endswith(("logits", "every16")) else value
        for name, value in outputs.items()
    }


@pytest.mark.shared
@pytest.mark.skipif(not FULL.exists(), reason=f"{FULL} is not there")
@pytest.mark.parametrize("picture", ["noise", "polyp"])
def test_everything_agrees_with_the_authors_modules(litemedsam, picture):
    with np.load(FULL) as stored:
        golden = {k.removeprefix(f"{picture}_"): stored[k] for k in stored if k.startswith(picture)}
    found = run(litemedsam, golden["image"], golden["box"], golden["points_xy"], golden["points_label"])
    compare(found, golden)


def test_a_sample_agrees_with_the_authors_modules(litemedsam):
    golden = small("noise")
    found = run(litemedsam, noise_image(), golden["box"], golden["points_xy"], golden["points_label"])
    compare(thin_out(found), golden)


def test_a_synthetic_image_is_segmented_as_before(litemedsam):
    golden = small("synthetic")
    found = run(litemedsam, synthetic_image(), golden["box"])
    compare(thin_out(found), golden)
    y, x = np.mgrid[:256, :256]
    truth = np.hypot((x - 140) / 50, (y - 100) / 40) < 1
    mask = found["box_logits"] > 0
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def small(picture: str) -> dict[str, np.ndarray]:
    with np.load(SMALL) as stored:
        return {k.removeprefix(f"{picture}_"): stored[k] for k in stored if k.startswith(picture)}
