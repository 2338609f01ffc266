"""Tiny models of every kind, filled with weights that leave nothing at zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from anytomy.models.architectures import (
    Architecture,
    DecoderConfig,
    TinyViTConfig,
    ViTConfig,
    build_architecture,
)
from anytomy.models.sam import Sam

_DECODER = DecoderConfig(transformer_heads=4, transformer_mlp_dim=64, score_dim=24)
_VIT = {"dim": 32, "depth": 3, "heads": 2, "global_blocks": (1,), "window": 4}
TINY = {
    # A grid of 6 with windows of 4 needs padding; one block attends globally.
    "vit": Architecture(name="tiny_vit", input_size=96, dim=32, encoder=ViTConfig(**_VIT), decoder=_DECODER),
    "med2d": Architecture(
        name="tiny_med2d",
        input_size=96,
        dim=32,
        encoder=ViTConfig(**_VIT, adapters=True),
        decoder=_DECODER,
    ),
    # A grid of 8 with windows of 3 and 5 needs padding too.
    "tinyvit": Architecture(
        name="tiny_tinyvit",
        input_size=32,
        dim=32,
        encoder=TinyViTConfig(
            stem_stride=1, dims=(8, 16, 24, 32), depths=(1, 1, 2, 1), heads=(1, 2, 3, 4), windows=(3, 3, 5, 3)
        ),
        decoder=_DECODER,
    ),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fill_randomly(module: nn.Module, seed: int = 0) -> None:
    """Give every parameter and every running statistic a value of a sane size that is not its default."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if not tensor.is_floating_point() or name.endswith(("image_grid", "gaussian_matrix")):
            continue
        if "positional_embedding" in name:  # Hugging Face's name of the Gaussian matrix
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if ("embed" in name and "patch" not in name and "mask_embed." not in name) or "token." in name:
            noise = 0.5 * noise
        elif name.endswith("running_var"):
            noise = 1 + 0.2 * noise.abs()
        elif tensor.ndim == 1:
            noise = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
        else:
            noise = noise / tensor[0].numel() ** 0.5
        tensor.data.copy_(noise)


@pytest.fixture
def randomise() -> Callable[..., None]:
    return fill_randomly


@pytest.fixture
def specs() -> dict[str, Architecture]:
    return TINY


@pytest.fixture(params=list(TINY))
def tiny_sam(request: pytest.FixtureRequest) -> Sam:
    """Each kind of model in turn."""
    return _tiny(request.param)


@pytest.fixture
def tiny_vit() -> Sam:
    return _tiny("vit")


@pytest.fixture
def tiny_tinyvit() -> Sam:
    return _tiny("tinyvit")


def _tiny(kind: str) -> Sam:
    torch.manual_seed(0)  # for the Gaussian matrix
    model = build_architecture(TINY[kind]).eval()
    fill_randomly(model)
    return model


@pytest.fixture(scope="session")
def litemedsam(litemedsam_weights: Path) -> Sam:
    """LiteMedSAM with its published weights."""
    from anytomy.models import architectures, checkpoints

    model = architectures.build("litemedsam").eval()
    checkpoints.load_weights(model, checkpoints.read_checkpoint(litemedsam_weights))
    return model
