"""SAM's mask decoder: embedding and prompts become mask logits and the model's own score of them.

Source: Kirillov et al., Segment Anything (arXiv 2304.02643), section 3 and appendix A.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.models.common import LayerNorm2d
from anytomy.models.two_way_transformer import TwoWayTransformer

MASK_TOKENS = 4
"""One token for the single mask, three for the whole, the part and the subpart."""


class DecoderOutput(NamedTuple):
    """All masks of the decoder; the caller selects.

    Token 0 is the single mask, for prompts that leave no doubt; tokens 1 to 3 are the multimask. A tuple,
    because graph exporters do not accept dataclasses.

    Attributes:
        mask_logits: (B, 4, 4 * grid, 4 * grid), above 0 is inside.
        iou_scores: (B, 4), the model's own estimate of each mask's IoU.
    """

    mask_logits: Tensor
    iou_scores: Tensor


class MaskDecoder(nn.Module):
    """Decodes the masks of a batch of prompts.

    Args:
        dim: Channels of tokens and embedding.
        transformer_depth: Blocks of the two-way transformer.
        transformer_heads: Its attention heads.
        transformer_mlp_dim: Hidden channels of its MLPs.
        score_dim: Hidden channels of the head that scores the masks.
    """

    def __init__(
        self,
        *,
        dim: int = 256,
        transformer_depth: int = 2,
        transformer_heads: int = 8,
        transformer_mlp_dim: int = 2048,
        score_dim: int = 256,
    ) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(
            dim=dim, depth=transformer_depth, heads=transformer_heads, mlp_dim=transformer_mlp_dim
        )
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(MASK_TOKENS, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(Mlp(dim, dim, dim // 8) for _ in range(MASK_TOKENS))
        self.iou_prediction_head = Mlp(dim, score_dim, MASK_TOKENS)

    def forward(self, embedding: Tensor, image_pos: Tensor, prompts: Tensor, dense: Tensor) -> DecoderOutput:
        """Decode.

        Args:
            embedding: One image for all prompts (1, dim, g, g), or an image for each (B, dim, g, g).
            image_pos: Position encoding of the embedding (1, dim, g, g).
            prompts: Prompt tokens (B, N, dim).
            dense: Dense prompts that broadcast to (B, dim, g, g).

        Returns:
            The four masks and scores of each prompt.
        """
        logits, tokens = self.masks(embedding, image_pos, prompts, dense)
        return DecoderOutput(logits, self.iou_prediction_head(tokens[:, 0]))

    def masks(
        self, embedding: Tensor, image_pos: Tensor, prompts: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode without scoring.

        Args:
            embedding: As in `forward`.
            image_pos: As in `forward`.
            prompts: As in `forward`; N may be 0.
            dense: As in `forward`.

        Returns:
            A mask for each mask token (B, M, 4 * g, 4 * g), and all tokens afterwards (B, 1 + M + N, dim),
            that of the score first.
        """
        batch = prompts.shape[0]
        grid_h, grid_w = embedding.shape[2], embedding.shape[3]
        output_tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([output_tokens.expand(batch, -1, -1), prompts], dim=1)
        # Where all prompts share one image it stays one: the first attention takes it once for all of them.
        image = embedding + dense

        tokens, image = self.transformer(
            tokens, image.flatten(2).transpose(1, 2), image_pos.flatten(2).transpose(1, 2)
        )  # (B, 1 + M + N, dim), (B, g * g, dim)

        image = image.transpose(1, 2).reshape(batch, -1, grid_h, grid_w)
        upscaled = self.output_upscaling(image)  # (B, dim / 8, 4 * g, 4 * g)
        weights = torch.stack(
            [mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )  # (B, M, dim / 8)
        logits = (weights @ upscaled.flatten(2)).reshape(batch, -1, 4 * grid_h, 4 * grid_w)
        return logits, tokens


class Mlp(nn.Module):
    """Three linear layers with ReLUs in between.

    Args:
        in_dim: Channels in.
        hidden_dim: Channels of the two hidden layers.
        out_dim: Channels out.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Linear(in_dim, hidden_dim),
                nn.Linear(hidden_dim, hidden_dim),
                nn.Linear(hidden_dim, out_dim),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_dim) to (..., out_dim)."""
        first, second, last = self.layers
        return last(F.relu(second(F.relu(first(x)))))
