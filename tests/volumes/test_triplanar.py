"""What triplanar does of its own: fusion, disagreement, progress, interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.engine.model import Decoded
from anytomy.volumes.patch import Patch
from anytomy.volumes.registry import strategy, strategy_names
from anytomy.volumes.slices import Plane, Turn
from anytomy.volumes.strategy import SliceResult
from anytomy.volumes.triplanar import Triplanar
from anytomy.volumes.votes import Votes
from tests.core.strategies import stored, stored_array
from tests.engine.tiny import BrightEngine, bright_model
from tests.volumes.strategy_contract import BOXES, OFF, SHAPE, placed, volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICE = (9, 8)  # row, column
DEEP = 6


def ask(axis: int, logits: float, votes: Votes) -> None:
    """Let a plane across rows (1) or columns (2) answer the same everywhere."""
    turn = Turn((1, 0, 2) if axis == 1 else (2, 0, 1), (axis == 2, False, False))
    shape = turn.apply(np.empty((DEEP, *SLICE))).shape
    plane = Plane(turn, None)  # type: ignore[arg-type]  # only its turn counts
    for slice_ in range(shape[0]):
        votes.add(plane, slice_, Decoded(np.full(shape[1:], logits, np.float32), 0.5), (DEEP, *SLICE))


def first_plane(logits: float, fusion: str = "mean") -> Votes:
    """Votes of a first plane that finds an object in slices 1 to 4, rows 2 to 6, columns 1 to 5."""
    patches = {}
    for slice_ in range(1, 5):
        plane = np.full(SLICE, -8.0, np.float32)
        plane[2:7, 1:6] = logits
        patches[slice_] = Patch.of(Decoded(plane, 0.5))
    votes = Votes.of(patches, SLICE, fusion, uncertainty=True)
    assert votes is not None
    assert not patches
    return votes


def entropy(*chances: float) -> float:
    p = np.mean(chances)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def sure(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


@pytest.mark.parametrize("fusion", ["mean", "score", "majority"])
def test_disagreement_is_the_entropy_of_the_mean_probability(fusion: str) -> None:
    votes = first_plane(3.0, fusion)
    ask(1, -4.0, votes)
    ask(2, 1.0, votes)
    doubt = votes.uncertainty(2, SLICE)
    assert doubt is not None
    assert (doubt.dtype, doubt.shape) == (np.float32, SLICE)
    inside = np.zeros(SLICE, bool)
    inside[2:7, 1:6] = True
    np.testing.assert_allclose(doubt[inside], entropy(sure(3), sure(-4), sure(1)), atol=2e-3)
    assert not doubt[~inside].any()
    assert not votes.uncertainty(0, SLICE).any()  # type: ignore[union-attr]  # where the object is not


def test_planes_that_agree_leave_little_and_planes_that_do_not_a_bit() -> None:
    agree, quarrel = first_plane(8.0), first_plane(8.0)
    ask(1, 8.0, agree)
    ask(1, -8.0, quarrel)
    assert agree.uncertainty(2, SLICE).max() < 0.01  # type: ignore[union-attr]
    np.testing.assert_allclose(quarrel.uncertainty(2, SLICE)[3, 3], 1.0, atol=1e-3)  # type: ignore[index]


@pytest.mark.parametrize(("fusion", "expected"), [("mean", 4 / 3), ("score", 4 / 3), ("majority", 1 / 3)])
def test_fused_logits(fusion: str, expected: float) -> None:
    votes = first_plane(6.0, fusion)
    ask(1, -3.0, votes)
    ask(2, 1.0, votes)
    logits = np.full(SLICE, -8.0, np.float32)
    votes.paint(3, logits)
    np.testing.assert_allclose(logits[2:7, 1:6], expected, atol=1e-2)
    assert (logits[:2] == -8).all()


def doubts(array: NDArray[np.uint8], boxes: tuple[tuple[int, ...], ...], geometry: Geometry) -> NDArray:
    image = Image.from_array(array, is_volume=True, geometry=geometry)
    prompts = [Prompt(box=box) for box in boxes]
    result = bright_model().segment(image, prompts, volume="triplanar", uncertainty=True)
    assert result.uncertainty is not None
    return result.uncertainty


def test_the_map_is_the_largest_of_all_objects_on_the_files_grid() -> None:
    geometry = Geometry(size_xyz=SHAPE[::-1])
    both = doubts(volume(), BOXES[:2], geometry)
    assert (both.dtype, both.shape) == (np.float32, SHAPE)
    assert 0 < both.max() <= 1
    alone = [doubts(volume(), (box,), geometry) for box in BOXES[:2]]
    np.testing.assert_array_equal(both, np.maximum(*alone))
    order, flips = (0, 1, 2), (True, False, True)
    box = BOXES[0]
    turned = (50 - box[3], box[1], 14 - box[5], 50 - box[0], box[4], 14 - box[2])
    other = doubts(stored_array(volume(), order, flips), (turned,), stored(geometry, order, flips))
    np.testing.assert_array_equal(other, stored_array(alone[0], order, flips))


def test_no_map_unless_asked_for() -> None:
    image = Image.from_array(volume(), is_volume=True)
    result = bright_model().segment(image, [Prompt(box=BOXES[0])], volume="triplanar")
    assert result.uncertainty is None


@pytest.mark.parametrize("name", [n for n in strategy_names() if not n.startswith("triplanar")])
def test_strategies_of_one_plane_refuse_to_say_how_unsure_they_are(name: str) -> None:
    with pytest.raises(OptionError, match=f"got {name}.*--volume triplanar"):
        strategy(name, uncertainty=True)


def test_a_picture_has_no_planes_that_could_disagree() -> None:
    with pytest.raises(OptionError, match="single picture"):
        bright_model().segment(
            Image.from_array(volume()[5]), [Prompt(box=BOXES[0][:2] + BOXES[0][3:5])],
            volume="triplanar", uncertainty=True,
        )  # fmt: skip


def test_an_object_that_one_plane_alone_saw_is_named() -> None:
    slices, tracks, _ = placed([Prompt(box=BOXES[0]), Prompt(box=BOXES[3])])  # the last: one slice thick
    with pytest.warns(AnytomyWarning, match="counted for object 2 of 2"):
        list(Triplanar(uncertainty=True).run(bright_model(), slices, tracks, OFF))


def test_progress_counts_all_planes_and_ends_with_all() -> None:
    told: list[tuple[int, int]] = []
    image = Image.from_array(volume(), is_volume=True)
    bright_model().segment(
        image, [Prompt(box=BOXES[0])], volume="triplanar", progress=lambda *now: told.append(now)
    )
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1] > 10 + 20  # slices of the first plane, and others
    assert told[0][1] == 10 + 20 + 24  # until more is known, the sides of the box


class Stopping(BrightEngine):
    """Somebody presses Ctrl-C in the middle of one decoding."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def decode(self, *arguments):  # type: ignore[no-untyped-def]
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().decode(*arguments)


@pytest.mark.parametrize("after", [4, 15])  # in the first plane, in another one
def test_an_interrupt_gives_what_is_there_before_it_goes_on(after: int) -> None:
    slices, tracks, _ = placed([Prompt(box=BOXES[0])])
    found: list[SliceResult] = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(Triplanar().run(bright_model(engine=Stopping(after)), slices, tracks, OFF))
    assert len(found) == min(after, 10)
    assert any((each.decoded.logits > 0).any() for each in found)
