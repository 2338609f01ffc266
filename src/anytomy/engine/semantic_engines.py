"""Engines of models without prompts: a head behind the image encoder gives a channel for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytomy.engine.graph_engine import open_graph
from anytomy.engine.torch_engine import TorchEngine

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from anytomy.models.adapters.semantic import SemanticSam


class GraphSemanticEngine:
    """Runs exported graphs on the CPU; torch is not imported.

    Args:
        folder: Holds `encoder.onnx` and `head.onnx`.
        tuned: The folder of `head.onnx`, where it is another one.
        encoder: `openvino` or `onnxruntime`; None to run the head alone.
        decoder: The same, for the head.
        threads: As in `GraphEngine`.
        precision: As in `GraphEngine`.
        compile_cache: As in `GraphEngine`.

    Raises:
        MissingDependencyError: If a runtime is not installed.
        ModelError: If a runtime cannot open a graph.
    """

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
        self._head = open_graph(decoder, (tuned or folder) / "head.onnx", *settings)

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Encoder`."""
        assert self._encoder is not None, "opened without one"
        embedding: NDArray[np.float32] = self._encoder({"pixels": pixels})[0]
        return embedding

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `SemanticEngine`."""
        logits: NDArray[np.float32] = self._head({"embedding": embedding})[0]
        return logits[0]


class TorchSemanticEngine:
    """Runs a `SemanticSam` in eager torch.

    Args:
        model: The model, with its weights.
        settings: As in `TorchEngine`.
    """

    def __init__(self, model: SemanticSam, **settings: Any) -> None:
        self._runner = TorchEngine(model, **settings)
        self.precision = self._runner.precision
        self.description = self._runner.description
        self.encode = self._runner.encode

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `SemanticEngine`."""
        return self._runner.run(lambda model, image: model.classify(image), embedding)[0]
