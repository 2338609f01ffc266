"""Exported graphs on OpenVINO and ONNX Runtime; torch is not imported.

Measured on two cores: OpenVINO runs the encoder 1.5 times as fast as ONNX Runtime, ONNX Runtime the decoder
1.4 times as fast as OpenVINO, so `auto` takes each for its part.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, MissingDependencyError, ModelError
from anytomy.engine.protocol import EncodingInterruptedError, Interruptible

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

# From 8 prompts on a CPU gains nothing more, and each takes some 25 MB.
BATCH = 8


def runtimes() -> list[str]:
    """Which of the two are installed, the better one for encoders first, for decoders last."""
    return [name for name in ("openvino", "onnxruntime") if find_spec(name) is not None]


class EncoderGraph:
    """An exported image encoder on the CPU, and the graph that reads its embeddings.

    Args:
        folder: Holds `encoder.onnx` and the other graph.
        tuned: The folder of the other graph, where it is another one.
        encoder: `openvino` or `onnxruntime`; None to run the other graph alone.
        decoder: The same, for the other graph.
        threads: CPU threads.
        precision: `f32`; `bf16` runs OpenVINO parts in bfloat16 where the CPU can.
        compile_cache: Where OpenVINO keeps compiled graphs; None to compile anew.

    Raises:
        MissingDependencyError: If a runtime is not installed.
        ModelError: If a runtime cannot open a graph.
    """

    reader = "decoder.onnx"

    def __init__(
        self,
        folder: Path,
        *,
        tuned: Path | None = None,
        encoder: str | None = "openvino",
        decoder: str = "onnxruntime",
        threads: int = 1,
        precision: str = "f32",
        compile_cache: Path | None = None,
    ) -> None:
        self.precision = precision
        parts = [part for part in dict.fromkeys((encoder, decoder)) if part]
        self.description = f"{'+'.join(parts)} cpu {precision} x{threads}"
        settings = (threads, precision, compile_cache)
        self._encoder = open_graph(encoder, folder / "encoder.onnx", *settings) if encoder else None
        self._reader = open_graph(decoder, (tuned or folder) / self.reader, *settings)

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Encoder`."""
        assert self._encoder is not None, "opened without one"
        embedding: NDArray[np.float32] = self._encoder({"pixels": pixels})[0]
        return embedding

    def interrupt(self) -> None:
        """See `Interruptible`; what ONNX Runtime encodes goes on to its end."""
        if isinstance(self._encoder, Interruptible):
            self._encoder.interrupt()


class GraphEngine(EncoderGraph):
    """Runs a folder of exported graphs, `encoder.onnx` and `decoder.onnx`; see `EncoderGraph`."""

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Engine`."""
        logits, scores = self._decode(embedding, coords, labels, mask_input)
        return logits[0], scores[0]

    @property
    def batch(self) -> int:
        """See `BatchEngine`."""
        return BATCH

    def decode_many(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `BatchEngine`."""
        logits, scores = self._decode(embedding, coords, labels, None)
        return logits, scores

    def _decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> list[NDArray[np.float32]]:
        side = 4 * embedding.shape[-1]
        empty = np.zeros((1, 1, side, side), dtype=np.float32)
        return self._reader(
            {
                "embedding": embedding,
                "coords": coords,
                "labels": labels,
                "mask_input": empty if mask_input is None else mask_input,
                "has_mask": np.array([mask_input is not None], dtype=np.float32),
            }
        )


class _OpenVino:
    def __init__(self, path: Path, threads: int, precision: str, compile_cache: Path | None) -> None:
        openvino = _import("openvino")
        # Without the hint an AMX machine silently computes in bfloat16, and results differ between CPUs.
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Pinning would tie the whole process to one core, and two processes to the same one.
            "ENABLE_CPU_PINNING": False,
        }
        if compile_cache is not None:
            options["CACHE_DIR"] = str(compile_cache)
        core = openvino.Core()
        self._compiled = core.compile_model(str(path), "CPU", options)
        self._request = self._compiled.create_infer_request()
        self._interrupted = False

    def __call__(self, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        self._interrupted = False
        try:
            # What `infer` runs with one thread cannot be cancelled.
            self._request.start_async(inputs, share_inputs=True)
            self._request.wait()
        except RuntimeError as error:
            if self._interrupted:
                raise EncodingInterruptedError from error
            raise
        results = self._request.results
        return [np.array(results[output]) for output in self._compiled.outputs]

    def interrupt(self) -> None:
        self._interrupted = True
        self._request.cancel()


class _OnnxRuntime:
    def __init__(self, path: Path, threads: int, precision: str, compile_cache: Path | None) -> None:
        onnxruntime = _import("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that wait for each other by spinning cost twice the processor time, and where others want
        # the cores too, twice the time (measured).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        result: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return result


_RUNTIMES: dict[str, Any] = {"openvino": _OpenVino, "onnxruntime": _OnnxRuntime}


def open_graph(
    runtime: str, path: Path, threads: int, precision: str, compile_cache: Path | None
) -> Callable[[dict[str, NDArray[np.float32]]], list[NDArray[np.float32]]]:
    """A graph as a function from named inputs to outputs.

    Raises:
        MissingDependencyError: If the runtime is not installed.
        ModelError: If it cannot open the graph.
    """
    try:
        opened: Callable[..., Any] = _RUNTIMES[runtime](path, threads, precision, compile_cache)
        return opened
    except AnytomyError:
        raise
    except Exception as error:  # both raise types of their own
        first = str(error).strip().splitlines()
        raise ModelError(
            f"{runtime} cannot open {path}: {first[0] if first else type(error).__name__}",
            hint=f"delete the folder {path.parent}: it is built again",
        ) from error


def _import(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} cannot be imported: {error}", hint=f"pip install {name}, or use another --engine"
        ) from error
