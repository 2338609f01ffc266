"""Shapes that prompt simulators are tried on, and independent references for what they should find."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.view import SliceView
from anytomy.evaluation.simulators import Truth
from anytomy.predict.placing import Track, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.core.prompt import Prompt

HEIGHT, WIDTH = 40, 60


def disc(y: float, x: float, radius: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray[np.bool_]:
    """A filled circle."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def _pixel(y: int, x: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y, x] = True
    return mask


PICTURES = {
    "disc": disc(20, 31, 9),
    "ring": disc(20, 30, 12) & ~disc(20, 30, 7),
    "two parts": disc(12, 15, 8) | disc(28, 45, 5),
    "four parts": disc(5, 5, 2) | disc(12, 30, 5) | disc(30, 12, 4) | disc(30, 45, 3),
    "one pixel": _pixel(17, 23),
    "corner pixel": _pixel(HEIGHT - 1, WIDTH - 1),
    "border": disc(0, 0, 11),
    "all": np.ones((HEIGHT, WIDTH), bool),
}


def tapered(areas: Sequence[int] = (4, 6, 9, 7, 3)) -> NDArray[np.bool_]:
    """A volume (z, y, x) of discs with these radii, empty at both ends."""
    empty = np.zeros((HEIGHT, WIDTH), bool)
    return np.stack([empty, *(disc(18, 28, r) if r else empty for r in areas), empty])


def _thick(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The picture in the middle of three slices, the outer ones smaller where it has more than a pixel."""
    less = mask.copy()
    less[tuple(np.argwhere(mask)[0])] = mask.sum() == 1
    return np.stack([less, mask, less])


VOLUMES = {**{name: _thick(mask) for name, mask in PICTURES.items()}, "tapered": tapered()}


def along(volume: NDArray[np.bool_], axis: str) -> NDArray[np.bool_]:
    """The volume stored so that its slices run along another axis, and look the same."""
    return volume.transpose({"z": (0, 1, 2), "y": (1, 0, 2), "x": (1, 2, 0)}[axis])


def placed(truth: Truth, prompt: Prompt) -> Track:
    """What prediction makes of the prompt; raises where it refuses it."""
    mask = truth.mask
    shape = mask.shape if truth.is_volume else (1, *mask.shape)
    geometry = Geometry(size_xyz=(shape[2], shape[1], shape[0]))
    image = Image(array=mask.astype(np.uint8), geometry=geometry, is_volume=truth.is_volume)
    return place(image, prompt, SliceView.canonical(geometry, truth.axis), truth.axis)


def plane_of(truth: Truth, prompt: Prompt) -> NDArray[np.bool_]:
    """The label under a two-dimensional prompt."""
    if not truth.is_volume:
        return truth.mask
    assert prompt.slice is not None
    return np.take(truth.mask, prompt.slice, axis="zyx".index(truth.axis))


def tight(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """The tight box of a mask, from the coordinates of its elements."""
    places = np.argwhere(mask)[:, ::-1]
    return (*(int(v) for v in places.min(0)), *(int(v) + 1 for v in places.max(0)))


def depths(mask: NDArray[np.bool_], spacing: Sequence[float] | None = None) -> dict[tuple[int, ...], float]:
    """Distance of each element to the nearest one outside, by trying them all."""
    padded = np.pad(mask, 1)
    size = np.ones(mask.ndim) if spacing is None else np.asarray(spacing)
    outside = (np.argwhere(~padded) - 1) * size
    return {
        tuple(int(v) for v in index): float(np.sqrt(((outside - index * size) ** 2).sum(axis=1)).min())
        for index in np.argwhere(mask)
    }


def components(mask: NDArray[np.bool_]) -> list[set[tuple[int, ...]]]:
    """Parts that are connected over corners, by walking from neighbour to neighbour."""
    left = {tuple(int(v) for v in index) for index in np.argwhere(mask)}
    steps = list(itertools.product((-1, 0, 1), repeat=mask.ndim))
    found = []
    while left:
        waiting = [left.pop()]
        part = set(waiting)
        while waiting:
            here = waiting.pop()
            near = {tuple(a + b for a, b in zip(here, step, strict=True)) for step in steps} & left
            left -= near
            part |= near
            waiting.extend(near)
        found.append(part)
    return sorted(found, key=len, reverse=True)


def comparable(prompt: Prompt) -> Any:
    """The values of a prompt."""
    mask = None if prompt.mask is None else prompt.mask.tolist()
    return (prompt.box, prompt.points, prompt.labels, mask, prompt.slice, prompt.z, prompt.id, prompt.name)
