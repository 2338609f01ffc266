"""The strict reader of tables: what it takes, and how it names what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anytomy.core.errors import AnytomyError, DatasetError, ModelError
from anytomy.io.toml_table import Table

FILE = Path("some/card.toml")


def table(**values: Any) -> Table:
    return Table(values, FILE, error=DatasetError)


def message_of(read: Any) -> str:
    """The error's message, which names the file and is one line."""
    with pytest.raises(DatasetError) as caught:
        read()
    text = str(caught.value)
    assert str(FILE) in text
    assert "\n" not in text
    return text


# -- optional fields ---------------------------------------------------------------------------------


def test_what_is_missing_may_be_none() -> None:
    top = table(nought=0, half=0.5, whole=3)
    assert (top.optional_whole("nought"), top.optional_whole("time")) == (0, None)
    assert (top.optional_number("half"), top.optional_number("whole")) == (0.5, 3.0)
    assert top.optional_number("above") is None
    assert isinstance(top.optional_number("whole"), float)
    top.finish()


@pytest.mark.parametrize("value", [-1, 0.5, "1", True, [1], {}])
def test_an_optional_whole_number_is_one_from_0(value: Any) -> None:
    text = message_of(lambda: table(time=value).optional_whole("time"))
    assert "a whole number from 0 as time" in text
    assert repr(value) in text


@pytest.mark.parametrize("value", ["1", True, False, [1], {}])
def test_an_optional_number_is_one(value: Any) -> None:
    assert "a number as above" in message_of(lambda: table(above=value).optional_number("above"))


# -- tables ------------------------------------------------------------------------------------------


def test_a_list_of_tables() -> None:
    top = table(targets=[{"name": "liver"}, {"name": "kidney", "value": 2}])
    first, second = top.tables("targets")
    assert (first.text("name"), second.text("name"), second.whole("value")) == ("liver", "kidney", 2)
    first.finish()
    second.finish()
    top.finish()
    assert table().tables("targets") == ()


@pytest.mark.parametrize("value", [{"name": "liver"}, "liver", [1], [{"name": "liver"}, "kidney"], 3])
def test_anything_else_is_no_list_of_tables(value: Any) -> None:
    assert "a list of tables as targets" in message_of(lambda: table(targets=value).tables("targets"))


def test_a_field_of_a_table_in_a_list_is_named_with_its_place() -> None:
    _, second = table(layouts=[{}, {"targets": [{"name": 1}]}]).tables("layouts")
    (target,) = second.tables("targets")
    text = message_of(lambda: target.text("name"))
    assert "a string as layouts.1.targets.0.name" in text
    assert "got 1" in text


def test_a_table_below_may_be_missing_if_it_is_optional() -> None:
    assert table().table("masks", optional=True) is None
    below = table(masks={"mask": "a"}).table("masks", optional=True)
    assert below is not None
    assert below.text("mask") == "a"
    assert "a table as masks" in message_of(lambda: table().table("masks"))
    assert "a table as masks" in message_of(lambda: table(masks="a").table("masks", optional=True))


def test_names_are_in_the_order_of_the_file_and_count_as_unread() -> None:
    top = table(b="1", a="2")
    assert top.names() == ["b", "a"]
    assert "got a, b" in message_of(top.finish)


# -- all of it ---------------------------------------------------------------------------------------


def test_all_of_a_table_as_it_is() -> None:
    values = {"key": "Mask", "axes": ["y", "x"], "deep": {"er": 1}}
    options = table(options=values).table("options")
    taken = options.raw()
    assert taken == values
    options.finish()
    taken["more"] = 1
    assert "more" not in options.raw()


def test_the_fields_of_a_table_below_as_they_are() -> None:
    top = table(options={"key": "Mask", "deep": {"er": 1}}, axes="yx")
    assert top.fields("options") == {"key": "Mask", "deep": {"er": 1}}
    assert top.fields("more") == {}
    assert "expected a table as axes" in message_of(lambda: top.fields("axes"))
    top.finish()


def test_what_nobody_asked_for_is_named_with_its_table() -> None:
    below = table(size={"found": "1", "colour": "red"}).table("size")
    below.text("found")
    text = message_of(below.finish)
    assert "got size.colour" in text
    assert "known here: size.found" in text


def test_lists_of_numbers() -> None:
    assert table(values=[1, 2.5]).numbers("values") == (1.0, 2.5)
    assert table().numbers("values") == ()
    for wrong in ([True], ["1"], 1, "1", [[1]], {}):
        assert "a list of numbers" in message_of(lambda wrong=wrong: table(values=wrong).numbers("values"))


# -- which error -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DatasetError, ModelError])
def test_the_error_is_the_readers_own_at_any_depth(error: type[AnytomyError]) -> None:
    top = Table({"a": {"b": [{"c": 1}]}}, FILE, error=error)
    deepest = top.table("a").tables("b")[0]
    for wrong in (lambda: deepest.text("c"), lambda: deepest.text("d"), top.table("a").finish):
        with pytest.raises(error) as caught:
            wrong()
        assert type(caught.value) is error


def test_models_are_the_default() -> None:
    with pytest.raises(ModelError, match="a string as id"):
        Table({}, FILE).text("id")
