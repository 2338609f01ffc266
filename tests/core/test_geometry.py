from __future__ import annotations

import nibabel
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anytomy.core.errors import GeometryError
from anytomy.core.geometry import Geometry
from tests.core.strategies import (
    FLIPS,
    ORDERS,
    STORAGES,
    geometries,
    numbered_voxels,
    places,
    rotation_about,
    rows,
    stored,
    stored_array,
)

points = st.lists(st.tuples(*[st.floats(-300, 300)] * 3), min_size=1, max_size=5).map(np.array)


class TestAffine:
    @given(geometries(), st.sampled_from(["LPS", "RAS"]))
    def test_round_trip_in_either_frame(self, geometry: Geometry, frame: str) -> None:
        affine = geometry.affine_lps if frame == "LPS" else geometry.affine_ras
        again = Geometry.from_affine(affine, geometry.size_xyz, frame=frame)
        np.testing.assert_allclose(again.affine_lps, geometry.affine_lps, atol=1e-9)
        assert again.is_close(geometry, rtol=1e-12)

    @given(geometries())
    def test_the_frames_differ_by_the_sign_of_the_first_two_rows(self, geometry: Geometry) -> None:
        expected = geometry.affine_lps * np.array([[-1], [-1], [1], [1]])
        np.testing.assert_array_equal(geometry.affine_ras, expected)

    @given(geometries())
    def test_float32_headers_are_accepted_and_kept(self, geometry: Geometry) -> None:
        rounded = geometry.affine_ras.astype(np.float32)
        again = Geometry.from_affine(rounded, geometry.size_xyz, frame="RAS")
        np.testing.assert_allclose(again.affine_ras, rounded, rtol=1e-12, atol=1e-9)
        assert again.is_close(geometry)

    @given(geometries())
    def test_it_says_where_each_voxel_is(self, geometry: Geometry) -> None:
        z, y, x = np.indices(geometry.shape_zyx)
        found = geometry.to_physical(np.stack([x, y, z], axis=-1))
        np.testing.assert_allclose(found, places(geometry), atol=1e-9)

    @given(geometries(), points)
    def test_to_index_inverts_to_physical(self, geometry: Geometry, index: np.ndarray) -> None:
        np.testing.assert_allclose(geometry.to_index(geometry.to_physical(index)), index, atol=1e-6)

    def test_points_may_have_any_leading_axes(self) -> None:
        geometry = Geometry((3, 4, 5), spacing_xyz_mm=(1, 2, 3), origin_lps_mm=(10, 20, 30))
        assert geometry.to_physical((1, 1, 1)).tolist() == [11, 22, 33]
        assert geometry.to_index((11, 22, 33)).tolist() == [1, 1, 1]
        assert geometry.to_index(np.zeros((2, 7, 3))).shape == (2, 7, 3)
        assert geometry.to_index(np.zeros((0, 3))).shape == (0, 3)

    def test_array_order_is_the_reverse_of_index_order(self) -> None:
        geometry = Geometry((3, 4, 5), spacing_xyz_mm=(0.5, 1, 2))
        assert geometry.shape_zyx == (5, 4, 3)
        assert geometry.spacing_zyx_mm == (2, 1, 0.5)


class TestRefusals:
    @given(geometries(), st.floats(2e-3, 0.9), st.permutations(range(3)))
    def test_shear(self, geometry: Geometry, amount: float, axes: list[int]) -> None:
        affine = geometry.affine_lps
        affine[:3, axes[0]] += (
            amount
            * affine[:3, axes[1]]
            / np.linalg.norm(affine[:3, axes[1]])
            * (np.linalg.norm(affine[:3, axes[0]]))
        )
        with pytest.raises(GeometryError, match="sheared"):
            Geometry.from_affine(affine, geometry.size_xyz)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"size_xyz": (0, 1, 1)},
            {"size_xyz": (3, 3)},
            {"spacing_xyz_mm": (1.0, 0.0, 1.0)},
            {"spacing_xyz_mm": (1.0, -1.0, 1.0)},
            {"spacing_xyz_mm": (1.0, float("nan"), 1.0)},
            {"spacing_xyz_mm": (1.0, 1.0)},
            {"origin_lps_mm": (0.0, float("inf"), 0.0)},
            {"origin_lps_mm": (0.0, 0.0)},
            {"direction": ((1, 0), (0, 1))},
            {"direction": ((2, 0, 0), (0, 1, 0), (0, 0, 1))},
            {"direction": ((1, 0, 0), (1, 0, 0), (0, 0, 1))},
            {"direction": ((float("nan"), 0, 0), (0, 1, 0), (0, 0, 1))},
        ],
        ids=str,
    )
    def test_values_that_are_no_grid(self, wrong: dict[str, object]) -> None:
        with pytest.raises(GeometryError, match="expected"):
            Geometry(**{"size_xyz": (2, 2, 2), **wrong})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "affine",
        [np.eye(3), np.diag([1, 0, 1, 1]), np.full((4, 4), np.nan), np.ones((4, 4))],
        ids=["3 x 3", "an axis of no length", "NaN", "three times the same axis"],
    )
    def test_affines_that_are_no_grid(self, affine: np.ndarray) -> None:
        with pytest.raises(GeometryError, match="expected"):
            Geometry.from_affine(affine, (2, 2, 2))

    @pytest.mark.parametrize(
        ("start", "stop"), [((-1, 0, 0), (2, 2, 2)), ((0, 0, 0), (2, 3, 4)), ((1, 1, 1), (1, 2, 2))]
    )
    def test_crops_that_leave_the_grid(self, start: tuple[int, ...], stop: tuple[int, ...]) -> None:
        with pytest.raises(GeometryError, match="crop inside"):
            Geometry((2, 3, 3)).crop(start, stop)

    def test_negative_padding_and_unknown_orders(self) -> None:
        with pytest.raises(GeometryError, match="zero or more"):
            Geometry((2, 2, 2)).pad((0, -1, 0), (0, 0, 0))
        with pytest.raises(GeometryError, match="order of the axes"):
            Geometry((2, 2, 2)).permute((0, 1, 1))


class TestDerivedGridsKeepEveryVoxelInPlace:
    """Each grid is compared with the places that its voxels had before, moved as the array is moved."""

    @given(geometries(), st.data())
    def test_crop(self, geometry: Geometry, data: st.DataObject) -> None:
        start = [data.draw(st.integers(0, n - 1)) for n in geometry.size_xyz]
        stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, geometry.size_xyz, strict=True)]
        (x0, y0, z0), (x1, y1, z1) = start, stop
        cropped = geometry.crop(start, stop)
        np.testing.assert_allclose(places(cropped), places(geometry)[z0:z1, y0:y1, x0:x1], atol=1e-9)

    @given(geometries(), st.tuples(*[st.integers(0, 4)] * 3), st.tuples(*[st.integers(0, 4)] * 3))
    def test_pad_and_crop_back(
        self, geometry: Geometry, before: tuple[int, ...], after: tuple[int, ...]
    ) -> None:
        padded = geometry.pad(before, after)
        x, y, z = before
        nx, ny, nz = geometry.size_xyz
        inside = places(padded)[z : z + nz, y : y + ny, x : x + nx]
        np.testing.assert_allclose(inside, places(geometry), atol=1e-9)
        assert padded.shape_zyx == tuple(
            np.pad(numbered_voxels(geometry), [(z, after[2]), (y, after[1]), (x, after[0])]).shape
        )
        back = padded.crop(before, np.add(before, geometry.size_xyz))
        assert back.is_close(geometry, rtol=1e-12)

    @given(geometries(), st.sampled_from(ORDERS), st.sampled_from(FLIPS))
    def test_flip_and_permute(
        self, geometry: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]
    ) -> None:
        moved = stored(geometry, order, flips)
        expected = np.stack([stored_array(places(geometry)[..., c], order, flips) for c in range(3)], axis=-1)
        np.testing.assert_allclose(places(moved), expected, atol=1e-9)

    @given(geometries(), st.integers(0, 2))
    def test_flipping_twice_changes_nothing(self, geometry: Geometry, axis: int) -> None:
        assert geometry.flip(axis).flip(axis).is_close(geometry, rtol=1e-12)

    @given(geometries(), st.sampled_from(ORDERS), st.sampled_from(ORDERS))
    def test_permutations_compose_and_invert(
        self, geometry: Geometry, first: tuple[int, ...], second: tuple[int, ...]
    ) -> None:
        both = tuple(first[j] for j in second)
        assert geometry.permute(first).permute(second) == geometry.permute(both)
        assert geometry.permute(first).permute(np.argsort(first)) == geometry

    def test_a_grid_is_a_value(self) -> None:
        one, two = Geometry((2, 3, 4)), Geometry([2, 3, 4], np.ones(3), np.zeros(3), np.eye(3))  # type: ignore[arg-type]
        assert one == two
        assert hash(one) == hash(two)


class TestIsClose:
    @given(geometries())
    def test_noise_of_rounding_is_the_same_grid(self, geometry: Geometry) -> None:
        noisy = Geometry.from_affine(geometry.affine_lps.astype(np.float32), geometry.size_xyz)
        assert geometry.is_close(noisy)
        assert noisy.is_close(geometry)

    @given(geometries(), st.integers(0, 2))
    def test_a_tenth_of_a_voxel_is_another_grid(self, geometry: Geometry, axis: int) -> None:
        shift = np.zeros(3)
        shift[axis] = 0.1
        affine = geometry.affine_lps
        affine[:3, 3] = geometry.to_physical(shift)
        assert not geometry.is_close(Geometry.from_affine(affine, geometry.size_xyz))

    @given(geometries(), st.integers(0, 2))
    def test_so_is_the_mirrored_one(self, geometry: Geometry, axis: int) -> None:
        assume(geometry.size_xyz[axis] > 1)
        assert not geometry.is_close(geometry.flip(axis))

    def test_so_is_one_of_another_size_or_spacing(self) -> None:
        geometry = Geometry((3, 4, 5))
        assert not geometry.is_close(Geometry((3, 4, 6)))
        assert not geometry.is_close(Geometry((3, 4, 5), spacing_xyz_mm=(1, 1, 1.001)))

    def test_thickness_of_a_single_slice_does_not_matter(self) -> None:
        assert Geometry((3, 4, 1)).is_close(Geometry((3, 4, 1), spacing_xyz_mm=(1, 1, 5)))


class TestOrientation:
    @pytest.mark.parametrize(("order", "flips"), STORAGES)
    def test_agrees_with_nibabel_in_all_48_storages(
        self, order: tuple[int, ...], flips: tuple[bool, ...]
    ) -> None:
        tilted = rows(rotation_about(0, 12) @ rotation_about(1, -9) @ rotation_about(2, 20))
        geometry = stored(Geometry((3, 4, 5), (0.5, 0.7, 3.0), (1, 2, 3), tilted), order, flips)
        assert geometry.orientation == "".join(nibabel.aff2axcodes(geometry.affine_ras))

    @given(geometries(max_degrees=20))
    def test_agrees_with_nibabel_on_tilted_grids(self, geometry: Geometry) -> None:
        assert geometry.orientation == "".join(nibabel.aff2axcodes(geometry.affine_ras))

    def test_letters_say_where_the_axes_point_to(self) -> None:
        assert Geometry((2, 2, 2)).orientation == "LPS"
        assert Geometry.from_affine(np.eye(4), (2, 2, 2), frame="RAS").orientation == "RAS"
        assert Geometry((2, 2, 2)).permute((1, 2, 0)).orientation == "PSL"
        assert Geometry((2, 2, 2)).flip(2).orientation == "LPI"

    @given(geometries())
    def test_every_patient_axis_is_taken_once(self, geometry: Geometry) -> None:
        assert sorted(geometry.nearest_axes) == [0, 1, 2]

    @settings(max_examples=25)
    @given(geometries())
    def test_does_not_depend_on_storage(self, geometry: Geometry) -> None:
        for order, flips in STORAGES:
            nearest = stored(geometry, order, flips).nearest_axes
            assert nearest == tuple(geometry.nearest_axes[j] for j in order)

    @pytest.mark.parametrize("delta", [0, 1e-9, -1e-9, 1e-7, -1e-7, 1e-6, 1e-5, -1e-5, 1e-4, 1e-3, -1e-3])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("tilt", [0.0, 1e-6, 30.0])
    def test_does_not_depend_on_storage_near_45_degrees(self, axis: int, delta: float, tilt: float) -> None:
        turned = rotation_about(axis, 45 + delta) @ rotation_about((axis + 1) % 3, tilt)
        geometry = Geometry((3, 4, 5), direction=rows(turned))
        for order, flips in STORAGES:
            other = stored(geometry, order, flips)
            assert other.nearest_axes == tuple(geometry.nearest_axes[j] for j in order)
            rounded = Geometry.from_affine(other.affine_ras.astype(np.float32), other.size_xyz, frame="RAS")
            if delta == 0 and tilt == 0.0:
                assert rounded.nearest_axes == other.nearest_axes


@pytest.mark.shared
def test_real_headers_round_trip(shared) -> None:  # type: ignore[no-untyped-def]
    files = sorted((shared / "data").glob("*/**/*.nii.gz"))
    assert files
    for file in files[:: max(len(files) // 60, 1)]:
        image = nibabel.load(file)
        size = (*image.shape[:3], 1, 1)[:3]
        geometry = Geometry.from_affine(image.affine, size, frame="RAS")
        np.testing.assert_allclose(geometry.affine_ras, image.affine, rtol=1e-9, atol=1e-9)
        assert geometry.orientation == "".join(nibabel.aff2axcodes(image.affine)), file.name
