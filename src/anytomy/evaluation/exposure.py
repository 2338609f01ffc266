"""Was this data in the training data? `exposure` of a model to a data set, and `patients_seen` of it.

The cards of adapters and students name the cases that they learned from, a student's also those that its
teacher and its guide did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from anytomy.datasets.card import DatasetCard
    from anytomy.zoo.card import ModelCard

SEEN, POSSIBLY, UNSEEN, UNKNOWN = "seen", "possibly seen", "unseen", "unknown"
LABELS_SEEN = ("train", "validate", "labelled", "teacher", "guide")
"""Parts of a card's data whose labels were learned from, by the model or by what taught it."""
IMAGES_SEEN = ("unlabelled", "images")
"""Parts of which it, or what taught it, has seen the images."""


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


def training_cases(model: ModelCard) -> Mapping[str, Any]:
    """Cases by data set and part, as the card of its adapter has them, or that of the student that it is."""
    if model.adapter is not None:
        return model.adapter.card.data
    return {} if model.student is None else model.student.card.data


def cases_seen(data: Mapping[str, Any], parts: Sequence[str]) -> dict[str, list[str]]:
    """Ids of the cases in some parts, by data set.

    Args:
        data: See `training_cases`.
        parts: Of `LABELS_SEEN`, `IMAGES_SEEN`.
    """
    found = {name: [case for part in parts for case in each.get(part, ())] for name, each in data.items()}
    return {name: list(dict.fromkeys(cases)) for name, cases in found.items() if cases}


def patients_seen(
    data: Mapping[str, Any], parts: Sequence[str], names: Collection[str]
) -> set[tuple[str, str]]:
    """Data set and patient of all cases in some parts: another case of a patient is no other patient.

    Args:
        data: See `training_cases`.
        parts: Of `LABELS_SEEN`, `IMAGES_SEEN`.
        names: Data sets that matter; no other is opened.

    Raises:
        DatasetError: A data set is unknown or not here.
    """
    from anytomy.datasets.dataset import open_dataset

    found: set[tuple[str, str]] = set()
    for name, cases in cases_seen(data, parts).items():
        if name in names:
            seen = set(cases)
            found |= {(name, case.patient) for case in open_dataset(name) if case.id in seen}
    return found


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
