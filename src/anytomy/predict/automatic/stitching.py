"""Objects that reach over the borders of tiles, put together again: `stitch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.predict.automatic.instance import Instance, overlap
from anytomy.predict.automatic.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Where two windows overlap both look at the same pixels: what is one object agrees there. Lower than the
# limit for duplicates in one window, since small objects have other edges in each.
_AGREE = 0.5


def stitch(windows: Sequence[Window], found: Sequence[Sequence[Instance]]) -> list[Instance]:
    """The objects of all windows, each once, those that a border cuts made whole.

    Objects are matched, one to one, with those of each neighbour that agree with them in the part which both
    see. Of two that lie whole in their windows the one with the higher score stays. One that lies whole in a
    window stands for its parts in others; where there is none, the parts are united, with the mean of their
    scores weighted by area.

    Args:
        windows: Overlapping windows of a picture.
        found: The objects of each, in the picture's pixels.
    """
    everyone = [each for some in found for each in some]
    starts = np.cumsum([0, *(len(some) for some in found)])
    root = list(range(len(everyone)))
    twins: set[int] = set()

    def top(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for a, b, region in _neighbours(windows):
        for i, j in matches(found[a], found[b], region):
            one, other = int(starts[a]) + i, int(starts[b]) + j
            root[top(other)] = top(one)
            if not (everyone[one].cut or everyone[other].cut):
                twins.add(min(one, other, key=lambda place: (everyone[place].score, -place)))
    groups: dict[int, list[Instance]] = {}
    for place, each in enumerate(everyone):
        if place not in twins:
            groups.setdefault(top(place), []).append(each)
    return [each for parts in groups.values() for each in _joined(parts)]


def _neighbours(windows: Sequence[Window]) -> Iterator[tuple[int, int, Window]]:
    """Pairs of windows that overlap, and where."""
    for a, one in enumerate(windows):
        for b in range(a + 1, len(windows)):
            region = one.common(windows[b])
            if region is not None:
                yield a, b, region


def matches(
    ours: Sequence[Instance], theirs: Sequence[Instance], region: Window | None = None
) -> list[tuple[int, int]]:
    """Which objects of two looks are the same, the best matches first, one to one.

    Args:
        ours: Objects of one look.
        theirs: Of the other.
        region: The part of the picture that both saw; all of it where None.

    Returns:
        Places in `ours` and in `theirs`.
    """
    pairs = []
    for i, j in _touching(ours, theirs):
        agreement = overlap(ours[i], theirs[j], region)
        if agreement >= _AGREE:
            pairs.append((-agreement, i, j))
    taken: tuple[set[int], set[int]] = (set(), set())
    matched = []
    for _, i, j in sorted(pairs):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            matched.append((i, j))
    return matched


def _touching(ours: Sequence[Instance], theirs: Sequence[Instance]) -> Iterator[tuple[int, int]]:
    """Pairs whose boxes overlap."""
    one, other = (
        np.array([(e.box.top, e.box.left, e.box.bottom, e.box.right) for e in some]).reshape(-1, 4)
        for some in (ours, theirs)
    )
    for i, box in enumerate(one):
        touch = (other[:, :2] < box[2:]).all(axis=1) & (other[:, 2:] > box[:2]).all(axis=1)
        for j in np.flatnonzero(touch):
            yield i, int(j)


def _joined(parts: list[Instance]) -> list[Instance]:
    whole = [each for each in parts if not each.cut]
    if whole or len(parts) == 1:
        return whole or parts
    boxes = [each.box for each in parts]
    box = Window(
        min(b.top for b in boxes),
        min(b.left for b in boxes),
        max(b.bottom for b in boxes),
        max(b.right for b in boxes),
    )
    mask = np.zeros(box.shape, dtype=bool)
    for each in parts:
        y, x = each.box.top - box.top, each.box.left - box.left
        mask[y : y + each.mask.shape[0], x : x + each.mask.shape[1]] |= each.mask
    areas = [each.area for each in parts]
    largest = parts[int(np.argmax(areas))]
    score, stable = (
        float(np.average([getattr(each, name) for each in parts], weights=areas))
        for name in ("score", "stability")
    )
    return [Instance(box, mask, score, stable, largest.point)]
