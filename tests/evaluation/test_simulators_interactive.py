"""Corrective clicks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.errors import GeometryError, OptionError
from anytomy.core.prompt import Prompt
from anytomy.evaluation.simulators import Simulator, Truth, seeded, simulator
from tests.evaluation.simulator_shapes import PICTURES, components, depths, disc, placed, plane_of, tapered

RNG = seeded(0)


class Painter:
    """A model that does what it is told: a click makes right the whole error that it lies in."""

    def __init__(self, truth: Truth, found: np.ndarray) -> None:
        self.truth, self.found = truth, found

    def answer(self, prompt: Prompt) -> np.ndarray:
        for point, label in zip(prompt.points, prompt.labels, strict=True):
            full = list(point)
            if len(full) == 2 and self.truth.is_volume:
                full.insert("xyz".index(self.truth.axis), float(prompt.slice or 0))
            index = tuple(int(v) for v in reversed(full))
            assert self.truth.mask[index] == label
            for part in components(self.found ^ self.truth.mask):
                if index in part:
                    where = tuple(np.array(sorted(part)).T)
                    self.found[where] = self.truth.mask[where]
        return self.found


class Deaf:
    """A model that never changes its mind."""

    def __init__(self, found: np.ndarray) -> None:
        self.found = found

    def answer(self, prompt: Prompt) -> np.ndarray:
        return self.found


def play(one: Simulator, truth: Truth, model: Painter | Deaf, *, feed_mask: bool = False) -> list[Prompt]:
    """Rounds until the simulator is done."""
    rounds = []
    prompts: tuple[Prompt, ...] | None = one.start(truth, RNG)
    while prompts:
        (prompt,) = prompts
        placed(truth, prompt)
        rounds.append(prompt)
        found = model.answer(prompt)
        prompts = one.correct(truth, found, prompts, RNG, feed_mask=feed_mask)
    return rounds


BLOBS = PICTURES["four parts"]
NOTHING = np.zeros_like(BLOBS)
WRONG = disc(12, 30, 5) | disc(33, 29, 3)  # three parts missed, one added


class TestTheLoop:
    @pytest.mark.parametrize("name", ["clicks-10", "box-clicks-10"])
    @pytest.mark.parametrize("found", [NOTHING, np.ones_like(BLOBS), WRONG])
    def test_ends_when_nothing_is_wrong(self, name: str, found: np.ndarray) -> None:
        truth = Truth(BLOBS, False)
        model = Painter(truth, found.copy())
        rounds = play(simulator(name), truth, model)
        assert np.array_equal(model.found, BLOBS)
        assert len(rounds) == len(components(found ^ BLOBS)) + (
            name.startswith("box") or found is not NOTHING
        )

    def test_in_3d_as_well(self) -> None:
        volume = tapered((3, 0, 5, 0, 2, 4))
        truth = Truth(volume, True, spacing=(3.0, 1.0, 1.0))
        model = Painter(truth, np.zeros_like(volume))
        rounds = play(simulator("clicks-3d-10"), truth, model, feed_mask=True)
        assert np.array_equal(model.found, volume)
        assert len(rounds) == 3
        assert sorted(p[2] for p in rounds[-1].points) == [1, 3, 6]

    @pytest.mark.parametrize("name", ["clicks-1", "clicks-5", "box-clicks-5", "clicks-3d-4"])
    def test_ends_when_the_budget_is_used(self, name: str) -> None:
        one = simulator(name)
        truth = Truth(tapered(), True)
        rounds = play(one, truth, Deaf(np.zeros_like(truth.mask)))
        assert len(rounds) == one.steps
        boxed = "box" in one.kinds
        assert [len(p.points) for p in rounds] == list(range(0 if boxed else 1, one.steps + (not boxed)))
        assert f"{len(rounds[-1].points)} click" in one.budget

    def test_clicks_stay_and_one_is_added(self) -> None:
        rounds = play(simulator("box-clicks-5"), Truth(BLOBS, False), Deaf(WRONG))
        for before, after in itertools.pairwise(rounds):
            assert after.box == before.box == rounds[0].box
            assert after.points[:-1] == before.points
            assert after.labels[:-1] == before.labels

    def test_an_empty_mask_is_never_begun(self) -> None:
        truth = Truth(np.zeros((5, 5), bool), False)
        assert simulator("clicks-5").correct(truth, np.ones((5, 5), bool), (), RNG, feed_mask=True) is None

    def test_those_that_say_everything_at_once_never_correct(self) -> None:
        truth = Truth(BLOBS, False)
        for name in ("box", "points-5+5", "box-points-3", "box-parts"):
            one = simulator(name)
            prompts = one.start(truth, RNG)
            assert one.steps == 1
            assert one.correct(truth, WRONG, prompts, RNG, feed_mask=True) is None


class TestTheFirstPrompt:
    def test_is_the_deepest_point_or_the_tight_box(self) -> None:
        truth = Truth(PICTURES["two parts"], False)
        (click,) = simulator("clicks-5").start(truth, RNG)
        (box,) = simulator("box-clicks-5").start(truth, RNG)
        assert (click.box, click.points, click.labels) == (None, ((15, 12),), (1,))
        assert (box.box, box.points) == ((7, 4, 51, 34), ())

    def test_in_3d_depth_is_in_millimetres(self) -> None:
        volume = np.zeros((9, 30, 30), bool)
        volume[1:4, 2:13, 2:13] = True  # thin, but wide
        volume[5:8, 20:24, 20:24] = True  # as thin, and narrow: in voxels as deep
        (voxels,) = simulator("clicks-3d-5").start(Truth(volume, True), RNG)
        (thick,) = simulator("clicks-3d-5").start(Truth(volume, True, spacing=(4.0, 1.0, 1.0)), RNG)
        assert voxels.points == ((3, 3, 2),)
        assert thick.points == ((7, 7, 2),)


class TestTheNextClick:
    def ask(self, truth: np.ndarray, found: np.ndarray) -> tuple[tuple[float, ...], int]:
        given = Truth(truth, False)
        one = simulator("clicks-5")
        (prompt,) = one.correct(given, found, one.start(given, RNG), RNG, feed_mask=False) or ()
        return prompt.points[-1], prompt.labels[-1]

    def test_is_positive_where_the_object_was_missed(self) -> None:
        assert self.ask(PICTURES["two parts"], disc(12, 15, 8)) == ((45, 28), 1)

    def test_is_negative_where_too_much_was_found(self) -> None:
        assert self.ask(disc(12, 15, 8), PICTURES["two parts"]) == ((45, 28), 0)

    def test_goes_for_the_largest_error_not_for_the_deepest(self) -> None:
        truth = disc(20, 20, 5)
        found = truth.copy()
        found[0:2, :] = True  # 120 pixels, flat
        found |= disc(20, 45, 4)  # 49 pixels, round
        point, label = self.ask(truth, found)
        assert label == 0
        assert point[1] < 2

    def test_an_error_of_both_kinds_is_one(self) -> None:
        truth, found = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
        truth[5:9, 2:10] = True
        found[5:9, 10:20] = True  # misses 32 and adds 40 beside it
        found[12:19, 2:10] = True  # adds 56 elsewhere
        point, _ = self.ask(truth, found)
        assert point[1] < 9

    @given(arrays(bool, (7, 8)), arrays(bool, (7, 8)))
    def test_is_a_deepest_point_of_a_largest_error(self, truth: np.ndarray, found: np.ndarray) -> None:
        if truth.any() and (truth ^ found).any():
            point, label = self.ask(truth, found)
            index = (int(point[1]), int(point[0]))
            parts = components(truth ^ found)
            (part,) = [p for p in parts if index in p]
            assert len(part) == len(parts[0])
            alone = np.zeros_like(truth)
            alone[tuple(np.array(sorted(part)).T)] = True
            assert depths(alone)[index] == pytest.approx(max(depths(alone).values()))
            assert label == truth[index]

    @given(arrays(bool, (3, 4, 5)), arrays(bool, (3, 4, 5)), st.none() | st.just((2.5, 0.7, 0.7)))
    def test_holds_in_3d(self, truth: np.ndarray, found: np.ndarray, spacing: tuple[float, ...]) -> None:
        if not truth.any() or not (truth ^ found).any():
            return
        given, one = Truth(truth, True, spacing=spacing), simulator("clicks-3d-3")
        (prompt,) = one.correct(given, found, one.start(given, RNG), RNG, feed_mask=False) or ()
        index = tuple(int(v) for v in reversed(prompt.points[-1]))
        parts = components(truth ^ found)
        (part,) = [p for p in parts if index in p]
        assert len(part) == len(parts[0])
        alone = np.zeros_like(truth)
        alone[tuple(np.array(sorted(part)).T)] = True
        assert depths(alone, spacing)[index] == pytest.approx(max(depths(alone, spacing).values()), rel=1e-5)
        assert prompt.labels[-1] == truth[index]

    @pytest.mark.parametrize("axis", ["z", "y", "x"])
    def test_only_the_judged_slice_counts(self, axis: str) -> None:
        volume = np.moveaxis(tapered(), 0, "zyx".index(axis))
        truth = Truth(volume, True, axis)
        one = simulator("clicks-5")
        prompts = one.start(truth, RNG)
        found = ~volume
        judged = plane_of(truth, prompts[0])
        np.moveaxis(found, "zyx".index(axis), 0)[3] = judged
        assert one.correct(truth, found, prompts, RNG, feed_mask=True) is None
        np.moveaxis(found, "zyx".index(axis), 0)[3] = False
        (again,) = one.correct(truth, found, prompts, RNG, feed_mask=True) or ()
        assert again.slice == 3
        assert again.points[-1] == prompts[0].points[0]
        assert again.labels[-1] == 1


class TestTheMask:
    @pytest.mark.parametrize("name", ["clicks-5", "box-clicks-5"])
    @pytest.mark.parametrize("axis", ["z", "y", "x"])
    def test_is_fed_back_when_asked_and_only_then(self, name: str, axis: str) -> None:
        volume = np.moveaxis(tapered(), 0, "zyx".index(axis))
        truth = Truth(volume, True, axis)
        one = simulator(name)
        prompts = one.start(truth, RNG)
        found = np.roll(volume, 2, axis=("zyx".index(axis) + 1) % 3)
        (fed,) = one.correct(truth, found, prompts, RNG, feed_mask=True) or ()
        np.testing.assert_array_equal(fed.mask, plane_of(replace_mask(truth, found), fed))
        track = placed(truth, fed)
        assert list(track.prompts) == [3]
        (bare,) = one.correct(truth, found, (fed,), RNG, feed_mask=False) or ()
        assert bare.mask is None

    def test_is_whole_in_3d(self) -> None:
        truth, one = Truth(tapered(), True), simulator("clicks-3d-5")
        found = np.roll(tapered(), 3, axis=2)
        (fed,) = one.correct(truth, found, one.start(truth, RNG), RNG, feed_mask=True) or ()
        np.testing.assert_array_equal(fed.mask, found)
        placed(truth, fed)

    @pytest.mark.parametrize("name", ["clicks-5", "clicks-3d-5"])
    def test_that_is_empty_is_no_prompt(self, name: str) -> None:
        truth, one = Truth(tapered(), True), simulator(name)
        (prompt,) = (
            one.correct(truth, np.zeros_like(truth.mask), one.start(truth, RNG), RNG, feed_mask=True) or ()
        )
        assert prompt.mask is None

    def test_on_another_grid_is_refused(self) -> None:
        truth, one = Truth(BLOBS, False), simulator("clicks-5")
        with pytest.raises(GeometryError, match=r"\(40, 60\), got \(60, 40\)"):
            one.correct(truth, BLOBS.T, one.start(truth, RNG), RNG, feed_mask=True)


def test_a_number_and_a_name_that_the_runner_gave_stay() -> None:
    truth, one = Truth(BLOBS, False), simulator("clicks-5")
    (prompt,) = one.start(truth, RNG)
    (after,) = one.correct(truth, WRONG, (replace(prompt, id=7, name="liver"),), RNG, feed_mask=False) or ()
    assert (after.id, after.name) == (7, "liver")


@pytest.mark.parametrize("name", ["clicks-0", "box-clicks-0", "clicks-3d-101"])
def test_numbers_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="expected 1 to 100 points"):
        simulator(name)


def replace_mask(truth: Truth, mask: np.ndarray) -> Truth:
    return Truth(mask, truth.is_volume, truth.axis)
