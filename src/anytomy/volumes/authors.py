"""LiteMedSAM's own way through a volume: the box of the previous slice's mask, grown by 3 pixels.

Source: `CVPR24_LiteMedSAM_infer.py`, `MedSAM_infer_npz_3D` (Ma et al., "Efficient MedSAMs: Segment Anything
in Medical Images on Laptop", arXiv 2412.16085). Differences: a slice is encoded once for all objects, not
once for each; prompts may stand on any slice; every mask is resized as theirs is for the first object (they
resize the object's number, so that the boxes of later ones come out a little larger).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import UnsupportedPromptError
from anytomy.engine.frame import Frame, PlanePrompt
from anytomy.engine.resample import resize_area
from anytomy.volumes.spill import spilled
from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.placing import Track
    from anytomy.predict.zoom import Zoom

_GROW_AT_256 = 3


class Authors:
    """From the key slice up, then from the key slice down.

    Each slice is prompted with the box of the neighbour's mask, grown by 3 pixels of a 256 input; with the
    key slice's own box where that mask is empty. A slice with a prompt of its own uses that.
    """

    name = "authors"

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return Counter(s for track in tracks for s in range(track.start, track.stop))

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        frame = Frame.of(slices.shape, model.card.input_size, model.card.preprocess)
        for track in tracks:
            if len(track.prompts) < track.stop - track.start and "box" not in model.card.prompts:
                raise UnsupportedPromptError(
                    f"{model.card.title} did not learn boxes, so it cannot be carried from slice to slice",
                    hint="give a prompt on every slice",
                )
        up = {i: range(t.middle, t.stop) for i, t in enumerate(tracks)}
        down = {i: range(t.middle - 1, t.start - 1, -1) for i, t in enumerate(tracks)}
        carried: dict[int, PlanePrompt] = {}
        key: dict[int, PlanePrompt] = {}
        middle: dict[int, PlanePrompt] = {}
        # Crops of one object are of no use to another one.
        both = set() if zoom.mode == "fixed" else _slices_of(up) & _slices_of(down)
        with spilled(model, both=both):
            for spans, order in ((up, 1), (down, -1)):
                carried = dict(middle)
                for slice_ in sorted(_slices_of(spans), reverse=order < 0):
                    for i in (i for i, span in spans.items() if slice_ in span):
                        prompt = tracks[i].prompts.get(slice_, carried.get(i, PlanePrompt()))
                        decoded = slices.decode(model, slice_, prompt, zoom)
                        mask = decoded.logits > 0
                        if slice_ == tracks[i].middle:
                            key[i] = _boxed(prompt, mask)
                            middle[i] = carried[i] = _next(mask, frame, key[i])
                        else:
                            carried[i] = _next(mask, frame, key[i])
                        yield SliceResult(i, slice_, decoded)


def _slices_of(spans: dict[int, range]) -> set[int]:
    return {s for span in spans.values() for s in span}


def _boxed(prompt: PlanePrompt, mask: NDArray[np.bool_]) -> PlanePrompt:
    """What to fall back to: the given box, or the box of what the given points brought."""
    if prompt.box is not None:
        return replace(prompt, points=(), labels=(), mask=None)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return prompt
    return PlanePrompt(box=(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)))


def _next(mask: NDArray[np.bool_], frame: Frame, fallback: PlanePrompt) -> PlanePrompt:
    """The prompt for the neighbouring slice."""
    small = resize_area(mask.astype(np.uint8), (frame.inner_height, frame.inner_width))
    rows, columns = np.flatnonzero(small.any(axis=1)), np.flatnonzero(small.any(axis=0))
    if rows.size == 0:
        return fallback
    grow = round(_GROW_AT_256 * frame.size / 256)
    x0, y0 = max(columns[0] - grow, 0), max(rows[0] - grow, 0)
    x1, y1 = min(columns[-1] + grow, frame.size), min(rows[-1] + grow, frame.size)
    return PlanePrompt(box=frame.box_from_input(x0, y0, x1, y1))
