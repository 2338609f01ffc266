"""SAM's image encoder: a plain vision transformer with windowed and global attention.

Sources: Kirillov et al., Segment Anything (arXiv 2304.02643), appendix A; Li et al., Exploring Plain Vision
Transformer Backbones for Object Detection (arXiv 2203.16527); decomposed relative positions after Li et al.,
MViTv2 (arXiv 2112.01526), section 4.1. MedSAM is the B size at 1024 px, SAM-Med2D the B size at 256 px with
adapters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.models.adapters.sam_med2d import SamMed2dAdapter
from anytomy.models.common import TransformerMlp, join_windows, neck, split_windows


class ViTImageEncoder(nn.Module):
    """Turns an image into an embedding at a sixteenth of its size.

    Args:
        input_size: Edge of the square input in pixels; sets the sizes of the position tables.
        dim: Channels of the blocks.
        depth: Number of blocks.
        heads: Attention heads per block.
        global_blocks: Indices of the blocks that attend over the whole image; the others attend within
            windows.
        window: Edge of a window in patches.
        patch: Edge of a patch in pixels.
        mlp_ratio: Hidden channels of a block's MLP, relative to `dim`.
        out_channels: Channels of the embedding.
        adapters: Whether each block carries a SAM-Med2D adapter.
    """

    def __init__(
        self,
        *,
        input_size: int = 1024,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        global_blocks: Sequence[int] = (2, 5, 8, 11),
        window: int = 14,
        patch: int = 16,
        mlp_ratio: float = 4.0,
        out_channels: int = 256,
        adapters: bool = False,
    ) -> None:
        super().__init__()
        grid = input_size // patch
        self.patch_embed = PatchEmbed(patch, dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, dim))
        self.blocks = nn.ModuleList(
            Block(
                dim,
                heads,
                window=0 if index in global_blocks else window,
                table_size=grid if index in global_blocks else window,
                mlp_ratio=mlp_ratio,
                adapter=adapters,
            )
            for index in range(depth)
        )
        self.neck = neck(dim, out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Encode normalised images.

        Args:
            image: Images (B, 3, S, S). Another S than `input_size` works: the position tables are
                interpolated.

        Returns:
            Embeddings (B, out_channels, S / patch, S / patch).
        """
        x = self.patch_embed(image)  # (B, g, g, dim)
        x = x + resize_position_embedding(self.pos_embed, x.shape[1], x.shape[2])
        for block in self.blocks:
            x = block(x)
        return self.neck(x.permute(0, 3, 1, 2))


class PatchEmbed(nn.Module):
    """Cuts the image into patches and projects each one.

    Args:
        patch: Edge of a patch in pixels.
        dim: Channels of a projected patch.
    """

    def __init__(self, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, H / patch, W / patch, dim)."""
        return self.proj(image).permute(0, 2, 3, 1)


class Block(nn.Module):
    """A pre-norm transformer block with attention in windows or over the whole map.

    Args:
        dim: Channels.
        heads: Attention heads.
        window: Edge of a window in patches; 0 attends over the whole map.
        table_size: Edge, in patches, of the map that the relative position tables are made for.
        mlp_ratio: Hidden channels of the MLP, relative to `dim`.
        adapter: Whether a SAM-Med2D adapter runs parallel to the MLP.
    """

    def __init__(
        self, dim: int, heads: int, *, window: int, table_size: int, mlp_ratio: float, adapter: bool
    ) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = RelativePositionAttention(dim, heads, table_size)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = TransformerMlp(dim, int(dim * mlp_ratio), activation="gelu")
        self.adapter: nn.Module | None = SamMed2dAdapter(dim) if adapter else None
        # Where a tuning method may put a module behind the attention; `adapter` runs beside the MLP.
        self.attention_adapter: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, dim) to (B, H, W, dim)."""
        attended = self._attend(self.norm1(x))
        x = x + (attended if self.attention_adapter is None else self.attention_adapter(attended))
        normed = self.norm2(x)
        x = x + self.mlp(normed)
        if self.adapter is not None:
            x = x + self.adapter(normed)
        return x

    def _attend(self, x: Tensor) -> Tensor:
        if self.window == 0:
            return self.attn(x)
        height, width = x.shape[1], x.shape[2]
        return join_windows(self.attn(split_windows(x, self.window)), height, width)


class RelativePositionAttention(nn.Module):
    """Multi-head self-attention over a 2D map with decomposed relative positions.

    Queries, keys and values have their own layers, so that an adapter can touch two of them and leave the
    third bit-identical.

    Args:
        dim: Channels.
        heads: Attention heads.
        table_size: Edge, in tokens, of the map that the position tables are made for.
    """

    def __init__(self, dim: int, heads: int, table_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * table_size - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * table_size - 1, dim // heads))

    def forward(self, x: Tensor) -> Tensor:
        """Attend within each map of `x`, (B, H, W, dim) to (B, H, W, dim)."""
        b, h, w, dim = x.shape
        tokens = x.reshape(b, h * w, dim)
        q = self._split_heads(self.q_proj(tokens))  # (B, heads, H * W, dim / heads)
        k = self._split_heads(self.k_proj(tokens))
        v = self._split_heads(self.v_proj(tokens))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=self._position_bias(q, h, w))
        return self.proj(out.transpose(1, 2).reshape(b, h, w, dim))

    def _split_heads(self, x: Tensor) -> Tensor:
        b, n, dim = x.shape
        return x.reshape(b, n, self.heads, dim // self.heads).transpose(1, 2)

    def _position_bias(self, q: Tensor, h: int, w: int) -> Tensor:
        """What each pair of tokens adds to the attention logits, (B, heads, H * W, H * W)."""
        rel_h = relative_positions(self.rel_pos_h, h)  # (H, H, channels)
        rel_w = relative_positions(self.rel_pos_w, w)  # (W, W, channels)
        maps = q.reshape(q.shape[0], self.heads, h, w, -1)
        # Contiguous, or the sum, which is 800 MB for SAM's global blocks, would be copied to be reshaped.
        bias_h = torch.einsum("bnhwc,hkc->bnhwk", maps, rel_h).contiguous()  # k: the key's row
        bias_w = torch.einsum("bnhwc,wkc->bnhwk", maps, rel_w).contiguous()  # k: the key's column
        bias = bias_h[..., :, None] + bias_w[..., None, :]  # (B, heads, H, W, H, W)
        return bias.reshape(-1, self.heads, h * w, h * w)


def relative_positions(table: Tensor, size: int) -> Tensor:
    """Vectors for all pairs of positions along one axis.

    Args:
        table: One vector for each distance (2 * n - 1, C), from -(n - 1) to n - 1.
        size: Number of positions; the table is interpolated when it was made for another number.

    Returns:
        (size, size, C), indexed by query, then key.
    """
    length = 2 * size - 1
    if table.shape[0] != length:
        table = F.interpolate(table.T[None], size=length, mode="linear", align_corners=False)[0].T
    positions = torch.arange(size, device=table.device)
    return table[positions[:, None] - positions[None, :] + (size - 1)]


def resize_position_embedding(embedding: Tensor, height: int, width: int) -> Tensor:
    """Interpolate absolute positions (1, g, g, C) to (1, height, width, C); the same tensor when they fit."""
    if embedding.shape[1:3] == (height, width):
        return embedding
    resized = F.interpolate(
        embedding.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False
    )
    return resized.permute(0, 2, 3, 1)
