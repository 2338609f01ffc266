"""SAM's prompt encoder: points, boxes and masks become tokens and a dense map.

Sources: Kirillov et al., Segment Anything (arXiv 2304.02643), appendix A; random Fourier features after
Tancik et al. (arXiv 2006.10739).
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.models.common import LayerNorm2d

PAD, NEGATIVE, POSITIVE, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = -1, 0, 1, 2, 3
"""What the label of a point says."""


class PromptEncoder(nn.Module):
    """Encodes prompts that are given in pixels of the model's square input.

    A box is two points, labelled `BOX_TOP_LEFT` and `BOX_BOTTOM_RIGHT`. The caller appends a point labelled
    `PAD` (anywhere) to prompts that have no box, and to shorter ones of a batch: SAM was trained with it, and
    a prompt of points without it scores worse.

    Args:
        dim: Channels of a token, as many as the embedding has.
        grid: Edge of the embedding in tokens.
        input_size: Edge of the model's input in pixels.
        mask_channels: Hidden channels of the mask path.
    """

    def __init__(
        self, *, dim: int = 256, grid: int = 64, input_size: int = 1024, mask_channels: int = 16
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.pe_layer = PositionEncoding(dim // 2, grid)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, dim, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, dim)

    def encode_points(self, coords: Tensor, labels: Tensor) -> Tensor:
        """Encode points and box corners.

        Args:
            coords: Positions (B, N, 2), x then y, in pixels of the input; an integer is the centre of its
                pixel.
            labels: Kinds (B, N) of any dtype: -1 pad, 0 negative, 1 positive, 2 and 3 the corners of a box.

        Returns:
            Tokens (B, N, dim).
        """
        position = self.pe_layer((coords.float() + 0.5) / self.input_size)  # (B, N, dim)
        tables: list[Any] = [self.not_a_point_embed, *self.point_embeddings]
        kinds = torch.cat([table.weight for table in tables])  # (5, dim)
        # One gather and one select instead of a branch per kind: the graph stays the same for any number of
        # points.
        kind = F.embedding(labels.long() + 1, kinds)
        is_pad = (labels == PAD).unsqueeze(-1)
        return torch.where(is_pad, kind, kind + position.to(kind.dtype))

    def encode_mask(self, mask: Tensor, has_mask: Tensor) -> Tensor:
        """Encode earlier mask logits.

        Args:
            mask: Logits (B, 1, 4 * grid, 4 * grid); what stands where there is no mask does not matter.
            has_mask: (B,), 1 (or True) where the mask counts, 0 where there is none.

        Returns:
            Dense maps (B, dim, grid, grid) to be added to the embedding.
        """
        given = has_mask.to(mask.dtype).reshape(-1, 1, 1, 1) > 0.5
        return torch.where(given, self.mask_downscaling(mask), self.no_mask())

    def no_mask(self) -> Tensor:
        """The dense map that says that there is no mask, (1, dim, 1, 1)."""
        return self.no_mask_embed.weight.reshape(1, -1, 1, 1)


class PositionEncoding(nn.Module):
    """Random Fourier features of positions.

    Args:
        frequencies: Number of random frequencies; there are twice as many features.
        grid: Edge of the embedding in tokens, for `image_grid`.
        scale: Standard deviation of the frequencies, for a model that is trained from nothing.
    """

    positional_encoding_gaussian_matrix: Tensor
    image_grid: Tensor
    """Features of the centres of the embedding's tokens (1, 2 * frequencies, grid, grid)."""

    def __init__(self, frequencies: int, grid: int, scale: float = 1.0) -> None:
        super().__init__()
        self.grid = grid
        matrix = scale * torch.randn(2, frequencies)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)
        # It follows from the matrix, so it is not saved, and is made anew whenever weights are loaded.
        self.register_buffer("image_grid", self._encode_grid(), persistent=False)
        self.register_load_state_dict_post_hook(_refresh)

    def forward(self, positions: Tensor) -> Tensor:
        """Encode positions (..., 2), x then y, as fractions of the input, to (..., 2 * frequencies)."""
        # Products and a sum instead of a matrix product: autocast would round a matrix product to 16 bits,
        # and float() because a position needs more digits than half precision has.
        matrix = self.positional_encoding_gaussian_matrix.float()
        positions = 2 * math.pi * (2 * positions.float() - 1)
        phase = positions[..., :1] * matrix[0] + positions[..., 1:] * matrix[1]
        return torch.cat([phase.sin(), phase.cos()], dim=-1)

    def refresh(self) -> None:
        """Make `image_grid` anew, after the frequencies were changed by hand."""
        self.image_grid = self._encode_grid().to(self.image_grid.dtype)

    @torch.no_grad()
    def _encode_grid(self) -> Tensor:
        matrix = self.positional_encoding_gaussian_matrix
        centre = (torch.arange(self.grid, device=matrix.device) + 0.5) / self.grid
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        return self(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None].contiguous()


def _refresh(module: PositionEncoding, _: object) -> None:
    """A function of the module rather than a lambda, so that models can be pickled to other processes."""
    module.refresh()
