"""What masks of one kind say together: `Pool`, and whether values are objects: `holds_objects`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from anytomy.datasets.recognising.looking import Look

# Part of an object's pixels that must be in one piece, and part of the objects for which that must hold.
_ONE_PIECE = 0.9
_MOST = 0.85


@dataclass(frozen=True)
class Pool:
    """Looks at masks of one kind.

    Attributes:
        looks: Those that could be opened.
        background: The value of what is not labelled.
    """

    looks: Sequence[Look]
    background: Any = 0

    @cached_property
    def counts(self) -> dict[Any, int]:
        """Pixels of each value but the background over all masks, most frequent first."""
        total: dict[Any, int] = {}
        for look in self.looks:
            for value, count in look.counts.items():
                total[value] = total.get(value, 0) + count
        total.pop(self.background, None)
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """The same values in order."""
        return tuple(sorted(self.counts))

    @cached_property
    def total(self) -> int:
        """Labelled pixels."""
        return sum(self.counts.values())

    def interior(self, value: Any) -> float:
        """The highest interior part of a value in any mask."""
        return max((look.interior.get(value, 0.0) for look in self.looks), default=0.0)

    def values_of(self, look: Look) -> list[Any]:
        """The values of one mask but the background, in order."""
        return sorted(v for v in look.counts if v != self.background)

    @property
    def covered(self) -> float:
        """Which part of the pixels is labelled."""
        every = sum(sum(look.counts.values()) for look in self.looks)
        return self.total / every if every else 0.0


def background_of(looks: Sequence[Look]) -> Any:
    """The value of what is not labelled: 0, but for masks that are drawn on another value.

    That is the case where 0 occurs nowhere, or where pictures have another value all around.
    """
    zero = (0, 0, 0) if any(look.colour for look in looks) else 0
    rims = [look.edge for look in looks if look.edge]
    if not rims or any(look.lossy for look in looks):
        return zero
    seen: dict[Any, float] = {}
    for rim in rims:
        for value, share in rim.items():
            seen[value] = seen.get(value, 0.0) + share / len(rims)
    likely = max(seen, key=lambda v: seen[v])
    several = len({v for look in looks for v in look.counts}) > 1
    if not any(zero in look.counts for look in looks):
        return likely if several else zero
    around = likely != zero and all(rim.get(likely, 0.0) >= 0.97 for rim in rims)
    return likely if around and all(look.is_picture for look in looks) else zero


def holds_objects(pool: Pool) -> bool:
    """Whether the values number objects (nuclei, glands) rather than classes.

    Objects are in one piece each; from image to image there are other ones: their highest number changes, or
    their numbers (colours) are others. Classes come back with the same values and sizes.
    """
    looks = [look for look in pool.looks if pool.values_of(look)]
    pieces = [c for look in looks for v, c in look.compact.items() if v != pool.background]
    if not pieces or np.mean([c >= _ONE_PIECE for c in pieces]) < _MOST:
        return False
    if np.mean([i for look in looks for v, i in look.interior.items() if v != pool.background]) < 0.2:
        return False
    sets = [set(pool.values_of(look)) for look in looks]
    most = max(len(s) for s in sets)
    if len(sets) == 1:
        return most > (20 if looks[0].is_picture else 150)
    if _same_sizes(pool, looks):
        return False
    if _strangers(sets) and most >= 5:
        return True
    if looks[0].colour:
        return most > 20
    numbered = np.mean([max(s) == len(s) for s in sets])
    return numbered >= 0.8 and most >= 4 and len({len(s) for s in sets}) >= min(3, len(sets))


def _strangers(sets: list[set[Any]]) -> bool:
    """Whether masks have hardly any values in common."""
    common = [len(a & b) / len(a | b) for a, b in pairwise(sets)]
    return float(np.mean(common)) < 0.3


def _same_sizes(pool: Pool, looks: Sequence[Look]) -> bool:
    """Whether the same value marks something of similar size in all masks, as organs do."""
    likeness = []
    for one, other in pairwise(looks):
        both = [v for v in one.counts if v in other.counts and v != pool.background]
        if len(both) >= 5:
            sizes = np.log([[look.counts[v] for v in both] for look in (one, other)])
            if sizes.std(axis=1).min() > 0:
                likeness.append(float(np.corrcoef(sizes)[0, 1]))
    return bool(likeness) and float(np.mean(likeness)) > 0.6
