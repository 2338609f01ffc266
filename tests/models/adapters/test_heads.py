"""Heads for classes on the embedding."""

from __future__ import annotations

import pytest
import torch

from anytomy.core.errors import OptionError
from anytomy.models.adapters.heads import HEADS, DecoderHead
from anytomy.models.adapters.semantic import SemanticSam
from tests.models.adapters.tuned import picture, tiny


@pytest.mark.parametrize("kind", ["vit", "tinyvit"])
@pytest.mark.parametrize("head", HEADS)
def test_a_channel_for_each_class_and_the_background(kind: str, head: str) -> None:
    sam = tiny(kind)
    model = SemanticSam.of(sam, 3, head).eval()
    assert model.image_encoder is sam.image_encoder
    images = torch.cat([picture(model, seed) for seed in (0, 1)])
    with torch.no_grad():
        logits = model(images)
        alone = model(images[1:])
    assert logits.shape == (2, 4, 4 * model.grid, 4 * model.grid)
    torch.testing.assert_close(logits[1:], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_a_new_head_leaves_the_model_alone(head: str) -> None:
    sam = tiny("vit")
    before = {name: value.clone() for name, value in sam.state_dict().items()}
    model = SemanticSam.of(sam, 2, head)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in sam.state_dict().items())


def test_replicated_tokens_begin_as_the_single_mask() -> None:
    sam = tiny("vit")
    model = SemanticSam.of(sam, 2, "autosam-decoder").eval()
    image = picture(model)
    with torch.no_grad():
        logits = model(image)
    torch.testing.assert_close(logits[:, 0], logits[:, 2])
    assert isinstance(model.head, DecoderHead)
    assert model.head.no_mask is None


def test_fresh_tokens_follow_from_the_seed() -> None:
    def made(seed: int) -> torch.Tensor:
        sam = tiny("vit")
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in SemanticSam.of(sam, 2).head.parameters()])

    assert torch.equal(made(3), made(3))
    assert not torch.equal(made(3), made(4))


@pytest.mark.parametrize(
    ("classes", "head", "match"), [(0, "sam", "at least one"), (2, "cnn", "a head of sam, ")]
)
def test_what_makes_no_sense_is_refused(classes: int, head: str, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        SemanticSam.of(tiny("vit"), classes, head)
