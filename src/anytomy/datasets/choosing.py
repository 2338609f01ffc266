"""Which data sets of the catalogue are meant: `choose`, and which structures a name means: `covers`."""

from __future__ import annotations

from collections.abc import Iterable

from anytomy.core.errors import OptionError
from anytomy.core.structures import canonical, find, is_part_of
from anytomy.datasets.card import LICENCE_CLASSES, DatasetCard
from anytomy.datasets.registry import locate

__all__ = ["choose", "covers", "is_here", "structures_like"]

# What people type for the cards' words.
_MODALITIES = {
    "mri": "mr",
    "mr imaging": "mr",
    "us": "ultrasound",
    "xray": "x-ray",
    "cxr": "x-ray",
    "dx": "x-ray",
    "cr": "x-ray",
    "histology": "pathology",
    "histopathology": "pathology",
    "colonoscopy": "endoscopy",
    "em": "electron microscopy",
}


def covers(wanted: str, structure: str) -> bool:
    """Whether a label of `structure` is what was asked for: the same by any name, or a part of it.

    Example:
        >>> covers("adrenal gland", "left adrenal gland"), covers("spleen", "liver")
        (True, False)
    """
    if canonical(wanted) == canonical(structure):
        return True
    if find(wanted) is None or find(structure) is None:
        return False
    return is_part_of(structure, wanted)


def structures_like(wanted: str, known: Iterable[str]) -> list[str]:
    """The structures that a name means: the one itself where it is labelled, else the parts of it that are.

    Raises:
        OptionError: None of them is meant; the message lists them.
    """
    names = list(known)
    same = [name for name in names if canonical(name) == canonical(wanted)]
    found = same or [name for name in names if covers(wanted, name)]
    if not found:
        listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        raise OptionError(
            f"expected a structure that is labelled, but {wanted!r} is not", hint=f"labelled are {listed}"
        )
    return found


def choose(
    cards: Iterable[DatasetCard],
    *,
    modality: str | None = None,
    anatomy: str | None = None,
    structure: str | None = None,
    licence_class: str | None = None,
    survey: bool = False,
    local: bool = False,
) -> list[DatasetCard]:
    """The cards that fit all that was asked.

    Args:
        cards: All cards.
        modality: One of theirs, in any case, or a common word for it.
        anatomy: A part of the card's anatomy.
        structure: Labels of it, or of parts of it, by any name of the vocabulary.
        licence_class: One of `LICENCE_CLASSES`.
        survey: Only those of the survey.
        local: Only those whose files are on this machine.

    Raises:
        OptionError: There is no such class of licences.
    """
    if licence_class is not None and licence_class not in LICENCE_CLASSES:
        raise OptionError(
            f"expected a licence class, one of {', '.join(LICENCE_CLASSES)}, but got {licence_class!r}"
        )
    return [
        card
        for card in cards
        if (modality is None or _has_modality(card, modality))
        and (anatomy is None or anatomy.strip().lower() in card.anatomy.lower())
        and (structure is None or any(covers(structure, name) for name in card.structures))
        and (licence_class is None or card.licence_class == licence_class)
        and (not survey or card.survey)
        and (not local or is_here(card))
    ]


def is_here(card: DatasetCard) -> bool:
    """Whether a data set's folder is on this machine."""
    root = locate(card)
    return root is not None and root.is_dir()


def _has_modality(card: DatasetCard, wanted: str) -> bool:
    word = wanted.strip().lower()
    word = _MODALITIES.get(word, word)
    return any(word == name.lower() or word in name.lower().split() for name in card.modality)
