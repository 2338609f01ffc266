"""A student that runs: classes without prompts, in pictures and volumes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anytomy
from anytomy.core.errors import AnytomyWarning, ModelError, OptionError, UnsupportedPromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.predict.student.run import StudentModel
from tests.models.students.tiny import CLASSES, register, tiny_student

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def student(folder: Path, **changes: Any) -> StudentModel:
    tiny_student(folder, **changes)
    found = anytomy.load(str(folder), threads=1)
    assert isinstance(found, StudentModel)
    return found


def volume(direction: Any = None) -> Image:
    array = RANDOM.integers(-200, 900, (7, 41, 36)).astype(np.int16)
    more = {} if direction is None else {"direction": direction}
    return Image.from_array(
        array, geometry=Geometry(size_xyz=(36, 41, 7), spacing_xyz_mm=(1.0, 1.2, 3.0), **more)
    )


@pytest.mark.parametrize("shape", [(45, 61), (45, 61, 3), (9, 100)])
def test_a_picture_becomes_a_label_map(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = student(tmp_path, colours=3, mean=(100.0,) * 3, std=(60.0,) * 3, intensity="none")
    image = Image.from_array(RANDOM.integers(0, 256, shape, dtype=np.uint8))
    result = model.segment(image)
    shares = model.probabilities(image)
    assert shares.shape == (3, *shape[:2])
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(result.label_map, shares.argmax(axis=0))
    assert result.names == CLASSES
    assert result.intensity.policy.text == "none"
    for number, score in enumerate(result.scores, start=1):
        inside = result.label_map == number
        assert score == pytest.approx(shares[number][inside].mean(), abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"volumes": True, "spacing_mm": (1.5, 1.5)},
        {"volumes": True, "size": 64, "patch": (32, 32)},
        {"volumes": True, "axis": "y", "size": None},
        {"dims": 3, "spacing_mm": (2.0, 1.5, 1.5)},
    ],
)
def test_a_volume_becomes_a_label_map(tmp_path: Path, changes: dict[str, Any]) -> None:
    model, image, steps = student(tmp_path, **changes), volume(), []
    result = model.segment(image, axis=model.student.axis, progress=lambda done, of: steps.append((done, of)))
    shares = model.probabilities(image)
    assert shares.shape == (3, 7, 41, 36)
    np.testing.assert_array_equal(result.label_map, shares.argmax(axis=0))
    assert set(np.unique(result.label_map)) == {0, 1, 2}
    assert steps[-1] == (2 * (41 if model.student.axis == "y" else 7),) * 2


@pytest.mark.parametrize("dims", [2, 3])
def test_the_storage_of_a_scan_does_not_matter(tmp_path: Path, dims: int) -> None:
    model = student(tmp_path, dims=dims, volumes=True, spacing_mm=(2.0,) * dims)
    image = volume()
    turned = Image.from_array(
        np.ascontiguousarray(image.array[:, ::-1, ::-1]),
        geometry=Geometry(
            size_xyz=(36, 41, 7),
            spacing_xyz_mm=(1.0, 1.2, 3.0),
            direction=((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
        ),
    )
    found = model.segment(turned).label_map[:, ::-1, ::-1]
    np.testing.assert_array_equal(found, model.segment(image).label_map)


def test_results_are_cleaned_combined_and_saved(tmp_path: Path) -> None:
    model, image = student(tmp_path / "s", volumes=True), volume()
    result = model.segment(image, combine=["both = liver + pancreas"])
    np.testing.assert_array_equal(result.masks[2], result.masks[0] | result.masks[1])
    assert result.save(tmp_path / "a.nii.gz")
    assert model.segment(image, largest=True).masks[0].sum() < result.masks[0].sum()


def test_engines_agree(tmp_path: Path) -> None:
    tiny_student(tmp_path)
    image = Image.from_array(RANDOM.integers(0, 999, (50, 40)).astype(np.float32))
    expected = anytomy.load(str(tmp_path), engine="torch", threads=1).probabilities(image)
    for engine in ("openvino", "onnxruntime"):
        model = anytomy.load(str(tmp_path), engine=engine, threads=1)
        assert model.engine.description == f"{engine} cpu f32 x1"
        np.testing.assert_allclose(model.probabilities(image), expected, atol=1e-4)


def test_a_student_with_masks_of_its_teacher_needs_them(tmp_path: Path) -> None:
    model = student(tmp_path, extra=1)
    image = Image.from_array(RANDOM.integers(0, 255, (40, 50), dtype=np.uint8))
    with pytest.raises(ModelError, match=r"needs 1 mask of litemedsam.*extra=masks"):
        model.segment(image)
    with pytest.raises(ModelError, match="cannot run without"):
        model.probabilities(image)
    shares = model.probabilities(image, RANDOM.random((1, 40, 50)))
    assert shares.shape == (3, 40, 50)
    assert not np.array_equal(shares, model.probabilities(image, np.zeros((1, 40, 50))))
    with pytest.raises(ModelError, match="takes no masks"):
        student(tmp_path / "plain").probabilities(image, np.zeros((1, 40, 50)))


def test_masks_of_the_teacher_in_a_volume(tmp_path: Path) -> None:
    model = student(tmp_path, dims=3, extra=2, spacing_mm=(2.0, 1.5, 1.5))
    image = volume(((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)))
    masks = RANDOM.random((2, *image.array.shape)) > 0.5
    assert model.probabilities(image, masks).shape == (3, 7, 41, 36)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"prompts": [Prompt(box=(1, 1, 5, 5))]}, UnsupportedPromptError, "takes no prompts: it finds liver"),
        ({"zoom": "auto"}, OptionError, "takes none"),
        ({"volume": "triplanar"}, OptionError, "takes no prompts"),
        ({"axis": "y"}, OptionError, "trained on slices along z"),
    ],
)
def test_what_has_no_meaning_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    model = student(tmp_path, volumes=True)
    with pytest.raises(error, match=match):
        model.segment(volume(), **options)


def test_there_is_nothing_to_prompt(tmp_path: Path) -> None:
    model = student(tmp_path)
    with pytest.raises(UnsupportedPromptError, match="takes no prompts"):
        model.everything(Image.from_array(np.zeros((20, 20), np.uint8)))
    with pytest.raises(UnsupportedPromptError, match="encodes nothing"):
        model.encode(np.zeros((20, 20), np.uint8))


def test_a_pixel_of_unknown_size_is_said_aloud(tmp_path: Path) -> None:
    model = student(tmp_path, spacing_mm=(1.0, 1.0))
    with pytest.warns(AnytomyWarning, match="says nothing of mm"):
        model.segment(Image.from_array(RANDOM.integers(0, 255, (20, 20), dtype=np.uint8)))
