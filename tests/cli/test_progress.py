"""Progress bars: on a terminal alone, one for each thing that is done."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from anytomy.cli.progress import slices_bar, stage_bars, units_bar


class Terminal(io.StringIO):
    """A stream that says that somebody looks at it."""

    def isatty(self) -> bool:
        return True


def looked_at(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in the place of stderr; not a fixture, since pytest sets stderr anew after those."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("TTY_COMPATIBLE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return stream


@pytest.mark.parametrize("bar", [partial(slices_bar, "x"), partial(units_bar, "x"), stage_bars])
def test_nobody_is_told_where_nobody_looks(
    bar: Callable[..., AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at(monkeypatch)
    with bar(shown=False) as step:
        assert step is None
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with bar(shown=True) as step:
        assert step is None


def test_slices_and_units_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = looked_at(monkeypatch)
    with slices_bar("slices") as step:
        assert step is not None
        step(3, 7)
    with units_bar("cases") as unit:
        assert unit is not None
        unit(2, 5, "acdc p1")
    shown = terminal.getvalue()
    for part in ("slices", "3/7", "cases", "2/5"):
        assert part in shown


def test_a_stage_takes_the_place_of_the_one_before_and_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = looked_at(monkeypatch)
    with stage_bars() as step:
        assert step is not None
        step("embeddings", 4, 4, "p1")
        step("training", 1, 9, "loss 0.25")
    last = terminal.getvalue().rsplit("training", 1)[1]
    assert "1/9" in last
    assert "loss 0.25" in last
    assert "embeddings" not in last
