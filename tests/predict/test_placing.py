"""Prompts on a file's grid become prompts on the slices that a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import PromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track, place
from tests.core.strategies import FLIPS, ORDERS, geometries, stored, stored_array

SIZE = (8, 7, 6)  # x, y, z
LPS = Geometry(size_xyz=SIZE)  # nothing is turned in its axial view
VOLUME = Image.from_array(np.zeros(SIZE[::-1], np.uint8), is_volume=True)
PICTURE = Image.from_array(np.zeros((7, 8), np.uint8))
ONE_SLICE = Image.from_array(np.zeros((1, 7, 8), np.uint8), is_volume=True)


def put(image: Image, axis: str = "z", **prompt: Any) -> Track:
    return place(image, Prompt(**prompt), SliceView.canonical(image.geometry, axis), axis)


def flat(prompts: dict[int, PlanePrompt]) -> dict[int, Any]:
    """Comparable values."""
    return {
        s: (p.box, sorted(zip(p.points, p.labels, strict=True)), None if p.mask is None else p.mask.tolist())
        for s, p in prompts.items()
    }


class TestPictures:
    def test_box_points_and_mask(self) -> None:
        mask = np.eye(7, 8, dtype=bool)
        track = put(PICTURE, box=(1, 2, 5, 6), points=((3, 4), (0, 0)), labels=(1, 0), mask=mask)
        assert (track.start, track.stop, track.middle) == (0, 1, 0)
        assert flat(track.prompts) == {0: ((1, 2, 5, 6), [((0, 0), 0), ((3, 4), 1)], mask.tolist())}

    @pytest.mark.parametrize("words", [{"slice": 0}, {"z": (0, 1)}, {"slice": 0, "z": (0, 1)}])
    def test_the_only_slice_may_be_named(self, words: Any) -> None:
        assert put(PICTURE, box=(1, 2, 5, 6), **words).prompts[0].box == (1, 2, 5, 6)

    def test_a_mask_may_have_the_slice_axis(self) -> None:
        mask = np.eye(7, 8, dtype=bool)
        got = put(PICTURE, mask=mask[None]).prompts[0].mask
        np.testing.assert_array_equal(got, mask)

    @pytest.mark.parametrize(
        ("prompt", "message"),
        [
            ({"box": (1, 2, 0, 5, 6, 1)}, "3D box, but image is a single picture; give x0,y0,x1,y1"),
            ({"points": ((1, 2, 0),)}, "3D points, but image is a single picture; give x,y"),
            ({"box": (1, 2, 5, 6), "slice": 1}, "names a slice, but image is a single picture"),
            ({"box": (1, 2, 5, 6), "z": (0, 2)}, "names a slice, but image is a single picture"),
        ],
    )
    def test_words_of_volumes_are_refused(self, prompt: Any, message: str) -> None:
        with pytest.raises(PromptError) as caught:
            put(PICTURE, **prompt)
        assert message in str(caught.value)


class TestVolumes:
    def test_a_3d_box_is_asked_on_its_middle_slice(self) -> None:
        for z0, z1, middle in ((0, 6, 2), (1, 6, 3), (2, 4, 2), (3, 4, 3)):
            track = put(VOLUME, box=(1, 2, z0, 5, 6, z1))
            assert (track.start, track.stop, track.middle) == (z0, z1, middle)
            assert flat(track.prompts) == {middle: ((1, 2, 5, 6), [], None)}

    def test_fractions_of_slices_are_reached(self) -> None:
        track = put(VOLUME, box=(1, 2, 1.4, 5, 6, 3.2))
        assert (track.start, track.stop) == (1, 4)

    def test_a_flat_box_stays_on_its_slice_without_a_range(self) -> None:
        track = put(VOLUME, box=(1, 2, 5, 6), slice=4)
        assert (track.start, track.stop, track.middle) == (4, 5, 4)
        assert track.prompts[4].box == (1, 2, 5, 6)

    def test_a_range_is_half_open(self) -> None:
        track = put(VOLUME, box=(1, 2, 5, 6), slice=4, z=(2, 5))
        assert (track.start, track.stop, track.middle) == (2, 5, 4)
        assert set(track.prompts) == {4}

    def test_3d_points_are_asked_on_their_slices(self) -> None:
        track = put(VOLUME, points=((1, 2, 1), (3, 4, 4), (5, 6, 4)), labels=(1, 1, 0))
        assert (track.start, track.stop) == (1, 5)
        assert flat(track.prompts) == {
            1: (None, [((1, 2), 1)], None),
            4: (None, [((3, 4), 1), ((5, 6), 0)], None),
        }
        assert track.middle == 1  # nearest to the centre of 1 to 4, the lower of two

    def test_points_in_a_3d_box_have_the_box_too(self) -> None:
        track = put(VOLUME, box=(1, 2, 0, 5, 6, 6), points=((3, 4, 5),))
        assert flat(track.prompts) == {
            2: ((1, 2, 5, 6), [], None),
            5: ((1, 2, 5, 6), [((3, 4), 1)], None),
        }

    def test_flat_points_and_box_share_the_slice(self) -> None:
        track = put(VOLUME, box=(1, 2, 5, 6), points=((3, 4),), slice=3)
        assert flat(track.prompts) == {3: ((1, 2, 5, 6), [((3, 4), 1)], None)}

    def test_a_flat_box_with_3d_points(self) -> None:
        track = put(VOLUME, box=(1, 2, 5, 6), points=((3, 4, 5),), slice=3)
        assert flat(track.prompts) == {3: ((1, 2, 5, 6), [], None), 5: (None, [((3, 4), 1)], None)}
        assert (track.start, track.stop) == (3, 6)

    def test_masks_of_a_slice_and_of_the_volume(self) -> None:
        mask = np.zeros(SIZE[::-1], dtype=bool)
        mask[2, 3, 4] = mask[4, 1, 1] = True
        track = put(VOLUME, mask=mask)
        assert (track.start, track.stop) == (2, 5)
        assert set(track.prompts) == {2, 4}
        one = put(VOLUME, mask=mask[2], slice=2)
        np.testing.assert_array_equal(one.prompts[2].mask, track.prompts[2].mask)
        assert (one.start, one.stop) == (2, 3)

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_flat_prompts_run_along_the_other_axes_lower_first(self, axis: str) -> None:
        """The view of x and y slices has the head (the last z) on top."""
        across = "xyz".index(axis)
        first, second = (a for a in range(3) if a != across)
        mask = np.zeros((SIZE[second], SIZE[first]), dtype=bool)
        mask[1, 2] = True  # row along z, column along the lower axis
        track = put(VOLUME, axis, box=(1, 2, 4, 5), points=((2, 1),), mask=mask, slice=3, z=(1, 5))
        n = SIZE[second]
        (prompt,) = track.prompts.values()
        assert list(track.prompts) == [3]
        assert (track.start, track.stop) == (1, 5)
        assert prompt.box == (1, n - 5, 4, n - 2)
        assert prompt.points == ((2, n - 1 - 1),)
        assert prompt.mask is not None
        assert np.argwhere(prompt.mask).tolist() == [[n - 2, 2]]

    @pytest.mark.parametrize("axis", ["x", "y", "z"])
    def test_a_3d_box_across_any_axis(self, axis: str) -> None:
        box = (1, 2, 1, 5, 6, 4)
        across = "xyz".index(axis)
        track = put(VOLUME, axis, box=box)
        assert (track.start, track.stop) == (box[across], box[3 + across])
        assert track.middle == box[across] + (box[3 + across] - 1 - box[across]) // 2

    def test_one_slice_needs_no_naming(self) -> None:
        for prompt in ({"box": (1, 2, 5, 6)}, {"points": ((1, 2),)}, {"mask": np.eye(7, 8, dtype=bool)}):
            track = put(ONE_SLICE, **prompt)
            assert (track.start, track.stop, list(track.prompts)) == (0, 1, [0])
        assert put(ONE_SLICE, box=(1, 2, 0, 5, 6, 1)).prompts[0].box == (1, 2, 5, 6)

    def test_points_half_way_between_slices_and_at_the_ends_stay_inside(self) -> None:
        for z in (-0.5, 0, 0.5, 2.5, 4.999, 5.5):
            (slice_,) = put(VOLUME, points=((1, 2, z),)).prompts
            assert 0 <= slice_ < 6
            assert abs(slice_ - z) <= 0.5


class TestRefusals:
    @pytest.mark.parametrize(
        ("prompt", "message"),
        [
            ({"box": (1, 2, 5, 6)}, "two-dimensional, but image is a volume of 6 slices along z; say which"),
            ({"points": ((1, 2),)}, "--slice 0 to 5"),
            ({"mask": np.eye(7, 8)}, "is two-dimensional"),
            ({"box": (1, 2, 0, 5, 6, 6), "slice": 1}, "3D box and a slice or z range as well"),
            ({"box": (1, 2, 0, 5, 6, 6), "z": (0, 2)}, "3D box and a slice or z range as well"),
            ({"box": (1, 2, 0, 5, 6, 6), "points": ((1, 2),)}, "give points as x,y,z"),
            ({"box": (1, 2, 0, 5, 6, 6), "mask": np.eye(7, 8)}, "mask of the whole volume"),
            ({"box": (-1, 2, 5, 6), "slice": 1}, "from -1 to 5 along x, outside of image, which has 0 to 8"),
            ({"box": (1, 2, 5, 7.5), "slice": 1}, "from 2 to 7.5 along y"),
            ({"box": (1, 2, 0, 5, 6, 7)}, "from 0 to 7 along z"),
            ({"points": ((8, 2),), "slice": 1}, "point 8,2 is outside of image along x, which has 0 to 7"),
            ({"points": ((1, 2, 5.6),)}, "outside of image along z, which has 0 to 5"),
            ({"box": (1, 2, 5, 6), "slice": 6}, "there is no slice 6 in image; slices along z are 0 to 5"),
            ({"box": (1, 2, 5, 6), "slice": -1}, "there is no slice -1"),
            ({"box": (1, 2, 5, 6), "slice": 1, "z": (0, 7)}, "the z range 0,7 is outside of image"),
            ({"box": (1, 2, 5, 6), "slice": 1, "z": (-1, 3)}, "the z range -1,3 is outside"),
            ({"points": ((1, 2, 1), (1, 2, 4)), "z": (0, 3)}, "mask in slice 4, outside of its own range"),
            ({"box": (1, 2, 0, 5, 6, 3), "points": ((1, 2, 4),)}, "in slice 4, outside of its own range"),
            (
                {"points": ((1, 2, 4), (3, 3, 4), (1, 2, 4)), "labels": (1, 1, 0)},
                "1,2,4 is both inside and outside of the object; leave one of them out",
            ),
            ({"mask": np.eye(8, 7), "slice": 1}, "shape (8, 7), expected (6, 7, 8) (z, y, x) or one slice"),
            ({"mask": np.ones((3, 7, 8))}, "has a mask of shape (3, 7, 8)"),
            ({"mask": np.zeros((6, 7, 8))}, "has a mask that is empty"),
            ({"mask": np.zeros((7, 8)), "slice": 2}, "has a mask that is empty"),
        ],
    )  # fmt: skip
    def test_messages(self, prompt: Any, message: str) -> None:
        with pytest.raises(PromptError) as caught:
            put(VOLUME, name="liver", **prompt)
        assert message in str(caught.value)
        assert str(caught.value).startswith("liver")
        assert "\n" not in str(caught.value)

    def test_slices_are_named_as_the_file_counts_them(self) -> None:
        image = Image.from_array(np.zeros(SIZE[::-1], np.uint8), is_volume=True, geometry=LPS.flip(2))
        with pytest.raises(PromptError, match="in slice 4, outside"):
            put(image, points=((1, 2, 1), (1, 2, 4)), z=(0, 3))


def moved(prompt: Prompt, size: Any, order: Any, flips: Any) -> Prompt:
    """A 3D prompt on a grid that is stored in another way."""
    new_size = [size[a] for a in order]
    box = None
    if prompt.box is not None:
        start, stop = [prompt.box[a] for a in order], [prompt.box[3 + a] for a in order]
        for a, flip in enumerate(flips):
            if flip:
                start[a], stop[a] = new_size[a] - stop[a], new_size[a] - start[a]
        box = (*start, *stop)
    points = tuple(
        tuple(new_size[a] - 1 - p[o] if flips[a] else p[o] for a, o in enumerate(order))
        for p in prompt.points
    )
    mask = None if prompt.mask is None else stored_array(prompt.mask, order, flips)
    return Prompt(box=box, points=points, labels=prompt.labels, mask=mask)


def random_prompt(geometry: Geometry, kinds: tuple[str, ...], seed: int) -> Prompt:
    """A 3D prompt; points lie on voxel centres and half way between them."""
    rng = np.random.default_rng(seed)
    size = np.array(geometry.size_xyz)
    low = rng.integers(0, size)
    high = rng.integers(low, size) + 1
    points = rng.integers(2 * low, 2 * high - 1, (rng.integers(1, 4), 3)) / 2
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[tuple(slice(lo, hi) for lo, hi in zip(low[::-1], high[::-1], strict=True))] = True
    return Prompt(
        box=(*low, *high) if "box" in kinds else None,
        points=tuple(map(tuple, points)) if "points" in kinds else (),
        mask=mask if "mask" in kinds else None,
    )


KINDS = (("points",), ("box",), ("mask",), ("box", "points"), ("points", "mask"), ("box", "points", "mask"))
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("kinds", KINDS)
@given(geometries(), st.sampled_from(ORDERS), st.sampled_from(FLIPS), st.sampled_from("xyz"), seeds)
def test_storage_does_not_matter(
    kinds: tuple[str, ...], geometry: Geometry, order: Any, flips: Any, axis: str, seed: int
) -> None:
    """However a scan is stored, the model is shown and asked the same."""
    size = geometry.size_xyz
    prompt = random_prompt(geometry, kinds, seed)
    array = np.zeros(geometry.shape_zyx, np.uint8)
    other = stored(geometry, order, flips)
    here = Image.from_array(array, is_volume=True, geometry=geometry)
    there = Image.from_array(np.zeros(other.shape_zyx, np.uint8), is_volume=True, geometry=other)
    new_axis = "xyz"[order.index("xyz".index(axis))]
    first = place(here, prompt, SliceView.canonical(geometry, axis), axis)
    second = place(there, moved(prompt, size, order, flips), SliceView.canonical(other, new_axis), new_axis)
    assert (first.start, first.stop, first.middle) == (second.start, second.stop, second.middle)
    assert flat(first.prompts) == flat(second.prompts)


@given(st.sampled_from(FLIPS), st.sampled_from("xyz"), st.data())
def test_flat_prompts_on_a_flipped_file(flips: Any, axis: str, data: Any) -> None:
    across = "xyz".index(axis)
    plane = [a for a in range(3) if a != across]
    low = [data.draw(st.integers(0, SIZE[a] - 1)) for a in plane]
    high = [data.draw(st.integers(lo + 1, SIZE[a])) for lo, a in zip(low, plane, strict=True)]
    start = data.draw(st.integers(0, SIZE[across] - 1))
    stop = data.draw(st.integers(start + 1, SIZE[across]))
    slice_ = data.draw(st.integers(start, stop - 1))
    mask = np.zeros([SIZE[a] for a in plane[::-1]], dtype=bool)
    mask[low[1] : high[1], low[0]] = True
    geometry, n = LPS, SIZE[across]
    box = [low.copy(), high.copy()]
    point = low.copy()
    flipped_mask, flipped_range, flipped_slice = mask, (start, stop), slice_
    for a, flip in enumerate(flips):
        if not flip:
            continue
        geometry = geometry.flip(a)
        if a == across:
            flipped_range, flipped_slice = (n - stop, n - start), n - 1 - slice_
        else:
            i = plane.index(a)
            box[0][i], box[1][i] = SIZE[a] - high[i], SIZE[a] - low[i]
            point[i] = SIZE[a] - 1 - low[i]
            flipped_mask = np.flip(flipped_mask, 1 - i)
    there = Image.from_array(np.zeros(SIZE[::-1], np.uint8), is_volume=True, geometry=geometry)
    first = put(
        VOLUME, axis, box=(*low, *high), points=(tuple(low),), mask=mask, slice=slice_, z=(start, stop)
    )
    second = put(
        there, axis, box=(*box[0], *box[1]), points=(tuple(point),), mask=flipped_mask,
        slice=flipped_slice, z=flipped_range,
    )  # fmt: skip
    assert (first.start, first.stop, first.middle) == (second.start, second.stop, second.middle)
    assert flat(first.prompts) == flat(second.prompts)
