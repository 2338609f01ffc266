"""The seam between a 2D model and a volume: `VolumeStrategy`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

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
        uncertainty: How unsure that is, `(row, column)`, 0 to 1, where it was asked for.
    """

    track: int
    slice: int
    decoded: Decoded
    uncertainty: NDArray[np.float32] | None = None


@runtime_checkable
class VolumeStrategy(Protocol):
    """Carries a 2D model through a volume.

    - Yields at most one result for each object and slice, inside the object's reach, in any order.
    - Sees prompts, slices and the model's own answers; never a label.
    - Encodes a slice once for all objects (zoom off).
    - Keeps no more than a few slices in memory.
    - Is deterministic, and does not depend on the other objects of the run.
    - One that can say how unsure it is has a method `with_uncertainty`, which gives such a strategy.
    - One that hands out results late, when all is known, hands out what it has when it is interrupted
      (`KeyboardInterrupt`), and then lets the interrupt go on.
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
