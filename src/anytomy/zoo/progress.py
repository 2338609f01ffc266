"""A progress bar on stderr, only when a person looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Advance", "byte_bar", "note", "shown"]

Advance = Callable[[int], None]
"""Called with the number of bytes that have come so far."""


def shown(wanted: bool) -> bool:
    """Whether progress is drawn: it is wanted and stderr is a terminal."""
    return wanted and sys.stderr.isatty()


@contextmanager
def byte_bar(title: str, total: int | None, *, progress: bool) -> Iterator[Advance]:
    """Draw a bar that counts bytes, or a spinner where the total is unknown.

    Args:
        title: What is fetched.
        total: Bytes, or None.
        progress: Whether the caller wants one.
    """
    if not shown(progress):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    if total is None:
        with console.status(title):
            yield lambda done: None
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    )
    with bars:
        task = bars.add_task(title, total=total)
        yield lambda done: bars.update(task, completed=done)


def note(text: str, *, progress: bool) -> None:
    """One line on stderr for a person who waits."""
    if shown(progress):
        from rich.console import Console

        Console(stderr=True).print(text, style="dim", highlight=False)
