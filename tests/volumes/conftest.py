"""The published model, for slow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.models.sam import Sam


@pytest.fixture(scope="session")
def litemedsam(litemedsam_weights: Path) -> Sam:
    """LiteMedSAM with its published weights."""
    from anytomy.engine.opening import load_sam
    from anytomy.zoo.registry import card

    return load_sam(card("litemedsam"), litemedsam_weights)
