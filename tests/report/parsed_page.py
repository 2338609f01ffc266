"""A page as a reader of HTML sees it: tables, pictures, addresses and headings; it must be well-formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"br", "col", "hr", "img", "meta"}


@dataclass
class Table:
    """Caption, column titles and rows of texts, cells that span rows repeated."""

    caption: str = ""
    titles: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def column(self, title: str) -> list[str]:
        """The texts below a title."""
        return [row[self.titles.index(title)] for row in self.rows]

    def where(self, **wanted: str) -> list[dict[str, str]]:
        """Rows by title, those with the wanted texts."""
        named = [dict(zip(self.titles, row, strict=True)) for row in self.rows]
        return [row for row in named if all(row[key] == value for key, value in wanted.items())]


class Page(HTMLParser):
    """Parse a page.

    Args:
        text: HTML.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.sections: dict[str, list[Table]] = {"": []}
        self.texts: dict[str, str] = {"": ""}
        self.headings: list[tuple[str, str]] = []
        self._section = ""
        self._span: dict[int, tuple[int, str]] = {}
        self._text: str | None = None
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    @property
    def tables(self) -> list[Table]:
        return [table for tables in self.sections.values() for table in tables]

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.elements if name in attrs]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    # -- events ------------------------------------------------------------------------------------

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in {tag}: {names}"
        held = {name: value or "" for name, value in attrs}
        self.elements.append((tag, held))
        if tag in _VOID:
            return
        self.open.append(tag)
        if tag == "section":
            self._section = held["id"]
            self.sections[self._section], self.texts[self._section] = [], ""
        elif tag == "table":
            self.sections[self._section].append(Table())
            self._span = {}
        elif tag == "tr" and "tbody" in self.open:
            self._now.rows.append([])
        if tag in ("td", "th", "caption", "h1", "h2", "h3"):
            self._text = ""
            self._rows = int(held.get("rowspan", 1))
        if tag in ("td", "th") and "tbody" in self.open:
            self._fill()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} closed, but never opened"
        assert self.open[-1] == tag, f"{tag} closed within {self.open[-1]}"
        self.open.pop()
        if tag in ("td", "th", "caption", "h1", "h2", "h3"):
            text, self._text = " ".join((self._text or "").split()), None
            if tag == "caption":
                self._now.caption = text
            elif tag in ("h1", "h2", "h3"):
                self.headings.append((tag, text))
            elif "thead" in self.open:
                self._now.titles.append(text)
            else:
                row = self._now.rows[-1]
                if self._rows > 1:
                    self._span[len(row)] = (self._rows - 1, text)
                row.append(text)
        elif tag == "tr" and "tbody" in self.open:
            self._fill()
        elif tag == "section":
            self._section = ""

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts[self._section] += data
        if self._text is not None:
            self._text += data

    @property
    def _now(self) -> Table:
        return self.sections[self._section][-1]

    def _fill(self) -> None:
        """Repeat cells of rows above that reach into this one."""
        row = self._now.rows[-1]
        while len(row) in self._span and self._span[len(row)][0]:
            place = len(row)
            left, text = self._span[place]
            if len(self._now.rows) < 2:
                return
            self._span[place] = (left - 1, text)
            row.append(text)
