"""Every engine against the torch modules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anytomy.core.errors import MissingDependencyError, ModelError, OptionError
from anytomy.engine import graph_engine
from anytomy.engine.graph_engine import GraphEngine
from anytomy.engine.torch_engine import TorchEngine, choose_device
from tests.engine.engine_contract import EngineContract

if TYPE_CHECKING:
    from anytomy.models.sam import Sam


class TestOpenVino(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, graphs: Path) -> GraphEngine:
        return GraphEngine(graphs, encoder="openvino", decoder="openvino")


class TestOnnxRuntime(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, graphs: Path) -> GraphEngine:
        return GraphEngine(graphs, encoder="onnxruntime", decoder="onnxruntime")


class TestTorch(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, sam: Sam) -> TorchEngine:
        return TorchEngine(sam)


def test_descriptions_name_runtime_device_precision_and_threads(graphs: Path, sam: Sam) -> None:
    assert GraphEngine(graphs, threads=2).description == "openvino+onnxruntime cpu f32 x2"
    assert GraphEngine(graphs, decoder="openvino").description == "openvino cpu f32 x1"
    assert TorchEngine(sam).description == "torch cpu f32 x1"


def test_openvino_keeps_compiled_graphs_and_survives_broken_ones(graphs: Path, tmp_path: Path) -> None:
    import numpy as np

    pixels = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    options = {"encoder": "openvino", "decoder": "openvino", "compile_cache": tmp_path / "compiled"}
    expected = GraphEngine(graphs, **options).encode(pixels)
    blobs = list((tmp_path / "compiled").glob("*.blob"))
    assert blobs
    np.testing.assert_array_equal(GraphEngine(graphs, **options).encode(pixels), expected)
    for blob in blobs:
        blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    np.testing.assert_allclose(GraphEngine(graphs, **options).encode(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_broken_graph_is_an_error_that_names_it(graphs: Path, tmp_path: Path, runtime: str) -> None:
    for part in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / part).write_bytes(b"\0" * 4096)
    with pytest.raises(ModelError, match=r"encoder\.onnx.*delete the folder"):
        GraphEngine(tmp_path, encoder=runtime, decoder=runtime)


def test_a_runtime_that_is_not_installed(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"openvino.*pip install"):
        GraphEngine(graphs)
    assert GraphEngine(graphs, encoder="onnxruntime").description.startswith("onnxruntime cpu")


def test_runtimes_are_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert graph_engine.runtimes() == ["openvino", "onnxruntime"]
    monkeypatch.setattr(graph_engine, "find_spec", lambda name: None if name == "openvino" else name)
    assert graph_engine.runtimes() == ["onnxruntime"]


def test_devices_that_are_not_there_are_refused() -> None:
    import torch

    assert choose_device("cpu") == "cpu"
    for wanted in ("cuda:99", "mps:7", "gpu", "cuda:x"):
        with pytest.raises(OptionError, match="cpu"):
            choose_device(wanted)
    if not torch.cuda.is_available():
        assert choose_device("auto") in ("cpu", "mps")
        with pytest.raises(OptionError, match="no device 'cuda'"):
            choose_device("cuda")


def test_torch_bf16_is_near_f32(sam: Sam) -> None:
    import numpy as np

    pixels = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    exact, rough = TorchEngine(sam), TorchEngine(sam, precision="bf16")
    assert rough.precision == "bf16"
    got, expected = rough.encode(pixels), exact.encode(pixels)
    assert got.dtype == np.float32
    assert 0 < np.abs(got - expected).max() < 0.5
