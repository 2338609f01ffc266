"""Masks told from images by a look into a few files, where names do not say it."""

from __future__ import annotations

from collections.abc import Sequence

from anytomy.core.errors import ImageReadError
from anytomy.datasets.recognising.files import File, spread
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.looking import Look, look

_SAMPLED = 3
_MOST_CLASSES = 64


def tells_masks(inventory: Inventory, files: Sequence[File]) -> bool:
    """Whether some of the files look like masks: few values in large areas, or objects in pieces."""
    if any(file.ending == "/" for file in files):
        return False
    looks = []
    for path in spread([file.path for file in files], _SAMPLED):
        try:
            looks.append(look(inventory.tree.path(path)))
        except ImageReadError:
            continue
    return bool(looks) and all(looks_like_mask(one) for one in looks)


def looks_like_mask(one: Look) -> bool:
    """Whether a file has the values of a mask."""
    if not one.counts or not one.whole or min(_numbers(one), default=0) < 0:
        return False
    if len(one.counts) <= 2:
        return True
    most = next(iter(one.counts.values())) / sum(one.counts.values())
    inner = [one.interior[v] for v in one.interior]
    mean = sum(inner) / len(inner) if inner else 0.0
    if one.lossy:
        # Blurred edges, but hardly anything between black and white.
        ends = sum(n for v, n in one.counts.items() if v <= 8 or v >= 247) / sum(one.counts.values())
        return ends > 0.9
    if len(one.counts) <= _MOST_CLASSES:
        return mean > 0.25 and most > 0.1
    return mean > 0.3


def _numbers(one: Look) -> list[float]:
    return [v for v in one.counts if not isinstance(v, tuple)]
