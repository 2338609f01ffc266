"""Tuning everything, as MedSAM did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.models.adapters.method import TuningMethod, unfreeze
from anytomy.models.adapters.semantic import SemanticSam

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable


class Full(TuningMethod):
    """Image encoder and mask decoder; 93,729,252 parameters in ViT-B.

    The prompt encoder stays frozen, since boxes are understood already; `full+prompt-decoder` trains it too.
    """

    name = "full"
    summary = "image encoder and mask decoder, as MedSAM was trained"
    source = "Ma et al., MedSAM (arXiv 2304.12306), Methods, Training protocol"

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        unfreeze(model.image_encoder, model.head if isinstance(model, SemanticSam) else model.mask_decoder)
