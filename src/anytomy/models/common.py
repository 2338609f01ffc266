"""Small parts that several modules of the SAM family share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of an image-like tensor, at each pixel on its own.

    Args:
        channels: Number of channels.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` of shape (B, C, H, W)."""
        x = x - x.mean(dim=1, keepdim=True)
        x = x * torch.rsqrt((x * x).mean(dim=1, keepdim=True) + self.eps)
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class TransformerMlp(nn.Module):
    """The two-layer perceptron of a transformer block.

    Args:
        dim: Channels in and out.
        hidden_dim: Channels in between.
        activation: `"gelu"` (image encoder) or `"relu"` (mask decoder).
    """

    def __init__(self, dim: int, hidden_dim: int, activation: str = "gelu") -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden_dim)
        self.lin2 = nn.Linear(hidden_dim, dim)
        self.act = nn.GELU() if activation == "gelu" else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to (..., dim)."""
        return self.lin2(self.act(self.lin1(x)))


def neck(in_channels: int, out_channels: int) -> nn.Sequential:
    """The projection from a transformer's channels to the embedding (SAM, appendix A).

    Args:
        in_channels: Channels of the last block.
        out_channels: Channels of the embedding, 256 in all published models.

    Returns:
        A module from (B, in_channels, g, g) to (B, out_channels, g, g).
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )


def split_windows(x: Tensor, size: int) -> Tensor:
    """Cut a feature map into square windows, padding it with zeros at the bottom and right.

    Args:
        x: Features (B, H, W, C).
        size: Edge of a window in tokens.

    Returns:
        Windows (B * rows * columns, size, size, C), row by row.
    """
    b, h, w, c = x.shape
    bottom, right = -h % size, -w % size
    if bottom or right:
        x = F.pad(x, (0, 0, 0, right, 0, bottom))
    rows, columns = (h + bottom) // size, (w + right) // size
    x = x.reshape(b, rows, size, columns, size, c).transpose(2, 3)
    return x.reshape(b * rows * columns, size, size, c)


def join_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Undo `split_windows` and cut the padding off.

    Args:
        windows: Windows (B * rows * columns, size, size, C).
        height: H of the feature map before it was split.
        width: W of it.

    Returns:
        Features (B, H, W, C).
    """
    _, size, _, c = windows.shape
    # Rounded up without negative numbers: exported graphs divide towards zero, Python towards minus infinity.
    rows, columns = (height + size - 1) // size, (width + size - 1) // size
    x = windows.reshape(-1, rows, columns, size, size, c).transpose(2, 3)
    x = x.reshape(-1, rows * size, columns * size, c)
    return x[:, :height, :width]
