"""Models without prompts: a label map of their classes, in pictures and slice by slice in volumes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.errors import AnytomyWarning, OptionError, PromptError, UnsupportedPromptError
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.models.adapters.folder import AdapterCard
from anytomy.predict.model import Model
from anytomy.zoo.card import Adapter
from tests.engine.tiny import card

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("grey", "white")


class Levels:
    """Class 1 is what is about half as bright as the brightest, class 2 the brightest."""

    precision, description = "f32", "levels cpu f32 x1"

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return pixels.mean(axis=1, keepdims=True)

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        levels = embedding[0, 0]
        return np.stack([-np.abs(levels - wanted) * 20 for wanted in (0.0, 0.5, 1.0)])


def model(**changes: Any) -> Model:
    mine = AdapterCard(
        base="tiny",
        base_sha256="",
        architecture="litemedsam",
        method="decoder",
        mode="semantic",
        classes=CLASSES,
        intensity={"default": "none"},
        **changes,
    )
    found = card(prompts=(), intensity={"default": "none"}, adapter=Adapter(Path("tiny"), mine))
    return Model(found, Levels(), weights_sha256="0" * 64)


def volume() -> NDArray[np.uint8]:
    """Two boxes that grow from slice to slice."""
    array = np.zeros((5, 48, 64), np.uint8)
    for z in range(5):
        array[z, 8 : 16 + 2 * z, 8:24] = 128
        array[z, 30:40, 30 : 40 + 2 * z] = 255
    return array


def test_a_picture_becomes_a_label_map() -> None:
    array = volume()[2]
    result = model().segment(Image.from_array(array))
    np.testing.assert_array_equal(result.label_map, (array > 0).astype(int) + (array > 200))
    assert result.names == CLASSES
    assert result.ids == (1, 2)
    assert result.prompts == ()
    assert [int(mask.sum()) for mask in result.masks] == [(array == 128).sum(), (array == 255).sum()]
    assert all(0.9 < score <= 1 for score in result.scores)


@pytest.mark.parametrize("axis", ["z", "y"])
def test_a_volume_is_done_slice_by_slice(axis: str) -> None:
    array = volume()
    image = (
        Image.from_array(array, spacing_zyx=(3.0, 1.0, 1.0)) if _takes_spacing() else Image.from_array(array)
    )
    tiny, steps = model(), []
    result = tiny.segment(image, axis=axis, progress=lambda done, of: steps.append((done, of)))
    count = array.shape[0 if axis == "z" else 1]
    assert steps[-1] == (2 * count, 2 * count)
    if axis == "z":
        np.testing.assert_array_equal(result.label_map, (array > 0).astype(int) + (array > 200))
    assert result.label_map.shape == array.shape


def _takes_spacing() -> bool:
    import inspect

    return "spacing_zyx" in inspect.signature(Image.from_array).parameters


def test_classes_can_be_cleaned_and_combined() -> None:
    array = volume()
    array[:, 44:46, 2:4] = 255
    result = model().segment(Image.from_array(array), largest=True, combine=["all = grey + white"])
    assert result.names == (*CLASSES, "all")
    assert not result.masks[1][:, 44:46, 2:4].any()
    np.testing.assert_array_equal(result.masks[2], result.masks[0] | result.masks[1])


def test_results_are_saved(tmp_path: Path) -> None:
    from anytomy.io.read import read

    result = model().segment(Image.from_array(volume()))
    for name in ("a.nii.gz", "a.seg.nrrd"):
        assert result.save(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / "a.nii.gz").array, result.label_map)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (
            {"prompts": [Prompt(box=(1, 1, 5, 5))]},
            UnsupportedPromptError,
            "takes no prompts: it finds grey, white",
        ),
        ({"zoom": "auto"}, OptionError, "takes none"),
        ({"volume": "triplanar"}, OptionError, "goes slice by slice"),
        ({"combine": ["x = grey + black"]}, PromptError, "black"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], error: type[Exception], match: str) -> None:
    image = Image.from_array(volume()) if "volume" in options else Image.from_array(volume()[0])
    with pytest.raises(error, match=match):
        model().segment(image, **options)


def test_pixels_between_two_classes_belong_to_one() -> None:
    array = np.full((16, 16), 64, np.uint8)
    array[0, 0], array[0, 1] = 0, 255
    result = model().segment(Image.from_array(array))
    assert (result.masks[0] & result.masks[1]).sum() == 0
    assert ((result.label_map > 0) == (result.masks[0] | result.masks[1])).all()


def test_slices_along_another_axis_than_was_learned_are_said() -> None:
    sagittal = model(training={"axis": "x"})
    with pytest.warns(AnytomyWarning, match="tuned on slices along the axis x .* --axis x"):
        sagittal.segment(Image.from_array(volume()))
    with warnings.catch_warnings():
        warnings.simplefilter("error", AnytomyWarning)
        sagittal.segment(Image.from_array(volume()), axis="x")
        sagittal.segment(Image.from_array(volume()[2]))
