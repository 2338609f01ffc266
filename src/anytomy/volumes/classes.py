"""A model without prompts in a volume: `Classes`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from anytomy.engine.model import Decoded
from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom


class _ClassifyingModel(Protocol):
    def classify_slices(self, slices: Slices) -> Iterator[NDArray[np.float32]]:
        """Logits `(classes + 1, y, x)` of each slice in turn; channel 0 is the background."""
        ...


class Classes:
    """Every pixel its most likely class; a `VolumeStrategy` without tracks.

    Most models see every slice by itself; a student in 3D sees the whole volume.

    Args:
        count: Number of classes without the background.
        slices: Number of slices.
    """

    name = "slices"

    def __init__(self, count: int, slices: int) -> None:
        self._count = count
        self._slices = slices

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`; each class is drawn on each slice."""
        return Counter(dict.fromkeys(range(self._slices), self._count))

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`; the number of a track is that of a class."""
        judge = cast("_ClassifyingModel", model)
        for index, logits in enumerate(judge.classify_slices(slices)):
            for number, decoded in enumerate(_apart(logits)):
                slices.work.step()
                yield SliceResult(number, index, decoded)


def _apart(logits: NDArray[np.float32]) -> Iterator[Decoded]:
    """For each class by how much its logit leads, and its mean probability where it does.

    Args:
        logits: `(classes + 1, y, x)`; channel 0 is the background.
    """
    winner = logits.argmax(axis=0)
    others = logits.copy()
    np.put_along_axis(others, winner[None], -np.inf, axis=0)
    first, second = logits.max(axis=0), others.max(axis=0)
    total = np.exp(logits - first).sum(axis=0)
    for channel, own in enumerate(logits[1:], start=1):
        mine = winner == channel
        # Of two equal ones the first wins, as argmax has it: above 0 is inside for one class only.
        lead = np.where(mine, np.maximum(own - second, np.float32(1e-6)), np.minimum(own - first, -1e-6))
        score = float((1 / total[mine]).mean()) if mine.any() else 0.0
        yield Decoded(lead.astype(np.float32), score)
