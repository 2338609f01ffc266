"""A tiny base to tune, on data sets of phantoms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anytomy.tuning.base import Base
from anytomy.tuning.config import TuneConfig
from anytomy.tuning.run import Runtime
from tests.engine.tiny import card, random_sam
from tests.evaluation.bench.phantoms import pictures, volumes

if TYPE_CHECKING:
    from anytomy.datasets.dataset import Dataset
    from anytomy.predict.model import Model

# The data set of a test is its own; embeddings of equal pictures may be shared.
RUNTIME = Runtime(device="cpu", threads=1)


def opened(folder: Path | None) -> Model:
    """The tiny model in torch, alone or with an adapter."""
    from anytomy.engine.routed import RoutedEngine
    from anytomy.engine.semantic_engines import TorchSemanticEngine
    from anytomy.engine.torch_engine import TorchEngine
    from anytomy.models.adapters.adapted import head_of, restore
    from anytomy.models.adapters.folder import read_adapter, read_weights
    from anytomy.models.adapters.registry import parse
    from anytomy.models.adapters.semantic import SemanticSam
    from anytomy.predict.model import Model
    from anytomy.zoo.adapted import adapted_card

    if folder is None:
        return Model(card(), TorchEngine(random_sam()), weights_sha256="a" * 64)
    mine = read_adapter(folder)
    methods, state = parse(mine.method), read_weights(folder, mine)
    engine: Any
    if mine.classes:
        whole = SemanticSam.of(random_sam(), len(mine.classes), head_of(methods))
        engine = TorchSemanticEngine(restore(whole, methods, state))
    else:
        engine = TorchEngine(restore(random_sam(), methods, state))
        if mine.routes:
            engine = RoutedEngine(engine, TorchEngine(random_sam()), mine.routes)
    return Model(adapted_card(folder, "tuned", card()), engine, weights_sha256="b" * 64)


def tiny_base(**changes: Any) -> Base:
    """The base of all tests."""
    values = {"card": card(), "weights_sha256": "a" * 64, "sam": random_sam, "open": opened}
    return Base(**{**values, **changes})


def quick(**changes: Any) -> TuneConfig:
    """Classes of the discs, in a few steps."""
    values: dict[str, Any] = {
        "model": "tiny",
        "data": ("discs",),
        "mode": "semantic",
        "fold": (1, 4),
        "steps": 12,
        "every": 4,
        "batch": 2,
        "copies": 2,
        "lr": 5e-3,
    }
    return TuneConfig(**{**values, **changes})


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
    """Two patients with a volume each; the spleen is in one slice of the first."""
    return volumes(tmp_path / "balls")
