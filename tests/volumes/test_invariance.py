"""LiteMedSAM itself: how a scan is stored, and how much body is around the object, hardly matter.

Cropping does matter in the end: a model sees a picture of 256 pixels, so that what is cut away enlarges the
rest. A crop to 72 % of each side is tried here; at 54 % the same ventricle loses 0.04.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import anytomy
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.engine.cache import EmbeddingCache
from tests.core.strategies import stored, stored_array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.predict.model import Model

pytestmark = [pytest.mark.shared, pytest.mark.usefixtures("real_cache")]

ACDC = "data/acdc/patient007/patient007_frame01"
HIPPOCAMPUS = "data/Task04_Hippocampus/{}/hippocampus_001.nii.gz"
# Across x, y, z and the file's axes in another order, some reversed.
WAYS = [
    ((0, 1, 2), (True, False, True)),
    ((1, 0, 2), (False, True, False)),
    ((2, 0, 1), (True, False, False)),
]


@pytest.fixture(scope="module")
def model(litemedsam_weights: Path) -> Model:
    """One for all, so that a picture that comes again is not encoded again."""
    from tests.conftest import _use_real_cache

    with pytest.MonkeyPatch.context() as patch:
        _use_real_cache(patch)
        return anytomy.load("litemedsam", threads=1, cache=EmbeddingCache(memory_bytes=2**30))


def read(image: Path, labels: Path, id_: int) -> tuple[Image, NDArray[np.bool_]]:
    found = anytomy.read(image)
    return found, np.asarray(anytomy.read(labels).array) == id_


def dice(model: Model, image: Image, mask: NDArray[np.bool_], **how: Any) -> float:
    """Dice of the object from its tight cuboid."""
    places = np.argwhere(mask)[:, ::-1]
    box = (*(float(v) for v in places.min(axis=0)), *(float(v) for v in places.max(axis=0) + 1))
    found = model.segment(image, [Prompt(box=box)], **how).masks[0]
    return 2 * float((found & mask).sum()) / float(found.sum() + mask.sum())


def cropped(image: Image, mask: NDArray[np.bool_], margin: tuple[int, int, int]) -> tuple[Image, Any]:
    """The object with so many voxels around it along x, y, z."""
    places = np.argwhere(mask)[:, ::-1]
    low = np.maximum(places.min(axis=0) - margin, 0)
    high = np.minimum(places.max(axis=0) + 1 + margin, image.geometry.size_xyz)
    inside = tuple(slice(low[a], high[a]) for a in (2, 1, 0))
    geometry = image.geometry.crop(tuple(low), tuple(high))
    array = np.ascontiguousarray(image.array[inside])
    return Image.from_array(array, is_volume=True, geometry=geometry), mask[inside]


def check(
    model: Model, image: Image, mask: NDArray[np.bool_], volume: str, margin: tuple[int, int, int]
) -> None:
    expected = dice(model, image, mask, volume=volume)
    for order, flips in WAYS:
        geometry = stored(image.geometry, order, flips)
        array = np.ascontiguousarray(stored_array(image.array, order, flips))
        other = Image.from_array(array, is_volume=True, geometry=geometry)
        axis = "xyz"[order.index(2)]
        there = dice(model, other, stored_array(mask, order, flips), volume=volume, axis=axis)
        assert there == pytest.approx(expected, abs=0.02), (order, flips)
    part, truth = cropped(image, mask, margin)
    assert max(part.array.shape) < max(image.array.shape)
    assert dice(model, part, truth, volume=volume) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("volume", ["slices", "authors", "propagate", "2.5d"])
def test_a_ventricle(model: Model, shared: Path, volume: str) -> None:
    image, mask = read(shared / f"{ACDC}.nii.gz", shared / f"{ACDC}_gt.nii.gz", 3)
    check(model, image, mask, volume, (60, 60, 1))


@pytest.mark.slow
def test_three_planes_of_a_hippocampus(model: Model, shared: Path) -> None:
    image, mask = (shared / HIPPOCAMPUS.format(folder) for folder in ("imagesTr", "labelsTr"))
    check(model, *read(image, mask, 2), "triplanar", (9, 9, 9))
