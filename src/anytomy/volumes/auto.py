"""What is used without `--volume`: the strategy `auto`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from anytomy.volumes.propagate import Propagate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.strategy import SliceResult, Slices


class Auto:
    """`propagate` in the range that was said: a z range, a 3D box, or from the first prompted slice to the
    last one.

    An object that was prompted in one slice, without a range, stays in that slice: following it through a
    whole volume takes time and may go wrong, so it is not done unasked (`--volume propagate` does it).
    """

    name = "auto"

    def __init__(self) -> None:
        self._carry = Propagate()

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return self._carry.visits([_closed(track) for track in tracks])

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        yield from self._carry.run(model, slices, [_closed(track) for track in tracks], zoom)


def _closed(track: Track) -> Track:
    return replace(track, limits=(track.start, track.stop))
