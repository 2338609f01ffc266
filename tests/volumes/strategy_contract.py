"""What every `VolumeStrategy` must do; subclass `StrategyContract` and give the fixture `strategy`.

    class TestMine(StrategyContract):
        @pytest.fixture
        def strategy(self): return MyStrategy()

The volumes hold bright balls and tubes on black, and the model answers what is bright in its box.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import GreyScale
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.predict.placing import Track, place
from anytomy.predict.zoom import Zoom
from anytomy.volumes.strategy import Slices, VolumeStrategy
from tests.core.strategies import stored, stored_array
from tests.engine.tiny import BrightEngine, bright_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.predict.model import Model

OFF = Zoom.parse("off")
GREY = GreyScale(0.0, 255.0, keep=True, zero_is_black=False)
SHAPE = (14, 60, 50)  # z, y, x

# Box ends exclusive; the objects overlap in slices, the last is one slice thick.
BOXES = ((5, 6, 2, 25, 30, 12), (22, 20, 0, 48, 52, 9), (10, 34, 6, 24, 54, 14), (30, 4, 5, 46, 18, 6))


def volume(only: int | None = None) -> NDArray[np.uint8]:
    """Balls in the boxes of `BOXES`, each of another shade, a little noise between them; or one ball."""
    rng = np.random.default_rng(0)
    out = rng.integers(0, 40, SHAPE, dtype=np.uint8)
    index = np.indices(SHAPE)[::-1]  # x, y, z
    for number, (shade, box) in enumerate(zip((255, 230, 210, 190), BOXES, strict=True)):
        if only not in (None, number):
            continue
        centre, radius = (np.array(box[3:]) + box[:3] - 1) / 2, (np.array(box[3:]) - box[:3]) / 2
        inside = sum(((i - c) / r) ** 2 for i, c, r in zip(index, centre, radius, strict=True)) <= 1
        out[inside] = shade
    return out


class CountingSlices(Slices):
    """Knows how often slices were made and how many of them were alive at once."""

    def __init__(self, seen: NDArray[Any]) -> None:
        super().__init__(seen, GREY)
        self.made: Counter[int] = Counter()
        self.most_alive = 0
        self._alive: list[Any] = []

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        import weakref

        assert 0 <= index < len(self)
        self.made[index] += 1
        plane = super().__getitem__(index).copy()
        self._alive = [ref for ref in self._alive if ref() is not None] + [weakref.ref(plane)]
        self.most_alive = max(self.most_alive, len(self._alive))
        return plane


def placed(
    prompts: Sequence[Prompt], array: NDArray[Any] | None = None, geometry: Geometry | None = None
) -> tuple[CountingSlices, list[Track], SliceView]:
    """Slices and tracks as `segment` makes them."""
    image = Image.from_array(volume() if array is None else array, is_volume=True, geometry=geometry)
    view = SliceView.canonical(image.geometry)
    return CountingSlices(view.apply(image.array)), [place(image, p, view, "z") for p in prompts], view


def masks(
    strategy: VolumeStrategy, model: Model, slices: Slices, tracks: list[Track], zoom: Zoom = OFF
) -> list[NDArray[np.bool_]]:
    """One mask (slice, row, column) for each track."""
    out = [np.zeros((len(slices), *slices.shape), dtype=bool) for _ in tracks]
    for found in strategy.run(model, slices, tracks, zoom):
        out[found.track][found.slice] = found.decoded.logits > 0
    return out


def dices(
    strategy: VolumeStrategy,
    array: NDArray[np.uint8],
    geometry: Geometry,
    boxes: Sequence[tuple[int, ...]],
    axis: str = "z",
) -> list[float]:
    """Dice of each object, alone, against what is bright in its box."""
    image = Image.from_array(array, is_volume=True, geometry=geometry)
    view = SliceView.canonical(geometry, axis)
    slices = Slices.of(image, view, GREY)
    tracks = [place(image, Prompt(box=box), view, axis) for box in boxes]
    found = []
    for mask, box in zip(masks(strategy, bright_model(), slices, tracks), boxes, strict=True):
        truth = np.zeros(array.shape, dtype=bool)
        inside = tuple(slice(box[a], box[a + 3]) for a in (2, 1, 0))
        truth[inside] = array[inside] > 128
        got = view.restore(mask)
        found.append(2 * float((got & truth).sum()) / float(got.sum() + truth.sum()))
    return found


class StrategyContract:
    """See `VolumeStrategy`."""

    boxes: tuple[tuple[int, ...], ...] = BOXES
    most_alive = 4

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """One for each box."""
        return tuple(Prompt(box=box) for box in self.boxes)

    def test_is_a_strategy_with_a_name(self, strategy: VolumeStrategy) -> None:
        assert isinstance(strategy, VolumeStrategy)
        assert strategy.name
        assert strategy.name == strategy.name.lower()

    def test_at_most_one_result_for_each_object_and_slice_inside_the_range(
        self, strategy: VolumeStrategy
    ) -> None:
        slices, tracks, _ = placed(self.prompts)
        visits = strategy.visits(tracks)
        found = list(strategy.run(bright_model(), slices, tracks, OFF))
        pairs = Counter((f.track, f.slice) for f in found)
        assert set(pairs.values()) == {1}
        for track, slice_ in pairs:
            assert tracks[track].start <= slice_ < tracks[track].stop
        for slice_, count in Counter(s for _, s in pairs).items():
            assert count <= visits[slice_]
        for result in found:
            assert result.decoded.logits.shape == slices.shape
        for track, given in enumerate(tracks):  # prompted slices are answered
            assert {(track, s) for s in given.prompts} <= set(pairs)

    @pytest.mark.parametrize("memory", [2**26, 3 * 64 * 64 * 4, 1, 0])
    def test_a_slice_is_encoded_once_for_all_objects(self, strategy: VolumeStrategy, memory: int) -> None:
        slices, tracks, _ = placed(self.prompts)
        model = bright_model(memory_bytes=memory)
        visited = {f.slice for f in strategy.run(model, slices, tracks, OFF)}
        assert model.encodings == len(visited) <= len(slices)

    def test_memory_does_not_change_the_masks(self, strategy: VolumeStrategy) -> None:
        results = []
        for memory in (2**26, 0):
            slices, tracks, _ = placed(self.prompts)
            results.append(masks(strategy, bright_model(memory_bytes=memory), slices, tracks))
        np.testing.assert_array_equal(results[0], results[1])

    @pytest.mark.parametrize("zoom", ["off", "1.5", "auto"])
    def test_objects_do_not_depend_on_each_other(self, strategy: VolumeStrategy, zoom: str) -> None:
        how = Zoom.parse(zoom)
        slices, tracks, _ = placed(self.prompts)
        together = masks(strategy, bright_model(), slices, tracks, how)
        backwards = masks(strategy, bright_model(), slices, tracks[::-1], how)[::-1]
        for i, track in enumerate(tracks):
            (alone,) = masks(strategy, bright_model(), slices, [track], how)
            assert alone.any()
            np.testing.assert_array_equal(together[i], alone)
            np.testing.assert_array_equal(backwards[i], alone)

    @pytest.mark.parametrize("zoom", ["off", "1.5"])
    def test_is_deterministic(self, strategy: VolumeStrategy, zoom: str) -> None:
        slices, tracks, _ = placed(self.prompts)
        model = bright_model()
        first = [
            (f.track, f.slice, f.decoded.logits, f.decoded.score)
            for f in strategy.run(model, slices, tracks, Zoom.parse(zoom))
        ]
        again = strategy.run(model, slices, tracks, Zoom.parse(zoom))
        for (track, slice_, logits, score), f in zip(first, again, strict=True):
            assert (track, slice_, score) == (f.track, f.slice, f.decoded.score)
            np.testing.assert_array_equal(logits, f.decoded.logits)

    @pytest.mark.parametrize(
        ("order", "flips"),
        [
            (o, f)
            for o, f in itertools.product(((0, 1, 2), (1, 0, 2)), itertools.product((False, True), repeat=3))
            if (o, f) != ((0, 1, 2), (False,) * 3)
        ],
    )
    def test_storage_does_not_matter(
        self, strategy: VolumeStrategy, order: tuple[int, ...], flips: tuple[bool, ...]
    ) -> None:
        geometry = Geometry(size_xyz=SHAPE[::-1], spacing_xyz_mm=(1, 2, 3))
        other = stored(geometry, order, flips)
        prompts = []
        for box in self.boxes:
            start, stop = [box[a] for a in order], [box[3 + a] for a in order]
            for axis, flip in enumerate(flips):
                if flip:
                    n = other.size_xyz[axis]
                    start[axis], stop[axis] = n - stop[axis], n - start[axis]
            prompts.append(Prompt(box=(*start, *stop)))
        expected_slices, tracks, view = placed(self.prompts, geometry=geometry)
        expected = masks(strategy, bright_model(), expected_slices, tracks)
        slices, tracks, other_view = placed(prompts, stored_array(volume(), order, flips), other)
        got = masks(strategy, bright_model(), slices, tracks)
        for mine, theirs in zip(got, expected, strict=True):
            on_file = stored_array(view.restore(theirs), order, flips)
            np.testing.assert_array_equal(other_view.restore(mine), on_file)

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:])
    def test_permuted_axes_change_no_dice(self, strategy: VolumeStrategy, order: tuple[int, ...]) -> None:
        """Slices run along the same axis of the body, wherever it is stored."""
        geometry = Geometry(size_xyz=SHAPE[::-1], spacing_xyz_mm=(1, 1, 2))
        expected = dices(strategy, volume(), geometry, self.boxes)
        other, flips = stored(geometry, order, (False,) * 3), (False,) * 3
        boxes = [(*(box[a] for a in order), *(box[3 + a] for a in order)) for box in self.boxes]
        axis = "xyz"[order.index(2)]
        got = dices(strategy, stored_array(volume(), order, flips), other, boxes, axis)
        np.testing.assert_allclose(got, expected, atol=0.02)

    def test_cropping_away_from_the_object_changes_no_dice(self, strategy: VolumeStrategy) -> None:
        """Two voxels around all objects, or many more: before, behind and beside them."""
        found: list[list[float]] = []
        for around in (((2, 2), (2, 2), (2, 2)), ((5, 4), (2, 6), (6, 12))):
            size = [n + sum(more) for n, more in zip(SHAPE, around, strict=True)]
            low = tuple(before for before, _ in around)
            array = np.random.default_rng(1).integers(0, 40, size, dtype=np.uint8)
            middle = tuple(slice(b, b + n) for b, n in zip(low, SHAPE, strict=True))
            geometry = Geometry(size_xyz=size[::-1], spacing_xyz_mm=(1, 1, 2))
            found.append([])
            for number, box in enumerate(self.boxes):
                array[middle] = volume(only=number)
                moved = tuple(v + low[2 - i % 3] for i, v in enumerate(box))
                found[-1] += dices(strategy, array, geometry, [moved])
        np.testing.assert_allclose(found[1], found[0], atol=0.02)

    def test_only_a_few_slices_are_alive(self, strategy: VolumeStrategy) -> None:
        slices, tracks, _ = placed(self.prompts)
        for _ in strategy.run(bright_model(), slices, tracks, OFF):
            pass
        assert slices.most_alive <= self.most_alive
        assert set(slices.made) == set(strategy.visits(tracks))
        assert max(slices.made.values()) <= 4

    def test_the_object_is_found_where_the_prompt_leaves_no_doubt(self, strategy: VolumeStrategy) -> None:
        slices, tracks, view = placed(self.prompts)
        array, index = volume(), np.indices(SHAPE)[::-1]
        for box, mask in zip(self.boxes, masks(strategy, bright_model(), slices, tracks), strict=True):
            inside = np.all(
                [(i >= lo) & (i < hi) for i, lo, hi in zip(index, box[:3], box[3:], strict=True)], axis=0
            )
            truth = inside & (array > 128)
            got = view.restore(mask)
            assert 2 * (got & truth).sum() / (got.sum() + truth.sum()) > 0.8

    def test_a_volume_of_one_slice(self, strategy: VolumeStrategy) -> None:
        slices, tracks, _ = placed([Prompt(box=(30, 4, 46, 18))], volume()[5:6])
        found = list(strategy.run(bright_model(), slices, tracks, OFF))
        assert [(f.track, f.slice) for f in found] == [(0, 0)]
        assert (found[0].decoded.logits > 0).any()

    def test_an_object_that_is_not_there_is_no_error(self, strategy: VolumeStrategy) -> None:
        slices, tracks, _ = placed(self.prompts, np.zeros(SHAPE, dtype=np.uint8))
        assert not any(m.any() for m in masks(strategy, bright_model(), slices, tracks))

    def test_no_object_no_result(self, strategy: VolumeStrategy) -> None:
        slices, _, _ = placed([])
        assert not strategy.visits([])
        assert list(strategy.run(bright_model(), slices, [], OFF)) == []

    def test_a_prompt_on_its_own_slice_counts(self, strategy: VolumeStrategy) -> None:
        """A later prompt is put to the model as it is, not overruled by what was carried there."""
        from anytomy.engine.frame import PlanePrompt

        engine = BrightEngine()
        slices, _, _ = placed([])
        boxes = {3: PlanePrompt(box=(6, 7, 24, 29)), 8: PlanePrompt(box=(9, 10, 20, 26))}
        model = bright_model(engine=engine)
        list(strategy.run(model, slices, [Track(dict(boxes), 2, 12)], OFF))
        frame = model.encode(slices[3]).frame
        asked = [coords.tolist() for coords, _ in engine.asked]
        for prompt in boxes.values():
            assert frame.tokens(prompt)[0][0].tolist() in asked
