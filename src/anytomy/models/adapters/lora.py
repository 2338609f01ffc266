"""Low-rank adaptation (LoRA) of the image encoder's queries and values, as in SAMed.

Sources: Hu et al., LoRA (arXiv 2106.09685), section 4.1; Zhang and Liu, SAMed (arXiv 2304.13785), section
3.2: rank 4 on the query and value projections of every block, without scaling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from anytomy.core.errors import MissingDependencyError, ModelError, OptionError
from anytomy.models.adapters.method import TuningMethod

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable

_TARGETS = r".*\.attn\.[qv]_proj"
_A = re.compile(r"(?P<layer>.*\.attn\.[qv]_proj)\.lora_A\.weight")
_MOST = 64


@dataclass(frozen=True)
class Lora(TuningMethod):
    """A product of two thin matrices beside the weight of each query and value projection.

    Queries, keys and values are layers of their own here, so the key's stays as it is bit for bit. Training
    uses peft's layers; to run the model the product is added to the weight and peft is not needed.

    Attributes:
        rank: Of the product. Rank 4 is 147,456 parameters in ViT-B, 655,360 in ViT-H.
    """

    rank: int = 4

    name = "lora"
    summary = "low-rank adapters on queries and values of the image encoder (lora:RANK, 4 by default)"
    source = "Zhang and Liu, SAMed (arXiv 2304.13785), section 3.2; Hu et al. (arXiv 2106.09685)"

    @property
    def text(self) -> str:
        """`lora:4`."""
        return f"lora:{self.rank}"

    def configured(self, parameter: str) -> Lora:
        """See `TuningMethod`; the parameter is the rank."""
        if not parameter.isdigit() or not 1 <= int(parameter) <= _MOST:
            raise OptionError(f"expected a rank of 1 to {_MOST}, as in lora:4, got {parameter!r}")
        return Lora(int(parameter))

    def check(self, model: Tunable) -> None:
        """See `TuningMethod`."""
        if not _projections(model.image_encoder):
            raise OptionError(
                "lora needs attention in the image encoder, and this one has none",
                hint="choose another method, decoder say",
            )

    def attach(self, model: Tunable) -> None:
        """See `TuningMethod`; the second matrix is zero at first, so nothing changes yet."""
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingDependencyError(
                f"tuning with lora needs peft: {error}", hint="pip install 'anytomy[train]'"
            ) from error
        encoder = model.image_encoder
        chosen = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        # Without scaling, as in SAMed: alpha / r = 1.
        config = LoraConfig(r=self.rank, lora_alpha=self.rank, target_modules=_TARGETS, bias="none")
        inject_adapter_in_model(config, encoder)
        for parameter in chosen:  # peft freezes all but its own
            parameter.requires_grad_(True)

    def merge(self, model: Tunable) -> None:
        """See `TuningMethod`: the products are added to the weights."""
        encoder = model.image_encoder
        with torch.no_grad():
            for name, layer in list(encoder.named_modules()):
                if hasattr(layer, "base_layer") and hasattr(layer, "lora_A"):
                    base: Any = layer.base_layer
                    lora: Any = layer
                    _add(base.weight, lora.lora_A["default"].weight, lora.lora_B["default"].weight)
                    parent, _, own = name.rpartition(".")
                    setattr(encoder.get_submodule(parent), own, base)

    def restore(self, model: Tunable, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `TuningMethod`: the products are added to the weights."""
        left = dict(state)
        layers = dict(model.named_modules())
        found = [match["layer"] for key in state if (match := _A.fullmatch(key))]
        wanted = [f"image_encoder.{name}" for name in _projections(model.image_encoder)]
        if sorted(found) != sorted(wanted):
            raise ModelError(
                f"expected low-rank matrices for {len(wanted)} layers, got {len(found)}",
                hint="check that the base is the one that the adapter was trained with",
            )
        with torch.no_grad():
            for name in found:
                a, b = left.pop(f"{name}.lora_A.weight"), left.pop(f"{name}.lora_B.weight", None)
                weight: Any = layers[name].weight
                rank = self.rank
                if b is None or a.shape != (rank, weight.shape[1]) or b.shape != (weight.shape[0], rank):
                    raise ModelError(
                        f"expected low-rank matrices of rank {rank} for {name}, got others",
                        hint="the adapter's weights are damaged, or of another method",
                    )
                if f"{name}.weight" in left:  # trained itself, by another method
                    weight = left[f"{name}.weight"] = left[f"{name}.weight"].clone()
                _add(weight, a, b)
        return left


def plain_name(name: str) -> str:
    """The name of a parameter as if peft wrapped no layer: `q_proj.weight`, `q_proj.lora_A.weight`."""
    return name.replace(".base_layer.", ".").replace(".default.", ".")


def _projections(encoder: nn.Module) -> list[str]:
    return [name for name, _ in encoder.named_modules() if re.fullmatch(_TARGETS, name)]


def _add(weight: Tensor, a: Tensor, b: Tensor) -> None:
    weight.add_((b.float() @ a.float()).to(weight.dtype))
