"""Models small enough for every test: a random `Sam`, and an engine whose answers can be foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.engine.cache import EmbeddingCache
from anytomy.predict.model import Model
from anytomy.zoo.card import ModelCard, Preprocess, Training, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.models.sam import Sam

LITEMEDSAM = Preprocess(resize="area", aspect="pad", scale="minmax", integer_boxes=True)
SAM = Preprocess(
    resize="bilinear",
    aspect="pad",
    scale="mean-std",
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
)
MEDSAM = Preprocess(resize="bicubic", aspect="stretch", scale="minmax")


def card(**changes: Any) -> ModelCard:
    """A card like LiteMedSAM's with an input of 64 pixels."""
    values: dict[str, Any] = {
        "id": "tiny",
        "title": "Tiny",
        "summary": "for tests",
        "architecture": "litemedsam",
        "licence": "none",
        "paper": "",
        "homepage": "",
        "input_size": 64,
        "prompts": ("box",),
        "mask_output": "single",
        "weights": Weights(file="tiny.pth"),
        "preprocess": LITEMEDSAM,
        "intensity": {"default": "percentile:0.5,99.5", "CT": "ct:soft", "8-bit": "none"},
        "training": Training(),
    }
    return ModelCard(**{**values, **changes})


EVERYTHING: dict[str, Any] = {"prompts": ("box", "points", "mask"), "mask_output": "best-of-three"}


class BrightEngine:
    """Answers: inside is what is bright in the box (corners included), or near a point.

    Its embedding is the picture that it was given and its masks have the size of the input, so that all steps
    around it can be followed with the naked eye. Without a box, everything within 6 pixels of a point counts;
    a mask prompt is added to the logits.
    """

    precision = "f32"
    description = "bright cpu f32 x1"

    def __init__(self, scores: tuple[float, ...] = (0.5, 0.6, 0.9, 0.7)) -> None:
        self.scores = np.array(scores, dtype=np.float32)
        self.encoded = 0
        self.asked: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        self.encoded += 1
        return pixels.mean(axis=1, keepdims=True)

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.asked.append((coords[0], labels[0]))
        picture = embedding[0, 0]
        y, x = np.indices(picture.shape)
        inside = np.zeros(picture.shape, dtype=bool)
        corners = (coords[0][labels[0] == kind] for kind in (2, 3))
        for (x0, y0), (x1, y1) in zip(*corners, strict=True):
            inside |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        if 2 not in labels:
            for (px, py), kind in zip(coords[0], labels[0], strict=True):
                if kind == 1:
                    inside |= np.hypot(x - px, y - py) <= 6
        logits = np.where(inside, 20 * (picture - 0.5), -10).astype(np.float32)
        if mask_input is not None:
            logits = logits + mask_input[0, 0, : picture.shape[0], : picture.shape[1]]
        return np.stack([logits, logits - 1, logits - 2, logits - 3]), self.scores


def bright_model(memory_bytes: int = 2**26, engine: BrightEngine | None = None, **changes: Any) -> Model:
    """A `Model` on a `BrightEngine`."""
    return Model(
        card(**changes),
        engine or BrightEngine(),
        weights_sha256="0" * 64,
        cache=EmbeddingCache(memory_bytes=memory_bytes),
    )


def random_sam(seed: int = 0, input_size: int = 64, kind: str = "tinyvit") -> Sam:
    """A small `Sam` with weights that leave nothing at zero.

    Args:
        seed: Of the weights.
        input_size: Side of the input, a multiple of 16.
        kind: `tinyvit` (masks of the input's size, as LiteMedSAM) or `vit` (of a quarter, as SAM).
    """
    import torch

    from anytomy.models.architectures import (
        Architecture,
        DecoderConfig,
        TinyViTConfig,
        ViTConfig,
        build_architecture,
    )
    from anytomy.models.checkpoints import load_weights

    encoder = (
        TinyViTConfig(
            stem_stride=1, dims=(8, 16, 24, 32), depths=(1, 1, 2, 1), heads=(1, 2, 3, 4), windows=(4, 4, 5, 4)
        )
        if kind == "tinyvit"
        else ViTConfig(dim=32, depth=2, heads=2, global_blocks=(1,), window=4)
    )
    decoder = DecoderConfig(transformer_heads=4, transformer_mlp_dim=64, score_dim=24)
    torch.manual_seed(seed)
    sam = build_architecture(
        Architecture(name="tiny", input_size=input_size, dim=32, encoder=encoder, decoder=decoder)
    ).eval()
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, tensor in sam.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if not tensor.is_floating_point():
            weights[name] = tensor
        elif name.endswith("running_var"):
            weights[name] = 1 + 0.2 * noise.abs()
        elif tensor.ndim == 1:
            weights[name] = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
        elif "gaussian" in name or "embed" in name or "token" in name:
            weights[name] = 0.5 * noise
        else:
            weights[name] = 1.5 * noise / tensor[0].numel() ** 0.5
    load_weights(sam, weights)
    return sam
