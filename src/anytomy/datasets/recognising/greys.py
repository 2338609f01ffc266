"""Grey levels of picture masks: one with blur, soft maps of several experts, or classes: `greys_of`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from anytomy.datasets.recognising.evidence import Pool

# So near to a level a value is that level, saved in another way.
_NEAR = 3
_APART = 8
_MOST_LEVELS = 16


@dataclass(frozen=True)
class Greys:
    """How the grey values of masks are to be taken.

    Attributes:
        kind: `one` (a level with blurred edges), `soft` (nested levels), `levels` (classes), or `none`
            (values are no grey levels: small or close together).
        peaks: The levels.
        near: The values that count as each level.
        why: What says so.
        odd: What is strange.
    """

    kind: str
    peaks: tuple[int, ...] = ()
    near: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    why: str = ""
    odd: tuple[str, ...] = ()


def greys_of(pool: Pool) -> Greys:
    """Find the grey levels.

    Levels are values that fill areas; what lies along edges only is blur. Levels are soft where each lies
    like a thin ring around the next one, as contours of several experts on top of each other do.
    """
    values = pool.values
    if not values or values[-1] < 64 or not all(look.is_picture for look in pool.looks):
        return Greys("none")
    solid = [v for v in values if pool.interior(v) > 0.3 or pool.counts[v] / pool.total > 0.05]
    peaks = _merged(pool, solid)
    # A value next to the background is its blur.
    peaks = [p for p in peaks if p > _APART or pool.interior(p) > 0.6 or len(values) < 16]
    if not peaks:
        return Greys("one", (values[-1],), why="masks have blurred grey values")
    if any(b - a < _APART for a, b in pairwise(peaks)) or len(peaks) > _MOST_LEVELS:
        return Greys("none")
    near = {p: tuple(v for v in values if abs(v - p) <= _NEAR) for p in peaks}
    kept = {v for members in near.values() for v in members}
    stray = sum(n for v, n in pool.counts.items() if v not in kept) / pool.total
    if len(peaks) == 1:
        return Greys("one", tuple(peaks), near, f"masks have one level ({peaks[0]}) and blurred edges")
    if _nested(pool, peaks):
        shown = ", ".join(str(p) for p in peaks)
        why = f"the grey values {shown} lie in thin rings around each other, as in maps of several experts"
        return Greys("soft", tuple(peaks), near, why)
    odd = (f"{stray:.2%} of the labelled pixels have stray grey values between the levels",) if stray else ()
    return Greys("levels", tuple(peaks), near, "they fill areas of their own", odd)


def _merged(pool: Pool, solid: list[int]) -> list[int]:
    """The most frequent value of each group of close ones, in order; all where nothing is blurred."""
    if len(solid) == len(pool.values):
        return solid
    peaks: list[int] = []
    for value in sorted(solid, key=lambda v: -pool.counts[v]):
        if all(abs(value - p) > _NEAR for p in peaks):
            peaks.append(value)
    return sorted(peaks)


def _nested(pool: Pool, peaks: list[int]) -> bool:
    below = peaks[:-1]
    top = pool.counts[peaks[-1]]
    rings = [pool.counts[p] / top for p in below]
    rims = [look.inside[p] for look in pool.looks for p in below if p in look.inside]
    if not rims or sum(rims) / len(rims) < 0.7:
        return False
    # A cell's body lies around its nucleus as well, but it is no thin ring.
    return max(rings) < (0.1 if len(below) == 1 else 0.4) and sum(rings) < 0.8
