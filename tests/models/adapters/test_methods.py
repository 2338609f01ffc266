"""What holds for every tuning method: sizes, what it trains, what it leaves alone, and the way back."""

from __future__ import annotations

import copy

import pytest
import torch

from anytomy.core.errors import ModelError, OptionError
from anytomy.models.adapters.adapted import (
    attach,
    head_of,
    load_trained,
    merge,
    restore,
    set_training,
    trained,
)
from anytomy.models.adapters.method import PROMPTABLE, SEMANTIC
from anytomy.models.adapters.registry import METHODS, parse
from anytomy.models.adapters.semantic import SemanticSam
from anytomy.models.architectures import build
from tests.models.adapters.tuned import CLASSES, answers, bare, change, picture, tiny, tuned

COMBINED = ("lora:2+decoder", "lora+bias", "full+lora", "norm:statistics+decoder", "full+prompt-decoder")
REFUSED = {("med2d", "bottleneck"), ("tinyvit", "bottleneck")}
CASES = [
    (kind, text)
    for kind in ("vit", "med2d", "tinyvit")
    for text in (*METHODS, *COMBINED)
    if (kind, text) not in REFUSED
]
cases = pytest.mark.parametrize(("kind", "text"), CASES)


@pytest.mark.parametrize(
    ("architecture", "text", "size"),
    [
        ("sam_vit_b", "decoder", 4_058_340),
        ("sam_vit_b", "prompt-decoder", 4_058_340 + 6_220),
        ("sam_vit_b", "lora:4", 147_456),
        ("sam_vit_b", "lora:8", 2 * 147_456),
        ("sam_vit_h", "lora", 655_360),
        ("sam_vit_b", "bottleneck", 24 * 295_872),
        ("sam_vit_b", "full", 93_729_252),
        ("sam_vit_b", "lora+decoder", 147_456 + 4_058_340),
        ("sam_vit_b", "bias", 117_668),
        ("sam_vit_b", "norm", 42_624),
        ("litemedsam", "decoder", 4_058_340),
        ("litemedsam", "lora", 29_696),
        ("litemedsam", "norm", 23_040),
        ("litemedsam", "full", 9_785_080),
    ],
)
def test_trainable_parameters(architecture: str, text: str, size: int) -> None:
    with torch.device("meta"):
        model = attach(build(architecture), parse(text))
    assert sum(tensor.numel() for tensor in trained(model).values()) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("decoder", 3_925_984),
        ("autosam-decoder", 3_925_728),
        ("autosam-cnn", 968_900),
        ("autosam-linear", 74_084),
    ],
)
def test_parameters_of_heads_for_three_classes(text: str, size: int) -> None:
    methods = parse(text)
    with torch.device("meta"):
        model = attach(SemanticSam.of(build("sam_vit_b"), 3, head_of(methods)), methods)
    assert sum(tensor.numel() for tensor in trained(model).values()) == size


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is(name: str) -> None:
    method = METHODS[name]
    assert method.summary
    assert "arXiv" in method.source
    assert set(method.modes) <= {PROMPTABLE, SEMANTIC}
    assert parse(method.text) == (method,) or parse(method.text)[0].text == method.text


@cases
def test_attaching_changes_no_answer(kind: str, text: str) -> None:
    before = bare(kind, text)
    image = picture(before)
    with torch.no_grad():
        expected = answers(before, image)
        got = answers(attach(before, parse(text)).eval(), image)
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))


@cases
def test_gradients_reach_what_is_trained_and_nothing_else_changes(kind: str, text: str) -> None:
    model = tuned(kind, text)
    change(trained(model))  # LoRA's second matrix is zero at first: no gradient would reach the first
    set_training(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    sum(answer.square().mean() for answer in answers(model, picture(model))).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            # A bias of keys moves all logits of a query alike, and softmax does not see it.
            assert parameter.grad.abs().max() > 0 or name.endswith("k_proj.bias"), name
        else:
            assert parameter.grad is None, name
    optimiser.step()
    statistics = [n for n in before if "running" in n or "num_batches" in n]
    free = set(names) | (set(statistics) if "statistics" in text else set())
    for name, value in model.state_dict().items():
        assert name in free or torch.equal(value, before[name]), name
    moved = [name for name in names if not torch.equal(model.state_dict()[name], before[name])]
    assert len(moved) > 0.9 * len(names)


@cases
def test_what_was_trained_is_restored(kind: str, text: str) -> None:
    model = tuned(kind, text).eval()
    change(trained(model))
    image = picture(model)
    state = {name: tensor.clone() for name, tensor in trained(model).items()}
    other = restore(bare(kind, text), parse(text), state)
    assert not other.training
    assert not any(parameter.requires_grad for parameter in other.parameters())
    with torch.no_grad():
        for expected, got in zip(answers(model, image), answers(other, image), strict=True):
            assert (expected - got).abs().max() < 1e-3
            assert ((expected > 0) == (got > 0)).float().mean() > 0.999


@cases
def test_going_on_loads_in_place(kind: str, text: str) -> None:
    model, other = tuned(kind, text).eval(), tuned(kind, text).eval()
    change(trained(model))
    load_trained(other, {name: tensor.clone() for name, tensor in trained(model).items()})
    image = picture(model)
    with torch.no_grad():
        pairs = zip(answers(model, image), answers(other, image), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


@cases
def test_merging_gives_the_plain_architecture(kind: str, text: str) -> None:
    if "bottleneck" in text:
        return
    model = tuned(kind, text).eval()
    change(trained(model))
    image = picture(model)
    with torch.no_grad():
        expected = answers(model, image)
        got = answers(merge(model), image)
    assert list(model.state_dict()) == list(bare(kind, text).state_dict())
    assert all((a - b).abs().max() < 1e-3 for a, b in zip(expected, got, strict=True))


def test_a_bottleneck_cannot_be_merged() -> None:
    model = tuned("vit", "lora+bottleneck")
    names = list(model.state_dict())
    with pytest.raises(ModelError, match=r"not linear; .*ONNX"):
        merge(model)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize(("kind", "text"), sorted(REFUSED))
def test_what_does_not_suit_is_refused_before_anything_changes(kind: str, text: str) -> None:
    model = tiny(kind)
    with pytest.raises(OptionError, match=r"choose lora, norm or full"):
        attach(model, parse(f"decoder+{text}"))
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("text", ["autosam-cnn", "lora+autosam-linear"])
def test_a_head_is_not_for_prompts(text: str) -> None:
    with pytest.raises(OptionError, match="for semantic models, not for promptable ones"):
        attach(tiny("vit"), parse(text))


def test_a_prompt_encoder_is_not_for_classes() -> None:
    model = SemanticSam.of(tiny("vit"), CLASSES)
    with pytest.raises(OptionError, match="for promptable models, not for semantic ones"):
        attach(model, parse("prompt-decoder"))


def test_two_heads_are_refused() -> None:
    model = SemanticSam.of(tiny("vit"), CLASSES)
    with pytest.raises(OptionError, match="stand for different heads"):
        attach(model, parse("decoder+autosam-cnn"))


@pytest.mark.parametrize("text", ["lora", "bias", "norm", "full", "bottleneck"])
def test_the_head_for_classes_is_trained_in_any_case(text: str) -> None:
    model = tuned("vit", text, semantic=True)
    assert all(parameter.requires_grad for parameter in model.head.parameters())
    assert any(name.startswith("image_encoder.") for name in trained(model))


def test_attaching_again_forgets_what_was_trained_before() -> None:
    model = attach(tiny("vit"), parse("full"))
    attach(model, parse("decoder"))
    assert all(name.startswith("mask_decoder.") for name in trained(model))


class TestBatchNorm:
    def test_statistics_stay_unless_asked(self) -> None:
        for text, follows in (("full", False), ("norm:statistics", True)):
            model = tuned("tinyvit", text)
            set_training(model)
            before = copy.deepcopy(dict(model.named_buffers()))
            model.encode(picture(model))
            after = dict(model.named_buffers())
            name = "image_encoder.patch_embed.seq.0.bn.running_mean"
            assert torch.equal(before[name], after[name]) is not follows
            assert model.training

    def test_statistics_are_part_of_the_adapter_where_they_are_trained(self) -> None:
        assert not any("running" in name for name in trained(tuned("tinyvit", "norm")))
        held = trained(tuned("tinyvit", "norm:statistics"))
        assert any(name.endswith("running_var") for name in held)
        assert all(tensor.is_floating_point() for tensor in held.values())


class TestLoading:
    def test_says_what_does_not_fit(self) -> None:
        model = tuned("vit", "decoder")
        state = {name: tensor.clone() for name, tensor in trained(model).items()}
        first = next(iter(state))
        del state[first]
        state["image_encoder.x"] = torch.zeros(1)
        second = next(iter(state))
        state[second] = torch.zeros(1, 2, 3)
        before = [tensor.clone() for tensor in trained(model).values()]
        with pytest.raises(ModelError, match=r"1 missing .*1 unexpected .*1 of another shape") as caught:
            load_trained(model, state)
        assert first in str(caught.value)
        assert all(torch.equal(a, b) for a, b in zip(before, trained(model).values(), strict=True))

    def test_takes_half_precision(self) -> None:
        model = tuned("vit", "decoder")
        state = {name: tensor.half() for name, tensor in trained(model).items()}
        load_trained(model, state)
        assert all(tensor.dtype == torch.float32 for tensor in trained(model).values())
