"""Which model answers prompts that the chosen one never learned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anytomy.core.errors import ModelError, UnsupportedPromptError
from anytomy.zoo import registry
from anytomy.zoo.standin import card_for

if TYPE_CHECKING:
    from anytomy.zoo.card import ModelCard


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelCard]:
    """Cards that `registry` knows, to be added to."""
    cards = {each.id: each for each in (registry.card("litemedsam"), registry.card("sam_vit_b"))}

    def card(model_id: str) -> ModelCard:
        if model_id not in cards:
            raise ModelError(f"no {model_id}")
        return cards[model_id]

    monkeypatch.setattr(registry, "card", card)
    monkeypatch.setattr(registry, "model_ids", lambda: [*cards, "broken"])
    return cards


def clicks(model_id: str, *for_models: str) -> ModelCard:
    return replace(
        registry.card("litemedsam"), id=model_id, prompts=("box", "points"), stands_in_for=for_models
    )


def test_a_model_that_learned_them_answers_itself(shelf: dict[str, ModelCard]) -> None:
    shelf["other"] = clicks("other", "sam_vit_b")
    assert card_for("sam_vit_b", ("points",), "this").id == "sam_vit_b"
    assert card_for("litemedsam", ("box",), "this").id == "litemedsam"


def test_else_the_one_that_says_to_stand_in_for_it(shelf: dict[str, ModelCard]) -> None:
    shelf["other"] = clicks("other", "medsam")
    shelf["clicks"] = clicks("clicks", "medsam", "litemedsam")
    assert card_for("litemedsam", ("points",), "this").id == "clicks"


def test_who_cannot_do_it_either_does_not_stand_in(shelf: dict[str, ModelCard]) -> None:
    shelf["clicks"] = clicks("clicks", "litemedsam")
    with pytest.raises(UnsupportedPromptError):
        card_for("litemedsam", ("points", "mask"), "this")


def test_without_one_it_is_refused_with_those_that_can(shelf: dict[str, ModelCard]) -> None:
    message = (
        r"this needs a model that learned points, but LiteMedSAM was trained on box only, and no other model "
        r"stands in for it; choose a --model that did: sam_vit_b"
    )
    with pytest.raises(UnsupportedPromptError, match=message):
        card_for("litemedsam", ("points",), "this")


def test_an_unknown_model_is_none(shelf: dict[str, ModelCard]) -> None:
    with pytest.raises(ModelError):
        card_for("nothing", ("points",), "this")


def test_the_rule_holds_for_the_cards_that_there_are() -> None:
    known = set(registry.model_ids())
    for each in registry.cards():
        assert set(each.stands_in_for) <= known - {each.id}
