"""AutoSAM's three prompt-free heads on a frozen image encoder.

Source: Hu, Xu and Shi, How to Efficiently Adapt Large Segmentation Model (SAM) to Medical Images (arXiv
2306.13731), whose prompt-free heads of a ViT decoder (AutoSAM), a CNN and linear layers these are. What the
heads are, and where they differ from the authors' code, stands in `heads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.models.adapters.method import SEMANTIC, TuningMethod, unfreeze
from anytomy.models.adapters.semantic import SemanticSam

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable

_SOURCE = "Hu, Xu and Shi, AutoSAM (arXiv 2306.13731)"


class _AutoSam(TuningMethod):
    source = _SOURCE
    modes = (SEMANTIC,)
    touches_encoder = False

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        assert isinstance(model, SemanticSam), "modes say so"
        unfreeze(model.head)


class AutoSamDecoder(_AutoSam):
    """SAM's mask decoder, its single mask's token replicated for each class."""

    name = head = "autosam-decoder"
    summary = "classes without prompts: SAM's mask decoder with a token for each class"


class AutoSamCnn(_AutoSam):
    """Convolutions and two doublings."""

    name = head = "autosam-cnn"
    summary = "classes without prompts: a small CNN on the embedding"


class AutoSamLinear(_AutoSam):
    """Two transposed convolutions."""

    name = head = "autosam-linear"
    summary = "classes without prompts: two transposed convolutions on the embedding"
