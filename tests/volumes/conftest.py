"""The published model, for slow tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from anytomy.models.sam import Sam


@pytest.fixture(scope="session")
def litemedsam() -> Sam:
    """LiteMedSAM with its published weights; the test is skipped where they cannot be had."""
    from anytomy.core.errors import FetchError
    from anytomy.engine.opening import load_sam
    from anytomy.zoo import store
    from anytomy.zoo.registry import card

    try:
        weights = store.ensure("litemedsam", progress=False)
    except FetchError as error:
        pytest.skip(f"the LiteMedSAM weights are not there: {error}")
    return load_sam(card("litemedsam"), weights)
