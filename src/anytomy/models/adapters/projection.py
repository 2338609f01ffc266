"""Tuning what stands behind the image encoder: the mask decoder, alone or with the prompt encoder.

The survey (arXiv 2401.07654, section 4) calls it projection tuning. The encoder stays as it is, so each image
is encoded once and training runs on embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.models.adapters.method import PROMPTABLE, TuningMethod, unfreeze
from anytomy.models.adapters.semantic import SemanticSam

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable


class Decoder(TuningMethod):
    """The mask decoder; 4,058,340 parameters in all published models.

    In semantic mode it is the head that is made of the decoder, with a mask token for each class.
    """

    name = "decoder"
    summary = "the mask decoder; the image is encoded once"
    source = "Ma et al., MedSAM (arXiv 2304.12306), first version; SAMed (arXiv 2304.13785), section 3.3"
    touches_encoder = False
    head = "sam"

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        unfreeze(model.head if isinstance(model, SemanticSam) else model.mask_decoder)


class PromptDecoder(TuningMethod):
    """The prompt encoder (6,220 parameters) and the mask decoder.

    It teaches a model kinds of prompts that it never learned, clicks say.
    """

    name = "prompt-decoder"
    summary = "prompt encoder and mask decoder: also for prompts that the model never learned"
    source = "Cheng et al., SAM-Med2D (arXiv 2308.16184), section 3.2, without its adapters"
    modes = (PROMPTABLE,)
    touches_encoder = False

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        assert not isinstance(model, SemanticSam), "modes say so"
        unfreeze(model.prompt_encoder, model.mask_decoder)
