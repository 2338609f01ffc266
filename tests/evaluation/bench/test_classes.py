"""A model without prompts in a benchmark: `none` prompts it, and its classes are judged by name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from anytomy.core.errors import OptionError
from anytomy.evaluation.bench import runner
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.runner import run_bench
from anytomy.models.adapters.folder import AdapterCard, write_adapter
from anytomy.predict.model import Model
from anytomy.zoo.registry import card
from tests.engine.tiny import BrightEngine, bright_model
from tests.evaluation.bench.phantoms import pictures, volumes

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Bright:
    """The first class is all that is bright."""

    precision, description = "f32", "bright cpu f32 x1"

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return pixels.mean(axis=1, keepdims=True)

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        bright = 20 * (embedding[0, 0] - 0.5)
        return np.stack([-bright, bright, np.full_like(bright, -99.0)])


@pytest.fixture
def semantic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reference of a model that finds livers and pancreases."""
    base = card("litemedsam")
    values: dict[str, Any] = {
        "base": "litemedsam",
        "base_sha256": base.weights.sha256,
        "architecture": base.architecture,
        "method": "decoder",
        "mode": "semantic",
        "classes": ("liver", "pancreas"),
        "intensity": {"default": "percentile:0.5,99.5", "8-bit": "none"},
        "preprocess": asdict(base.preprocess),
    }
    write_adapter(tmp_path / "bright", AdapterCard(**values), {"head.x": torch.zeros(1)})
    reference = f"litemedsam+{tmp_path / 'bright'}"

    def load(model_id: str, threads: int) -> Any:
        if model_id == reference:
            return Model(card(reference), Bright(), weights_sha256="1" * 64)
        return bright_model(engine=BrightEngine(), id=model_id)

    monkeypatch.setattr(runner, "_model", load)
    return reference


def test_classes_are_judged_by_name_and_beside_boxes(tmp_path: Path, semantic: str) -> None:
    pictures(tmp_path / "data", patients=2)
    config = BenchConfig(models=("litemedsam", semantic), data=("discs",), prompts=("box",))
    run = run_bench(config, tmp_path / "run", workers=1)
    assert not run.failures
    mine = [row for row in run.rows if row["model"] == semantic]
    assert {row["structure"] for row in mine} == {"liver"}
    assert {(row["prompt"], row["level"], row["object"]) for row in mine} == {("none", "structure", "all")}
    # Spleens are as bright, but for the last patient's, which is dark.
    assert {row["patient"]: row["dice"] == 1 for row in mine} == {"p0": False, "p1": True}
    assert min(row["dice"] for row in mine) > 0.5
    assert {row["prompt"] for row in run.rows if row["model"] == "litemedsam"} == {"box"}
    again = run_bench(config, tmp_path / "run", workers=1)
    assert again.rows == run.rows


def test_volumes_are_judged_whole(tmp_path: Path, semantic: str) -> None:
    volumes(tmp_path / "data")
    run = run_bench(BenchConfig(models=(semantic,), data=("balls",)), tmp_path / "run", workers=1)
    assert not run.failures
    mine = [row for row in run.rows if row["status"] == "measured"]
    assert mine
    assert {row["scope"] for row in mine} == {"volume"}
    assert {row["slice"] for row in mine} == {None}


def test_nothing_is_for_models_that_find_classes(tmp_path: Path, semantic: str) -> None:
    pictures(tmp_path / "data", patients=1)
    config = BenchConfig(models=("litemedsam",), data=("discs",), prompts=("none",))
    with pytest.raises(OptionError, match="for models that find classes, and litemedsam does not"):
        run_bench(config, tmp_path / "run", workers=1)
