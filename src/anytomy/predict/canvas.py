"""Where slices of objects come together: masks kept apart, overlaps resolved in the label map."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.prediction import MaskStack, ObjectMask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.prediction import ClassLabel
    from anytomy.core.prompt import Prompt
    from anytomy.core.view import SliceView
    from anytomy.engine.model import Decoded

OVERLAPS = ("higher-logit", "last", "keep")


def check_overlap(overlap: str) -> None:
    """Refuse a rule that does not exist.

    Raises:
        OptionError: If there is none of that name.
    """
    if overlap not in OVERLAPS:
        raise OptionError(f"expected an overlap of {', '.join(OVERLAPS)}, got {overlap!r}")


class Canvas:
    """Collects decoded slices.

    The label map is written as slices arrive. For `higher-logit` the winning logits of a slice are kept (in
    half precision, cropped) only until its last object has been drawn, so that memory stays bounded.

    Args:
        view: The view that slices are in.
        shape_zyx: Shape of the file's grid.
        prompts: One per object, numbered; or classes.
        overlap: `higher-logit`, `last` (in the order of prompts) or `keep` (as higher-logit; the masks are
            what counts).
        visits: How many objects will be drawn on each slice at most.
        uncertainty: Whether to keep a map of it.

    Attributes:
        masks: One per object, as far as it is drawn.
        label_map: `(z, y, x)` on the file's grid.
        drawn: Slices of the view that were drawn, of each object.
        uncertainty: `(z, y, x)`, of the object that is the most uncertain in a voxel; None where not kept.

    Raises:
        OptionError: For another overlap rule.
    """

    def __init__(
        self,
        view: SliceView,
        shape_zyx: tuple[int, int, int],
        prompts: Sequence[Prompt | ClassLabel],
        *,
        overlap: str,
        visits: Mapping[int, int],
        uncertainty: bool = False,
    ) -> None:
        check_overlap(overlap)
        self._overlap = overlap
        self._ids = [int(p.id or 0) for p in prompts]
        self._left = Counter(visits)
        self._winners: dict[int, tuple[slice, slice, NDArray[np.float16]]] = {}
        self._scores: list[list[float]] = [[] for _ in prompts]
        self.masks = [ObjectMask(view) for _ in prompts]
        largest = max(self._ids, default=1)
        self.label_map: NDArray[Any] = np.zeros(shape_zyx, dtype=np.uint8 if largest < 256 else np.uint16)
        self._seen = view.apply(self.label_map)  # a view in both senses: writes reach the label map
        self.drawn: list[set[int]] = [set() for _ in prompts]
        self.uncertainty = np.zeros(shape_zyx, dtype=np.float32) if uncertainty else None
        self._doubts = None if self.uncertainty is None else view.apply(self.uncertainty)

    def draw(
        self, index: int, slice_: int, decoded: Decoded, uncertainty: NDArray[np.float32] | None = None
    ) -> None:
        """Add one slice of object number `index` (in the order of prompts)."""
        if self._doubts is not None and uncertainty is not None:
            np.maximum(self._doubts[slice_], uncertainty, out=self._doubts[slice_])
        mask = decoded.logits > 0
        self.masks[index].set(slice_, mask)
        self._left[slice_] -= 1
        if mask.any():
            self._scores[index].append(decoded.score)
            self._label(index, slice_, mask, decoded.logits)
        if self._left[slice_] <= 0:
            self._winners.pop(slice_, None)
        self.drawn[index].add(slice_)

    def _label(self, index: int, slice_: int, mask: NDArray[np.bool_], logits: NDArray[np.float32]) -> None:
        plane = self._seen[slice_]
        owner = plane[mask]
        won = np.ones(owner.shape, dtype=bool)
        if owner.any():
            later = np.isin(owner, self._ids[index + 1 :])
            if self._overlap == "last":
                won = ~later
            else:
                # Half precision on both sides, and ties to the object that was named first: the order of
                # drawing cannot matter.
                mine, best = _half(logits[mask]), self._best(slice_, mask.shape)[mask]
                won = (mine > best) | ((mine == best) & later)
        wins = np.zeros_like(mask)
        wins[mask] = won
        plane[wins] = self._ids[index]
        if self._overlap != "last" and self._left[slice_] > 0:
            self._remember(slice_, wins, logits)

    def _remember(self, slice_: int, wins: NDArray[np.bool_], logits: NDArray[np.float32]) -> None:
        best = self._best(slice_, wins.shape)
        best[wins] = _half(logits[wins])
        taken = best > -np.inf
        if not taken.any():
            return
        y, x = np.flatnonzero(taken.any(axis=1)), np.flatnonzero(taken.any(axis=0))
        crop = (slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))
        self._winners[slice_] = (*crop, best[crop].copy())

    def _best(self, slice_: int, shape: tuple[int, ...]) -> NDArray[np.float16]:
        best = np.full(shape, -np.inf, dtype=np.float16)
        if slice_ in self._winners:
            rows, columns, values = self._winners[slice_]
            best[rows, columns] = values
        return best

    def stack(self, made: Sequence[ObjectMask] = (), *, is_volume: bool) -> MaskStack:
        """The masks of all objects, and of those that were made of them."""
        return MaskStack([*self.masks, *made], is_volume=is_volume, shape_zyx=self.label_map.shape)

    @property
    def scores(self) -> tuple[float, ...]:
        """Mean score over the slices in which an object has voxels; 0 for one without any."""
        return tuple(float(np.mean(s)) if s else 0.0 for s in self._scores)


def _half(logits: NDArray[np.float32]) -> NDArray[np.float16]:
    limits = np.finfo(np.float16)
    return logits.clip(limits.min, limits.max).astype(np.float16)
