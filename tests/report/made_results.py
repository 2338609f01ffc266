"""Predictions of bodies whose shape is known, on grids stored in any way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from tests.core.strategies import places, stored, stored_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Orders and flips of axes that cover all permutations and directions once.
STORAGES = (
    ((0, 1, 2), (False, False, False)),
    ((0, 1, 2), (True, True, False)),
    ((2, 0, 1), (False, True, True)),
    ((1, 2, 0), (True, False, False)),
)


def grid(size_mm: float, spacing: Sequence[float]) -> Geometry:
    """A grid of a cube around the origin."""
    size = [max(1, round(size_mm / s)) for s in spacing]
    origin = [-(n - 1) * s / 2 for n, s in zip(size, spacing, strict=True)]
    return Geometry(tuple(size), tuple(spacing), tuple(origin))  # type: ignore[arg-type]


def ball(geometry: Geometry, centre_lps_mm: Sequence[float], radius_mm: float) -> NDArray[np.bool_]:
    """Voxels within a radius, from the definition of the grid."""
    return np.linalg.norm(places(geometry) - centre_lps_mm, axis=-1) < radius_mm


def block(geometry: Geometry, low_lps_mm: Sequence[float], high_lps_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Voxels between two corners."""
    at = places(geometry)
    return np.all((at >= low_lps_mm) & (at < high_lps_mm), axis=-1)


def made(
    geometry: Geometry,
    masks: Sequence[NDArray[np.bool_]],
    *,
    storage: tuple[Any, Any] = STORAGES[0],
    prompts: Sequence[Prompt] | None = None,
    names: Sequence[str] = (),
    values: NDArray[Any] | None = None,
    form: str = "nifti",
) -> tuple[Image, Prediction]:
    """An image and a prediction with these masks `(z, y, x)`, stored with axes permuted and flipped.

    Prompts are on the stored grid.
    """
    where = stored(geometry, *storage)
    view = SliceView.canonical(where)
    objects = []
    for mask in masks:
        objects.append(ObjectMask(view))
        for index, plane in enumerate(view.apply(stored_array(mask, *storage))):
            objects[-1].set(index, plane)
    pixels = np.zeros(geometry.shape_zyx, np.uint8) if values is None else values
    image = replace(
        Image.from_array(stored_array(pixels, *storage), geometry=where, is_volume=True), format=form
    )
    if prompts is None:
        names = (*names, *itertools.repeat(None, len(masks) - len(names)))  # type: ignore[arg-type]
        prompts = [Prompt(mask=np.ones((1, 1)), id=i + 1, name=names[i]) for i in range(len(masks))]
    stack = MaskStack(objects, is_volume=True, shape_zyx=where.shape_zyx)
    labels = np.zeros(where.shape_zyx, np.uint8)
    return image, Prediction(where, True, stack, labels, tuple(prompts), (1.0,) * len(masks))
