"""Hyper-parameters of the published models, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import nn

from anytomy.core.errors import ModelError
from anytomy.models.image_encoder_tinyvit import TinyViTImageEncoder
from anytomy.models.image_encoder_vit import ViTImageEncoder
from anytomy.models.mask_decoder import MaskDecoder
from anytomy.models.prompt_encoder import PromptEncoder
from anytomy.models.sam import Sam


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """Sizes of a `ViTImageEncoder`; see there. Lengths in patches."""

    dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window: int = 14
    patch: int = 16
    adapters: bool = False


@dataclass(frozen=True, kw_only=True)
class TinyViTConfig:
    """Sizes of a `TinyViTImageEncoder`; see there. Lengths in tokens."""

    stem_stride: int
    dims: tuple[int, ...] = (64, 128, 160, 320)
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (2, 4, 5, 10)
    windows: tuple[int, ...] = (7, 7, 14, 7)


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Sizes of a `MaskDecoder`; see there. All published models have these."""

    transformer_depth: int = 2
    transformer_heads: int = 8
    transformer_mlp_dim: int = 2048
    score_dim: int = 256


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All hyper-parameters of a model.

    Attributes:
        name: What `build` and model cards call it.
        input_size: Edge of the square input in pixels.
        encoder: Sizes of the image encoder; the type says which one.
        decoder: Sizes of the mask decoder.
        dim: Channels of the embedding and of the prompt tokens.
    """

    name: str
    input_size: int
    encoder: ViTConfig | TinyViTConfig
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    dim: int = 256

    @property
    def grid(self) -> int:
        """Edge of the embedding in tokens; a mask has four times as many pixels."""
        if isinstance(self.encoder, ViTConfig):
            return self.input_size // self.encoder.patch
        return self.input_size // (4 * self.encoder.stem_stride**2)


_VIT_B = ViTConfig(dim=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11))
_VIT_L = ViTConfig(dim=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))
_VIT_H = ViTConfig(dim=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))
_MED2D = ViTConfig(dim=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11), adapters=True)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        architecture.name: architecture
        for architecture in (
            Architecture(name="sam_vit_b", input_size=1024, encoder=_VIT_B),
            Architecture(name="sam_vit_l", input_size=1024, encoder=_VIT_L),
            Architecture(name="sam_vit_h", input_size=1024, encoder=_VIT_H),
            Architecture(name="sam_med2d_vit_b", input_size=256, encoder=_MED2D),
            Architecture(name="mobile_sam", input_size=1024, encoder=TinyViTConfig(stem_stride=2)),
            Architecture(name="litemedsam", input_size=256, encoder=TinyViTConfig(stem_stride=1)),
        )
    }
)
"""The published models. MedSAM is `sam_vit_b` with other weights."""


def architecture(name: str) -> Architecture:
    """Look an architecture up.

    Args:
        name: One of `ARCHITECTURES`.

    Raises:
        ModelError: There is none of that name.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        message = f"unknown architecture {name!r}, expected one of: {', '.join(ARCHITECTURES)}"
        raise ModelError(message, hint="MedSAM has the architecture sam_vit_b") from None


def build(name: str) -> Sam:
    """Build a published model with random weights; `checkpoints.load_weights` fills it.

    Args:
        name: One of `ARCHITECTURES`.

    Returns:
        The model in `train()` mode, as torch makes it; call `eval()` for inference.

    Raises:
        ModelError: There is none of that name.
    """
    return build_architecture(architecture(name))


def build_architecture(spec: Architecture) -> Sam:
    """Build a model of any sizes with random weights."""
    return Sam(
        _build_encoder(spec),
        PromptEncoder(dim=spec.dim, grid=spec.grid, input_size=spec.input_size),
        MaskDecoder(
            dim=spec.dim,
            transformer_depth=spec.decoder.transformer_depth,
            transformer_heads=spec.decoder.transformer_heads,
            transformer_mlp_dim=spec.decoder.transformer_mlp_dim,
            score_dim=spec.decoder.score_dim,
        ),
        input_size=spec.input_size,
        grid=spec.grid,
    )


def _build_encoder(spec: Architecture) -> nn.Module:
    sizes = spec.encoder
    if isinstance(sizes, TinyViTConfig):
        return TinyViTImageEncoder(
            stem_stride=sizes.stem_stride,
            dims=sizes.dims,
            depths=sizes.depths,
            heads=sizes.heads,
            windows=sizes.windows,
            out_channels=spec.dim,
        )
    return ViTImageEncoder(
        input_size=spec.input_size,
        dim=sizes.dim,
        depth=sizes.depth,
        heads=sizes.heads,
        global_blocks=sizes.global_blocks,
        window=sizes.window,
        patch=sizes.patch,
        out_channels=spec.dim,
        adapters=sizes.adapters,
    )
