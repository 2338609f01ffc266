"""A student as one graph: the same label maps as Anytomy's, in plain ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import anytomy
from anytomy.core.errors import ModelError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.predict.student import export
from anytomy.predict.student.export import export_student
from anytomy.zoo.registry import card
from tests.models.students.tiny import register, tiny_card, tiny_student

RANDOM = np.random.default_rng(0)
COLOUR: dict[str, Any] = {"colours": 3, "mean": (90.0, 100.0, 110.0), "std": (50.0, 60.0, 70.0)}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def run(path: Path, array: np.ndarray, spacing: tuple[float, ...] = ()) -> np.ndarray:
    """As `docs/students.md` has it."""
    session = onnxruntime.InferenceSession(str(path))
    feeds = {"image": array.astype(np.float32)}
    if spacing:
        feeds["spacing_mm"] = np.array(spacing)
    found: np.ndarray = session.run(["labels"], feeds)[0]
    return found


def values(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Whole numbers around 0 with a dark border and many zeros."""
    low, high = (0, 256) if dtype == np.uint8 else (-800, 900)
    array = RANDOM.integers(low, high, shape)
    array[RANDOM.random(shape) < 0.2] = 0
    return array.astype(dtype)


@pytest.mark.parametrize(
    ("changes", "shape", "dtype"),
    [
        ({"intensity": "none"}, (45, 61), np.uint8),
        ({"intensity": "percentile:1,99", "size": 80}, (45, 61), np.int16),
        ({"intensity": "percentile:0.5,99.5", "size": None}, (77, 20), np.float32),
        ({"intensity": "window:400,40", "spacing_mm": (1.3, 0.6)}, (45, 61), np.int16),
        ({"intensity": "none", **COLOUR}, (31, 44, 3), np.uint8),
        ({"intensity": "none", "size": None, **COLOUR}, (50, 44, 3), np.uint8),
        ({"intensity": "percentile:0.5,99.5", "volumes": True}, (3, 45, 61), np.int16),
        ({"intensity": "ct:soft", "volumes": True, "spacing_mm": (1.3, 0.6)}, (3, 45, 31), np.int16),
        ({"intensity": "percentile:5,60", "volumes": True, "size": None}, (2, 12, 61), np.float32),
        ({"intensity": "percentile:0.5,99.5", "dims": 3}, (11, 25, 9), np.int16),
        ({"intensity": "ct:lung", "dims": 3, "spacing_mm": (2.0, 1.1, 1.7)}, (11, 25, 19), np.int16),
    ],
)
def test_the_graph_gives_the_same_label_map(
    tmp_path: Path, changes: dict[str, Any], shape: tuple[int, ...], dtype: Any
) -> None:
    mine = tiny_student(tmp_path / "s", **changes)
    path, _ = export_student(card(str(tmp_path / "s")), tmp_path / "s.onnx")
    array = values(shape, dtype)
    solid = shape[:3] if mine.volumes else (1, *shape[:2])
    geometry = Geometry(size_xyz=(solid[2], solid[1], solid[0]), spacing_xyz_mm=(0.9, 0.8, 2.2))
    image = Image.from_array(array, is_volume=mine.volumes, geometry=geometry)
    expected = anytomy.load(str(tmp_path / "s"), threads=1).segment(image).label_map
    spacing = ((2.2, 0.8, 0.9) if mine.volumes else (0.8, 0.9)) if mine.spacing_mm else ()
    found = run(path, array, spacing)
    assert found.dtype == np.uint8
    assert len(np.unique(expected)) == 3
    assert (found != expected).mean() < 1e-3
    for number in range(3):  # the project's bar
        both, either = (found == number) & (expected == number), (found == number) | (expected == number)
        assert both.sum() >= 0.999 * either.sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "dims"), [("unet-8", 2), ("unet-8", 3), ("segresnet", 2), ("dynunet", 3)]
)
def test_the_networks_of_monai_too(tmp_path: Path, network: str, dims: int) -> None:
    import torch

    from anytomy.models.students.folder import write_student
    from anytomy.models.students.registry import build

    torch.manual_seed(0)
    patch = (32,) * dims
    mine = tiny_card(network=network, dims=dims, patch=patch, volumes=True, size=None, intensity="ct:soft")
    write_student(tmp_path / "s", mine, build(network, dims=dims, channels=1, classes=2).state_dict())
    path, _ = export_student(card(str(tmp_path / "s")), tmp_path / "s.onnx")
    array = values((7, 41, 50), np.int16)
    expected = anytomy.load(str(tmp_path / "s"), threads=1).segment(Image.from_array(array)).label_map
    assert len(np.unique(expected)) > 1
    assert (run(path, array) != expected).mean() < 1e-3


@pytest.mark.parametrize("policy", ["percentile:0.5,99.5", "window:400,40", "none"])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((9, 12), np.float32),
        np.full((9, 12), 7, np.float32),
        np.where(np.arange(108).reshape(9, 12) % 5 == 0, 3, 0).astype(np.float32),
        np.where(np.arange(108).reshape(9, 12) % 7 == 0, np.nan, np.arange(108).reshape(9, 12)).astype(
            np.float32
        ),
        np.where(np.arange(108).reshape(9, 12) % 7 == 0, np.inf, np.arange(108).reshape(9, 12)).astype(
            np.float32
        ),
    ],
    ids=["zeros", "one value", "a mask", "nan", "inf"],
)
def test_odd_values_are_treated_alike(tmp_path: Path, array: np.ndarray, policy: str) -> None:
    tiny_student(tmp_path / "s", intensity=policy)
    path, _ = export_student(card(str(tmp_path / "s")), tmp_path / "s.onnx")
    expected = anytomy.load(str(tmp_path / "s"), threads=1).segment(Image.from_array(array)).label_map
    assert (run(path, array) != expected).sum() <= 1


def test_slices_are_those_of_the_canonical_view(tmp_path: Path) -> None:
    tiny_student(tmp_path / "s", volumes=True, axis="y", size=None)
    path, beside = export_student(card(str(tmp_path / "s")), tmp_path / "s.onnx")
    image = Image.from_array(values((20, 9, 33), np.int16))
    model = anytomy.load(str(tmp_path / "s"), threads=1)
    view = model.grid.view(image, "y")  # type: ignore[attr-defined]
    expected = model.segment(image, axis="y").label_map
    np.testing.assert_array_equal(view.restore(run(path, view.apply(image.array))), expected)
    assert "file's y axis" in json.loads(beside.read_text())["inputs"]["image"]["orientation"]


def test_what_it_is_stands_beside_and_in_it(tmp_path: Path) -> None:
    mine = tiny_student(tmp_path / "s", spacing_mm=(1.0, 1.0), volumes=True)
    path, beside = export_student(card(str(tmp_path / "s")), tmp_path / "deep" / "s.onnx")
    document = json.loads(beside.read_text())
    held = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(held["anytomy"]) == document
    assert document["outputs"]["labels"]["values"] == {"0": "background", "1": "liver", "2": "pancreas"}
    assert document["inputs"]["image"]["axes"] == "(z, y, x)"
    assert document["inputs"]["spacing_mm"]["type"] == "float64"
    assert document["student"]["teacher"]["licence"] == "Apache-2.0"
    assert document["student"]["weights_sha256"] == mine.weights_sha256
    assert document["check"]["different_share"] <= 1e-3


def test_what_cannot_be_exported_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_student(tmp_path / "s")
    with pytest.raises(OptionError, match=r"ends in \.onnx"):
        export_student(card(str(tmp_path / "s")), tmp_path / "s.pb")
    tiny_student(tmp_path / "prior", extra=1)
    with pytest.raises(ModelError, match="needs 1 mask of litemedsam"):
        export_student(card(str(tmp_path / "prior")), tmp_path / "p.onnx")
    monkeypatch.setattr(export, "DIFFERENT", -1.0)
    with pytest.raises(ModelError, match="otherwise than Anytomy"):
        export_student(card(str(tmp_path / "s")), tmp_path / "s.onnx")
    assert not (tmp_path / "s.onnx").exists()
