"""Embeddings that two sweeps need wait on disk where memory has no room: `spilled`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from anytomy.engine.model import PromptableModel


def spilled(model: PromptableModel, *, both: set[int]) -> AbstractContextManager[None]:
    """Slices that both ways need are encoded once: what does not fit into memory waits on disk."""
    cache = getattr(model, "cache", None)
    return cache.spilling() if both and cache is not None else nullcontext()
