"""Tuning a few parameters of all layers: biases, or normalisations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from anytomy.core.errors import OptionError
from anytomy.models.adapters.method import TuningMethod, unfreeze
from anytomy.models.adapters.semantic import SemanticSam
from anytomy.models.common import LayerNorm2d

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable

_NORMS = (nn.LayerNorm, LayerNorm2d, _BatchNorm)


class Bias(TuningMethod):
    """All biases of image encoder and mask decoder."""

    name = "bias"
    summary = "the biases of image encoder and mask decoder"
    source = (
        "Ben Zaken, Ravfogel and Goldberg, BitFit (arXiv 2106.10199), section 3; in SAM, with more beside "
        "them, AdaptiveSAM (arXiv 2308.03726)"
    )

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        for part in _parts(model):
            for name, parameter in part.named_parameters():
                if name.rpartition(".")[2] == "bias":
                    parameter.requires_grad_(True)


@dataclass(frozen=True)
class Norm(TuningMethod):
    """Scales and shifts of all normalisations of image encoder and mask decoder.

    Attributes:
        statistics: Whether batch normalisation (TinyViT has it) also learns the statistics of the new images,
            `norm:statistics`. It wants batches that are not too small.
    """

    statistics: bool = False

    name = "norm"
    summary = "scales and shifts of all normalisations (norm:statistics: batch statistics too)"
    source = (
        "Zhao et al., Tuning LayerNorm in Attention (arXiv 2312.11420), who tune those of attention blocks; "
        "Frankle, Schwab and Morcos, Training BatchNorm and Only BatchNorm (arXiv 2003.00152)"
    )

    @property
    def text(self) -> str:
        """`norm` or `norm:statistics`."""
        return "norm:statistics" if self.statistics else "norm"

    @property
    def trains_statistics(self) -> bool:  # type: ignore[override]
        """See `TuningMethod`."""
        return self.statistics

    def configured(self, parameter: str) -> Norm:
        """See `TuningMethod`; the parameter is `statistics`."""
        if parameter != "statistics":
            raise OptionError(f"expected norm or norm:statistics, got norm:{parameter}")
        return Norm(statistics=True)

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        for part in _parts(model):
            unfreeze(*(module for module in part.modules() if isinstance(module, _NORMS)))


def _parts(model: Tunable) -> Iterator[nn.Module]:
    yield model.image_encoder
    if not isinstance(model, SemanticSam):  # whose head is trained as a whole
        yield model.mask_decoder
