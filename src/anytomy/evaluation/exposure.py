"""Was this data set in the training data? `exposure` of a model to a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytomy.datasets.card import DatasetCard
    from anytomy.zoo.card import ModelCard

SEEN, POSSIBLY, UNSEEN, UNKNOWN = "seen", "possibly seen", "unseen", "unknown"


@dataclass(frozen=True)
class Exposure:
    """Whether a model saw a data set in training.

    Attributes:
        state: `seen` (the set is in the model's list), `possibly seen` (a set that shares scans with it is),
            `unseen` (the list is there and has neither), `unknown` (there is no list).
        why: One phrase.
    """

    state: str
    why: str


def exposure(model: ModelCard, data: DatasetCard) -> Exposure:
    """What the cards say; a list that may be incomplete never gives `unseen`."""
    trained = {_plain(name): name for name in model.training.datasets}
    if not trained:
        return Exposure(UNKNOWN, model.training.note or "the model's card lists no training data")
    for name in _names(data):
        if _plain(name) in trained:
            return Exposure(SEEN, f"{trained[_plain(name)]} is in the model's training data")
    for relative in _relatives(data):
        for name in _names(relative):
            if _plain(name) in trained:
                why = f"it shares scans with {trained[_plain(name)]}, which the model saw"
                return Exposure(POSSIBLY, why)
    if "training.datasets" in model.unverified:
        return Exposure(UNKNOWN, "it is not in the model's list, which may be incomplete")
    return Exposure(UNSEEN, "it is not in the model's list of training data")


def _relatives(data: DatasetCard) -> list[DatasetCard]:
    """Sets of the catalogue that share scans: those that the card names, and those that name it."""
    from anytomy.datasets.registry import builtin_cards

    named = {*data.parents, *data.overlaps}
    return [
        card
        for card in builtin_cards()
        if card.id != data.id and (card.id in named or data.id in (*card.parents, *card.overlaps))
    ]


def _names(data: DatasetCard) -> tuple[str, ...]:
    return (data.id, data.title, *data.aliases)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
