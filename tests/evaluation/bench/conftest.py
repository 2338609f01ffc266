"""A model for benchmarks in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from anytomy.evaluation.bench import runner
from tests.engine.tiny import EVERYTHING, BrightEngine, bright_model

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.predict.model import Model


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data sets that a test adds are its own."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Model]:
    """What the runner loads: `litemedsam` takes boxes, `sam_vit_b` everything; both see what is bright."""
    made: dict[str, Model] = {}

    def load(model_id: str, threads: int) -> Any:
        if model_id not in made:
            more = EVERYTHING if model_id == "sam_vit_b" else {}
            made[model_id] = bright_model(engine=BrightEngine(), id=model_id, **more)
        return made[model_id]

    monkeypatch.setattr(runner, "_model", load)
    return made
