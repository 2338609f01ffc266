"""Bottleneck adapters in each transformer block, as in Medical SAM Adapter, in 2D.

Source: Wu et al., Medical SAM Adapter (arXiv 2304.12620), section 3.2; the bottleneck is that of Houlsby et
al. (arXiv 1902.00751).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.core.errors import ModelError, OptionError
from anytomy.models.adapters.method import TuningMethod, unfreeze
from anytomy.models.image_encoder_vit import ViTImageEncoder

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable


class Bottleneck(nn.Module):
    """Down to a quarter of the channels, GELU, and up again.

    Med-SA has 295,872 parameters in each for 768 channels. Its authors start the way up at random; here it
    starts at zero, so that an adapter that was not trained yet changes nothing.

    Args:
        dim: Channels in and out.
        ratio: Channels in between, relative to `dim`.
        scale: What the result is multiplied by.
        residual: Whether the input is added.
    """

    def __init__(self, dim: int, *, ratio: float = 0.25, scale: float = 1.0, residual: bool = False) -> None:
        super().__init__()
        hidden = int(dim * ratio)
        self.down = nn.Linear(dim, hidden)
        self.up = nn.Linear(hidden, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.scale = scale
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to (..., dim)."""
        y = self.scale * self.up(F.gelu(self.down(x)))
        return x + y if self.residual else y


class MedSaBottleneck(TuningMethod):
    """Two bottlenecks in each block: behind the attention with a residual, beside the MLP scaled by a half.

    7,100,928 parameters in ViT-B.
    """

    name = "bottleneck"
    summary = "two bottleneck adapters in each block of a ViT image encoder"
    source = "Wu et al., Medical SAM Adapter (arXiv 2304.12620), section 3.2, in 2D"
    folds = False

    def check(self, model: Tunable) -> None:
        """See `TuningMethod`; only for ViT, and not where SAM-Med2D's adapters are already."""
        encoder = model.image_encoder
        if not isinstance(encoder, ViTImageEncoder):
            raise OptionError(
                "bottleneck sits in the blocks of a plain ViT; this image encoder is a TinyViT, whose first "
                "stage has no attention and whose narrow stages would hold bottlenecks of 32 to 80 channels",
                hint="choose lora, norm or full, or the decoder alone",
            )
        if any(block.adapter is not None for block in encoder.blocks):
            raise OptionError(
                "this image encoder has adapters beside its MLPs already (SAM-Med2D's)",
                hint="choose lora, norm or full, or the decoder alone",
            )

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        for block in model.image_encoder.blocks:  # type: ignore[union-attr]
            weight = block.norm1.weight
            place = {"device": weight.device, "dtype": weight.dtype}
            block.attention_adapter = Bottleneck(weight.shape[0], residual=True).to(**place)
            block.adapter = Bottleneck(weight.shape[0], scale=0.5).to(**place)
            unfreeze(block.attention_adapter, block.adapter)

    def merge(self, model: Tunable) -> None:
        """Refused: a bottleneck is not linear."""
        raise ModelError(
            "bottleneck adapters cannot be merged into the weights: they are not linear",
            hint="use the adapter as it is (ID+DIR), or export it to ONNX",
        )
