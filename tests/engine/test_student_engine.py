"""What runs a student: files that do not belong together, and settings that have no meaning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import anytomy
from anytomy.core.errors import ChecksumError, ModelError, OptionError
from tests.models.students.tiny import register, tiny_student


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
def test_a_window_becomes_logits(tmp_path: Path, engine: str) -> None:
    tiny_student(tmp_path)
    model = anytomy.load(str(tmp_path), engine=engine, threads=1)
    pixels = np.random.default_rng(0).random((1, 1, 32, 32), dtype=np.float32)
    found = model.engine(pixels)  # type: ignore[operator]
    assert found.shape == (1, 3, 32, 32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, model.engine(pixels))  # type: ignore[operator]


def test_settings_are_checked(tmp_path: Path) -> None:
    tiny_student(tmp_path)
    with pytest.raises(OptionError, match="runs on the CPU only"):
        anytomy.load(str(tmp_path), engine="onnxruntime", device="cuda")
    with pytest.raises(OptionError, match="bf16 on a CPU needs OpenVINO"):
        anytomy.load(str(tmp_path), engine="onnxruntime", precision="bf16")


def test_a_missing_or_foreign_graph(tmp_path: Path) -> None:
    tiny_student(tmp_path / "a")
    tiny_student(tmp_path / "b", seed=1)
    shutil.copy(tmp_path / "b" / "student.onnx", tmp_path / "a" / "student.onnx")
    with pytest.raises(ChecksumError, match="copy the whole folder"):
        anytomy.load(str(tmp_path / "a"))
    (tmp_path / "a" / "student.onnx").unlink()
    with pytest.raises(ModelError, match="copy the whole folder"):
        anytomy.load(str(tmp_path / "a"))


@pytest.mark.parametrize("engine", ["auto", "onnxruntime", "torch"])
def test_a_wrong_number_of_classes(tmp_path: Path, engine: str) -> None:
    tiny_student(tmp_path)
    path = tmp_path / "student.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "classes": ["liver", "pancreas", "spleen"]}))
    with pytest.raises(ModelError, match="3 classes"):
        anytomy.load(str(tmp_path), engine=engine)


def test_a_graph_that_is_none(tmp_path: Path) -> None:
    tiny_student(tmp_path)
    path = tmp_path / "student.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "graph_sha256": ""}))
    (tmp_path / "student.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"student\.onnx cannot be run.*copy the folder anew"):
        anytomy.load(str(tmp_path), engine="onnxruntime")
