"""The image encoder of MobileSAM and LiteMedSAM: TinyViT without its classifier, with SAM's neck.

Sources: Wu et al., TinyViT (arXiv 2207.10666), section 3.3; Zhang et al., Faster Segment Anything: MobileSAM
(arXiv 2306.14289); LiteMedSAM is the baseline of the CVPR 2024 challenge MedSAM on Laptop. The stages of the
two models are the same; only the stem differs: 1024 px enter MobileSAM through two convolutions of stride 2,
256 px enter LiteMedSAM through two 1x1 convolutions, so both reach a 64 x 64 grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.models.common import join_windows, neck, split_windows


class TinyViTImageEncoder(nn.Module):
    """Turns an image into an embedding.

    Args:
        stem_stride: Stride of each of the stem's two convolutions, 2 (MobileSAM, 3x3) or 1 (LiteMedSAM, 1x1).
        dims: Channels of the four stages.
        depths: Blocks of the four stages.
        heads: Attention heads of the four stages; the first stage has convolutions only and ignores its
            entry.
        windows: Edges of the attention windows in tokens; the first entry is ignored as well.
        expand: Hidden channels of a convolutional block, relative to its channels.
        out_channels: Channels of the embedding.
    """

    def __init__(
        self,
        *,
        stem_stride: int = 2,
        dims: Sequence[int] = (64, 128, 160, 320),
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (2, 4, 5, 10),
        windows: Sequence[int] = (7, 7, 14, 7),
        expand: int = 4,
        out_channels: int = 256,
    ) -> None:
        super().__init__()
        self.patch_embed = Stem(dims[0], stem_stride)
        # Only the first two mergings halve the map: the mask decoder wants the last stage at the third one's
        # size.
        strides = (2, 2, 1)
        self.layers = nn.ModuleList()
        for index, dim in enumerate(dims):
            blocks: list[nn.Module] = [
                ConvBlock(dim, expand) if index == 0 else AttentionBlock(dim, heads[index], windows[index])
                for _ in range(depths[index])
            ]
            last = index == len(dims) - 1
            merge = None if last else PatchMerging(dim, dims[index + 1], strides[index])
            self.layers.append(Stage(blocks, merge))
        self.neck = neck(dims[-1], out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Encode normalised images.

        Args:
            image: Images (B, 3, S, S).

        Returns:
            Embeddings (B, out_channels, g, g) with g = S / (4 * stem_stride ** 2).
        """
        x = self.patch_embed(image)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


class ConvBN(nn.Sequential):
    """A convolution without bias, followed by batch normalisation.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel: Edge of the kernel; the padding keeps the size at stride 1.
        stride: Stride in both directions.
        groups: Groups of channels; `out_channels` makes it depthwise.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)


class Stem(nn.Module):
    """The first two convolutions.

    Args:
        dim: Channels out.
        stride: Stride of each; 1 uses 1x1 kernels, 2 uses 3x3 kernels.
    """

    def __init__(self, dim: int, stride: int) -> None:
        super().__init__()
        kernel = 1 if stride == 1 else 3
        self.seq = nn.Sequential(
            ConvBN(3, dim // 2, kernel, stride), nn.GELU(), ConvBN(dim // 2, dim, kernel, stride)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, dim, S / stride ** 2, S / stride ** 2)."""
        return self.seq(image)


class Stage(nn.Module):
    """Blocks of one size, and the merging that leads to the next stage.

    Args:
        blocks: Modules from (B, C, H, W) to the same shape.
        merge: The merging after them; None in the last stage.
    """

    def __init__(self, blocks: Sequence[nn.Module], merge: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = merge

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the next stage's (B, C', H', W')."""
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class ConvBlock(nn.Module):
    """An inverted bottleneck (MBConv): expand, depthwise convolution, project back, residual.

    Args:
        dim: Channels in and out.
        expand: Hidden channels relative to `dim`.
    """

    def __init__(self, dim: int, expand: int) -> None:
        super().__init__()
        hidden = dim * expand
        self.conv1 = ConvBN(dim, hidden)
        self.conv2 = ConvBN(hidden, hidden, kernel=3, groups=hidden)
        self.conv3 = ConvBN(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, dim, H, W)."""
        y = F.gelu(self.conv1(x))
        y = F.gelu(self.conv2(y))
        return F.gelu(x + self.conv3(y))


class PatchMerging(nn.Module):
    """Leads from one stage to the next: other channels, and half the size where the stride is 2.

    Args:
        dim: Channels in.
        out_dim: Channels out.
        stride: Stride of the depthwise convolution.
    """

    def __init__(self, dim: int, out_dim: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(dim, out_dim)
        self.conv2 = ConvBN(out_dim, out_dim, kernel=3, stride=stride, groups=out_dim)
        self.conv3 = ConvBN(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, out_dim, H / stride, W / stride)."""
        x = F.gelu(self.conv1(x))
        x = F.gelu(self.conv2(x))
        return self.conv3(x)


class AttentionBlock(nn.Module):
    """Attention in windows, a depthwise convolution that mixes across their borders, an MLP.

    Args:
        dim: Channels.
        heads: Attention heads.
        window: Edge of a window in tokens.
    """

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = BiasedAttention(dim, heads, window)
        self.local_conv = ConvBN(dim, dim, kernel=3, groups=dim)
        self.mlp = NormMlp(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, dim, H, W)."""
        height, width = x.shape[2], x.shape[3]
        tokens = x.permute(0, 2, 3, 1)  # (B, H, W, dim)
        attended = self.attn(split_windows(tokens, self.window))
        tokens = tokens + join_windows(attended, height, width)
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)


class BiasedAttention(nn.Module):
    """Multi-head self-attention within a window, with a learnt bias for each (|dy|, |dx|) and head.

    The table of biases is gathered in every pass, in `train()` and in `eval()`, so it always receives
    gradients.

    Args:
        dim: Channels.
        heads: Attention heads.
        window: Edge of the window in tokens.
    """

    attention_bias_index: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("attention_bias_index", _offset_index(window), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Attend within each window, (B, window, window, dim) to the same shape."""
        b, height, width, dim = windows.shape
        n = height * width
        x = self.norm(windows).reshape(b, n, dim)
        q = self._split_heads(self.q_proj(x))  # (B, heads, n, dim / heads)
        k = self._split_heads(self.k_proj(x))
        v = self._split_heads(self.v_proj(x))
        bias = self.attention_biases.index_select(1, self.attention_bias_index)
        bias = bias.reshape(1, self.heads, n, n)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(out.transpose(1, 2).reshape(b, height, width, dim))

    def _split_heads(self, x: Tensor) -> Tensor:
        b, n, dim = x.shape
        return x.reshape(b, n, self.heads, dim // self.heads).transpose(1, 2)


class NormMlp(nn.Module):
    """Layer normalisation and a two-layer perceptron.

    Args:
        dim: Channels in and out.
        hidden_dim: Channels in between.
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to (..., dim)."""
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


def _offset_index(window: int) -> Tensor:
    """For all pairs of tokens in a window, row by row, where (|dy|, |dx|) stands in the table of biases."""
    position = torch.arange(window * window)
    y, x = position // window, position % window
    dy = (y[:, None] - y[None, :]).abs()
    dx = (x[:, None] - x[None, :]).abs()
    return (dy * window + dx).flatten()
