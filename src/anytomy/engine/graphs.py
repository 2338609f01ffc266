"""Exported graphs: built once from the torch modules, checked against them, kept by content hash.

A graph folder holds `encoder.onnx`, `decoder.onnx` and `graph.json` (what it was made of and how far it is
from torch). It appears under its final name only when it is complete and checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, ModelError, OutputError
from anytomy.zoo.home import cache_dir, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anytomy.models.sam import Sam

# Raised whenever the exported computation changes, so that graphs of older versions are not used.
EXPORT_VERSION = 1
_OPSET = 17
_TOLERANCE = 1e-3


def graph_folder(weights_sha256: str, architecture: str) -> Path:
    """Where the graphs of these weights are kept, whether or not they exist yet."""
    recipe = f"{weights_sha256} {architecture} {EXPORT_VERSION} {_OPSET}"
    return cache_dir("graphs") / hashlib.sha256(recipe.encode()).hexdigest()[:32]


def is_complete(folder: Path) -> bool:
    """Whether the folder holds graphs whose files have the sizes that were written."""
    try:
        sizes = json.loads((folder / "graph.json").read_text())["bytes"]
        return bool(sizes) and all((folder / n).stat().st_size == size for n, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def ensure_graphs(folder: Path, load: Callable[[], Sam], *, title: str, threads: int) -> Path:
    """The folder with its graphs, built if need be.

    Args:
        folder: From `graph_folder`.
        load: Gives the model with its weights; only called when the graphs must be built.
        title: The model's name, for messages.
        threads: CPU threads for building and checking.

    Raises:
        ModelError: If a graph does not agree with torch.
        OutputError: If the cache cannot be written.
    """
    if is_complete(folder):
        return folder
    from filelock import FileLock

    writable(folder.parent, variable="ANYTOMY_CACHE")
    try:
        with FileLock(f"{folder}.lock"):
            if not is_complete(folder):
                _build_in_place(folder, load, title=title, threads=threads)
    except OSError as error:
        raise OutputError(
            f"cannot write graphs to {folder.parent}: {error.strerror or error}",
            hint="free some space or point ANYTOMY_CACHE elsewhere",
        ) from error
    return folder


def _build_in_place(folder: Path, load: Callable[[], Sam], *, title: str, threads: int) -> None:
    """Build under another name and rename; the caller holds the lock, so what is left there is stale."""
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _progress(f"building the graphs of {title} (once)"):
            build_graphs(load(), temporary, threads=threads)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def build_graphs(sam: Sam, folder: Path, *, threads: int) -> None:
    """Export encoder and decoder to a new folder and check them against torch.

    Raises:
        ModelError: If a runtime's results differ from torch's by more than 1e-3 (of the largest logit,
            where that is above 10).
    """
    folder.mkdir(parents=True)
    _export(sam.eval(), folder)
    differences = _check(sam, folder, threads)
    facts = {
        "export_version": EXPORT_VERSION,
        "opset": _OPSET,
        "max_logit_difference": differences,
        "bytes": {p.name: p.stat().st_size for p in folder.iterdir()},
    }
    (folder / "graph.json").write_text(json.dumps(facts, indent=2))


def _export(sam: Sam, folder: Path) -> None:
    import torch

    class Encoder(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return sam.encode(pixels)

    class Decoder(torch.nn.Module):
        def forward(self, embedding: Any, coords: Any, labels: Any, mask: Any, has_mask: Any) -> Any:
            return tuple(sam.decode(embedding, coords, labels, mask, has_mask))

    pixels = torch.zeros(1, 3, sam.input_size, sam.input_size)
    with torch.inference_mode():
        channels = sam.encode(pixels).shape[1]
    mask = torch.zeros(1, 1, 4 * sam.grid, 4 * sam.grid)
    prompt = (torch.zeros(1, 3, 2), torch.tensor([[1.0, 2.0, 3.0]]), mask, torch.zeros(1))
    encoder, decoder = Encoder(), Decoder()
    encoder.sam = decoder.sam = sam
    for module, inputs, names, outputs, path in (
        (encoder, (pixels,), ["pixels"], ["embedding"], folder / "encoder.onnx"),
        (
            decoder,
            (torch.zeros(1, channels, sam.grid, sam.grid), *prompt),
            ["embedding", "coords", "labels", "mask_input", "has_mask"],
            ["logits", "scores"],
            folder / "decoder.onnx",
        ),
    ):
        with warnings.catch_warnings():
            # The exporter warns of every shape that it takes as a constant: sizes are fixed here.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                inputs,
                str(path),
                input_names=names,
                output_names=outputs,
                dynamic_axes={"coords": {1: "points"}, "labels": {1: "points"}} if len(names) > 1 else None,
                opset_version=_OPSET,
                dynamo=False,  # the newer exporter fails on SAM's windowed attention
            )


def _check(sam: Sam, folder: Path, threads: int) -> dict[str, float]:
    """Largest difference between torch and each runtime, over a box and over points with a mask."""
    from anytomy.engine.graph_engine import GraphEngine, runtimes
    from anytomy.engine.torch_engine import TorchEngine

    random = np.random.default_rng(0)
    size, side = sam.input_size, 4 * sam.grid
    pixels = random.random((1, 3, size, size), dtype=np.float32)
    corners = random.random((1, 2, 2)) * 0.4 * size + [[0, 0], [size / 2, size / 2]]
    coords = corners.astype(np.float32)
    mask = random.normal(0, 8, (1, 1, side, side)).astype(np.float32)
    reference = TorchEngine(sam, threads=threads)
    differences = {}
    for runtime in runtimes():
        engine = GraphEngine(folder, encoder=runtime, decoder=runtime, threads=threads, compile_cache=None)
        gaps = []
        for labels, mask_input in (([[2, 3]], None), ([[1, 0]], mask)):
            (expected, scores), (got, got_scores) = (
                one.decode(one.encode(pixels), coords, np.asarray(labels, np.float32), mask_input)
                for one in (reference, engine)
            )
            scale = max(float(np.abs(expected).max()) / 10, 1.0)
            gaps += [float(np.abs(expected - got).max()) / scale, float(np.abs(scores - got_scores).max())]
        worst = float(np.max(gaps))  # not `max`, which would pass over NaN
        differences[runtime] = worst
        if not worst <= _TOLERANCE:
            raise ModelError(
                f"the {runtime} graph differs from torch by {worst:.2g} in the logits or scores, "
                f"expected {_TOLERANCE:g} at most",
                hint="use --engine torch and report this",
            )
    if not differences:
        warnings.warn("neither OpenVINO nor ONNX Runtime is installed", AnytomyWarning, stacklevel=2)
    return differences


@contextmanager
def _progress(text: str) -> Iterator[None]:
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield
