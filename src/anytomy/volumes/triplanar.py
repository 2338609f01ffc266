"""Three planes, one answer: the strategy `triplanar`.

The object is propagated through axial, coronal and sagittal slices, each plane by itself from its own middle
slice, in pictures with square pixels; the three answers are fused voxel by voxel on their logits. Planes that
see little, since slices are much thicker than pixels, are left out.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import Decoded
from anytomy.predict.placing import Track
from anytomy.volumes.patch import CLIP, Patch
from anytomy.volumes.propagate import Propagate
from anytomy.volumes.strategy import SliceResult, Slices
from anytomy.volumes.votes import FUSIONS, Cuboid, Votes

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.slices import Plane

# How many times thicker than pixels slices may be for the other planes to count.
_THICKEST = 3.0


class Triplanar:
    """See the module.

    Args:
        fusion: `mean` of the planes' logits, `score` (weighted by the model's own score of each slice) or
            `majority` (of the planes' votes).
        uncertainty: Also say how much the planes disagree; see `Votes.uncertainty`.
    """

    def __init__(self, fusion: str = "mean", *, uncertainty: bool = False) -> None:
        if fusion not in FUSIONS:
            raise OptionError(f"expected a fusion of {', '.join(FUSIONS)}, got {fusion!r}")
        self.fusion = fusion
        self.name = "triplanar" if fusion == "mean" else f"triplanar:{fusion}"
        self._uncertainty = uncertainty
        self._each = Propagate()

    def with_uncertainty(self) -> Triplanar:
        """The same, and its results say how much the planes disagree."""
        return Triplanar(self.fusion, uncertainty=True)

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return self._each.visits(tracks)

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        planes = [plane for plane in slices.planes() if _sees_enough(plane)]
        guess = _count(planes, [Cuboid.said(track) for track in tracks])
        slices.work.expect(guess)
        first: list[dict[int, Patch]] = [{} for _ in tracks]
        interrupt: KeyboardInterrupt | None = None
        try:
            for found in self._each.run(model, slices, tracks, zoom):
                first[found.track][found.slice] = Patch.of(found.decoded)
        except KeyboardInterrupt as error:
            interrupt = error
        scores = [{slice_: patch.score for slice_, patch in sorted(patches.items())} for patches in first]
        votes = [
            Votes.of(patches, slices.shape, self.fusion, uncertainty=self._uncertainty) for patches in first
        ]
        if interrupt is None:
            cuboids = [None if mine is None else mine.cuboid for mine in votes]
            slices.work.expect(_count(planes, cuboids) - guess)
            try:
                for plane in planes:
                    self._ask(model, slices, plane, votes, zoom)
            except KeyboardInterrupt as error:
                interrupt = error
        if self._uncertainty and interrupt is None:
            _say_who_has_one_plane(votes)
        for number, mine in enumerate(votes):
            yield from _fused(number, scores[number], mine, slices.shape)
        if interrupt is not None:
            raise interrupt

    def _ask(
        self,
        model: PromptableModel,
        slices: Slices,
        plane: Plane,
        votes: Sequence[Votes | None],
        zoom: Zoom,
    ) -> None:
        """Propagate all objects through another plane and count what it says."""
        shape = (len(slices), *slices.shape)
        asked = [mine for mine in votes if mine is not None and mine.cuboid.is_solid]
        tracks = [_track(plane, mine.cuboid, shape) for mine in asked]
        for found in self._each.run(model, plane.slices, tracks, zoom):
            asked[found.track].add(plane, found.slice, found.decoded, shape)


def _fused(
    number: int, scores: dict[int, float], votes: Votes | None, shape: tuple[int, int]
) -> Iterator[SliceResult]:
    """An object's slices of the first plane with the answer of all."""
    for slice_, score in scores.items():
        logits = np.full(shape, -CLIP, dtype=np.float32)
        doubt = None
        if votes is not None:
            votes.paint(slice_, logits)
            doubt = votes.uncertainty(slice_, shape)
        yield SliceResult(number, slice_, Decoded(logits, score), doubt)


def _track(plane: Plane, cuboid: Cuboid, shape: tuple[int, int, int]) -> Track:
    """The cuboid as a prompt on the plane's middle slice, with its range."""
    low = plane.turn.cuboid(cuboid.low, cuboid.high, shape)
    box = (float(low[2]), float(low[1]), float(low[5]), float(low[4]))
    middle = low[0] + (low[3] - 1 - low[0]) // 2
    return Track({middle: PlanePrompt(box=box)}, low[0], low[3], (low[0], low[3]))


def _sees_enough(plane: Plane) -> bool:
    """Whether the plane's pixels are not much longer one way than the other."""
    _, high, wide = plane.slices.spacing
    return max(high, wide) / min(high, wide) <= _THICKEST


def _count(planes: Sequence[Plane], cuboids: Sequence[Cuboid | None]) -> int:
    """How many slices of these planes are asked for objects in these cuboids."""
    solid = [cuboid for cuboid in cuboids if cuboid is not None and cuboid.is_solid]
    return sum(cuboid.size[plane.turn.order[0]] for plane in planes for cuboid in solid)


def _say_who_has_one_plane(votes: Sequence[Votes | None]) -> None:
    alone = [str(i) for i, mine in enumerate(votes, start=1) if mine is not None and not mine.has_others]
    if alone:
        warnings.warn(
            f"no plane but the first one counted for object {', '.join(alone)} of {len(votes)} (thinner "
            "than four voxels, or slices are over three times as thick as pixels): its uncertainty is that "
            "plane's own doubt, no disagreement",
            AnytomyWarning,
            stacklevel=3,
        )
