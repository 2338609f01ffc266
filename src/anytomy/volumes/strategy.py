"""The seam between a 2D model and a volume: `VolumeStrategy`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import Decoded, PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom

__all__ = ["SliceResult", "Slices", "VolumeStrategy"]


@dataclass(frozen=True, eq=False)
class SliceResult:
    """What a strategy found on one slice for one object.

    Attributes:
        track: Number of the object.
        slice: Slice of the view.
        decoded: Logits and score.
    """

    track: int
    slice: int
    decoded: Decoded


@runtime_checkable
class VolumeStrategy(Protocol):
    """Carries a 2D model through a volume.

    - Yields at most one result for each object and slice, inside the object's reach, in any order.
    - Sees prompts, slices and the model's own answers; never a label.
    - Encodes a slice once for all objects (zoom off).
    - Keeps no more than a few slices in memory.
    - Is deterministic, and does not depend on the other objects of the run.
    """

    name: str

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """How many results each slice will get at most."""
        ...

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """Segment all objects."""
        ...
