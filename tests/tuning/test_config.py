from __future__ import annotations

from dataclasses import replace

import pytest

from anytomy.core.errors import OptionError
from anytomy.tuning.config import (
    DEFAULT_STEPS,
    TuneConfig,
    from_dict,
    parse_fold,
    parse_prompts,
    read_recipe,
)

PLAIN = TuneConfig(model="litemedsam", data=("acdc",))


def test_a_configuration_comes_back_from_its_json() -> None:
    config = replace(PLAIN, fold=(2, 3), prompts={"box": 2.0}, classes=("liver",), max_minutes=3.5)
    assert from_dict(config.to_dict()) == config


def test_a_recipe_is_a_configuration_in_toml() -> None:
    text = 'model = "litemedsam"\ndata = ["acdc"]\nsteps = 7\n\n[prompts]\nbox = 1\nclicks = 3\n'
    config = from_dict(read_recipe(text))
    assert (config.data, config.steps, config.prompts) == (("acdc",), 7, {"box": 1, "clicks": 3})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "panoptic"}, "mode"),
        ({"loss": "hinge"}, "loss"),
        ({"schedule": "step"}, "schedule"),
        ({"augment": "wild"}, "augmentation"),
        ({"flips": "z"}, "flips"),
        ({"axis": "w"}, "axis x, y or z"),
        ({"intensity": "ct:x"}, "intensity of auto"),
        ({"data": ()}, "data set"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"lr": float("nan")}, "learning rate"),
        ({"validate": 1.0}, "validation"),
        ({"max_minutes": -1.0}, "minutes"),
        ({"fold": (4, 3)}, "fold"),
        ({"fold": (1, 1)}, "fold"),
        ({"prompts": {"scribble": 1.0}}, "scribble"),
        ({"prompts": {"box": 0.0}}, "above 0"),
        ({"mode": "semantic", "routes": ("box",)}, "routes"),
        ({"mode": "semantic", "prompts": {"clicks": 1.0}}, "prompts are for promptable"),
        ({"mode": "promptable", "routes": ("mask",)}, "routes of box, points"),
    ],
)
def test_wrong_values_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        replace(PLAIN, **changes).check()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"model": "a"},
        {"data": ["a"]},
        {"model": "a", "data": ["b"], "epochs": 3},
        {"model": "a", "data": ["b"], "steps": "many"},
    ],
)
def test_a_recipe_with_wrong_fields_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        from_dict(values)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(OptionError, match="TOML"):
        read_recipe("model = ")


def test_folds_and_prompts_are_read_from_text() -> None:
    assert parse_fold(" 1/3 ") == (1, 3)
    assert parse_prompts("box=2, clicks") == {"box": 2.0, "clicks": 1.0}
    for text in ("1", "a/b", "1/2/3"):
        with pytest.raises(OptionError):
            parse_fold(text)
    for text in ("box=much", "lines"):
        with pytest.raises(OptionError):
            parse_prompts(text)


def test_steps_end_a_run_unless_time_does() -> None:
    assert PLAIN.most_steps == DEFAULT_STEPS
    assert replace(PLAIN, max_minutes=5).most_steps is None
    assert replace(PLAIN, max_minutes=5, steps=9).most_steps == 9


def test_new_heads_learn_faster_than_what_is_trained_on() -> None:
    assert replace(PLAIN, mode="semantic").rate > PLAIN.rate
    assert replace(PLAIN, lr=0.5).rate == 0.5


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("data", "acdc", "a list of texts"),
        ("classes", "liver", "a list of texts"),
        ("method", 3, "a text"),
        ("prompts", "box", "a table of numbers"),
        ("prompts", {"box": "often"}, "a table of numbers"),
        ("train", 2.5, "a whole number"),
        ("batch", 2.0, "a whole number"),
        ("seed", True, "a whole number"),
        ("feed_mask", "no", "true or false"),
        ("fold", [1], "two whole numbers"),
        ("fold", "1/3", "two whole numbers"),
        ("lr", "high", "a number"),
        ("steps", "9", "a whole number"),
    ],
)
def test_a_field_of_another_type_is_named(field: str, value: object, said: str) -> None:
    with pytest.raises(OptionError, match=f"expected {said} as {field} "):
        from_dict({**PLAIN.to_dict(), field: value})
