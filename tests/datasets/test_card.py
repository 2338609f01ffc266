"""Cards: strictly read, written as they were, and those of the catalogue sound."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import anytomy.datasets
from anytomy.core.errors import DatasetError
from anytomy.core.structures import canonical, find
from anytomy.datasets import readers
from anytomy.datasets.card import LICENCE_CLASSES, QUALITIES, DatasetCard, card_from, read_card
from anytomy.datasets.layout import DIMENSIONS, Target
from anytomy.datasets.pattern import STRUCTURE, Pattern
from anytomy.io.toml_write import toml_text
from tests.datasets.making import LIVER, layout, values

FOLDER = Path(anytomy.datasets.__file__).parent / "cards"
FILES = sorted(FOLDER.glob("*.toml"))
# Row and size as the survey's table has them.
SURVEY = {
    "jsrt": (1, "307"),
    "vessel12": (2, "20"),
    "promise12": (3, "100"),
    "nci_isbi": (4, "80"),
    "btcv": (5, "50"),
    "ct_lymph_nodes": (6, "176"),
    "glas": (7, "165"),
    "pancreas_ct": (8, "80"),
    "lits": (9, "131"),
    "acdc": (10, "150"),
    "fumpe": (11, "35"),
    "msd": (12, "1411 CT + 1222 MRI"),
    "drive": (13, "40"),
    "refuge": (14, "1200"),
    "chaos": (15, "40 + 40"),
    "siim_acr": (16, "12,047"),
    "abdomen_us": (17, "61 real + 926 synth"),
    "busi": (18, "780"),
    "camus": (19, "500"),
    "mms": (20, "375"),
    "mosmed": (21, "50"),
    "covid_radiography": (22, "21,165"),
    "covid_qu_ex": (23, "33,920"),
    "qata_cov19": (24, "9,258"),
    "ct2us": (25, "4,586"),
    "polypgen": (26, "8,037"),
    "abdomenct_1k": (27, "1,112"),
    "amos": (28, "500 CT + 100 MRI"),
    "kits": (29, "599"),
    "totalsegmentator": (30, "1,228"),
    "brats": (31, "4,500"),
    "han_seg": (32, "56 + 56"),
    "fh_ps_aop": (33, "6,224"),
}


def read(**changes: Any) -> DatasetCard:
    given = {name: value for name, value in values(**changes).items() if value is not None}
    return card_from(given, source=Path("some/dataset.toml"), builtin=False)


# -- what is refused ---------------------------------------------------------------------------------


def a_layout(**changes: Any) -> list[dict[str, Any]]:
    made = layout("img/{case}.png", "gt/{case}.png") | changes
    return [{name: value for name, value in made.items() if value is not None}]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"colour": "red"}, "only known fields in some/dataset.toml, but got colour"),
        ({"title": None}, "a string as title in some/dataset.toml, but got nothing"),
        ({"title": ""}, "not empty as title"),
        ({"id": "Mine"}, "as id"),
        ({"id": "../mine"}, "as id"),
        ({"id": ""}, "as id"),
        ({"survey": -1}, "a whole number from 0 as survey"),
        ({"survey": "1"}, "as survey"),
        ({"modality": "CT"}, "a list of strings as modality"),
        ({"dimension": "4D"}, r"one of 2D, 3D, 2D\+t, 3D\+t as dimension"),
        ({"quality": "good"}, "one of manual, expert-corrected"),
        ({"licence_class": "CC BY"}, "one of open, share-alike"),
        ({"licence_class": None}, "one of open, share-alike"),
        ({"licence_class": ["open"]}, "one of open, share-alike"),
        ({"size": None}, "a table as size"),
        ({"size": {"survey": 20}}, "a string as size.survey"),
        ({"size": {"images": "20"}}, "size.images"),
        ({"access": {"how": "free"}}, "one of open, registration, unavailable, local as access.how"),
        (
            {"access": {"how": "open", "downloads": [{"url": "http://a.org/x", "file": "x"}]}},
            "downloads.0.url",
        ),
        ({"access": {"how": "open", "downloads": [{"url": "https://a.org/x", "file": "../x"}]}}, "0.file"),
        ({"access": {"how": "open", "downloads": [{"url": "https://a.org/x", "file": ".."}]}}, "0.file"),
        (
            {
                "access": {
                    "how": "open",
                    "downloads": [{"url": "https://a.org/x", "file": "x", "sha256": "12"}],
                }
            },
            "0.sha256",
        ),
        ({"targets": [{"structure": "liver"}]}, "one of values, above and colour .* for liver as targets.0"),
        ({"targets": [LIVER | {"values": [1]}]}, "got 'values, above'"),
        ({"targets": [LIVER | {"colour": [1, 2, 3]}]}, "got 'above, colour'"),
        ({"targets": [{"structure": "liver", "values": []}]}, "got nothing"),
        ({"targets": [{"structure": "liver", "objects": "parts"}]}, "one of values, above and colour"),
        ({"targets": [{"structure": "", "above": 0}]}, "targets.0.structure"),
        ({"targets": [LIVER | {"objects": "many"}]}, "one of one, instances, parts as targets.0.objects"),
        ({"targets": [LIVER | {"channel": -1}]}, "targets.0.channel"),
        ({"targets": [LIVER | {"value": 1}]}, "got targets.0.value"),
        ({"targets": [{"structure": "liver", "values": [0.5]}]}, "whole numbers as targets.0.values"),
        (
            {"targets": [{"structure": "liver", "values": [float("nan")]}]},
            "whole numbers as targets.0.values",
        ),
        (
            {"targets": [{"structure": "liver", "values": [float("inf")]}]},
            "whole numbers as targets.0.values",
        ),
        ({"targets": [{"structure": "liver", "above": float("nan")}]}, "a finite number as targets.0.above"),
        ({"targets": [{"structure": "liver", "colour": [1, 2]}]}, "red, green and blue"),
        ({"targets": [{"structure": "liver", "colour": [1, 2, 256]}]}, "red, green and blue"),
        ({"targets": [{"structure": "liver", "colour": [1, 2, 0.5]}]}, "as targets.0.colour"),
        (
            {"targets": [LIVER | {"mask": "gt"}]},
            "masks of the layout 'plain' .* but its targets name gt.*has mask",
        ),
        ({"targets": []}, "targets for the layout 'plain' in some/dataset.toml, got none"),
        ({"layouts": []}, "at least one layout as layouts in some/dataset.toml"),
        ({"layouts": None}, "at least one layout"),
        ({"layouts": a_layout()[0]}, "a list of tables as layouts"),
        ({"layouts": a_layout(name="")}, "layouts.0.name"),
        ({"layouts": a_layout(image=None)}, "layouts.0.image"),
        ({"layouts": a_layout(masks="gt/{case}.png")}, "a table as layouts.0.masks"),
        ({"layouts": a_layout(masks={"mask": 1})}, "a string as layouts.0.masks.mask"),
        ({"layouts": a_layout(time="first")}, "layouts.0.time"),
        ({"layouts": a_layout(resize_masks=1)}, "true or false as layouts.0.resize_masks"),
        ({"layouts": a_layout(splits="train")}, "got layouts.0.splits"),
        ({"layouts": a_layout(targets=[{"structure": "liver"}])}, "layouts.0.targets.0"),
        (
            {"layouts": a_layout(image="img/{Case}.png")},
            "img/{Case}.png' in the layout 'plain' of some/dataset",
        ),
        ({"layouts": a_layout(masks={"mask": "gt/{case:[}"})}, "in the layout 'plain' of some/dataset.toml"),
        ({"layouts": a_layout(patient="{subject}")}, "{subject} in the layout .*it has case"),
        ({"layouts": a_layout(case="{Case}")}, "{Case} in the layout 'plain' of some/dataset.toml"),
    ],
)
def test_a_broken_card_names_the_field_and_the_file(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(**changes)
    assert re.search(complaint.replace("{", r"\{"), str(caught.value)), str(caught.value)
    assert "some/dataset.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dataset.toml"
    with pytest.raises(DatasetError, match=r"dataset\.toml, but it cannot be read"):
        read_card(path, builtin=False)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"dataset\.toml, but it cannot be read"):
        read_card(path, builtin=False)
    path.write_text("id = ")
    with pytest.raises(DatasetError, match=r"in TOML, but .*dataset\.toml is not"):
        read_card(path, builtin=False)


def test_the_catalogue_may_leave_out_less_than_users() -> None:
    assert read(anatomy="", licence="", citation="").anatomy == ""
    for name in ("anatomy", "licence", "citation"):
        with pytest.raises(DatasetError, match=f"not empty as {name}"):
            card_from(values(citation="x") | {name: ""}, source=Path("x.toml"), builtin=True)


def test_file_names_may_stand_for_targets() -> None:
    made = read(targets=[], layouts=a_layout(masks={"mask": "gt/{case}_{structure}.png"}))
    assert made.structures == ()


# -- what is taken -----------------------------------------------------------------------------------


def test_targets_of_a_layout_replace_those_of_the_set() -> None:
    kidney = {"structure": "kidney", "values": [2, 3], "objects": "parts", "channel": 0}
    made = read(layouts=[*a_layout(), *a_layout(targets=[kidney])])
    first, second = made.layouts
    assert made.targets_of(first) == (Target("liver", above=0.0),)
    assert made.targets_of(second) == (Target("kidney", values=(2, 3), objects="parts", channel=0),)
    assert made.structures == ("liver", "kidney")


def test_a_card_is_written_as_it_was_read(tmp_path: Path) -> None:
    made = read(
        root=str(tmp_path),
        aliases=["My Set"],
        access={"how": "open", "downloads": [{"url": "https://a.org/x.zip", "file": "x.zip", "bytes": 3}]},
        targets=[
            LIVER,
            {"structure": "kidney", "colour": [255, 0, 10], "mask": "other"},
            {"structure": "gland", "objects": "instances"},
        ],
        layouts=a_layout(
            masks={"mask": "gt/{case}.png", "other": r"gt/{case:\d+}_2.png"},
            options={"key": "Mask", "deep": ["x"]},
            time=0,
            resize_masks=True,
            documented=False,
            split="train",
            note='"quoted"',
        ),
    )
    again = card_from(tomllib.loads(toml_text(made.to_dict())), source=made.source, builtin=False)
    assert again == made


# -- the catalogue -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogue() -> dict[str, DatasetCard]:
    return {path.stem: read_card(path, builtin=True) for path in FILES}


def test_the_33_rows_of_the_survey_are_there_once_each(catalogue: dict[str, DatasetCard]) -> None:
    rows = Counter(card.survey for card in catalogue.values())
    assert {row: count for row, count in rows.items() if row} == dict.fromkeys(range(1, 34), 1)
    found = {card.id: (card.survey, card.size.survey) for card in catalogue.values() if card.survey}
    assert found == SURVEY


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestEveryCard:
    def test_is_named_after_its_id(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        assert catalogue[path.stem].id == path.stem

    def test_is_written_as_it_was_read(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        card = catalogue[path.stem]
        again = card_from(tomllib.loads(toml_text(card.to_dict())), source=path, builtin=True)
        assert again == card

    def test_says_what_people_ask(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        card = catalogue[path.stem]
        assert card.builtin
        assert card.root is None
        assert card.modality
        assert card.patient_key
        assert "\n" not in card.title + card.summary + card.access.steps
        assert card.size.found
        assert card.licence_class in LICENCE_CLASSES
        assert card.quality in QUALITIES
        assert card.dimension in DIMENSIONS
        assert card.access.how != "local"
        assert card.access.place or card.access.downloads

    def test_names_other_cards_that_exist(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        card = catalogue[path.stem]
        named = (*card.parents, *card.overlaps)
        assert set(named) <= set(catalogue)
        assert card.id not in named
        assert len(set(named)) == len(named)

    def test_names_structures_canonically(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        for structure in catalogue[path.stem].structures:
            assert find(structure) is not None, structure
            assert canonical(structure) == structure

    def test_has_layouts_with_sound_patterns(self, path: Path, catalogue: dict[str, DatasetCard]) -> None:
        card = catalogue[path.stem]
        names = [one.name for one in card.layouts]
        assert len(set(names)) == len(names)
        for one in card.layouts:
            assert one.reader in readers.BUILT_IN
            for text in (one.image, *one.masks.values()):
                Pattern(text).check()
            by_file = {n for n, text in one.masks.items() if STRUCTURE in Pattern(text).names}
            marked = {target.mask for target in card.targets_of(one)}
            assert set(one.masks) <= marked | by_file, "a mask that marks nothing"

    def test_says_of_fields_that_it_has_what_is_unverified(
        self, path: Path, catalogue: dict[str, DatasetCard]
    ) -> None:
        card = catalogue[path.stem]
        written = card.to_dict()
        layouts = {one.name for one in card.layouts}
        for name in card.unverified:
            first, _, rest = name.partition(".")
            assert first in written, name
            if first == "layouts" and rest:
                assert rest in layouts, name
            elif rest:
                assert rest.split(".")[0] in written[first], name


def test_every_built_in_reader_is_there() -> None:
    for name in readers.BUILT_IN:
        assert callable(readers.reader(name).find)


def test_no_two_cards_have_the_same_name(catalogue: dict[str, DatasetCard]) -> None:
    by_card = ({name.lower() for name in (card.id, *card.aliases)} for card in catalogue.values())
    names = Counter(name for names in by_card for name in names)
    assert not {name for name, count in names.items() if count > 1}


def test_cards_that_overlap_say_so_on_both_sides(catalogue: dict[str, DatasetCard]) -> None:
    for card in catalogue.values():
        for other in card.overlaps:
            back = (*catalogue[other].overlaps, *catalogue[other].parents)
            assert card.id in back, f"{card.id} overlaps {other}, which does not say so"


def test_no_card_is_its_own_ancestor(catalogue: dict[str, DatasetCard]) -> None:
    def above(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, seen
        for parent in catalogue[name].parents:
            above(parent, (*seen, name))

    for name in catalogue:
        above(name, ())
