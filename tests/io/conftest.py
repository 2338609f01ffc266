"""Predictions and independent readers for tests of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image


@pytest.fixture(scope="session")
def predict() -> Callable[..., Prediction]:
    """A maker of predictions: the image, one mask `([z,] y, x)` for each object, and names."""
    return make_prediction


def make_prediction(
    image: Image,
    masks: Sequence[NDArray[Any]],
    *,
    names: Sequence[str | None] = (),
    overlap: str = "higher-logit",
    dtype: Any = np.uint8,
) -> Prediction:
    """A prediction with these masks, ids from 1, the last one on top in the label map."""
    view = SliceView.stored(image.geometry)
    objects, label_map = [], np.zeros(image.volume.shape[:3], dtype)
    for number, mask in enumerate(masks, start=1):
        volume = np.asarray(mask, bool).reshape(label_map.shape)
        packed = ObjectMask(view)
        for z, plane in enumerate(volume):
            packed.set(z, plane)
        objects.append(packed)
        label_map[volume] = number
    box = (0, 0, *image.geometry.size_xyz[:2]) if not image.is_volume else (0, 0, 0, *image.geometry.size_xyz)
    names = [*names, *[None] * (len(masks) - len(names))]
    return Prediction(
        geometry=image.geometry,
        is_volume=image.is_volume,
        masks=MaskStack(objects, is_volume=image.is_volume, shape_zyx=image.geometry.shape_zyx),
        label_map=label_map if image.is_volume else label_map[0],
        prompts=tuple(Prompt(box=box, id=n, name=name) for n, name in enumerate(names, start=1)),
        scores=(0.9,) * len(masks),
        overlap=overlap,
    )
