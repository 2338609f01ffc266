"""One thread, and a tiny model with its exported graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anytomy.engine.graphs import ensure_graphs
from tests.engine.tiny import random_sam

if TYPE_CHECKING:
    from anytomy.models.sam import Sam


@pytest.fixture(scope="session")
def sam() -> Sam:
    return random_sam()


@pytest.fixture(scope="session")
def graphs(sam: Sam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete folder of graphs of `sam`; not to be changed."""
    return ensure_graphs(tmp_path_factory.mktemp("graphs") / "tiny", lambda: sam, title="Tiny", threads=1)
