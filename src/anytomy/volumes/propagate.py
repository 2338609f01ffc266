"""From key slices outwards, and between them from both ends: the strategy `propagate`.

As LiteMedSAM's authors do it (`authors`), a slice is prompted with the box of its neighbour's mask. What is
added: the neighbours of a key slice are prompted with the box that a person drew there, not with that of the
mask it brought; the margin follows how fast the object changes; what is not connected with the neighbour's
mask is no part of it; an empty slice leaves the last box standing, not the first; a timid model's masks are
widened until they fill the given box (`level`), in what is answered, not in what is carried on, which would
grow from slice to slice; between two key slices both ends are carried and blended; and where no range is
known it ends by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import UnsupportedPromptError
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import Decoded
from anytomy.volumes.level import level, tight_box
from anytomy.volumes.patch import Patch
from anytomy.volumes.spill import spilled
from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom

# In pixels of a picture of 256, the input of LiteMedSAM: too wide a box costs less than too narrow a one.
_MARGIN, _MOST = 3.5, 8.0
# What is called the end where no range is known.
_LEAST_SCORE = 0.65  # of the key slice's
_LEAST_OVERLAP = 0.2
_GROWTH = 2.5
_LEAST_SHARE = 0.04
_LEAST_LIKENESS = 0.3


@dataclass(frozen=True, eq=False)
class _State:
    """What is carried from a slice to the next one.

    Attributes:
        box: The given box, or the tight box of the latest mask that was not empty.
        change: How its sides moved from the slice before.
        mask: The latest mask that was not empty.
        level: Logit at which the object ends.
        key_area: Pixels in the key slice.
        key_score: The model's own score there.
        picture: The latest slice, for likeness; None where the range is known.
    """

    box: NDArray[np.float64]
    change: NDArray[np.float64]
    mask: NDArray[np.bool_]
    level: float
    key_area: int
    key_score: float
    picture: NDArray[np.uint8] | None = None


class Propagate:
    """See the module."""

    name = "propagate"

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return Counter(s for track in tracks for s in range(*track.reach))

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        _check(model, tracks)
        walks = [_Walk(number, track, slices) for number, track in enumerate(tracks)]
        up = {s for walk in walks for s in walk.upwards}
        down = {s for walk in walks for s in walk.downwards}
        # Crops of one object are of no use to another one.
        both = set() if zoom.mode == "fixed" else up & down
        with spilled(model, both=both):
            for slice_ in sorted(up):
                for walk in walks:
                    yield from walk.up(model, slice_, zoom)
            for slice_ in sorted(down, reverse=True):
                for walk in walks:
                    yield from walk.down(model, slice_, zoom)


def _check(model: PromptableModel, tracks: Sequence[Track]) -> None:
    for track in tracks:
        first, last = track.reach
        if len(track.prompts) < last - first and "box" not in model.card.prompts:
            raise UnsupportedPromptError(
                f"{model.card.title} did not learn boxes, so it cannot be carried from slice to slice",
                hint="give a prompt on every slice",
            )


class _Walk:
    """One object on its way through the volume, upwards first."""

    def __init__(self, number: int, track: Track, slices: Slices) -> None:
        self.number = number
        self.track = track
        self.slices = slices
        self.unit = max(slices.shape) / 256
        self.keys = sorted(track.prompts)
        self.low, self.high = track.reach
        self.upwards = range(self.keys[0], self.high)
        self.downwards = range(self.keys[-1] - 1, self.low - 1, -1)
        # Where the range was said, it is believed; beyond it the object may end anywhere.
        self.is_open = track.reach != (track.start, track.stop)
        self.state: _State | None = None
        self.ended = False
        self.forward: dict[int, Patch] = {}
        self.at_keys: dict[int, _State] = {}

    def up(self, model: PromptableModel, slice_: int, zoom: Zoom) -> Iterator[SliceResult]:
        """The slice's result on the way up, if there is one yet."""
        if slice_ in self.track.prompts:
            decoded = self.slices.decode(model, slice_, self.track.prompts[slice_], zoom)
            self.state = self.at_keys[slice_] = self._start(slice_, decoded)
            yield SliceResult(self.number, slice_, _widened(decoded, self.state.mask, self.state))
        elif slice_ in self.upwards and not self.ended:
            between = slice_ < self.keys[-1]
            carried = self._carry(model, slice_, zoom, ends=self.is_open and not between)
            if carried is not None and between:
                self.forward[slice_] = Patch.of(carried)
            elif carried is not None:
                yield SliceResult(self.number, slice_, carried)

    def down(self, model: PromptableModel, slice_: int, zoom: Zoom) -> Iterator[SliceResult]:
        """The slice's result on the way down, what came from below blended in."""
        if slice_ == self.downwards.start:
            self.state, self.ended = self.at_keys[self.keys[-1]], False
        if slice_ in self.track.prompts:
            self.state = self.at_keys[slice_]
        elif slice_ in self.downwards and not self.ended:
            between = slice_ > self.keys[0]
            carried = self._carry(model, slice_, zoom, ends=self.is_open and not between)
            if carried is not None:
                yield SliceResult(self.number, slice_, self._blended(slice_, carried))

    def _start(self, slice_: int, decoded: Decoded) -> _State:
        mask = decoded.logits > 0
        # The cross-section of a 3D box is wider than the object.
        given = None if self.track.solid else self.track.prompts[slice_].box
        box = tight_box(mask) if given is None else np.asarray(given, dtype=float)
        if box is None:
            whole = (0.0, 0.0, float(mask.shape[1]), float(mask.shape[0]))
            box = np.asarray(self.track.prompts[slice_].box or whole, dtype=float)
        # A slice that nobody goes on from is answered as the model does.
        alone = self.high - self.low == 1
        ends_at = 0.0 if given is None or alone else level(decoded.logits, given)
        picture = self.slices[slice_] if self.is_open else None
        return _State(box, np.zeros(4), mask, ends_at, int(mask.sum()), decoded.score, picture)

    def _carry(self, model: PromptableModel, slice_: int, zoom: Zoom, *, ends: bool) -> Decoded | None:
        """Prompt a slice with what is carried; None where the object has come to its end."""
        state = self.state
        assert state is not None
        decoded = self.slices.decode(model, slice_, PlanePrompt(box=self._box(state)), zoom)
        mask = connected(decoded.logits > 0, state.mask)
        picture = self.slices[slice_] if ends else None
        if ends and self._is_end(state, mask, decoded.score, picture):
            self.ended = True
            self.slices.work.expect(-self._left(slice_))
            return None
        box = tight_box(mask)
        if box is None:
            self.state = replace(state, change=np.zeros(4), picture=picture)
        else:
            self.state = replace(state, box=box, change=box - state.box, mask=mask, picture=picture)
        return _widened(decoded, mask, state)

    def _left(self, slice_: int) -> int:
        """How many slices were still expected on the way that ends here."""
        going_up = slice_ >= self.keys[-1]
        return self.high - 1 - slice_ if going_up else slice_ - self.low

    def _box(self, state: _State) -> tuple[float, float, float, float]:
        """The latest box, its sides as far out as they might have moved."""
        outwards = state.change * np.array([-1, -1, 1, 1])
        margin = np.clip(_MARGIN * self.unit + np.maximum(outwards, 0) / 2, 0, _MOST * self.unit)
        x0, y0, x1, y1 = state.box + margin * np.array([-1, -1, 1, 1])
        height, width = self.slices.shape
        return max(float(x0), 0.0), max(float(y0), 0.0), min(float(x1), width), min(float(y1), height)

    def _is_end(
        self, state: _State, mask: NDArray[np.bool_], score: float, picture: NDArray[np.uint8] | None
    ) -> bool:
        """Whether the object has left, by the model's score, jumps in its area, emptiness and likeness."""
        area, before = int(mask.sum()), int(state.mask.sum())
        if area == 0 or score < _LEAST_SCORE * state.key_score or area < _LEAST_SHARE * state.key_area:
            return True
        if area > _GROWTH * max(before, 1) or (mask & state.mask).sum() < _LEAST_OVERLAP * min(area, before):
            return True
        return picture is not None and state.picture is not None and not _alike(state, mask, picture)

    def _blended(self, slice_: int, decoded: Decoded) -> Decoded:
        """Both ends' answers, the nearer one's counting more."""
        if slice_ not in self.forward:
            return decoded
        other = self.forward.pop(slice_)
        below = max(k for k in self.keys if k < slice_)
        above = min(k for k in self.keys if k > slice_)
        share = (slice_ - below) / (above - below)
        logits = (1 - share) * other.dense(decoded.logits.shape) + share * decoded.logits
        score = (1 - share) * other.score + share * decoded.score
        return Decoded(logits.astype(np.float32), float(score))


def _widened(decoded: Decoded, mask: NDArray[np.bool_], state: _State) -> Decoded:
    """The answer with the object's own level at 0; parts that `mask` has no part in are taken away."""
    logits = decoded.logits - np.float32(state.level)
    inside = logits > 0
    kept = connected(inside, mask if mask.any() else state.mask)
    return Decoded(np.where(inside & ~kept, np.float32(-1), logits), decoded.score)


def connected(mask: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of a mask that overlap the neighbour's; all of it where none does."""
    from scipy.ndimage import label

    parts, count = label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    touching = np.unique(parts[before & mask])
    kept: NDArray[np.bool_] = np.isin(parts, touching[touching > 0])
    return kept if kept.any() else mask


def _alike(state: _State, mask: NDArray[np.bool_], picture: NDArray[np.uint8]) -> bool:
    """Whether two slices look alike where the object is or was: their correlation there."""
    assert state.picture is not None
    box = tight_box(mask | state.mask)
    assert box is not None
    x0, y0, x1, y1 = (int(v) for v in box)
    one, two = (p[y0:y1, x0:x1].astype(float).ravel() for p in (state.picture, picture))
    spread = one.std() * two.std()
    if spread == 0:
        return True
    likeness = float(np.mean((one - one.mean()) * (two - two.mean())) / spread)
    return likeness >= _LEAST_LIKENESS
