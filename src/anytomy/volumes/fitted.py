"""Masks that fill the boxes that a person drew: `Fitted`, around any strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.engine.model import Decoded
from anytomy.volumes.level import level

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.strategy import SliceResult, Slices, VolumeStrategy


class Fitted:
    """Another strategy, whose answers to a box are widened until they fill it (`level`).

    Slices without a box stay as the strategy made them; `propagate` uses the key slice's level there anyway.
    The rectangle of a 3D box is left alone: the object need not fill it in any one slice.

    Args:
        strategy: The other one.
    """

    def __init__(self, strategy: VolumeStrategy) -> None:
        self.name = strategy.name
        self._strategy = strategy

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return self._strategy.visits(tracks)

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        for found in self._strategy.run(model, slices, tracks, zoom):
            prompt = tracks[found.track].prompts.get(found.slice)
            if prompt is None or prompt.box is None or tracks[found.track].solid:
                yield found
                continue
            decoded = found.decoded
            lower = np.float32(level(decoded.logits, prompt.box))
            yield replace(found, decoded=Decoded(decoded.logits - lower, decoded.score))
