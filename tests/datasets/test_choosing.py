"""Which structures and data sets are meant by what people type."""

from __future__ import annotations

import pytest

from anytomy.core.errors import OptionError
from anytomy.datasets.choosing import choose, covers, structures_like
from anytomy.datasets.registry import builtin_cards


@pytest.mark.parametrize(
    ("wanted", "structure", "yes"),
    [
        ("adrenal gland", "left adrenal gland", True),
        ("left adrenal gland", "adrenal gland", False),
        ("left adrenal gland", "right adrenal gland", False),
        ("R_kidney", "right kidney", True),
        ("lung", "upper lobe of left lung", True),
        ("widget", "Widget", True),
        ("widget", "widget case", False),
        ("liver", "spleen", False),
    ],
)
def test_covers(wanted: str, structure: str, yes: bool) -> None:
    assert covers(wanted, structure) is yes


def test_the_structure_itself_goes_before_its_parts() -> None:
    labelled = ["kidney", "left kidney", "liver"]
    assert structures_like("Kidneys", labelled) == ["kidney"]
    assert structures_like("kidney", labelled[1:]) == ["left kidney"]
    with pytest.raises(OptionError, match="labelled are kidney, left kidney, liver"):
        structures_like("spleen", labelled)


def test_choosing_from_the_catalogue() -> None:
    cards = builtin_cards()
    assert choose(cards) == cards
    assert [card.survey for card in choose(cards, survey=True) if not card.survey] == []
    assert {"btcv", "amos"} <= {card.id for card in choose(cards, structure="adrenal gland")}
    assert all("MR" in card.modality for card in choose(cards, modality="mri"))
    assert {"drive"} <= {card.id for card in choose(cards, modality="fundus", anatomy="retina")}
