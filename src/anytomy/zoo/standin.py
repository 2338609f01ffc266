"""Models that answer prompts which another one never learned: `card_for`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from anytomy.core.errors import ModelError, UnsupportedPromptError
from anytomy.zoo import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytomy.zoo.card import ModelCard

__all__ = ["card_for"]


def card_for(model_id: str, kinds: Sequence[str], what: str) -> ModelCard:
    """The card of a model if it learned such prompts, else of the first that says to stand in for it.

    Args:
        model_id: What the user chose.
        kinds: The prompts that are needed, of `box`, `points`, `mask`.
        what: What needs them, for the message.

    Raises:
        ModelError: There is no such model.
        UnsupportedPromptError: It never learned them, and no other one stands in for it.
    """
    chosen = registry.card(model_id)
    if set(kinds) <= set(chosen.prompts):
        return chosen
    able = [each for each in _sound_cards() if set(kinds) <= set(each.prompts)]
    for other in able:
        if chosen.id in other.stands_in_for:
            return other
    learned = f"was trained on {' and '.join(chosen.prompts)} only, and no other model stands in for it"
    if chosen.classes:
        learned = f"takes no prompts: it finds {', '.join(chosen.classes)}"
    raise UnsupportedPromptError(
        f"{what} needs a model that learned {' and '.join(kinds)}, but {chosen.title} {learned}",
        hint=f"choose a --model that did: {', '.join(each.id for each in able) or 'there is none yet'}",
    )


def _sound_cards() -> Iterator[ModelCard]:
    """All cards that can be read: a broken one of the user must not stop the others."""
    for model_id in registry.model_ids():
        with contextlib.suppress(ModelError):
            yield registry.card(model_id)
