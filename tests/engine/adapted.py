"""A tiny model of the user's with adapters on it, opened as any model is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from anytomy.models import architectures
from anytomy.models.adapters.adapted import attach, head_of, trained
from anytomy.models.adapters.folder import AdapterCard, write_adapter
from anytomy.models.adapters.registry import parse
from anytomy.models.adapters.semantic import SemanticSam
from anytomy.zoo.added import add_model
from anytomy.zoo.registry import card
from tests.engine.tiny import random_sam

if TYPE_CHECKING:
    from anytomy.models.adapters.method import Tunable


def add_tiny(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """A model `tiny` with an input of 64 pixels, which takes all prompts."""
    patch.setenv("ANYTOMY_HOME", str(folder / "home"))
    patch.setenv("ANYTOMY_CACHE", str(folder / "cache"))
    patch.setattr(architectures, "build", lambda name: random_sam())
    file = folder / "tiny.pth"
    torch.save({"model": {f"module.{k}": v for k, v in random_sam().state_dict().items()}, "epoch": 3}, file)
    path = add_model(file, architecture="litemedsam", model_id="tiny").source
    text = path.read_text().replace("input_size = 256", "input_size = 64")
    path.write_text(text.replace('prompts = ["box"]', 'prompts = ["box", "points", "mask"]'))


def adapt(folder: Path, method: str, *, classes: tuple[str, ...] = (), **more: Any) -> Tunable:
    """Write an adapter of `tiny` as if it had been trained; gives the torch model."""
    base, methods = card("tiny"), parse(method)
    torch.manual_seed(0)
    model: Tunable = random_sam()
    if classes:
        model = SemanticSam.of(model, len(classes), head_of(methods))  # type: ignore[arg-type]
    attach(model, methods)
    with torch.no_grad():
        for tensor in trained(model).values():
            tensor.add_(0.05 * torch.randn(tensor.shape))
    values: dict[str, Any] = {
        "base": "tiny",
        "base_sha256": base.weights.sha256,
        "architecture": base.architecture,
        "method": method,
        "mode": "semantic" if classes else "promptable",
        "prompts": () if classes else ("box", "points", "mask"),
        "classes": classes,
        "intensity": dict(base.intensity),
        "preprocess": asdict(base.preprocess),
        "licence": "CC0-1.0",
    }
    write_adapter(folder, AdapterCard(**(values | more)), trained(model))
    return model.eval()
