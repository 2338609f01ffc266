"""Progress bars on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def units_bar(title: str, *, shown: bool = True) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar over units of work with the time left and the name of the latest; as `slices_bar`."""
    with slices_bar(title, shown=shown) as step:
        yield None if step is None else lambda done, total, name: step(done, total)


@contextmanager
def slices_bar(title: str, *, shown: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over slices with the time left; yields `step(done, total)`, or None where nobody looks."""
    with _bars(shown=shown) as bars:
        if bars is None:
            yield None
            return
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def stage_bars(*, shown: bool = True) -> Iterator[Callable[[str, int, int, str], None] | None]:
    """A bar for each thing that is done in turn; yields `step(what, done, total, now)`, or None."""
    with _bars("{task.fields[now]}", shown=shown) as bars:
        if bars is None:
            yield None
            return
        tasks: dict[str, TaskID] = {}

        def step(what: str, done: int, total: int, now: str) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[what] = bars.add_task(what, total=total, now="")
            bars.update(tasks[what], completed=done, total=total, now=now)

        yield step


@contextmanager
def _bars(*more: str, shown: bool) -> Iterator[Progress | None]:
    """What bars are drawn on, with further columns of text; None where nobody looks."""
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    texts = (TextColumn(each) for each in more)
    with Progress(*columns, *texts, console=console, transient=True) as bars:
        yield bars
