"""The halves of a model as ONNX graphs, and how far they are from torch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anytomy.engine.graph_engine import GraphEngine
    from anytomy.engine.torch_engine import TorchEngine
    from anytomy.models.adapters.method import Tunable

OPSET = 17
TOLERANCE = 1e-3
# A mask belongs to a single prompt; without one, many share the empty mask.
_PROMPT_AXES = {name: {0: "prompts", 1: "points"} for name in ("coords", "labels")}


def export_graphs(model: Tunable, folder: Path, *, encoder: bool = True) -> None:
    """Write `encoder.onnx` and, for prompts, `decoder.onnx`, for classes `head.onnx`.

    Args:
        model: In `eval()` mode, with its weights.
        folder: Exists.
        encoder: Whether the encoder is wanted.
    """
    import torch

    from anytomy.models.adapters.semantic import SemanticSam

    whole: Any = model

    class Encoder(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return model.encode(pixels)

    class Decoder(torch.nn.Module):
        def forward(self, embedding: Any, coords: Any, labels: Any, mask: Any, has_mask: Any) -> Any:
            return tuple(whole.decode(embedding, coords, labels, mask, has_mask))

    class Head(torch.nn.Module):
        def forward(self, embedding: torch.Tensor) -> torch.Tensor:
            return whole.classify(embedding)

    if encoder:
        pixels = torch.zeros(1, 3, model.input_size, model.input_size)
        _export(Encoder(), model, (pixels,), ["pixels"], ["embedding"], folder / "encoder.onnx")
    embedding = torch.zeros(_embedding_shape(model))
    if isinstance(model, SemanticSam):
        _export(Head(), model, (embedding,), ["embedding"], ["logits"], folder / "head.onnx")
        return
    mask = torch.zeros(1, 1, 4 * model.grid, 4 * model.grid)
    prompt = (torch.zeros(2, 3, 2), torch.tensor([[1.0, 2.0, 3.0]] * 2), mask, torch.zeros(1))
    names = ["embedding", "coords", "labels", "mask_input", "has_mask"]
    inputs = (embedding, *prompt)
    _export(Decoder(), model, inputs, names, ["logits", "scores"], folder / "decoder.onnx", _PROMPT_AXES)


def check_graphs(model: Tunable, folder: Path, *, threads: int, encoder: bool = True) -> dict[str, float]:
    """Largest difference between torch and each runtime.

    Args:
        model: What was exported.
        folder: From `export_graphs`.
        threads: CPU threads.
        encoder: Whether the encoder is there; what stands behind it is checked on a random embedding if not.

    Returns:
        By runtime: over a box, points with a mask, and many points; or over all classes.

    Raises:
        ModelError: If it is more than 1e-3 (of the largest logit, where that is above 10).
    """
    from anytomy.engine.graph_engine import GraphEngine, runtimes
    from anytomy.engine.semantic_engines import GraphSemanticEngine, TorchSemanticEngine
    from anytomy.engine.torch_engine import TorchEngine
    from anytomy.models.adapters.semantic import SemanticSam

    classes = isinstance(model, SemanticSam)
    torch_engine: Any = TorchSemanticEngine if classes else TorchEngine
    graph_engine: Any = GraphSemanticEngine if classes else GraphEngine
    random = np.random.default_rng(0)
    pixels = random.random((1, 3, model.input_size, model.input_size), dtype=np.float32)
    embedding = random.normal(size=_embedding_shape(model)).astype(np.float32)
    reference = torch_engine(model, threads=threads)
    differences = {}
    for runtime in runtimes():
        engine = graph_engine(folder, encoder=runtime if encoder else None, decoder=runtime, threads=threads)
        given = [one.encode(pixels) if encoder else embedding for one in (reference, engine)]
        pairs = [(reference.classify(given[0]), engine.classify(given[1]))] if classes else []
        gaps = [_gap(*pair) for pair in pairs or _decoded(reference, engine, given, model)]
        worst = float(np.max(gaps))  # not `max`, which would pass over NaN
        differences[runtime] = worst
        if not worst <= TOLERANCE:
            raise ModelError(
                f"the {runtime} graph differs from torch by {worst:.2g} in the logits or scores, "
                f"expected {TOLERANCE:g} at most",
                hint="use --engine torch and report this",
            )
    if not differences:
        warnings.warn("neither OpenVINO nor ONNX Runtime is installed", AnytomyWarning, stacklevel=2)
    return differences


def _decoded(
    reference: TorchEngine, engine: GraphEngine, given: list[Any], model: Tunable
) -> Iterator[tuple[Any, Any]]:
    """Logits, and scores, of both for several prompts."""
    random = np.random.default_rng(1)
    size, side = model.input_size, 4 * model.grid
    corners = random.random((1, 2, 2)) * 0.4 * size + [[0, 0], [size / 2, size / 2]]
    coords = corners.astype(np.float32)
    mask = random.normal(0, 8, (1, 1, side, side)).astype(np.float32)
    both: list[tuple[Any, Any]] = list(zip((reference, engine), given, strict=True))
    for labels, mask_input in (([[2, 3]], None), ([[1, 0]], mask)):
        kinds = np.asarray(labels, np.float32)
        yield from zip(*(one.decode(e, coords, kinds, mask_input) for one, e in both), strict=True)
    many = np.concatenate([coords, coords[:, ::-1], coords / 2])
    ones = np.ones((3, 2), np.float32)
    yield from zip(*(one.decode_many(e, many, ones) for one, e in both), strict=True)


def _gap(expected: Any, got: Any) -> float:
    """Largest difference, as a share of a tenth of the largest value where that is above 1."""
    scale = max(float(np.abs(expected).max()) / 10, 1.0)
    return float(np.abs(expected - got).max()) / scale


def _embedding_shape(model: Tunable) -> tuple[int, int, int, int]:
    encoder: Any = model.image_encoder
    return 1, int(encoder.neck[0].out_channels), model.grid, model.grid


def _export(
    module: Any,
    model: Tunable,
    inputs: tuple[Any, ...],
    names: list[str],
    outputs: list[str],
    path: Path,
    axes: dict[str, dict[int, str]] | None = None,
) -> None:
    import torch

    module.model = model  # so that its parameters are the module's
    with warnings.catch_warnings():
        # The exporter warns of every shape that it takes as a constant: sizes are fixed here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,  # the newer exporter fails on SAM's windowed attention
        )
