"""Each slice on its own: `Apart`, the strategy `slices`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom


class Apart:
    """Every slice of the range is prompted by itself, with its own prompt or the nearest one.

    What a 2D model does with a volume when nobody helps it: the cross-section of a 3D box is the prompt of
    all its slices, however small the object is there (MedSAM, Ma et al. 2024, slice by slice).
    """

    name = "slices"

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return Counter(s for track in tracks for s in range(track.start, track.stop))

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        for slice_ in sorted(self.visits(tracks)):
            for number, track in enumerate(tracks):
                if track.start <= slice_ < track.stop:
                    key = min(track.prompts, key=lambda s, at=slice_: (abs(s - at), s))  # type: ignore[misc]
                    decoded = slices.decode(model, slice_, track.prompts[key], zoom)
                    yield SliceResult(number, slice_, decoded)
