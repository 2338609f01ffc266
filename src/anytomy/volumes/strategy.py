"""The seam between a 2D model and a volume: `VolumeStrategy`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from anytomy.core.intensity import GreyScale
    from anytomy.engine.model import Decoded, PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom


class Slices:
    """The slices of a volume as a model sees them, made when asked for.

    Args:
        seen: `(slice, row, column[, c])` in the canonical view, the file's own values.
        grey: The fitted intensity policy.
    """

    def __init__(self, seen: NDArray[Any], grey: GreyScale) -> None:
        self._seen = seen
        self._grey = grey

    def __len__(self) -> int:
        return int(self._seen.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """`(row, column)` of every slice."""
        return int(self._seen.shape[1]), int(self._seen.shape[2])

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Grey levels `(row, column[, c])` of one slice, contiguous."""
        return np.ascontiguousarray(self._grey.apply(self._seen[index]))


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

    - Yields at most one result for each object and slice, inside the object's range, in any order.
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
