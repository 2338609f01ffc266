from __future__ import annotations

import numpy as np
import pytest

from anytomy.core.errors import UnsupportedPromptError
from anytomy.core.prompt import Prompt
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track
from anytomy.volumes.level import tight_box
from anytomy.volumes.propagate import Propagate, connected
from tests.engine.tiny import BrightEngine, bright_model
from tests.volumes.strategy_contract import OFF, masks, placed

SHAPE = (20, 64, 64)


def tube(first: int, last: int, *, drift: float = 0.0, radius: float = 8.0) -> np.ndarray:
    """A bright tube in slices first to last, its centre drifting by so many pixels a slice."""
    z, y, x = np.indices(SHAPE)
    centre = 32 + drift * (z - SHAPE[0] / 2)
    inside = (np.hypot(y - 32, x - centre) < radius) & (z >= first) & (z <= last)
    return np.where(inside, 220, 15).astype(np.uint8)


def box_in(volume: np.ndarray, slice_: int) -> tuple[float, ...]:
    rows, columns = np.nonzero(volume[slice_] > 128)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def test_without_a_range_it_goes_on_and_ends_where_the_object_ends() -> None:
    volume = tube(4, 15)
    slices, tracks, view = placed([Prompt(box=box_in(volume, 9), slice=9)], volume)
    assert tracks[0].reach == (0, 20)
    (mask,) = masks(Propagate(), bright_model(), slices, tracks)
    found = view.restore(mask)
    assert [int(i) for i in np.flatnonzero(found.any(axis=(1, 2)))] == list(range(4, 16))


def test_a_range_is_believed() -> None:
    volume = tube(4, 15)
    slices, tracks, view = placed([Prompt(box=box_in(volume, 9), slice=9, z=(7, 12))], volume)
    assert tracks[0].reach == (7, 12)
    (mask,) = masks(Propagate(), bright_model(), slices, tracks)
    assert [int(i) for i in np.flatnonzero(view.restore(mask).any(axis=(1, 2)))] == list(range(7, 12))


@pytest.mark.parametrize("drift", [-2.0, 1.0, 2.0])
def test_the_box_follows_an_object_that_moves(drift: float) -> None:
    volume = tube(3, 16, drift=drift)
    slices, tracks, view = placed([Prompt(box=box_in(volume, 9), slice=9, z=(3, 17))], volume)
    (mask,) = masks(Propagate(), bright_model(), slices, tracks)
    truth = volume > 128
    found = view.restore(mask)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


def test_it_does_not_leak_into_a_neighbour_that_appears() -> None:
    volume = tube(2, 17)
    volume[12:18, 20:30, 2:12] = 220  # apart from the tube, but soon as bright
    slices, tracks, view = placed([Prompt(box=box_in(tube(2, 17), 9), slice=9)], volume)
    (mask,) = masks(Propagate(), bright_model(), slices, tracks)
    assert not view.restore(mask)[:, 20:30, 2:12].any()


def test_between_two_key_slices_both_ends_count_by_their_distance() -> None:
    engine = BrightEngine()
    volume = tube(2, 17)
    slices, _, _ = placed([], volume)
    box = PlanePrompt(box=tuple(box_in(volume, 9)))  # type: ignore[arg-type]
    track = Track({5: box, 13: box}, 5, 14, (5, 14))
    found = list(Propagate().run(bright_model(engine=engine), slices, [track], OFF))
    assert sorted(f.slice for f in found) == list(range(5, 14))
    # Each key slice once, each of the seven between them from below and from above.
    assert len(engine.asked) == 2 + 2 * 7


def test_a_model_that_knows_no_boxes_needs_a_prompt_on_every_slice() -> None:
    volume = tube(4, 15)
    slices, tracks, _ = placed([Prompt(points=((32.0, 32.0),), slice=9)], volume)
    model = bright_model(prompts=("points",))
    with pytest.raises(UnsupportedPromptError, match="did not learn boxes"):
        list(Propagate().run(model, slices, tracks, OFF))


def test_connected_keeps_what_touches_the_neighbour() -> None:
    mask = np.zeros((6, 12), bool)
    mask[1:4, 1:4] = mask[1:4, 8:11] = True
    before = np.zeros_like(mask)
    before[2, 2] = True
    assert connected(mask, before).sum() == 9
    assert connected(mask, np.zeros_like(mask)).sum() == 18


class TimidEngine(BrightEngine):
    """Answers with a square of half of the box's sides, sure of it in the middle."""

    def decode(self, embedding, coords, labels, mask_input):  # type: ignore[no-untyped-def]
        _, scores = super().decode(embedding, coords, labels, mask_input)
        corners = [coords[0][labels[0] == kind][0] for kind in (2, 3)]
        middle, half = (corners[0] + corners[1]) / 2, (corners[1] - corners[0]) / 2
        y, x = np.indices(embedding.shape[-2:])
        away = np.maximum(abs(x + 0.5 - middle[0]) / half[0], abs(y + 0.5 - middle[1]) / half[1])
        return np.stack([(4 * (0.5 - away)).astype(np.float32)] * 4), scores


def test_a_timid_models_masks_fill_the_box_and_do_not_grow_from_slice_to_slice() -> None:
    volume = tube(0, 19)
    slices, tracks, _ = placed([Prompt(box=(12, 12, 52, 52), slice=9, z=(6, 13))], volume)
    found = Propagate().run(bright_model(engine=TimidEngine()), slices, tracks, OFF)
    widths = {}
    for each in found:
        box = tight_box(each.decoded.logits > 0)
        assert box is not None
        widths[each.slice] = box[2] - box[0]
    assert 0.85 * 40 < widths[9] <= 40
    assert 34 <= widths[8] <= 44
    assert 34 <= widths[10] <= 44
    assert all(widths[s] <= widths[8] for s in (6, 7))  # what is carried on is the timid mask itself
