"""Text is text: nothing becomes HTML that does not say that it is."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from anytomy.report.html import Column, Html, details, escaped, joined, page, table, tag
from tests.report.parsed_page import Page


class Reader(HTMLParser):
    """What is seen of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.attrs, self.tags = "", {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs |= dict(attrs)

    def handle_data(self, data):
        self.text += data


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@given(words, words)
def test_any_text_comes_out_as_it_went_in(text, attribute):
    seen = Reader(tag("p", text, title=attribute))
    assert seen.tags == ["p"]
    assert seen.text == text
    assert seen.attrs["title"] == attribute


def test_html_stays_and_text_beside_it_is_escaped():
    assert tag("p", tag("b", "<"), "<") == "<p><b>&lt;</b>&lt;</p>"
    assert joined(["<", Html("<br>")], " & ") == "&lt; &amp; <br>"
    assert escaped(3) == "3"


def test_attributes_are_named_as_html_has_them():
    assert (
        tag("th", "x", class_="number", aria_label="a", rowspan=None)
        == '<th class="number" aria-label="a">x</th>'
    )
    assert tag("img", src="data:", alt="") == '<img src="data:" alt="">'


def test_rows_of_a_group_share_their_first_cell():
    rows = [["a", "1"], ["a", "2"], ["b", "3"], ["a", "4"]]
    grouped = Page(page("x", table("about", [Column("k"), Column("v", True)], rows, grouped=True)))
    assert grouped.tables[0].rows == rows
    heads = [attrs.get("rowspan") for attrs in grouped.all("th")[2:]]
    assert heads == ["2", None, None]
    flat = Page(page("x", table("about", [Column("k"), Column("v")], rows)))
    assert flat.tables[0].rows == rows
    assert len(flat.all("tbody")) == 1


def test_a_page_is_whole_and_holds_its_style():
    text = page("a & b", details("more", tag("p", "x"), is_open=True))
    assert text.startswith("<!DOCTYPE html>")
    seen = Page(text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert seen.all("details") == [{"open": ""}]
    assert "<title>a &amp; b</title>" in text
