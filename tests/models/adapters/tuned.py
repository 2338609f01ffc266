"""Tiny models with methods in them, and a loss that reaches all that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from anytomy.models.adapters.adapted import attach, head_of
from anytomy.models.adapters.method import PROMPTABLE
from anytomy.models.adapters.registry import parse
from anytomy.models.adapters.semantic import SemanticSam
from anytomy.models.architectures import build_architecture
from tests.models.conftest import TINY, fill_randomly

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable
    from anytomy.models.sam import Sam

CLASSES = 2


def tiny(kind: str) -> Sam:
    torch.manual_seed(0)
    sam = build_architecture(TINY[kind]).eval()
    fill_randomly(sam)
    return sam


def bare(kind: str, text: str, *, semantic: bool | None = None) -> Tunable:
    """The model that methods are meant for, without them."""
    methods = parse(text)
    sam = tiny(kind)
    if semantic is None:
        semantic = any(PROMPTABLE not in method.modes for method in methods)
    return SemanticSam.of(sam, CLASSES, head_of(methods)) if semantic else sam


def tuned(kind: str, text: str, *, semantic: bool | None = None) -> Tunable:
    return attach(bare(kind, text, semantic=semantic), parse(text))


def picture(model: Tunable, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, model.input_size, model.input_size, generator=generator)


def answers(model: Tunable, image: Tensor) -> list[Tensor]:
    """Everything that a model says: to a box, to points with a mask, to one of each kind of point."""
    if isinstance(model, SemanticSam):
        return [model(image)]
    size = model.input_size
    mask = torch.linspace(-3, 3, (4 * model.grid) ** 2).reshape(1, 1, 4 * model.grid, -1)
    box = torch.tensor([[[0.2, 0.3], [0.7, 0.8]]]) * size
    embedding = model.encode(image)
    first = model.decode(embedding, box, torch.tensor([[2.0, 3.0]]))
    second = model.decode(
        embedding, torch.cat([box, box[:, :1] / 2], 1), torch.tensor([[1.0, 0.0, -1.0]]), mask
    )
    return [*first, *second]


def change(state: dict[str, Tensor], seed: int = 1) -> None:
    """As if it had been trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in state.values():
            tensor.add_(0.02 * torch.randn(tensor.shape, generator=generator).abs())
