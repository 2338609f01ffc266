"""The mask decoder's transformer, in which tokens attend to the image and the image attends back.

Source: Kirillov et al., Segment Anything (arXiv 2304.02643), appendix A, figure 14.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.models.common import TransformerMlp


class TwoWayTransformer(nn.Module):
    """A few two-way blocks and a last attention from the tokens to the image.

    Args:
        dim: Channels.
        depth: Number of blocks.
        heads: Attention heads.
        mlp_dim: Hidden channels of the blocks' MLPs.
    """

    def __init__(self, *, dim: int = 256, depth: int = 2, heads: int = 8, mlp_dim: int = 2048) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(dim, heads, mlp_dim, first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(dim, heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, image: Tensor, image_pos: Tensor) -> tuple[Tensor, Tensor]:
        """Let tokens and image attend to each other.

        Args:
            tokens: Output and prompt tokens (B, N, dim); they also serve as their own positions.
            image: Embedding plus dense prompt (B, H * W, dim).
            image_pos: Positions of the embedding (1, H * W, dim).

        Returns:
            The tokens (B, N, dim) and the image (B, H * W, dim) afterwards.
        """
        queries, keys = tokens, image
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, image_pos)
        attended = self.final_attn_token_to_image(queries + tokens, keys + image_pos, keys)
        return self.norm_final_attn(queries + attended), keys


class TwoWayBlock(nn.Module):
    """Tokens attend to each other, then to the image, pass an MLP; the image attends to the tokens.

    Args:
        dim: Channels.
        heads: Attention heads.
        mlp_dim: Hidden channels of the MLP.
        first: Whether it is the first block, whose tokens hold nothing yet but their positions.
    """

    def __init__(self, dim: int, heads: int, mlp_dim: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, heads, downsample=2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = TransformerMlp(dim, mlp_dim, activation="relu")
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, heads, downsample=2)

    def forward(
        self, queries: Tensor, keys: Tensor, query_pos: Tensor, key_pos: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update tokens and image.

        Args:
            queries: Tokens (B, N, dim).
            keys: Image (B, H * W, dim).
            query_pos: The tokens as they came into the transformer (B, N, dim).
            key_pos: Positions of the image (1, H * W, dim).

        Returns:
            `queries` and `keys` afterwards.
        """
        if self.first:
            queries = self.self_attn(queries, queries, queries)
        else:
            q = queries + query_pos
            queries = queries + self.self_attn(q, q, queries)
        queries = self.norm1(queries)

        k = keys + key_pos
        queries = queries + self.cross_attn_token_to_image(queries + query_pos, k, keys)
        queries = self.norm2(queries)
        queries = self.norm3(queries + self.mlp(queries))

        q = queries + query_pos
        keys = self.norm4(keys + self.cross_attn_image_to_token(k, q, queries))
        return queries, keys


class Attention(nn.Module):
    """Multi-head attention that may work in fewer channels than it takes and gives.

    Args:
        dim: Channels in and out.
        heads: Attention heads.
        downsample: How many times fewer the inner channels are.
    """

    def __init__(self, dim: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = dim // downsample
        self.heads = heads
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(dim, inner)
        self.v_proj = nn.Linear(dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from `q` (B, N, dim) to `k`, `v` (B, M, dim); returns (B, N, dim)."""
        query = self._split_heads(self.q_proj(q))
        key = self._split_heads(self.k_proj(k))
        value = self._split_heads(self.v_proj(v))
        out = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def _split_heads(self, x: Tensor) -> Tensor:
        b, n, dim = x.shape
        return x.reshape(b, n, self.heads, dim // self.heads).transpose(1, 2)
