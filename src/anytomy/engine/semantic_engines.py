"""Engines of models without prompts: a head behind the image encoder gives a channel for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytomy.engine.graph_engine import EncoderGraph
from anytomy.engine.torch_engine import TorchEngine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anytomy.models.adapters.semantic import SemanticSam


class GraphSemanticEngine(EncoderGraph):
    """Runs a folder of exported graphs, `encoder.onnx` and `head.onnx`; see `EncoderGraph`."""

    reader = "head.onnx"

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `SemanticEngine`."""
        logits: NDArray[np.float32] = self._reader({"embedding": embedding})[0]
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
