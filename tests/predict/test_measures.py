"""Measures against what geometry says of spheres, ellipsoids, cuboids and cylinders."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from anytomy.core.errors import GeometryError, InputError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.predict import surface as surface_module
from anytomy.predict.diameter import diameters
from anytomy.predict.measures import Measures, measure_labels, measure_objects
from anytomy.predict.surface import surface
from tests.core.strategies import FLIPS, ORDERS, directions, places, rows, stored, stored_array
from tests.engine.tiny import bright_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

# Voxels along x, y and z in mm; the last ones as in CT and MR with thick slices.
SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 1.0), (0.8, 0.8, 5.0), (2.0, 0.7, 1.1)]
OBLIQUE = np.linalg.qr(np.array([[0.9, 0.3, -0.2], [-0.25, 0.85, 0.4], [0.3, -0.35, 0.8]]))[0]


def grid(
    spacing: tuple[float, ...], reach_mm: float, direction: NDArray[Any] | None = None, seed: int = 0
) -> Geometry:
    """A grid around (3, -5, 8) mm, off it by a part of a voxel."""
    matrix = np.eye(3) if direction is None else direction
    size = [int(2 * reach_mm / s) + 4 for s in spacing]
    shift = np.random.default_rng(seed).uniform(-0.5, 0.5, 3)
    middle = matrix @ (((np.array(size) - 1) / 2 + shift) * spacing)
    return Geometry(
        size_xyz=tuple(size),
        spacing_xyz_mm=spacing,
        origin_lps_mm=tuple(np.array([3.0, -5.0, 8.0]) - middle),
        direction=rows(matrix),
    )


def ellipsoid(geometry: Geometry, half_mm: Any, turn: NDArray[Any] | None = None) -> Mask:
    """Voxels whose middle is inside; half axes along L, P and S unless turned."""
    from_middle = places(geometry) - (3.0, -5.0, 8.0)
    return np.square(from_middle @ (np.eye(3) if turn is None else turn) / half_mm).sum(axis=-1) <= 1


def cylinder(geometry: Geometry, radius: float, height: float) -> Mask:
    """Along S."""
    from_middle = places(geometry) - (3.0, -5.0, 8.0)
    return (np.hypot(from_middle[..., 0], from_middle[..., 1]) <= radius) & (
        np.abs(from_middle[..., 2]) <= height / 2
    )


def ellipsoid_surface(a: float, b: float, c: float) -> float:
    """By integration over both angles."""
    u, v = np.meshgrid(
        (np.arange(400) + 0.5) / 400 * np.pi, (np.arange(800) + 0.5) / 800 * 2 * np.pi, indexing="ij"
    )
    normal = np.stack([b * c * np.sin(u) * np.cos(v), a * c * np.sin(u) * np.sin(v), a * b * np.cos(u)])
    return float((np.linalg.norm(normal, axis=0) * np.sin(u)).sum() * (np.pi / 400) * (2 * np.pi / 800))


def measured(mask: Mask, geometry: Geometry, values: NDArray[Any] | None = None, **fields: Any) -> Measures:
    """As a label map on an image whose format has a place."""
    image = Image(
        array=mask.astype(np.uint8) if values is None else values,
        geometry=geometry,
        is_volume=True,
        format="nifti",
        **fields,
    )
    labels = Image(array=mask.astype(np.uint8), geometry=geometry, is_volume=True, format="nifti")
    (found,) = measure_labels(labels, image)
    return found


class TestShapes:
    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["straight", "oblique"])
    @pytest.mark.parametrize("steps", [5, 9, 16])
    def test_spheres(self, spacing: tuple[float, ...], direction: Any, steps: int) -> None:
        radius = steps * max(spacing)
        geometry = grid(spacing, radius, direction, seed=steps)
        found = measured(ellipsoid(geometry, radius), geometry)
        assert found.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.02)
        assert found.surface_mm2 == pytest.approx(4 * np.pi * radius**2, rel=0.04)
        assert found.diameter_3d_mm == pytest.approx(2 * radius, abs=max(spacing))
        assert found.axial_diameter_mm == pytest.approx(2 * radius, abs=max(spacing))
        assert found.axial_short_mm == pytest.approx(2 * radius, abs=max(spacing))
        assert found.centroid_lps_mm == pytest.approx((3, -5, 8), abs=0.05 * max(spacing))

    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize("turned", [False, True])
    def test_ellipsoids(self, spacing: tuple[float, ...], turned: bool) -> None:
        half = np.array([12.0, 8.0, 6.0]) * max(spacing)
        geometry = grid(spacing, half[0])
        found = measured(ellipsoid(geometry, half, OBLIQUE if turned else None), geometry)
        assert found.volume_ml == pytest.approx(4 / 3 * np.pi * half.prod() / 1000, rel=0.02)
        assert found.surface_mm2 == pytest.approx(ellipsoid_surface(*half), rel=0.04)
        assert found.diameter_3d_mm == pytest.approx(2 * half[0], abs=max(spacing))
        if not turned:
            assert found.axial_diameter_mm == pytest.approx(2 * half[0], abs=1.5 * max(spacing[:2]))
            assert found.axial_short_mm == pytest.approx(2 * half[1], abs=1.5 * max(spacing[:2]))
            assert geometry.to_physical((0, 0, found.axial_slice))[2] == pytest.approx(8, abs=spacing[2])

    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize("size", [(30, 20, 14), (16, 16, 16), (60, 14, 25)])
    def test_cuboids(self, spacing: tuple[float, ...], size: tuple[int, ...]) -> None:
        steps = [max(1, round(n * max(spacing) / s)) for n, s in zip(size, spacing, strict=True)]
        x, y, z = (n * s for n, s in zip(steps, spacing, strict=True))
        mask = np.zeros([n + 4 for n in reversed(steps)], bool)
        mask[2:-2, 2:-2, 2:-2] = True
        found = measured(mask, Geometry(size_xyz=mask.shape[::-1], spacing_xyz_mm=spacing))
        assert found.volume_ml == pytest.approx(x * y * z / 1000)
        assert found.surface_mm2 == pytest.approx(2 * (x * y + y * z + z * x), rel=0.05)
        # Between the middles of faces, not the corners.
        assert (
            np.hypot(np.hypot(x, y), z) - 2 * max(spacing)
            < found.diameter_3d_mm
            < np.hypot(np.hypot(x, y), z)
        )
        assert np.hypot(x, y) - max(spacing[:2]) < found.axial_diameter_mm < np.hypot(x, y)
        assert found.box_xyz == (2, 2, 2, *(n + 2 for n in steps))

    @pytest.mark.parametrize("spacing", SPACINGS)
    @pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["straight", "oblique"])
    def test_cylinders(self, spacing: tuple[float, ...], direction: Any) -> None:
        radius, height = 10 * max(spacing), 30 * max(spacing)
        geometry = grid(spacing, 18.5 * max(spacing), direction)
        mask = cylinder(geometry, radius, height)
        count = len(np.unique(np.nonzero(mask)[0]))
        height = count * spacing[2] if direction is None else height
        found = measured(mask, geometry)
        assert found.volume_ml == pytest.approx(np.pi * radius**2 * height / 1000, rel=0.02)
        assert found.surface_mm2 == pytest.approx(2 * np.pi * radius * (radius + height), rel=0.05)
        assert found.diameter_3d_mm == pytest.approx(np.hypot(2 * radius, height), abs=1.5 * max(spacing))
        if direction is None:
            assert found.axial_diameter_mm == pytest.approx(2 * radius, abs=max(spacing[:2]))

    def test_planes_in_any_direction(self) -> None:
        """What is between two parallel planes inside of a ball, so that there are few edges."""
        geometry = grid((1.0, 1.0, 2.5), 60)
        at = places(geometry) - (3.0, -5.0, 8.0)
        for normal in np.random.default_rng(3).normal(size=(8, 3)):
            along = at @ (normal / np.linalg.norm(normal))
            inside = (np.abs(along) < 20) & (np.linalg.norm(at, axis=-1) < 58)
            # Two caps are cut off the ball: circles in place of the caps.
            expected = 4 * np.pi * 58 * 20 + 2 * np.pi * (58**2 - 20**2)
            assert surface(inside, geometry.spacing_zyx_mm) == pytest.approx(expected, rel=0.03)

    @pytest.mark.parametrize("radius", [4, 7.3, 20, 61])
    @pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.25, 0.25), (0.5, 1.0)])
    def test_discs_in_pictures(self, radius: float, spacing: tuple[float, float]) -> None:
        radius *= max(spacing)
        geometry = Geometry(
            size_xyz=(*(int(2 * radius / s) + 5 for s in spacing), 1), spacing_xyz_mm=(*spacing, 1.0)
        )
        y, x = np.indices(geometry.shape_zyx[1:]) * np.array(spacing[::-1])[:, None, None]
        mask = np.hypot(x - radius - 1.1 * spacing[0], y - radius - 0.8 * spacing[1]) <= radius
        (found,) = measure_labels(Image(mask.astype(np.uint8), geometry, is_volume=False))
        row, unit = found.row(), found.unit
        assert unit == ("px" if spacing == (1.0, 1.0) else "mm")
        area = row["area_px"] if unit == "px" else row["area_mm2"]
        assert area == pytest.approx(np.pi * radius**2, rel=0.06)
        assert row[f"perimeter_{unit}"] == pytest.approx(2 * np.pi * radius, rel=0.05)
        assert row[f"diameter_{unit}"] == pytest.approx(2 * radius, abs=max(spacing))
        assert row[f"short_diameter_{unit}"] == pytest.approx(2 * radius, abs=max(spacing))
        assert not {"volume_ml", "axial_slice", "centroid_lps_mm", "centroid_z", "box_z0"} & set(row)


def face_middles(mask: Mask, spacing: Any) -> NDArray[np.float64]:
    steps = np.concatenate([np.eye(mask.ndim), -np.eye(mask.ndim)]) / 2
    return ((np.argwhere(mask)[:, None] + steps) * spacing).reshape(-1, mask.ndim)


def longest_chord(points: NDArray[np.float64]) -> tuple[float, float]:
    """The longest distance and the longest chord of the hull across it, by trying all lines across."""
    length = pdist(points).max()
    best = 0.0
    for p, q in itertools.combinations(points, 2):
        if np.linalg.norm(q - p) < length * (1 - 1e-9):
            continue
        along = (q - p) / length
        t, h = (points - p) @ along, (points - p) @ (-along[1], along[0])
        for place in t:
            heights = [h[i] for i in np.flatnonzero(np.abs(t - place) < 1e-9)]
            for i, j in itertools.product(np.flatnonzero(t < place - 1e-9), np.flatnonzero(t > place + 1e-9)):
                heights.append(h[i] + (h[j] - h[i]) * (place - t[i]) / (t[j] - t[i]))
            best = max(best, max(heights) - min(heights))
    return float(length), float(best)


class TestDiameters:
    @settings(max_examples=60)
    @given(
        mask=arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)).filter(np.any),
        spacing=st.tuples(*[st.floats(0.1, 9)] * 3),
    )
    def test_longest_distances_are_exact(self, mask: Mask, spacing: tuple[float, ...]) -> None:
        found = diameters(mask, spacing)
        assert found.longest == pytest.approx(pdist(face_middles(mask, spacing)).max(), rel=1e-9)
        per_plane = [pdist(face_middles(p, spacing[1:])).max() if p.any() else 0 for p in mask]
        assert found.in_plane == pytest.approx(max(per_plane), rel=1e-9)
        assert per_plane[found.plane] == pytest.approx(max(per_plane), rel=1e-6)

    @settings(max_examples=25, deadline=None)
    @given(
        mask=arrays(bool, st.tuples(st.just(1), st.integers(1, 3), st.integers(1, 4))).filter(np.any),
        spacing=st.tuples(st.just(1.0), *[st.floats(0.2, 5)] * 2),
    )
    def test_the_short_one_is_the_longest_chord_across(self, mask: Mask, spacing: tuple[float, ...]) -> None:
        length, across = longest_chord(face_middles(mask[0], spacing[1:]))
        found = diameters(mask, spacing)
        assert found.in_plane == pytest.approx(length, rel=1e-9)
        assert found.across == pytest.approx(across, rel=1e-6)

    def test_callipers_are_set_at_the_edges_of_pixels(self) -> None:
        assert diameters(np.ones((1, 1, 10), bool), (3, 1, 1)).in_plane == pytest.approx(10)
        assert diameters(np.ones((1, 1, 1), bool), (0.5, 0.7, 0.7)).longest == pytest.approx(0.7)

    def test_the_slice_where_it_is_longest(self) -> None:
        mask = np.zeros((9, 20, 30), bool)
        mask[1:8, 5:9, 5:9] = True
        mask[6, 5:8, 3:25] = True
        found = measured(mask, Geometry(size_xyz=(30, 20, 9), spacing_xyz_mm=(1, 1, 4)))
        assert found.axial_slice == 6
        assert 22 <= found.axial_diameter_mm < 22.5


class TestSurface:
    def test_of_almost_nothing(self) -> None:
        assert surface(np.zeros((3, 3, 3), bool), (1, 1, 1)) == 0
        assert surface(np.ones((1, 1, 1), bool), (1, 1, 1)) == pytest.approx(6, rel=0.05)
        assert surface(np.ones((1, 1, 40), bool), (1, 1, 1)) == pytest.approx(162, rel=0.05)
        # The rims of a single thick slice are rounded off.
        assert surface(np.ones((1, 60, 60), bool), (5, 1, 1)) == pytest.approx(2 * 3600 + 4 * 300, rel=0.15)
        assert 0 < surface(np.indices((6, 6, 6)).sum(axis=0) % 2 == 0, (1, 1, 1)) < 108 * 6

    def test_parts_far_apart_add_up_and_holes_count(self) -> None:
        mask = np.zeros((20, 20, 60), bool)
        mask[4:16, 4:16, 4:16] = True
        one = surface(mask, (1, 1, 1))
        mask[4:16, 4:16, 40:52] = True
        assert surface(mask, (1, 1, 1)) == pytest.approx(2 * one)
        ball = ellipsoid(grid((1, 1, 1), 20), 20)
        hollow = ball & ~ellipsoid(grid((1, 1, 1), 20), 12)
        expected = surface(ball, (1, 1, 1)) + surface(ball & ~hollow, (1, 1, 1))
        assert surface(hollow, (1, 1, 1)) == pytest.approx(expected, rel=1e-3)

    @given(
        mask=arrays(bool, st.tuples(*[st.integers(1, 9)] * 3)),
        spacing=st.tuples(*[st.sampled_from([0.3, 1.0, 4.0])] * 3),
    )
    def test_in_slabs_it_is_the_same(self, mask: Mask, spacing: tuple[float, ...]) -> None:
        whole = surface(mask, spacing)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(surface_module, "_SLAB_VOXELS", 1)
            mask = np.pad(mask, ((0, 30), (0, 0), (0, 0)))
            assert surface(mask, spacing) == pytest.approx(whole, rel=1e-6)


blobs = arrays(bool, st.tuples(*[st.integers(2, 6)] * 3)).filter(np.any)


@settings(max_examples=60, deadline=None)
@given(
    mask=blobs,
    spacing=st.tuples(*[st.sampled_from([0.7, 1.0, 3.0])] * 3),
    direction=directions(40),
    order=st.sampled_from(ORDERS),
    flips=st.sampled_from(FLIPS),
)
def test_how_a_scan_is_stored_makes_no_difference(
    mask: Mask, spacing: Any, direction: Any, order: Any, flips: Any
) -> None:
    geometry = Geometry(
        size_xyz=mask.shape[::-1],
        spacing_xyz_mm=spacing,
        origin_lps_mm=(10.0, -20.0, 30.0),
        direction=rows(direction),
    )
    values = np.random.default_rng(0).integers(-50, 500, mask.shape).astype(np.int16)
    first = measured(mask, geometry, values)
    other = measured(
        stored_array(mask, order, flips), stored(geometry, order, flips), stored_array(values, order, flips)
    )
    mine, theirs = first.row(), other.row()
    assert mine.keys() == theirs.keys()
    for name in ("voxels", "volume_ml", "mean", "sd", "median", "minimum", "maximum"):
        assert mine[name] == theirs[name], name
    for name in ("surface_mm2", "diameter_3d_mm", "axial_diameter_mm", "axial_short_mm"):
        assert mine[name] == pytest.approx(theirs[name], rel=2e-5), name
    assert first.centroid_lps_mm == pytest.approx(other.centroid_lps_mm, abs=1e-6)


class TestIntensity:
    def test_figures_of_the_values_inside(self) -> None:
        values = np.random.default_rng(0).normal(40, 30, (6, 7, 8)).astype(np.float32)
        mask = np.random.default_rng(1).random((6, 7, 8)) < 0.4
        found = measured(mask, Geometry(size_xyz=(8, 7, 6)), values)
        inside = values[mask].astype(np.float64)
        figures = (found.mean, found.sd, found.median, found.minimum, found.maximum)
        expected = (inside.mean(), inside.std(), np.median(inside), inside.min(), inside.max())
        assert figures == pytest.approx(expected, rel=1e-6)
        assert found.voxels == mask.sum()

    def test_values_that_are_not_finite_are_left_out(self) -> None:
        values = np.full((2, 2, 2), 5.0)
        values[0], values[1, 0, 0] = np.nan, np.inf
        found = measured(np.ones((2, 2, 2), bool), Geometry(size_xyz=(2, 2, 2)), values)
        assert (found.mean, found.sd, found.voxels) == (5, 0, 8)
        mask = np.zeros((2, 2, 2), bool)
        mask[0] = True
        assert measured(mask, Geometry(size_xyz=(2, 2, 2)), values).mean is None

    def test_hounsfield_units_only_for_a_ct(self) -> None:
        geometry, mask = Geometry(size_xyz=(3, 3, 3)), np.ones((3, 3, 3), bool)
        ct = np.linspace(-1000, 900, 27).reshape(3, 3, 3).astype(np.int16)
        assert measured(mask, geometry, ct, modality="CT").intensity_unit == "HU"
        assert measured(mask, geometry, ct).intensity_unit == "HU (guessed)"
        assert measured(mask, geometry, ct, modality="MR").intensity_unit == ""
        assert measured(mask, geometry, ct - 900).intensity_unit == ""

    def test_colours_have_none(self) -> None:
        labels = Image.from_array(np.ones((4, 4), np.uint8))
        (found,) = measure_labels(labels, Image.from_array(np.ones((4, 4, 3), np.uint8)))
        assert (found.mean, found.intensity_unit, found.area_px) == (None, "", 16)


class TestObjects:
    def test_of_a_prediction_overlaps_and_combinations_included(self) -> None:
        y, x = np.indices((64, 64))
        image = Image.from_array((np.hypot(y - 32, x - 32) < 24).astype(np.uint8) * 250)
        prompts = [Prompt(box=(4, 4, 60, 60), name="disc"), Prompt(box=(20, 20, 44, 44), name="hole")]
        result = bright_model().segment(image, prompts, combine=["ring = disc - hole"])
        found = measure_objects(result, image)
        assert [(each.id, each.name) for each in found] == [(1, "disc"), (2, "hole"), (3, "ring")]
        assert [each.area_px for each in found] == [int(mask.sum()) for mask in result.masks]
        assert found[0].area_px == found[1].area_px + found[2].area_px
        assert found[2].diameter_px == found[0].diameter_px
        outline = found[0].perimeter_px + found[1].perimeter_px
        assert found[2].perimeter_px == pytest.approx(outline, rel=0.05)
        assert all(each.mean == 250 for each in found)

    @pytest.mark.parametrize("axis", ["x", "y", "z"])
    def test_the_axis_of_the_slices_makes_no_difference(self, axis: str) -> None:
        geometry = grid((1.0, 1.5, 2.0), 24, OBLIQUE)
        ball = ellipsoid(geometry, (20, 15, 12)).astype(np.uint8) * 200
        image = Image(ball, geometry, is_volume=True, format="nifti")
        result = bright_model().segment(image, [Prompt(box=(0, 0, 0, *geometry.size_xyz))], axis=axis)
        (found,) = measure_objects(result, image)
        mask = result.masks[0]
        assert found.row() == {**measured(mask, geometry, ball).row(), "name": "object 1"}

    def test_an_object_without_voxels(self) -> None:
        result = bright_model().segment(
            Image.from_array(np.zeros((9, 20, 20), np.uint8), geometry=Geometry((20, 20, 9), (2, 2, 2))),
            [Prompt(box=(1, 1, 1, 5, 5, 5))],
        )
        (found,) = measure_objects(result, result.image)
        assert found == Measures(id=1, name="object 1", unit="mm", voxels=0, volume_ml=0.0)

    def test_ids_and_names_of_label_maps(self) -> None:
        labels = np.zeros((4, 6), np.float32)
        labels[0], labels[2, :3] = 700, 2
        found = measure_labels(Image.from_array(labels), names={2: "liver"})
        assert [(each.id, each.name, each.voxels) for each in found] == [
            (2, "liver", 3),
            (700, "object 700", 6),
        ]

    def test_volumes_of_pixels_without_a_size(self) -> None:
        labels = Image.from_array(np.ones((4, 5, 6), np.uint8))
        row = measure_labels(labels)[0].row()
        assert row["unit"] == "px"
        assert {"surface_px2", "diameter_3d_px", "axial_diameter_px", "axial_short_px"} <= set(row)
        assert not [name for name in row if "mm" in name or name == "volume_ml"]

    @pytest.mark.parametrize("array", [np.full((3, 3), 0.5), np.full((3, 3), -1), np.full((3, 3), 70000)])
    def test_what_is_no_label_map(self, array: Any) -> None:
        with pytest.raises(InputError, match="expected ids"):
            measure_labels(Image.from_array(array))
        with pytest.raises(InputError, match="colours"):
            measure_labels(Image.from_array(np.zeros((3, 3, 3), np.uint8), is_volume=False))

    def test_another_grid_is_refused(self) -> None:
        one = Image(np.ones((2, 3, 4), np.uint8), Geometry((4, 3, 2)), is_volume=True, format="nifti")
        longer = Image.from_array(np.ones((2, 3, 5), np.uint8))
        moved = Image(one.array, Geometry((4, 3, 2), origin_lps_mm=(1, 0, 0)), is_volume=True, format="nifti")
        with pytest.raises(GeometryError, match="4 x 3 x 2 and 5 x 3 x 2"):
            measure_labels(one, longer)
        with pytest.raises(GeometryError, match="different places"):
            measure_labels(one, moved)
        placeless = Image.from_array(one.array)
        assert measure_labels(placeless, moved)[0].unit == "mm"
        result = bright_model().segment(placeless, [Prompt(box=(0, 0, 0, 4, 3, 2))])
        with pytest.raises(GeometryError, match="another grid"):
            measure_objects(result, moved)

    def test_rows_are_rounded_to_what_can_be_meant(self) -> None:
        row = Measures(1, "a", "mm", 12345678, volume_ml=12345.678912, centroid_xyz=(1.0, 2 / 3, 3.0)).row()
        assert row == {
            "id": 1,
            "name": "a",
            "unit": "mm",
            "voxels": 12345678,
            "volume_ml": 12345.7,
            "centroid_x": 1.0,
            "centroid_y": 0.666667,
            "centroid_z": 3.0,
            "intensity_unit": "",
        }
