"""Prompt simulators by name."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.evaluation.simulators import Simulator, registry, simulator, simulators
from anytomy.evaluation.simulators.boxes import TightBox

PAGE = Path(__file__).parents[2] / "docs" / "prompts.md"
USUAL = [s.name for s in simulators()]

ADDED = TightBox(name="my-box", budget="1 box", source="mine")
NOT_ONE = object()


def test_the_usual_ones() -> None:
    assert [
        *("box", "box-jitter", "box-shift", "box-all", "box-parts", "centre", "deepest"),
        *("points-1", "points-3", "points-5", "points-9", "points-10", "points-5+5"),
        *("clicks-5", "clicks-10", "box-clicks-5", "box-points-1"),
        *("box-3d", "largest-slice-box", "key-slice-box", "key-slice-box-z"),
        *("click-per-slice", "box-per-slice", "clicks-3d-5"),
    ] == USUAL


def test_scopes_and_levels() -> None:
    whole = {s.name for s in simulators() if s.scope == "volume"}
    assert whole == set(USUAL[USUAL.index("box-3d") :]) - {"largest-slice-box"}
    assert [s.name for s in simulators() if s.level == "structure"] == ["box-all"]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("BOX", "box"),
        (" points-07 ", "points-7"),
        ("points-2 + 3", "points-2+3"),
        ("clicks-3", "clicks-3"),
        ("clicks-3d-3", "clicks-3d-3"),
        ("box-clicks-1", "box-clicks-1"),
    ],
)
def test_names_are_canonical(asked: str, name: str) -> None:
    assert simulator(asked).name == name
    assert simulator(name) == simulator(asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("boxes", "none called 'boxes'; did you mean box"),
        ("key-slice", "did you mean key-slice-box"),
        ("click-per-slise", "did you mean click-per-slice"),
        ("center", "did you mean centre"),
        ("", "none called ''; simulators: box"),
        ("zebra", "none called 'zebra'; simulators: box"),
        ("points-", "expected points-N or points-P+N with whole numbers"),
        ("points--3", "expected points-N or points-P+N with whole numbers"),
        ("points-3+", "expected points-N or points-P+N with whole numbers"),
        ("points-1.5", "expected points-N or points-P+N with whole numbers"),
        ("clicks-3d-", "expected clicks-3d-N with whole numbers"),
        ("box-jitter:3", "expected box-jitter[:LOW,HIGH] with whole numbers"),
        ("box-jitter:-3,4", "expected box-jitter[:LOW,HIGH] with whole numbers"),
    ],
)
def test_a_wrong_name_says_what_there_is(asked: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        simulator(asked)
    text = str(caught.value)
    assert message in text
    assert "key-slice-box-z" in text
    assert "\n" not in text


class TestThirdParties:
    @pytest.fixture
    def add(self, monkeypatch: pytest.MonkeyPatch) -> object:
        def to(value: str, name: str = "my-box") -> None:
            entry = EntryPoint(name=name, value=value, group="anytomy.simulators")
            given = {"anytomy.simulators": (entry,)}
            monkeypatch.setattr(registry, "entry_points", lambda group: given[group])

        return to

    def test_add_theirs(self, add) -> None:  # type: ignore[no-untyped-def]
        add(f"{__name__}:ADDED")
        assert simulator("My-Box") is ADDED
        assert simulators()[-1] is ADDED
        with pytest.raises(OptionError, match="my-box"):
            simulator("zebra")

    def test_cannot_take_the_place_of_ours(self, add) -> None:  # type: ignore[no-untyped-def]
        add(f"{__name__}:ADDED", name="box")
        assert simulator("box").name == "box"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("anytomy_no_such_package:x", "cannot be loaded: No module named"),
            (f"{__name__}:NO_SUCH", "cannot be loaded: "),
            (f"{__name__}:NOT_ONE", "is not one"),
            ("anytomy.evaluation.simulators.boxes:TightBox", "is not one"),
        ],
    )
    def test_that_are_broken_stop_only_those_who_ask(self, add, value: str, message: str) -> None:  # type: ignore[no-untyped-def]
        add(value)
        with pytest.raises(OptionError, match=message):
            simulator("my-box")
        with pytest.warns(AnytomyWarning, match=message):
            assert [s.name for s in simulators()] == USUAL
        assert isinstance(simulator("box"), Simulator)


def test_the_page_lists_them_all() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    said = [tuple(cell.strip() for cell in row) for row in rows]
    judged = {"slice": "slice", "volume": "whole"}
    assert said == [(s.name, s.budget, judged[s.scope], s.source) for s in simulators()]
