"""Exported graphs on OpenVINO and ONNX Runtime; torch is not imported.

Measured on two cores: OpenVINO runs the encoder 1.5 times as fast as ONNX Runtime, ONNX Runtime the decoder
1.4 times as fast as OpenVINO, so `auto` takes each for its part.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, MissingDependencyError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def runtimes() -> list[str]:
    """Which of the two are installed, the better one for encoders first, for decoders last."""
    return [name for name in ("openvino", "onnxruntime") if find_spec(name) is not None]


class GraphEngine:
    """Runs a folder of exported graphs on the CPU.

    Args:
        folder: Holds `encoder.onnx` and `decoder.onnx`.
        encoder: `openvino` or `onnxruntime`.
        decoder: The same, for the decoder.
        threads: CPU threads.
        precision: `f32`; `bf16` runs OpenVINO parts in bfloat16 where the CPU can.
        compile_cache: Where OpenVINO keeps compiled graphs; None to compile anew.

    Raises:
        MissingDependencyError: If a runtime is not installed.
        ModelError: If a runtime cannot open a graph.
    """

    def __init__(
        self,
        folder: Path,
        *,
        encoder: str = "openvino",
        decoder: str = "onnxruntime",
        threads: int = 1,
        precision: str = "f32",
        compile_cache: Path | None = None,
    ) -> None:
        self.precision = precision
        parts = dict.fromkeys((encoder, decoder))
        self.description = f"{'+'.join(parts)} cpu {precision} x{threads}"
        self._encoder, self._decoder = (
            _open(runtime, folder / f"{part}.onnx", threads, precision, compile_cache)
            for part, runtime in (("encoder", encoder), ("decoder", decoder))
        )

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine`."""
        embedding: NDArray[np.float32] = self._encoder({"pixels": pixels})[0]
        return embedding

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Engine`."""
        side = 4 * embedding.shape[-1]
        empty = np.zeros((1, 1, side, side), dtype=np.float32)
        logits, scores = self._decoder(
            {
                "embedding": embedding,
                "coords": coords,
                "labels": labels,
                "mask_input": empty if mask_input is None else mask_input,
                "has_mask": np.array([mask_input is not None], dtype=np.float32),
            }
        )
        return logits[0], scores[0]


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

    def __call__(self, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        result = self._request.infer(inputs, share_inputs=True, share_outputs=False)
        return [np.array(result[output]) for output in self._compiled.outputs]


class _OnnxRuntime:
    def __init__(self, path: Path, threads: int, precision: str, compile_cache: Path | None) -> None:
        onnxruntime = _import("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        result: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return result


_RUNTIMES: dict[str, Any] = {"openvino": _OpenVino, "onnxruntime": _OnnxRuntime}


def _open(runtime: str, path: Path, *settings: Any) -> Any:
    try:
        return _RUNTIMES[runtime](path, *settings)
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
