"""Combinations as text: what is understood, what is refused and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.combination import Chain, Combination, Part, quoted
from anytomy.core.errors import PromptError


def parts(text: str) -> list[tuple[str, bool]]:
    return [(part.text, part.is_id) for part in Combination.parse(text).term.parts()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("m = epicardium - endocardium", ["epicardium", "endocardium"]),
        ("m=a-b", ["a", "b"]),
        ("left kidney = kidneys  &  left   half", ["kidneys", "left half"]),
        ("m = _1st | b2 + c.d", ["_1st", "b2", "c.d"]),
        ("m = Meckel's cave - 'x-y' - \"it's\"", ["Meckel's cave", "x-y", "it's"]),
        ("m = 肝臓 - ß\u0301", ["肝臓", "ß\u0301"]),
        ("m = a \u2212 b \u2013 c", ["a", "b", "c"]),
        ("m = 'a\u2013b'", ["a\u2013b"]),
        ("m = ((a))", ["a"]),
        ("m = '='", ["="]),
        ("m = '3'", ["3"]),
    ],
)
def test_names(text: str, found: list[str]) -> None:
    assert parts(text) == [(name, False) for name in found]


def test_numbers_are_ids() -> None:
    assert parts("m = 1 - 23 + '4' + 5a") == [("1", True), ("23", True), ("4", False), ("5a", False)]


def test_and_binds_tighter_and_the_rest_goes_from_left_to_right() -> None:
    a, b, c, d, e = (Part(name) for name in "abcde")
    assert Combination.parse("m = a - b & c | d + e").term == Chain(
        a, (("-", Chain(b, (("&", c),))), ("+", d), ("+", e))
    )
    assert Combination.parse("m = a - (b + c) - d").term == Chain(a, (("-", Chain(b, (("+", c),))), ("-", d)))


def test_a_long_chain_is_no_deep_one() -> None:
    assert len(parts("m = " + " - ".join(f"a{i}" for i in range(5000)))) == 5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no '='"),
        ("epicardium - endocardium", "no '='"),
        ("m", "no '='"),
        ("'m = a'", "no '='"),
        (" = a", "a name for what is made, in quotes if it is not just words, got '=' at character 2"),
        ("m = ", r"expected the name of an object or '\(', got the end"),
        ("m = a -", "got the end"),
        ("m = a - - b", "got '-' at character 9"),
        ("m = & a", "got '&' at character 5"),
        ("m = (a - b", r"expected '\)', got the end"),
        ("m = a - b)", r"got '\)' at character 10"),
        ("m = ()", r"got '\)' at character 6"),
        ("m = a = b", "got '=' at character 7"),
        ("m == a", "got '=' at character 4"),
        ("m = a * b", r"got '\*' at character 7; .*quotes"),
        ("m = a and (b)", r"got '\(' at character 11"),
        ("m = 'a' b", "got 'b' at character 9"),
        ("m = a 'b'", "at character 7"),
        ('m = "a', "at character 5; close the quotes"),
        ("m = ''", "empty name at character 5"),
        ("m = ' '", "empty name at character 5"),
        ("m-n = a", "got '-' at character 2"),
        ("7 = a", "got the number 7"),
        ("m = a\x00b", "at character 6"),
        ("m = " + "(" * 100_000 + "a", "50 parentheses deep"),
    ],
)
def test_what_cannot_be_understood(text: str, says: str) -> None:
    with pytest.raises(PromptError, match=says) as caught:
        Combination.parse(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "", "expression": "a"}, "expected a name"),
        ({"name": None, "expression": "a"}, "expected a name"),
        ({"name": "m", "expression": None}, "what m is made of"),
        ({"name": "m", "expression": "  "}, "what m is made of"),
        ({"name": "m", "expression": "a = b"}, "got '=' at character 3"),
        ({"name": "m", "expression": "a", "id": 0}, "1 to 65535"),
        ({"name": "m", "expression": "a", "id": True}, "1 to 65535"),
        ({"name": "m", "expression": "a", "id": "3"}, "1 to 65535"),
    ],
)
def test_fields_that_are_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(PromptError, match=says):
        Combination(**fields)  # type: ignore[arg-type]


names = st.text(min_size=1, max_size=8).filter(lambda s: s.strip() and not ("'" in s and '"' in s))


@given(name=names, part=names)
def test_a_quoted_name_is_read_as_it_was(name: str, part: str) -> None:
    made = Combination.parse(f"{quoted(name)} = {quoted(part)}")
    assert made.name == " ".join(name.split())
    assert made.term == Part(" ".join(part.split()))
    assert Combination.parse(made.text) == made


@given(st.text(alphabet="ab1 -+|&()='\"\u2212*.\n", max_size=14))
def test_any_text_is_understood_or_refused_in_one_line(text: str) -> None:
    try:
        made = Combination.parse(text)
    except PromptError as error:
        message = error.message
    else:
        message = ""
        assert Combination.parse(made.text).term == made.term
    assert "\n" not in message
