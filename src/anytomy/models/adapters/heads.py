"""Heads that give each pixel of an embedding a class, without prompts.

Sources: Zhang and Liu, SAMed (arXiv 2304.13785), section 3.3; Hu, Xu and Shi, AutoSAM (arXiv 2306.13731) and
the authors' code (github.com/xhu248/AutoSAM).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING

from torch import Tensor, nn

from anytomy.models.common import LayerNorm2d
from anytomy.models.mask_decoder import MaskDecoder, Mlp

if TYPE_CHECKING:
    from anytomy.models.sam import Sam


class DecoderHead(nn.Module):
    """SAM's mask decoder with one mask token for each class and for the background, and no prompts.

    The tokens look at the image as mask tokens do; the score head is left out. AutoSAM's code decodes class
    by class, with four tokens each; here the classes see each other in one sequence, with one token each.

    Args:
        decoder: Copied, but for its mask tokens, their perceptrons and the score head.
        image_pos: Position encoding of the embedding (1, C, grid, grid).
        classes: Number of classes without the background.
        no_mask: The dense map that says that there is no mask (1, C), trained along; None to leave it out.
        replicate: Start each class as a copy of the single mask's token; a fresh token otherwise.
    """

    image_pos: Tensor

    def __init__(
        self,
        decoder: MaskDecoder,
        image_pos: Tensor,
        classes: int,
        *,
        no_mask: Tensor | None = None,
        replicate: bool = False,
    ) -> None:
        super().__init__()
        self.decoder = deepcopy(decoder)
        del self.decoder.iou_prediction_head
        old = self.decoder.mask_tokens.weight
        tokens = nn.Embedding(classes + 1, old.shape[1], device=old.device, dtype=old.dtype)
        first = self.decoder.output_hypernetworks_mlps[0]
        perceptrons = [deepcopy(first) for _ in range(classes + 1)]
        if replicate:
            tokens.weight.data.copy_(old.data[:1].expand(classes + 1, -1))
        else:
            for perceptron in perceptrons:
                _renew(perceptron)
        self.decoder.mask_tokens = tokens
        self.decoder.output_hypernetworks_mlps = nn.ModuleList(perceptrons)
        self.no_mask = None if no_mask is None else nn.Parameter(no_mask.detach().clone())
        self.register_buffer("image_pos", image_pos.detach().clone(), persistent=False)

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (B, classes + 1, 4 * grid, 4 * grid) of embeddings (B, C, grid, grid)."""
        batch, dim = embedding.shape[:2]
        nothing = embedding.new_zeros(batch, 0, dim)
        dense = embedding.new_zeros(1, dim, 1, 1)
        if self.no_mask is not None:
            dense = self.no_mask.reshape(1, -1, 1, 1)
        return self.decoder.masks(embedding, self.image_pos, nothing, dense)[0]


class CnnHead(nn.Module):
    """AutoSAM's CNN: a 1x1 convolution, stages of a convolution and a doubling, a 1x1 convolution.

    The authors' code has two convolutions in a stage, with ReLU and without normalisation; here there is one,
    normalised over its channels.

    Args:
        dim: Channels of the embedding.
        classes: Number of classes without the background.
        stages: Doublings; 2 lead to four times the grid.
        width: Channels behind the last one; each stage before has twice as many.
    """

    def __init__(self, dim: int, classes: int, *, stages: int = 2, width: int = 64) -> None:
        super().__init__()
        channels = width * 2**stages
        layers: list[nn.Module] = [nn.Conv2d(dim, channels, kernel_size=1)]
        for _ in range(stages):
            layers += [
                nn.Conv2d(channels, channels, kernel_size=3, padding=1),
                LayerNorm2d(channels),
                nn.GELU(),
                nn.ConvTranspose2d(channels, channels // 2, kernel_size=2, stride=2),
                LayerNorm2d(channels // 2),
                nn.GELU(),
            ]
            channels //= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, classes + 1, kernel_size=1))

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (B, classes + 1, 4 * grid, 4 * grid) of embeddings (B, C, grid, grid)."""
        return self.layers(embedding)


class LinearHead(nn.Module):
    """AutoSAM's linear head: two transposed convolutions to four times the grid, a 1x1 convolution.

    The authors' code has a second 1x1 convolution, and a ReLU on the logits.

    Args:
        dim: Channels of the embedding.
        classes: Number of classes without the background.
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
            nn.Conv2d(dim // 8, classes + 1, kernel_size=1),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (B, classes + 1, 4 * grid, 4 * grid) of embeddings (B, C, grid, grid)."""
        return self.layers(embedding)


def _sam(sam: Sam, classes: int) -> nn.Module:
    prompts = sam.prompt_encoder
    return DecoderHead(
        sam.mask_decoder, prompts.pe_layer.image_grid, classes, no_mask=prompts.no_mask_embed.weight
    )


def _autosam_decoder(sam: Sam, classes: int) -> nn.Module:
    return DecoderHead(sam.mask_decoder, sam.prompt_encoder.pe_layer.image_grid, classes, replicate=True)


def _autosam_cnn(sam: Sam, classes: int) -> nn.Module:
    return CnnHead(_dim(sam), classes).to(_device(sam))


def _autosam_linear(sam: Sam, classes: int) -> nn.Module:
    return LinearHead(_dim(sam), classes).to(_device(sam))


HEADS: Mapping[str, Callable[[Sam, int], nn.Module]] = MappingProxyType(
    {
        "sam": _sam,
        "autosam-decoder": _autosam_decoder,
        "autosam-cnn": _autosam_cnn,
        "autosam-linear": _autosam_linear,
    }
)
"""Heads by name; each makes one from a model with its weights and the number of classes."""


def _renew(perceptron: nn.Module) -> None:
    assert isinstance(perceptron, Mlp)
    for layer in perceptron.layers:
        assert isinstance(layer, nn.Linear)
        layer.reset_parameters()


def _dim(sam: Sam) -> int:
    return int(sam.prompt_encoder.no_mask_embed.weight.shape[1])


def _device(sam: Sam) -> str:
    return str(sam.prompt_encoder.no_mask_embed.weight.device)
