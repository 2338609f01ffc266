"""Progress bars on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def units_bar(title: str, *, shown: bool = True) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar over units of work with the time left and the name of the latest; as `slices_bar`."""
    with slices_bar(title, shown=shown) as step:
        yield None if step is None else lambda done, total, name: step(done, total)


@contextmanager
def slices_bar(title: str, *, shown: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over slices with the time left; yields `step(done, total)`, or None where nobody looks."""
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
