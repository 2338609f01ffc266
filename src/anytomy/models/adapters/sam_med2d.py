"""The adapter of SAM-Med2D, one in each block of its ViT (arXiv 2308.16184, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn


class SamMed2dAdapter(nn.Module):
    """A channel gate, a strided convolution and its way back, a residual and a normalisation.

    It runs parallel to the block's MLP on the same normalised input. Dropping it gives back a plain SAM
    block. For 768 channels it has 15.0 million parameters, 180.5 million in the twelve blocks of ViT-B.

    Args:
        dim: Channels of the block.
        gate_ratio: Hidden channels of the gate, relative to `dim`.
    """

    def __init__(self, dim: int, gate_ratio: float = 0.25) -> None:
        super().__init__()
        hidden = int(dim * gate_ratio)
        self.norm = nn.LayerNorm(dim)
        self.channel = nn.Sequential(
            nn.Linear(dim, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, dim, bias=False),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=3, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(dim, dim, kernel_size=4, stride=2, padding=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H, W, C); H and W must be even, since the map is halved and doubled."""
        gate = self.channel(x.mean(dim=(1, 2)))  # (B, C)
        gated = (x * gate[:, None, None, :]).permute(0, 3, 1, 2)  # (B, C, H, W)
        return self.norm(x + self.spatial(gated).permute(0, 2, 3, 1))
