from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from anytomy.core.prompt import Prompt
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import Decoded
from anytomy.predict.placing import Track
from anytomy.volumes.auto import Auto
from anytomy.volumes.fitted import Fitted
from anytomy.volumes.level import tight_box
from anytomy.volumes.strategy import SliceResult
from tests.engine.tiny import BrightEngine, bright_model
from tests.volumes.strategy_contract import OFF, placed

BOX = (8.0, 8.0, 33.0, 33.0)


class Timid:
    """Answers every slice with a hill that is above 0 in a small part of the box only."""

    name = "timid"

    def visits(self, tracks: Any) -> Counter[int]:
        return Counter(s for track in tracks for s in range(track.start, track.stop))

    def run(self, model: Any, slices: Any, tracks: Any, zoom: Any) -> Any:
        y, x = np.indices((41, 41))
        logits = (3.5 - np.maximum(abs(y - 20), abs(x - 20)) / 2).astype(np.float32)
        for number, track in enumerate(tracks):
            for slice_ in range(track.start, track.stop):
                yield SliceResult(number, slice_, Decoded(logits, 0.7))


def sizes(track: Track) -> list[int]:
    model: Any = None
    found = Fitted(Timid()).run(model, model, [track], OFF)
    boxes = [tight_box(each.decoded.logits > 0) for each in found]
    return [int(box[2] - box[0]) for box in boxes if box is not None]


def test_a_mask_is_widened_to_the_box_on_the_slice_that_it_was_drawn_on() -> None:
    alone, fitted, after = sizes(Track({1: PlanePrompt(box=BOX)}, 0, 3, (0, 3)))
    assert alone == after == 13
    assert fitted == 23  # 0.85 of the area of 25 x 25; 21 would be 0.71


@pytest.mark.parametrize(
    "track",
    [
        Track({0: PlanePrompt(box=BOX)}, solid=True),
        Track({0: PlanePrompt(points=((20.0, 20.0),))}),
    ],
)
def test_points_and_the_rectangle_of_a_cuboid_say_nothing_of_the_size(track: Track) -> None:
    assert sizes(track) == [13]


def test_a_3d_box_is_known_as_one() -> None:
    _, tracks, _ = placed(
        [Prompt(box=(2, 2, 0, 9, 9, 4)), Prompt(box=(2, 2, 9, 9), slice=1)], np.zeros((4, 12, 12), np.uint8)
    )
    assert [track.solid for track in tracks] == [True, False]


class TestAuto:
    VOLUME = np.where(np.indices((12, 64, 64))[1:].max(axis=0) < 30, 220, 15).astype(np.uint8)

    def slices_of(self, prompt: Prompt) -> list[int]:
        engine = BrightEngine()
        slices, tracks, _ = placed([prompt], self.VOLUME)
        return sorted(f.slice for f in Auto().run(bright_model(engine=engine), slices, tracks, OFF))

    def test_an_object_without_a_range_stays_in_its_slice(self) -> None:
        assert self.slices_of(Prompt(box=(5, 5, 25, 25), slice=4)) == [4]

    def test_a_range_is_followed(self) -> None:
        assert self.slices_of(Prompt(box=(5, 5, 25, 25), slice=4, z=(2, 8))) == list(range(2, 8))

    def test_a_cuboid_is_followed(self) -> None:
        assert self.slices_of(Prompt(box=(5, 5, 3, 25, 25, 9))) == list(range(3, 9))
