"""HTML that is escaped unless it says that it is HTML: `tag`, `table`, `page`."""

from __future__ import annotations

import html
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VOID = frozenset({"br", "col", "hr", "img", "meta"})
_STYLE = Path(__file__).with_name("page.css")
# Nothing may be fetched, and no script may run, whatever a name in the page holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: Its head.
        is_number: Numbers stand right.
    """

    title: str
    is_number: bool = False


def escaped(value: object) -> Html:
    """A value as HTML: what is `Html` stays, all else is text."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after the other; text is escaped."""
    return Html(escaped(between).join(escaped(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element.

    Args:
        name: Of the element.
        children: What is in it; text is escaped.
        attributes: Its attributes: `_` becomes `-`, one at the end is dropped (`class_`), None leaves the
            attribute out.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{joined(children)}</{name}>")


def table(
    caption: object,
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    grouped: bool = False,
    dense: bool = False,
) -> Html:
    """A table with a caption; the first cell of each row is its head.

    Args:
        caption: What it shows.
        columns: One for each cell of a row.
        rows: Cells; text is escaped.
        grouped: Rows that follow each other with the same first cell share it.
        dense: It has many columns.
    """
    head = tag("tr", *(tag("th", c.title, scope="col", class_=_kind(c)) for c in columns))
    if grouped:
        groups = [list(each) for _, each in itertools.groupby(rows, key=lambda row: row[0])]
    else:
        groups = [[row] for row in rows]
    bodies = [_group(each, columns) for each in groups]
    content = (
        [tag("tbody", *lines) for lines in bodies] if grouped else [tag("tbody", *itertools.chain(*bodies))]
    )
    kind = " ".join(name for name, holds in (("grouped", grouped), ("dense", dense)) if holds) or None
    whole = tag("table", tag("caption", caption), tag("thead", head), *content, class_=kind)
    # A table that is wider than the window is scrolled on its own, by keyboard too.
    return tag("div", whole, class_="wide", tabindex=0, role="group", aria_label="table")


def _group(rows: Sequence[Sequence[object]], columns: Sequence[Column]) -> list[Html]:
    lines = []
    for place, row in enumerate(rows):
        cells = [tag("td", cell, class_=_kind(c)) for cell, c in zip(row[1:], columns[1:], strict=True)]
        if place == 0:
            span = len(rows) if len(rows) > 1 else None
            scope = "rowgroup" if span else "row"
            cells.insert(0, tag("th", row[0], scope=scope, rowspan=span, class_=_kind(columns[0])))
        lines.append(tag("tr", *cells))
    return lines


def _kind(column: Column) -> str | None:
    return "number" if column.is_number else None


def details(summary: object, *children: object, is_open: bool = False) -> Html:
    """Something that is folded away until it is asked for."""
    return tag("details", tag("summary", summary), *children, open="" if is_open else None)


def page(title: str, *body: object) -> Html:
    """A whole page with the style sheet in it."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        # The style sheet is ours and holds no `</style>`.
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    return Html(f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', *body)), lang='en')}\n")
