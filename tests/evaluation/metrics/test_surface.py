"""NSD and HD95: analytic shapes, surface-distance, MONAI, and what may not change them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.metrics import hd95, nsd, surface_distances
from tests.evaluation.metrics.strategies import ball, blobs, pairs_and_spacing

# Two pixels, three apart along x.
LEFT = np.array([[0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
RIGHT = np.roll(LEFT, 3, axis=1)


def box(shape, start, size):
    out = np.zeros(shape, bool)
    out[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = True
    return out


class TestAnalytic:
    def test_two_pixels(self):
        # Each has four elements at its corners; two lie 2 from the other pixel, two lie 3.
        assert [nsd(LEFT, RIGHT, tolerance=t) for t in (0, 1.9, 2, 2.9, 3)] == [0, 0, 0.5, 0.5, 1]
        assert hd95(LEFT, RIGHT) == 3
        assert hd95(LEFT, RIGHT, (7, 0.5)) == 1.5
        assert hd95(LEFT.T, RIGHT.T, (0.5, 7)) == 1.5
        assert surface_distances(LEFT, RIGHT).found_sizes == pytest.approx(np.full(4, math.sqrt(0.5)))

    @pytest.mark.parametrize("ndim", [2, 3])
    @pytest.mark.parametrize("steps", [1, 2, 4])
    def test_a_shifted_box_is_as_far_as_it_was_shifted(self, ndim, steps):
        spacing = (2.5, 0.8, 1.1)[:ndim]
        for axis in range(ndim):
            found = box((30,) * ndim, (5,) * ndim, (18,) * ndim)
            truth = np.roll(found, steps, axis)
            shift = steps * spacing[axis]
            assert hd95(found, truth, spacing) == pytest.approx(shift)
            assert nsd(found, truth, spacing, tolerance=shift) == 1
            assert nsd(found, truth, spacing, tolerance=0.99 * shift) < 1

    def test_steps_that_floats_cannot_hold_are_within_their_sum(self):
        found = box((20, 20), (5, 5), (8, 8))
        assert nsd(found, np.roll(found, 3, 0), (0.1, 0.1), tolerance=0.3) == 1

    def test_area_of_a_box_with_bevelled_edges(self):
        (a, b, c), (z, y, x) = (4, 6, 9), (2.0, 1.5, 0.5)
        faces = 2 * ((a - 1) * (b - 1) * z * y + (a - 1) * (c - 1) * z * x + (b - 1) * (c - 1) * y * x)
        bevels = sum(
            4 * (n - 1) * s * math.hypot(*others) / 2
            for n, s, others in ((a, z, (y, x)), (b, y, (z, x)), (c, x, (z, y)))
        )
        corners = 8 * math.hypot(z * y, z * x, y * x) / 8
        mask = box((12,) * 3, (1, 1, 1), (a, b, c))
        assert surface_distances(mask, mask, (z, y, x)).found_sizes.sum() == pytest.approx(
            faces + bevels + corners
        )

    def test_length_of_a_square_with_bevelled_corners(self):
        mask = box((9, 9), (1, 1), (4, 6))
        sizes = surface_distances(mask, mask, (2, 0.5)).found_sizes
        assert sizes.sum() == pytest.approx(2 * 3 * 2 + 2 * 5 * 0.5 + 4 * math.hypot(2, 0.5) / 2)

    @pytest.mark.parametrize("spacing", [(0.5, 0.5), (1.0, 0.5, 0.5)])
    def test_concentric_balls(self, spacing):
        shape = tuple(int(26 / s) + 1 for s in spacing)
        small, large = ball(shape, 7, spacing), ball(shape, 11, spacing)
        voxel = math.hypot(*spacing)
        assert hd95(small, large, spacing) == pytest.approx(4, abs=voxel)
        assert nsd(small, large, spacing, tolerance=4 + voxel) == 1
        assert nsd(small, large, spacing, tolerance=4 - voxel) == 0
        true_size = 2 * math.pi * 11 if len(spacing) == 2 else 4 * math.pi * 11**2
        # Steps of voxels are longer than the smooth surface, but no longer than that.
        assert 1 < surface_distances(large, small, spacing).found_sizes.sum() / true_size < 1.12

    def test_one_stray_voxel_does_not_count_for_95_percent(self):
        truth = box((40, 40, 40), (5, 5, 5), (20, 20, 20))
        found = truth.copy()
        found[38, 38, 38] = True
        assert hd95(found, truth) == 0
        assert 0.99 < nsd(found, truth) < 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestSurfaceDistancePackage:
    """Google DeepMind's own implementation."""

    @pytest.mark.parametrize("ndim", [2, 3])
    @pytest.mark.parametrize("seed", range(10))
    def test_agrees_on_blobs(self, ndim, seed):
        import surface_distance as reference

        found, truth, spacing = blobs(seed, ndim)
        theirs = reference.compute_surface_distances(truth, found, spacing)
        ours = surface_distances(found, truth, spacing)
        assert ours.found_sizes.sum() == pytest.approx(theirs["surfel_areas_pred"].sum(), rel=1e-9)
        assert np.sort(ours.truth_to_found) == pytest.approx(theirs["distances_gt_to_pred"], abs=1e-6)
        assert hd95(found, truth, spacing) == pytest.approx(
            reference.compute_robust_hausdorff(theirs, 95), abs=1e-6
        )
        for tolerance in (0, 0.5, 1.3, 2):
            expected = reference.compute_surface_dice_at_tolerance(theirs, tolerance)
            assert nsd(found, truth, spacing, tolerance) == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.6, 0.7), (1.0, 1.7, 3.1)])
    def test_agrees_on_every_pattern_of_eight_voxels(self, spacing):
        import surface_distance as reference

        whole = np.ones((2, 2, 2), bool)
        for code in range(1, 256):
            mask = np.array([code >> bit & 1 for bit in range(8)], bool).reshape(2, 2, 2)
            theirs = reference.compute_surface_distances(whole, mask, spacing)["surfel_areas_pred"]
            assert surface_distances(mask, whole, spacing).found_sizes.sum() == pytest.approx(theirs.sum())


@pytest.mark.filterwarnings("ignore::FutureWarning")
class TestMonai:
    @staticmethod
    def tensors(*masks):
        import torch

        return [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in masks]

    @pytest.mark.parametrize("ndim", [2, 3])
    def test_nsd_agrees_with_its_subvoxels(self, ndim):
        from monai.metrics import compute_surface_dice

        for seed in range(5):
            found, truth, spacing = blobs(seed, ndim)
            how = {"include_background": True, "spacing": spacing, "use_subvoxels": True}
            theirs = compute_surface_dice(*self.tensors(found, truth), [1.0], **how)
            assert nsd(found, truth, spacing, tolerance=1) == pytest.approx(theirs.item(), abs=1e-5)

    def test_hd95_agrees_on_shifted_boxes(self):
        from monai.metrics import compute_hausdorff_distance

        found = box((24, 24, 24), (4, 4, 4), (12, 12, 12))
        for axis, steps in itertools.product(range(3), (1, 3)):
            truth = np.roll(found, steps, axis)
            theirs = compute_hausdorff_distance(
                *self.tensors(found, truth), include_background=True, percentile=95, spacing=(2.0, 1.0, 0.5)
            )
            assert hd95(found, truth, (2.0, 1.0, 0.5)) == pytest.approx(theirs.item(), abs=1e-5)

    @pytest.mark.parametrize("ndim", [2, 3])
    def test_hd95_is_elsewhere_within_a_voxel_of_it(self, ndim):
        """It takes centres of border voxels, each counting the same, and interpolates the percentile."""
        from monai.metrics import compute_hausdorff_distance

        for seed in range(5):
            found, truth, spacing = blobs(seed, ndim)
            theirs = compute_hausdorff_distance(
                *self.tensors(found, truth), include_background=True, percentile=95, spacing=spacing
            )
            assert hd95(found, truth, spacing) == pytest.approx(theirs.item(), abs=math.hypot(*spacing))


class TestInvariance:
    @given(pairs_and_spacing(), st.floats(0, 12))
    def test_found_and_truth_may_change_places(self, case, tolerance):
        (a, b), spacing = case
        assert hd95(a, b, spacing) == pytest.approx(hd95(b, a, spacing))
        assert nsd(a, b, spacing, tolerance) == pytest.approx(nsd(b, a, spacing, tolerance))

    @given(pairs_and_spacing(), st.floats(0, 12), st.randoms(use_true_random=False))
    def test_storage_does_not_matter(self, case, tolerance, random):
        (a, b), spacing = case
        order = random.sample(range(a.ndim), a.ndim)
        flips = [axis for axis in range(a.ndim) if random.random() < 0.5]
        c, d = (np.flip(np.transpose(mask, order), flips) for mask in (a, b))
        turned = tuple(spacing[axis] for axis in order)
        assert hd95(c, d, turned) == pytest.approx(hd95(a, b, spacing))
        assert nsd(c, d, turned, tolerance) == pytest.approx(nsd(a, b, spacing, tolerance))

    @given(pairs_and_spacing(), st.floats(0, 12), st.data())
    def test_background_around_does_not_matter(self, case, tolerance, data):
        (a, b), spacing = case
        if not (a.any() and b.any()):
            return
        margins = [(data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))) for _ in range(a.ndim)]
        c, d = np.pad(a, margins), np.pad(b, margins)
        assert hd95(c, d, spacing) == pytest.approx(hd95(a, b, spacing))
        assert nsd(c, d, spacing, tolerance) == pytest.approx(nsd(a, b, spacing, tolerance))

    @given(pairs_and_spacing(), st.floats(0.5, 4))
    def test_distances_scale_with_the_spacing(self, case, factor):
        (a, b), spacing = case
        scaled = tuple(factor * s for s in spacing)
        assert hd95(a, b, scaled) == pytest.approx(factor * hd95(a, b, spacing))
        assert nsd(a, b, scaled, 2 * factor) == pytest.approx(nsd(a, b, spacing, 2))

    @given(pairs_and_spacing())
    def test_a_mask_agrees_with_itself(self, case):
        (a, _), spacing = case
        assert nsd(a, a, spacing, tolerance=0) == 1
        assert hd95(a, a, spacing) == 0

    @given(pairs_and_spacing(), st.floats(0, 6), st.floats(0, 6))
    def test_more_tolerance_never_lowers_nsd(self, case, one, two):
        (a, b), spacing = case
        assert nsd(a, b, spacing, min(one, two)) <= nsd(a, b, spacing, max(one, two))


def test_surfaces_of_empty_masks():
    nothing = np.zeros_like(LEFT)
    distances = surface_distances(LEFT, nothing)
    assert np.isinf(distances.found_to_truth).all()
    assert distances.truth_to_found.size == 0
    assert (distances.within(5), distances.percentile(95)) == (0, math.inf)
    assert math.isnan(surface_distances(nothing, nothing).within(5))


class TestRefused:
    @pytest.mark.parametrize("metric", [nsd, hd95, surface_distances])
    def test_shapes_that_differ(self, metric):
        with pytest.raises(GeometryError, match=r"\(3, 6\) and \(6, 3\)"):
            metric(LEFT, LEFT.T)

    @pytest.mark.parametrize("metric", [nsd, hd95, surface_distances])
    def test_neither_picture_nor_volume(self, metric):
        with pytest.raises(GeometryError, match="shape"):
            metric(np.ones(3), np.ones(3))

    @pytest.mark.parametrize("spacing", [(1,), (1, 1, 1), (0, 1), (-1, 1), (math.nan, 1), (1, math.inf)])
    def test_spacing(self, spacing):
        with pytest.raises(OptionError, match="2 positive spacings"):
            hd95(LEFT, RIGHT, spacing)

    @pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
    def test_tolerance(self, tolerance):
        with pytest.raises(OptionError, match="tolerance"):
            nsd(LEFT, RIGHT, tolerance=tolerance)
