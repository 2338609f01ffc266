"""LoRA: the key stays bit-identical, and to run it peft is not needed."""

from __future__ import annotations

import sys

import pytest
import torch

from anytomy.core.errors import MissingDependencyError, ModelError
from anytomy.models.adapters.adapted import attach, restore, trained
from anytomy.models.adapters.registry import parse
from tests.models.adapters.tuned import answers, change, picture, tiny, tuned


@pytest.mark.parametrize("kind", ["vit", "tinyvit"])
def test_keys_stay_bit_identical_and_queries_and_values_do_not(kind: str) -> None:
    plain, model = tiny(kind), tuned(kind, "lora").eval()
    change(trained(model))
    layers, tuned_layers = (
        dict(plain.image_encoder.named_modules()),
        dict(model.image_encoder.named_modules()),
    )
    found = [name for name in layers if name.endswith(".k_proj")]
    assert found
    for name in found:
        dim = layers[name].in_features  # type: ignore[union-attr]
        x = torch.rand(3, dim, generator=torch.Generator().manual_seed(0))
        assert torch.equal(layers[name](x), tuned_layers[name](x))
        for role in ("q_proj", "v_proj"):
            other = name.removesuffix("k_proj") + role
            assert not torch.equal(layers[other](x), tuned_layers[other](x))


def test_names_are_those_of_the_layers() -> None:
    names = set(trained(tuned("vit", "lora")))
    assert "image_encoder.blocks.0.attn.q_proj.lora_A.weight" in names
    assert not any("default" in name or "base_layer" in name for name in names)
    assert len(names) == 3 * 2 * 2


def test_running_needs_no_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tuned("vit", "lora+bias").eval()
    change(trained(model))
    state = {name: tensor.clone() for name, tensor in trained(model).items()}
    monkeypatch.setitem(sys.modules, "peft", None)
    other = restore(tiny("vit"), parse("lora+bias"), state)
    assert list(other.state_dict()) == list(tiny("vit").state_dict())
    image = picture(model)
    with torch.no_grad():
        pairs = zip(answers(model, image), answers(other, image), strict=True)
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)
    with pytest.raises(MissingDependencyError, match=r"needs peft.*anytomy\[train\]"):
        attach(tiny("vit"), parse("lora"))


@pytest.mark.parametrize("damage", ["one layer less", "another rank", "half a pair"])
def test_matrices_that_do_not_fit_are_refused(damage: str) -> None:
    state = {name: tensor.clone() for name, tensor in trained(tuned("vit", "lora:4")).items()}
    a = "image_encoder.blocks.0.attn.q_proj.lora_A.weight"
    if damage == "one layer less":
        del state[a]
    elif damage == "another rank":
        state[a] = state[a][:2]
    else:
        del state[a.replace("lora_A", "lora_B")]
    with pytest.raises(ModelError, match="low-rank matrices"):
        restore(tiny("vit"), parse("lora:4"), state)
