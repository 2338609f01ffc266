"""Prompts on the picture that they are drawn on: `in_view`, `in_space`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.prompt import Prompt
    from anytomy.core.view import SliceView


class Signs(NamedTuple):
    """A prompt in three dimensions: box (three starts, then three ends) and points with labels.

    Its numbers are x, y, z of the file, or column, row, slice of a view.
    """

    box: tuple[float, ...] | None
    points: NDArray[np.float64]
    labels: tuple[int, ...]


def in_space(prompt: Prompt, across: int) -> Signs:
    """A prompt in the file's x, y, z; two-dimensional ones lie in a slice across this axis."""
    within = [axis for axis in range(3) if axis != across]
    box, points = prompt.box, [list(p) for p in prompt.points]
    if box is not None and len(box) == 4:
        corners = None
        if prompt.slice is not None:
            corners = np.zeros(6)
            corners[within] = box[:2]
            corners[[3 + a for a in within]] = box[2:]
            corners[across], corners[3 + across] = prompt.slice, prompt.slice + 1
        box = None if corners is None else tuple(float(v) for v in corners)
    if points and len(points[0]) == 2:
        for point in points:
            point.insert(across, -1.0 if prompt.slice is None else float(prompt.slice))
    return Signs(box, np.reshape(points, (-1, 3)).astype(float), prompt.labels)


def seen(signs: Signs, view: SliceView) -> Signs:
    """What is in the file's x, y, z, as the view has it."""
    return Signs(
        box=None if signs.box is None else view.box_to_view(signs.box),
        points=view.to_view(signs.points),
        labels=signs.labels,
    )


def in_view(prompt: Prompt, view: SliceView) -> Signs:
    """A prompt, whose numbers are the file's, as the view has it."""
    return seen(in_space(prompt, view.axes[2]), view)
