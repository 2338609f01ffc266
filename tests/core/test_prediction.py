from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.geometry import Geometry
from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from tests.core.strategies import geometries

views = st.tuples(geometries(), st.sampled_from("xyz"), st.booleans()).map(
    lambda args: (SliceView.canonical if args[2] else SliceView.stored)(args[0], args[1])
)


def random_mask(view: SliceView, seed: int, density: float = 0.3) -> tuple[ObjectMask, np.ndarray]:
    """An object and the dense reference (slice, row, column) of it."""
    dense = np.random.default_rng(seed).random(view.size[::-1]) < density
    mask = ObjectMask(view)
    for index, plane in enumerate(dense):
        mask.set(index, plane)
    return mask, dense


seeds = st.integers(0, 2**32 - 1)
densities = st.sampled_from([0.0, 0.05, 0.5, 1.0])


class TestObjectMask:
    @given(views, seeds, densities)
    def test_is_the_dense_mask_under_any_view(self, view: SliceView, seed: int, density: float) -> None:
        mask, dense = random_mask(view, seed, density)
        np.testing.assert_array_equal(mask.expand(), view.restore(dense))
        for index, plane in enumerate(dense):
            np.testing.assert_array_equal(mask.get(index), plane)
        assert mask.slices == tuple(np.flatnonzero(dense.any(axis=(1, 2))))
        assert mask.voxels == dense.sum()

    @given(views, seeds, densities)
    def test_its_crop_is_the_smallest_part_that_holds_it(
        self, view: SliceView, seed: int, density: float
    ) -> None:
        mask, dense = random_mask(view, seed, density)
        (x, y, z), crop = mask.crop()
        whole = np.zeros_like(view.restore(dense))
        whole[z : z + crop.shape[0], y : y + crop.shape[1], x : x + crop.shape[2]] = crop
        np.testing.assert_array_equal(whole, view.restore(dense))
        ends = [crop.any(axis=axes)[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1)) if dense.any()]
        assert np.all(ends)
        assert crop.size or not dense.any()

    @given(views, seeds, seeds)
    def test_setting_again_replaces(self, view: SliceView, first: int, second: int) -> None:
        mask, _ = random_mask(view, first)
        _, dense = random_mask(view, second, density=0.1)
        for index, plane in enumerate(dense):
            mask.set(index, plane)
        np.testing.assert_array_equal(mask.expand(), view.restore(dense))

    def test_a_part_is_set_as_the_whole_is(self) -> None:
        view = SliceView.stored(Geometry(size_xyz=(30, 20, 2)))
        whole = np.zeros((20, 30), bool)
        whole[6:9, 11:20] = np.random.default_rng(0).random((3, 9)) < 0.5
        mask = ObjectMask(view)
        mask.set(1, whole[4:12, 9:25], top=4, left=9)
        np.testing.assert_array_equal(mask.get(1), whole)
        assert mask.voxels == whole.sum()

    def test_the_given_array_may_change_afterwards(self) -> None:
        view = SliceView.stored(Geometry((4, 3, 2)))
        plane = np.ones((3, 4), bool)
        mask = ObjectMask(view)
        mask.set(1, plane)
        plane[:] = False
        assert mask.voxels == 12
        mask.get(1)[:] = False
        assert mask.voxels == 12

    def test_a_small_object_in_a_large_volume_stays_small(self) -> None:
        view = SliceView.stored(Geometry((512, 512, 300)))
        mask = ObjectMask(view)
        plane = np.zeros((512, 512), bool)
        plane[100:140, 200:240] = True
        for index in range(20):
            mask.set(index, plane)
        assert sum(bits.nbytes for *_, bits in mask._parts.values()) == 20 * 40 * 40 / 8
        assert mask.get(299).sum() == 0


class TestMaskStack:
    @given(geometries(), st.lists(seeds, max_size=3))
    def test_behaves_as_the_dense_stack(self, geometry: Geometry, some: list[int]) -> None:
        view = SliceView.canonical(geometry)
        pairs = [random_mask(view, seed) for seed in some]
        stack = MaskStack([m for m, _ in pairs], is_volume=True, shape_zyx=geometry.shape_zyx)
        dense = np.zeros((len(some), *geometry.shape_zyx), bool)
        for i, (_, one) in enumerate(pairs):
            dense[i] = view.restore(one)
        assert stack.shape == dense.shape
        assert stack.dtype == dense.dtype
        assert len(stack) == len(some)
        np.testing.assert_array_equal(np.asarray(stack), dense)
        for one, expected in zip(stack, dense, strict=True):
            np.testing.assert_array_equal(one, expected)
        if some:
            np.testing.assert_array_equal(stack[-1], dense[-1])
            np.testing.assert_array_equal(stack[0, 0], dense[0, 0])
            np.testing.assert_array_equal(stack[np.int64(0), ..., 0], dense[0, ..., 0])
            np.testing.assert_array_equal(stack[:1], dense[:1])
            np.testing.assert_array_equal(stack[:, 0], dense[:, 0])

    def test_masks_of_a_picture_have_two_axes(self) -> None:
        geometry = Geometry((5, 4, 1))
        mask, dense = random_mask(SliceView.canonical(geometry), 1)
        stack = MaskStack([mask], is_volume=False, shape_zyx=geometry.shape_zyx)
        assert stack.shape == (1, 4, 5)
        np.testing.assert_array_equal(stack[0], dense[0])

    def test_as_numbers(self) -> None:
        geometry = Geometry((5, 4, 3))
        mask, dense = random_mask(SliceView.stored(geometry), 2)
        stack = MaskStack([mask, mask], is_volume=True, shape_zyx=geometry.shape_zyx)
        as_bytes = np.asarray(stack, dtype=np.uint8)
        assert as_bytes.dtype == np.uint8
        assert as_bytes.sum() == 2 * dense.sum()

    def test_there_is_no_array_without_a_copy(self) -> None:
        stack = MaskStack([], is_volume=True, shape_zyx=(3, 4, 5))
        assert np.array(stack).shape == (0, 3, 4, 5)
        with pytest.raises(ValueError, match="always a copy"):
            np.array(stack, copy=False)

    def test_an_object_that_is_not_there(self) -> None:
        with pytest.raises(IndexError):
            MaskStack([], is_volume=True, shape_zyx=(3, 4, 5))[0]


def test_a_prediction_names_its_objects() -> None:
    prompts = (Prompt(points=((1, 2),), id=3), Prompt(points=((1, 2),), id=1, name="liver"))
    prediction = Prediction(
        geometry=Geometry((5, 4, 1)),
        is_volume=False,
        masks=MaskStack([], is_volume=False, shape_zyx=(1, 4, 5)),
        label_map=np.zeros((4, 5), np.uint8),
        prompts=prompts,
        scores=(0.5, 0.6),
    )
    assert prediction.ids == (3, 1)
    assert prediction.names == ("object 3", "liver")
