from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.view import SliceView, axis_number
from tests.core.strategies import (
    STORAGES,
    geometries,
    numbered_voxels,
    rotation_about,
    rows,
    stored,
    stored_array,
)

AXES = ("x", "y", "z")


def views(geometry: Geometry) -> list[SliceView]:
    return [make(geometry, axis) for axis in AXES for make in (SliceView.canonical, SliceView.stored)]


class TestApply:
    @given(geometries())
    def test_restore_is_its_inverse(self, geometry: Geometry) -> None:
        array = numbered_voxels(geometry)
        for view in views(geometry):
            np.testing.assert_array_equal(view.restore(view.apply(array)), array)
            seen = np.arange(array.size).reshape(view.size[::-1])
            np.testing.assert_array_equal(view.apply(view.restore(seen)), seen)

    @given(geometries())
    def test_channels_stay_last(self, geometry: Geometry) -> None:
        colour = np.stack([numbered_voxels(geometry) + c for c in (0, 1000, 2000)], axis=-1)
        for view in views(geometry):
            seen = view.apply(colour)
            assert seen.shape == (*view.size[::-1], 3)
            np.testing.assert_array_equal(seen[..., 1], view.apply(colour[..., 1]))
            np.testing.assert_array_equal(view.restore(seen), colour)

    @given(geometries())
    def test_nothing_is_copied(self, geometry: Geometry) -> None:
        array = numbered_voxels(geometry)
        for view in views(geometry):
            assert np.shares_memory(view.apply(array), array)
            assert np.shares_memory(view.restore(view.apply(array)), array)

    def test_stored_slices_are_those_of_the_file(self) -> None:
        geometry = Geometry((3, 4, 5)).flip(0).flip(2)
        array = numbered_voxels(geometry)
        np.testing.assert_array_equal(SliceView.stored(geometry, "z").apply(array), array)
        np.testing.assert_array_equal(SliceView.stored(geometry, "y").apply(array)[1], array[:, 1, :])
        np.testing.assert_array_equal(SliceView.stored(geometry, "x").apply(array)[2], array[:, :, 2])

    def test_a_picture_is_seen_as_it_is(self) -> None:
        geometry = Geometry((7, 5, 1))
        array = numbered_voxels(geometry)
        np.testing.assert_array_equal(SliceView.canonical(geometry).apply(array), array)


class TestCoordinates:
    @given(geometries(), st.data())
    def test_a_voxel_is_where_its_point_goes(self, geometry: Geometry, data: st.DataObject) -> None:
        x, y, z = (data.draw(st.integers(0, n - 1)) for n in geometry.size_xyz)
        array = np.zeros(geometry.shape_zyx, dtype=bool)
        array[z, y, x] = True
        for view in views(geometry):
            column, row, slice_ = view.to_view((x, y, z))
            assert np.argwhere(view.apply(array)).tolist() == [[slice_, row, column]]

    @given(geometries(), st.data())
    def test_a_box_holds_the_same_voxels(self, geometry: Geometry, data: st.DataObject) -> None:
        start = [data.draw(st.integers(0, n - 1)) for n in geometry.size_xyz]
        stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, geometry.size_xyz, strict=True)]
        array = np.zeros(geometry.shape_zyx, dtype=bool)
        array[tuple(slice(a, b) for a, b in zip(start[::-1], stop[::-1], strict=True))] = True
        for view in views(geometry):
            c0, r0, s0, c1, r1, s1 = (int(v) for v in view.box_to_view([*start, *stop]))
            expected = np.zeros(view.size[::-1], dtype=bool)
            expected[s0:s1, r0:r1, c0:c1] = True
            np.testing.assert_array_equal(view.apply(array), expected)

    @given(geometries())
    def test_slice_numbers_go_there_and_back(self, geometry: Geometry) -> None:
        array = numbered_voxels(geometry)
        for axis, file_axis in (("x", 2), ("y", 1), ("z", 0)):
            for view in (SliceView.canonical(geometry, axis), SliceView.stored(geometry, axis)):
                for index in range(array.shape[file_axis]):
                    seen = view.apply(array)[view.slice_to_view(index)]
                    assert set(seen.flat) == set(array.take(index, file_axis).flat)
                    assert view.slice_to_view(view.slice_to_view(index)) == index

    @given(geometries(), st.sampled_from("xyz"))
    def test_points_go_there_and_back(self, geometry: Geometry, axis: str) -> None:
        view = SliceView.canonical(geometry, axis)
        points = np.random.default_rng(0).uniform(-1, 20, (4, 3))
        np.testing.assert_allclose(view.to_file(view.to_view(points)), points)
        np.testing.assert_allclose(view.to_view(view.to_file(points[0])), points[0])

    def test_many_points_at_once(self) -> None:
        view = SliceView.canonical(Geometry((4, 5, 6)).flip(1), "z")
        assert view.to_view(np.zeros((2, 3, 3))).shape == (2, 3, 3)
        assert view.to_view((1, 0, 2)).tolist() == [1, 4, 2]


class TestTheSameScanLooksTheSame:
    """Whatever the order and direction in which a scanner or converter wrote the axes."""

    @staticmethod
    def assert_same_view(geometry: Geometry) -> None:
        array = numbered_voxels(geometry)
        expected = [SliceView.canonical(geometry, axis).apply(array) for axis in AXES]
        for order, flips in STORAGES:
            other, other_array = stored(geometry, order, flips), stored_array(array, order, flips)
            for axis in range(3):
                seen = SliceView.canonical(other, order.index(axis)).apply(other_array)
                np.testing.assert_array_equal(seen, expected[axis])

    @settings(max_examples=25)
    @given(geometries())
    def test_in_all_48_storages_of_any_oblique_grid(self, geometry: Geometry) -> None:
        self.assert_same_view(geometry)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("degrees", [45, 135, 44.99999, 45.00001])
    def test_also_turned_by_45_degrees(self, axis: int, degrees: float) -> None:
        self.assert_same_view(Geometry((2, 3, 4), direction=rows(rotation_about(axis, degrees))))

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_also_with_float32_headers(self, axis: int) -> None:
        geometry = Geometry((2, 3, 4), (0.7, 0.7, 2.5), (-91.3, 12.7, 44), rows(rotation_about(axis, 45)))
        expected = SliceView.canonical(geometry, "z").apply(numbered_voxels(geometry))
        for order, flips in STORAGES:
            other = stored(geometry, order, flips)
            header = other.affine_ras.astype(np.float32)
            read = Geometry.from_affine(header, other.size_xyz, frame="RAS")
            array = stored_array(numbered_voxels(geometry), order, flips)
            seen = SliceView.canonical(read, order.index(2)).apply(array)
            np.testing.assert_array_equal(seen, expected)


class TestRadiologicalConvention:
    """A head whose sides are marked by one letter each, stored as NIfTI has it: right, front, head last."""

    SIZE = (5, 7, 9)

    def letters(self) -> tuple[Geometry, np.ndarray]:
        geometry = Geometry.from_affine(np.diag([2.0, 2.0, 3.0, 1.0]), self.SIZE, frame="RAS")
        head = np.full(geometry.shape_zyx, ".")
        head[4, 3, 0], head[4, 3, -1] = "L", "R"
        head[4, 0, 2], head[4, -1, 2] = "P", "A"
        head[0, 3, 2], head[-1, 3, 2] = "I", "S"
        return geometry, head

    def sides(self, axis: str, index: int) -> tuple[str, ...]:
        """Letters at the top, bottom, left and right of a picture."""
        geometry, head = self.letters()
        picture = SliceView.canonical(geometry, axis).apply(head)[index]
        row, column = picture.shape[0] // 2, picture.shape[1] // 2
        return picture[0, column], picture[-1, column], picture[row, 0], picture[row, -1]

    def test_axial_front_on_top_and_patient_left_at_the_right(self) -> None:
        assert self.sides("z", 4) == ("A", "P", "R", "L")

    def test_coronal_head_on_top_and_patient_left_at_the_right(self) -> None:
        assert self.sides("y", 3) == ("S", "I", "R", "L")

    def test_sagittal_head_on_top_and_front_at_the_left(self) -> None:
        assert self.sides("x", 2) == ("S", "I", "A", "P")

    def test_slices_are_counted_towards_left_back_and_head(self) -> None:
        geometry, head = self.letters()
        for axis, first, last in (("x", "R", "L"), ("y", "A", "P"), ("z", "I", "S")):
            seen = SliceView.canonical(geometry, axis).apply(head)
            assert first in seen[0]
            assert last in seen[-1]


class TestAxisNumber:
    def test_letters_and_numbers(self) -> None:
        assert [axis_number(a) for a in ("x", "Y", "z", 0, 1, 2)] == [0, 1, 2, 0, 1, 2]

    @pytest.mark.parametrize("axis", ["", "w", "xy", 3, -1, 1.0, None])
    def test_anything_else_is_refused(self, axis: object) -> None:
        with pytest.raises(OptionError, match="axis x, y or z"):
            axis_number(axis)  # type: ignore[arg-type]
