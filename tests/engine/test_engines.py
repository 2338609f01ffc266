"""Every engine against the torch modules."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy.core.errors import MissingDependencyError, ModelError, OptionError
from anytomy.engine import graph_engine
from anytomy.engine.cache import EmbeddingCache
from anytomy.engine.graph_engine import GraphEngine
from anytomy.engine.protocol import EncodingInterruptedError
from anytomy.engine.routed import RoutedEngine
from anytomy.engine.torch_engine import TorchEngine, choose_device
from anytomy.predict.model import load
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
    pixels = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    exact, rough = TorchEngine(sam), TorchEngine(sam, precision="bf16")
    assert rough.precision == "bf16"
    got, expected = rough.encode(pixels), exact.encode(pixels)
    assert got.dtype == np.float32
    assert 0 < np.abs(got - expected).max() < 0.5


class SlowRequest:
    """An inference of OpenVINO that goes on until it is cancelled."""

    def __init__(self) -> None:
        self.runs, self.cancelled = threading.Event(), threading.Event()

    def start_async(self, inputs: object, **options: object) -> None:
        self.runs.set()

    def wait(self) -> None:
        if not self.cancelled.wait(20):
            raise AssertionError("nobody cancelled it")
        raise RuntimeError("Infer Request was canceled")

    def cancel(self) -> None:
        self.cancelled.set()


class TestInterrupting:
    PIXELS = np.zeros((1, 3, 64, 64), dtype=np.float32)

    @pytest.mark.parametrize("routed", [False, True])
    def test_an_encoding_that_runs_in_another_thread_is_given_up(self, graphs: Path, routed: bool) -> None:
        engine: GraphEngine | RoutedEngine = GraphEngine(graphs)
        request = engine._encoder._request = SlowRequest()  # type: ignore[union-attr]
        if routed:
            engine = RoutedEngine(engine, GraphEngine(graphs, encoder=None), ["box"])
        with ThreadPoolExecutor(1) as other:
            encoding = other.submit(engine.encode, self.PIXELS)
            assert request.runs.wait(20)
            engine.interrupt()
            assert isinstance(encoding.exception(20), EncodingInterruptedError)

    @pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
    def test_where_nothing_runs_nothing_happens(self, graphs: Path, runtime: str) -> None:
        engine = GraphEngine(graphs, encoder=runtime)
        engine.interrupt()
        assert engine.encode(self.PIXELS).shape[0] == 1

    def test_another_error_is_that_error(self, graphs: Path) -> None:
        engine = GraphEngine(graphs)
        with pytest.raises(RuntimeError, match="shape"):
            engine.encode(np.zeros((1, 3, 64, 32), dtype=np.float32))

    @pytest.mark.slow
    @pytest.mark.usefixtures("real_cache")
    def test_openvino_gives_up_in_the_midst_of_a_large_model(self) -> None:
        model = load("litemedsam", engine="openvino", device="cpu", threads=1)
        picture = np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8)
        expected = model.encode(picture).array
        with ThreadPoolExecutor(1) as other:
            encoding = other.submit(model.encode, picture[::-1].copy())
            while not encoding.done():
                model.interrupt()
                time.sleep(0.001)
            assert isinstance(encoding.exception(), EncodingInterruptedError)
        model.cache = EmbeddingCache()
        np.testing.assert_array_equal(model.encode(picture).array, expected)
