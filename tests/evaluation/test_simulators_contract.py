"""What holds for every prompt simulator."""

from __future__ import annotations

import re

import numpy as np
import pytest

from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.simulators import Simulator, Truth, seeded, simulator, simulators
from tests.evaluation.simulator_shapes import PICTURES, VOLUMES, along, comparable, placed, plane_of, tapered

ALL = [s.name for s in simulators()] + ["points-40", "points-3+60", "box-jitter:50,900", "box-shift:300,600"]
VOLUME_ONLY = [
    "box-3d",
    "largest-slice-box",
    "key-slice-box",
    "key-slice-box-z",
    "click-per-slice",
    "box-per-slice",
    "clicks-3d-5",
]
BOTH = [name for name in ALL if name not in VOLUME_ONLY]


def truths(name: str) -> list[Truth]:
    """All shapes that the simulator can be asked about."""
    volumes = [Truth(along(v, axis), True, axis) for v in VOLUMES.values() for axis in "zyx"]
    return volumes + ([Truth(p, False) for p in PICTURES.values()] if name in BOTH else [])


@pytest.mark.parametrize("name", ALL)
class TestEverySimulator:
    def test_is_one(self, name: str) -> None:
        one = simulator(name)
        assert isinstance(one, Simulator)
        assert one.name == name
        assert one.budget
        assert one.source

    def test_an_empty_mask_brings_nothing(self, name: str) -> None:
        assert simulator(name).start(Truth(np.zeros((3, 9, 8), bool), True), seeded(1)) == ()
        if name in BOTH:
            assert simulator(name).start(Truth(np.zeros((9, 8), bool), False), seeded(1)) == ()

    def test_prompts_are_placed(self, name: str) -> None:
        for truth in truths(name):
            prompts = simulator(name).start(truth, seeded(3))
            assert prompts
            for prompt in prompts:
                placed(truth, prompt)

    def test_gives_the_kinds_that_it_names(self, name: str) -> None:
        one = simulator(name)
        for truth in truths(name):
            given = {kind for prompt in one.start(truth, seeded(2)) for kind in prompt.kinds}
            # Those that correct may come to a kind later.
            assert given == set(one.kinds) or (one.steps > 1 and given < set(one.kinds))

    def test_the_same_seed_gives_the_same_prompts(self, name: str) -> None:
        for truth in truths(name):
            first, second = (simulator(name).start(truth, seeded(5, "case")) for _ in range(2))
            assert [comparable(p) for p in first] == [comparable(p) for p in second]

    def test_leaves_the_label_alone(self, name: str) -> None:
        mask = tapered()
        mask.flags.writeable = False
        simulator(name).start(Truth(mask, True), seeded(0))

    def test_gives_no_more_than_its_budget(self, name: str) -> None:
        one = simulator(name)
        for truth in truths(name):
            prompts = one.start(truth, seeded(4))
            slices = len(np.flatnonzero(truth.mask.any(axis=other_axes(truth)))) if truth.is_volume else 1
            boxes, clicks = allowed(one.budget, slices)
            assert sum(p.box is not None for p in prompts) <= boxes
            assert sum(len(p.points) for p in prompts) <= clicks
            for prompt in prompts:
                assert prompt.mask is None
                assert prompt.id is None
                assert prompt.name is None
                assert (prompt.z is not None) == ("z range" in one.budget)
                assert (prompt.box is not None and len(prompt.box) == 6) == ("3D" in one.budget)

    def test_gives_all_of_its_budget_where_the_object_is_large(self, name: str) -> None:
        one = simulator(name)
        prompts = one.start(Truth(VOLUMES["four parts"], True), seeded(4))
        boxes, clicks = allowed(one.budget, 3)
        if one.steps == 1:
            assert sum(p.box is not None for p in prompts) == boxes
            assert sum(len(p.points) for p in prompts) == clicks
        else:
            assert sum(len(p.kinds) for p in prompts) == 1

    def test_storage_along_another_axis_changes_nothing(self, name: str) -> None:
        volume = tapered((4, 6, 9, 7, 3))
        if name != "clicks-3d-5":  # with a gap many voxels are as deep, and the first of them is another one
            volume[2] = False
            volume[3, 2:5, 3:6] = True
        expected = simulator(name).start(Truth(volume, True), seeded(8))
        for axis, order in (("y", (0, 2, 1)), ("x", (2, 0, 1))):
            truth = Truth(along(volume, axis), True, axis)
            got = simulator(name).start(truth, seeded(8))
            if all(p.slice is not None for p in expected):
                assert [comparable(p) for p in got] == [comparable(p) for p in expected]
                continue
            # x, y, z of the volume along z become these of the other one.
            for one, other in zip(expected, got, strict=True):
                assert other.points == tuple(tuple(p[i] for i in order) for p in one.points)
                if one.box is not None and other.box is not None:
                    for half in (0, 3):
                        assert other.box[half : half + 3] == tuple(one.box[half + i] for i in order)


@pytest.mark.parametrize("name", VOLUME_ONLY)
def test_a_picture_is_refused_by_those_for_volumes(name: str) -> None:
    with pytest.raises(OptionError, match=r"is for volumes.*for pictures: box, .*points-N") as caught:
        simulator(name).start(Truth(PICTURES["disc"], False), seeded(0))
    assert "box-per-slice" not in str(caught.value.hint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n in ALL if simulator(n).scope == "slice"])
class TestInOneSlice:
    def test_it_is_the_largest(self, name: str) -> None:
        for prompt in simulator(name).start(Truth(tapered((4, 6, 9, 7, 3)), True), seeded(0)):
            assert prompt.slice == 3

    def test_of_equals_it_is_the_first(self, name: str) -> None:
        for prompt in simulator(name).start(Truth(tapered((4, 9, 9, 9, 3)), True), seeded(0)):
            assert prompt.slice == 2

    def test_nothing_of_other_slices_shows(self, name: str) -> None:
        seen = [
            [comparable(p) for p in simulator(name).start(Truth(tapered(radii), True), seeded(0))]
            for radii in ((4, 6, 9, 7, 3), (0, 1, 9, 8, 0))
        ]
        assert seen[0] == seen[1]

    def test_the_slice_is_prompted_as_a_picture_is(self, name: str) -> None:
        if name in VOLUME_ONLY:
            return
        volume = VOLUMES["two parts"]
        got = simulator(name).start(Truth(volume, True), seeded(6))
        picture = simulator(name).start(Truth(volume[1], False), seeded(6))
        assert [comparable(p)[:3] for p in got] == [comparable(p)[:3] for p in picture]
        assert all(p.slice is None for p in picture)
        assert all(plane_of(Truth(volume, True), p).sum() == volume[1].sum() for p in got)


class TestTruth:
    def test_any_type_counts_as_a_mask(self) -> None:
        truth = Truth(np.eye(3, dtype=np.uint8), False)  # type: ignore[arg-type]
        assert truth.mask.dtype == bool

    def test_the_axis_may_be_a_capital(self) -> None:
        assert Truth(np.zeros((2, 2, 2), bool), True, "Y").axis == "y"

    @pytest.mark.parametrize(("shape", "is_volume"), [((3, 3), True), ((3, 3, 3), False)])
    def test_shapes_that_do_not_fit_are_refused(self, shape: tuple[int, ...], is_volume: bool) -> None:
        with pytest.raises(GeometryError, match="axes"):
            Truth(np.zeros(shape, bool), is_volume)

    @pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, float("nan"), 1.0)])
    def test_a_spacing_that_is_none_is_refused(self, spacing: tuple[float, ...]) -> None:
        with pytest.raises(GeometryError, match="spacing"):
            Truth(np.zeros((3, 3, 3), bool), True, spacing=spacing)

    @pytest.mark.parametrize(("axis", "is_volume"), [("w", True), ("x", False)])
    def test_an_axis_that_is_not_there_is_refused(self, axis: str, is_volume: bool) -> None:
        with pytest.raises(OptionError, match="z"):
            Truth(np.zeros((3,) * (3 if is_volume else 2), bool), is_volume, axis)


class TestSeeds:
    def test_are_the_same_on_every_machine(self) -> None:
        assert seeded(7, "busi", "case 3", "tumour", 1, "points-3").integers(0, 10**6, 3).tolist() == PINNED

    def test_every_name_counts_and_so_does_where_one_ends(self) -> None:
        names = [(), ("a",), ("a", "b"), ("b", "a"), ("ab",), ("a", "b", ""), ("a,b",), ('a","b',)]
        drawn = {seeded(s, *n).integers(0, 2**62) for s in (0, 1, -1) for n in names}
        assert len(drawn) == 3 * len(names)

    def test_a_number_is_the_name_that_it_is_written_as(self) -> None:
        assert seeded(1, 5).random() == seeded(1, "5").random()

    def test_neighbours_are_independent(self) -> None:
        drawn = np.array([seeded(0, case).random(50) for case in range(200)])
        assert np.abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.05


PINNED = [969572, 296094, 925231]


def allowed(budget: str, slices: int) -> tuple[int, int]:
    """Boxes and clicks that a budget speaks of, at most."""
    times = slices if "per slice" in budget else 1
    boxes = sum(int(n) for n in re.findall(r"(\d+) (?:3D )?box", budget))
    clicks = sum(int(n) for n in re.findall(r"(\d+) (?:\+ (?=\d)|click)", budget))
    return boxes * times, clicks * times


def other_axes(truth: Truth) -> tuple[int, ...]:
    return tuple(a for a in range(3) if a != "zyx".index(truth.axis))
