"""Every method learns one image by heart: what trains a decoder gets it right, the others halve the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anytomy.models.adapters.adapted import attach, head_of, set_training
from anytomy.models.adapters.registry import parse
from anytomy.models.adapters.semantic import SemanticSam
from anytomy.models.architectures import build_architecture
from tests.models.conftest import TINY

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable
    from anytomy.models.sam import Sam

STEPS = 200
DECODERS = ("decoder", "prompt-decoder", "lora+decoder", "full")
HEADS = ("decoder", "autosam-decoder", "autosam-cnn", "autosam-linear")
OTHERS = ("lora", "bottleneck", "bias", "norm")


def scene(size: int, side: int, *, dark: bool = False) -> tuple[Tensor, Tensor]:
    """A disk on noise (1, 3, size, size), and the disk on the decoder's pixels (side, side)."""
    noise = 0.2 * torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))

    def disk(n: int) -> Tensor:
        y, x = torch.meshgrid(torch.arange(n) + 0.5, torch.arange(n) + 0.5, indexing="ij")
        return ((y / n - 0.45).hypot(x / n - 0.55) < 0.25).float()

    return noise + 0.7 * ((1 - disk(size)) if dark else disk(size)), disk(side)


def learn(
    model: Tunable,
    until: Callable[[list[float], float], bool],
    *,
    dark: bool = False,
    lr: float = 3e-3,
) -> bool:
    """Whether losses and Dice were as wanted within 200 steps."""
    set_training(model)
    image, truth = scene(model.input_size, 4 * model.grid, dark=dark)
    box = torch.tensor([[[0.3, 0.2], [0.8, 0.7]]]) * model.input_size
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)

    def logits() -> Tensor:
        if isinstance(model, SemanticSam):
            channels = model(image)[0]
            return channels[1] - channels[[0, 2]].logsumexp(0)
        return model(image, box, torch.tensor([[2.0, 3.0]])).mask_logits[0, 0]

    losses: list[float] = []
    for _ in range(STEPS):
        found = logits()
        overlap = 1 - (2 * (found.sigmoid() * truth).sum() + 1) / (found.sigmoid().sum() + truth.sum() + 1)
        loss = F.binary_cross_entropy_with_logits(found, truth) + overlap
        losses.append(float(loss.detach()))
        if until(losses, _dice(found > 0, truth > 0)):
            return True
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return False


def _dice(found: Tensor, truth: Tensor) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def right(losses: list[float], dice: float) -> bool:
    return dice >= 0.97


def halved(losses: list[float], dice: float) -> bool:
    return losses[-1] < losses[0] / 2


def fresh() -> Sam:
    torch.manual_seed(0)
    return build_architecture(TINY["vit"])


@pytest.fixture(scope="module")
def learned() -> dict[str, Tensor]:
    """Weights of a model that knows bright disks: with an encoder alone nobody can teach a random decoder."""
    model = attach(fresh(), parse("decoder"))
    assert learn(model, lambda losses, _: losses[-1] < 0.05)
    return model.state_dict()


@pytest.mark.parametrize("text", DECODERS)
def test_decoders_get_it_right(text: str) -> None:
    assert learn(attach(fresh(), parse(text)), right)


@pytest.mark.parametrize("text", HEADS)
def test_heads_get_it_right(text: str) -> None:
    methods = parse(text)
    assert learn(attach(SemanticSam.of(fresh(), 2, head_of(methods)), methods), right)


@pytest.mark.parametrize("text", OTHERS)
def test_others_halve_the_loss(learned: dict[str, Tensor], text: str) -> None:
    model = fresh()
    model.load_state_dict(learned)
    assert learn(attach(model, parse(text)), halved, dark=True, lr=1e-2)
