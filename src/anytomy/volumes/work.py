"""How much of a volume is done: `Work`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Work:
    """Counts answers of a model, and how many there will be as far as is known.

    Args:
        expected: How many there will be.
        progress: Called after each with the number of answers and that expected by then.
    """

    def __init__(self, expected: int = 0, progress: Callable[[int, int], None] | None = None) -> None:
        self.done = 0
        self.expected = expected
        self._progress = progress

    def expect(self, more: int) -> None:
        """There will be more, or fewer, than was thought."""
        self.expected = max(self.expected + more, self.done)

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        self.expected = max(self.expected, self.done)
        if self._progress is not None:
            self._progress(self.done, self.expected)
