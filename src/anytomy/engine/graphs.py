"""Exported graphs: built once from the torch modules, checked against them, kept by content hash.

A graph folder holds `encoder.onnx`, `decoder.onnx` (`head.onnx` of a model without prompts) and `graph.json`
(what it was made of and how far it is from torch). That of an adapter that leaves the encoder alone holds no
encoder: the base's serves. It appears under its final name only when it is complete and checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anytomy.core.errors import OutputError
from anytomy.engine.export import OPSET, check_graphs, export_graphs
from anytomy.zoo.home import cache_dir, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anytomy.models.adapters.method import Tunable

# Raised whenever the exported computation changes, so that graphs of older versions are not used.
EXPORT_VERSION = 2


def graph_folder(weights_sha256: str, architecture: str) -> Path:
    """Where the graphs of these weights are kept, whether or not they exist yet."""
    recipe = f"{weights_sha256} {architecture} {EXPORT_VERSION} {OPSET}"
    return cache_dir("graphs") / hashlib.sha256(recipe.encode()).hexdigest()[:32]


def is_complete(folder: Path) -> bool:
    """Whether the folder holds graphs whose files have the sizes that were written."""
    try:
        sizes = json.loads((folder / "graph.json").read_text())["bytes"]
        return bool(sizes) and all((folder / n).stat().st_size == size for n, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def ensure_graphs(
    folder: Path, load: Callable[[], Tunable], *, title: str, threads: int, encoder: bool = True
) -> Path:
    """The folder with its graphs, built if need be.

    Args:
        folder: From `graph_folder`.
        load: Gives the model with its weights; only called when the graphs must be built.
        title: The model's name, for messages.
        threads: CPU threads for building and checking.
        encoder: Whether the encoder is wanted.

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
                _build_in_place(folder, load, title=title, threads=threads, encoder=encoder)
    except OSError as error:
        raise OutputError(
            f"cannot write graphs to {folder.parent}: {error.strerror or error}",
            hint="free some space or point ANYTOMY_CACHE elsewhere",
        ) from error
    return folder


def _build_in_place(
    folder: Path, load: Callable[[], Tunable], *, title: str, threads: int, encoder: bool
) -> None:
    """Build under another name and rename; the caller holds the lock, so what is left there is stale."""
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _progress(f"building the graphs of {title} (once)"):
            build_graphs(load(), temporary, threads=threads, encoder=encoder)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def build_graphs(model: Tunable, folder: Path, *, threads: int, encoder: bool = True) -> None:
    """Export encoder and decoder, or head, to a new folder and check them against torch.

    Raises:
        ModelError: If a runtime's results differ from torch's by more than 1e-3 (of the largest logit,
            where that is above 10).
    """
    folder.mkdir(parents=True)
    export_graphs(model.eval(), folder, encoder=encoder)
    differences = check_graphs(model, folder, threads=threads, encoder=encoder)
    facts = {
        "export_version": EXPORT_VERSION,
        "opset": OPSET,
        "max_logit_difference": differences,
        "bytes": {p.name: p.stat().st_size for p in folder.iterdir()},
    }
    (folder / "graph.json").write_text(json.dumps(facts, indent=2))


@contextmanager
def _progress(text: str) -> Iterator[None]:
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield
