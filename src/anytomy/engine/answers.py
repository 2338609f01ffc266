"""Answers that a model gave already: `AnswerCache`.

A person who corrects a volume adds one prompt after the other, and each time all of it is asked again. What a
further key slice does not change is the same picture and the same prompt as before: it comes from here, so
that only the stretch around the new key slice costs time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANSWER_BYTES = 256 * 2**20


class AnswerCache:
    """Least recently used answers `(logits of the decoder's own size, score)` by content key.

    Args:
        memory_bytes: What is kept at most; an answer of LiteMedSAM takes 256 KiB.
    """

    def __init__(self, memory_bytes: int = ANSWER_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._kept: OrderedDict[str, tuple[NDArray[np.float32], float]] = OrderedDict()
        self._held = 0

    def get(self, key: str) -> tuple[NDArray[np.float32], float] | None:
        """The answer, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: str, logits: NDArray[np.float32], score: float) -> None:
        """Keep an answer."""
        if key in self._kept:
            return
        self._kept[key] = (logits, score)
        self._held += logits.nbytes
        while self._held > self._memory_bytes:
            _, (old, _) = self._kept.popitem(last=False)
            self._held -= old.nbytes
