"""A teacher whose answers can be foretold, on data sets of phantoms, and runs of a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anytomy.distill.config import DistillConfig
from anytomy.distill.pseudo.reliability import Rules
from anytomy.predict.model import Model
from anytomy.tuning.run import Runtime
from tests.engine.tiny import BrightEngine, card
from tests.evaluation.bench.phantoms import pictures, volumes

if TYPE_CHECKING:
    from anytomy.datasets.dataset import Dataset

RUNTIME = Runtime(device="cpu", threads=1)


ANYTHING = Rules(
    score=0,
    agreement=0,
    entropy=1,
    certainty=0,
    student_dice=0,
    area_ratio=1e9,
    offset=1,
    filled=0,
    filled_student=0,
)
"""Whatever is found is accepted: students of a few steps trust nothing."""


def bright(**changes: Any) -> Model:
    """A teacher that answers a box with what is bright in it, which is right on the phantoms."""
    return Model(card(**changes), BrightEngine(scores=(0.95, 0.6, 0.9, 0.7)), weights_sha256="a" * 64)


def quick(**changes: Any) -> DistillConfig:
    """Discs, in a few steps of the smallest student."""
    values: dict[str, Any] = {
        "teacher": "tiny",
        "data": ("discs",),
        "student": "unet-8",
        "fold": (1, 4),
        "labels": 4,
        "steps": 30,
        "rounds": 1,
        "batch": 2,
        "size": 64,
        "views": 2,
        "augment": "light",
        "baselines": ("few",),
    }
    return DistillConfig(**{**values, **changes})


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data sets that a test adds are its own."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


@pytest.fixture
def discs(tmp_path: Path) -> Dataset:
    """Eight patients with two pictures each, of a liver and a spleen."""
    return pictures(tmp_path / "discs", patients=8)


@pytest.fixture
def balls(tmp_path: Path) -> Dataset:
    """Six patients with a volume each; the spleen is in one slice of the first."""
    return volumes(tmp_path / "balls", patients=6)
