"""Neighbouring slices as the colours of a picture: the strategy `2.5d`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.volumes.propagate import Propagate
from anytomy.volumes.slices import NeighbourSlices
from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom


class Neighbours(Propagate):
    """`propagate`, with the slices before and after as the red and blue of each slice.

    For models that were tuned so, and to see what an untouched one makes of it (the 2.5D of the survey's
    section on 3D; as in MA-SAM, Chen et al. 2023, without its adapters).
    """

    name = "2.5d"

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        yield from super().run(model, NeighbourSlices(slices), tracks, zoom)
