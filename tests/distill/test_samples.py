from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from anytomy.core.errors import DatasetError, OptionError
from anytomy.distill.batches import StudentBatches
from anytomy.distill.gridding import chosen_sight
from anytomy.distill.samples import WHOLE, Stock, Target, labels_of
from anytomy.predict.student.grid import StudentGrid
from anytomy.tuning.augment import Augmentation
from anytomy.tuning.prepared import quietly_read
from tests.distill.conftest import quick
from tests.evaluation.bench.phantoms import add, sagittal

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset

CLASSES = ("liver", "spleen")


def stock(folder: Path, grid: StudentGrid, intensity: str = "none") -> Stock:
    return Stock(folder / "pictures", grid, CLASSES, "z", intensity)


def true(case: Case, image: Image) -> Target:
    return Target(labels_of(case, image, CLASSES))


class TestSamples:
    def test_pictures_and_targets_lie_on_one_grid(self, discs: Dataset, tmp_path: Path) -> None:
        place = stock(tmp_path, StudentGrid(2, 1, (32, 32), size=32))
        samples = place.samples(discs.cases[:2], true, tmp_path / "targets")
        assert len(samples) == 2
        picture, shares, weight = samples.read(samples.all[0])
        assert picture.shape == weight.shape == (1, 32, 32)
        assert shares.shape == (2, 32, 32)
        bright = picture[0] > 0.5
        assert ((shares.sum(0) > 0.5) == bright).float().mean() > 0.99
        assert samples.all[0].areas["liver"] > samples.all[0].areas["spleen"] > 0
        assert (weight == 1).all()

    def test_of_a_volume_slices_or_all_of_it(self, balls: Dataset, tmp_path: Path) -> None:
        flat = stock(
            tmp_path / "2", StudentGrid(2, 1, (32, 32), spacing_mm=(1.5, 1.5)), "percentile:0.5,99.5"
        )
        solid = stock(
            tmp_path / "3", StudentGrid(3, 1, (16, 32, 32), spacing_mm=(4, 1.5, 1.5)), "percentile:0.5,99.5"
        )
        slices = flat.samples(balls.cases[:1], true, tmp_path / "2")
        whole = solid.samples(balls.cases[:1], true, tmp_path / "3")
        assert [sample.place for sample in slices.all] == list(range(9))
        assert [sample.place for sample in whole.all] == [WHOLE]
        assert slices.read(slices.all[4])[0].shape == (1, 32, 32)
        picture, shares, _ = whole.read(whole.all[0])
        assert picture.shape == (1, 9, 32, 32)
        assert sum(sample.areas.get("liver", 0) for sample in slices.all) == int((shares[0] > 0.5).sum())

    def test_what_is_there_is_not_made_again(self, discs: Dataset, tmp_path: Path) -> None:
        place = stock(tmp_path, StudentGrid(2, 1, (32, 32), size=32))
        asked: list[str] = []

        def target(case: Case, image: Image) -> Target | None:
            asked.append(case.id)
            return true(case, image) if case.id.endswith("0") else None

        first = place.samples(discs.cases[:4], target, tmp_path / "targets")
        assert [sample.case for sample in first.all] == ["p0_0", "p1_0"]
        second = place.samples(discs.cases[:4], target, tmp_path / "targets")
        assert second.all == first.all
        assert asked == ["p0_0", "p0_1", "p1_0", "p1_1", "p0_1", "p1_1"]

    def test_weights_and_probabilities_of_a_target_are_kept(self, discs: Dataset, tmp_path: Path) -> None:
        place = stock(tmp_path, StudentGrid(2, 1, (64, 64), size=64))
        soft = np.full((3, 64, 64), 0.25, np.float16)
        soft[0] = 0.5
        weight = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(64, 0)
        samples = place.samples(
            discs.cases[:1], lambda case, image: Target(soft, weight), tmp_path / "targets"
        )
        _, shares, weights = samples.read(samples.all[0])
        torch.testing.assert_close(shares, torch.full((2, 64, 64), 0.25), atol=0.003, rtol=0)
        torch.testing.assert_close(weights[0], torch.from_numpy(weight), atol=0.003, rtol=0)

    def test_values_that_no_label_names_are_refused(self, discs: Dataset, tmp_path: Path) -> None:
        targets = '[[targets]]\nstructure = "liver"\nvalues = [1]\n'
        only = add(
            "half",
            discs.root,
            image="images/{patient:p\\\\d+}_{n}.png",
            mask="masks/{patient}_{n}.png",
            targets=targets,
        )
        with pytest.raises(DatasetError, match="declared classes"):
            labels_of(only[0], quietly_read(only[0]), ("liver",))


class TestBatches:
    def batches(self, discs: Dataset, folder: Path, share: float, patch: int = 32) -> StudentBatches:
        place = stock(folder, StudentGrid(2, 1, (patch, patch), size=32))
        labelled = place.samples(discs.cases[:2], true, folder / "labelled")
        nothing = np.zeros((64, 64), np.float32)
        joined = place.samples(
            discs.cases[4:6],
            lambda case, image: Target(labels_of(case, image, CLASSES), nothing),
            folder / "joined",
        )
        config = quick().training(steps=10, every=5, batch=4)
        return StudentBatches(
            labelled,
            joined,
            share,
            config,
            Augmentation.named("strong", flip_x=True, flip_y=True),
            place.grid,
        )

    def test_the_same_step_gives_the_same_batch(self, discs: Dataset, tmp_path: Path) -> None:
        batches = self.batches(discs, tmp_path, 0.5)
        first, again, other = (batches.batch(step, range(4)) for step in (3, 3, 4))
        torch.testing.assert_close(first.image, again.image)
        torch.testing.assert_close(first.target, again.target)
        assert not torch.equal(first.image, other.image)

    def test_targets_are_probabilities_and_move_with_the_picture(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        batch = self.batches(discs, tmp_path, 1.0).batch(1, range(8))
        torch.testing.assert_close(batch.target.sum(dim=1), torch.ones(8, 32, 32), atol=1e-4, rtol=0)
        for image, target in zip(batch.image, batch.target, strict=True):
            inside = target[1:].sum(dim=0) > 0.7
            assert image[0][inside].mean() > image[0][target[0] > 0.9].mean() + 0.3

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_labelled_and_joined_samples_come_in_their_shares(
        self, discs: Dataset, tmp_path: Path, share: float
    ) -> None:
        batches = self.batches(discs, tmp_path, share)
        names = [name for step in range(30) for name in batches.batch(step, range(4)).names]
        labelled = sum("p0" in name for name in names) / len(names)
        assert abs(labelled - share) < 0.13

    def test_outside_of_the_picture_there_is_nothing_for_certain(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        batch = self.batches(discs, tmp_path, 0.0, patch=64).batch(1, range(4))
        corner = (slice(None), 0, slice(56, None), slice(56, None))
        assert (batch.weight[corner] == 1).all()  # inside they have none
        assert (batch.target[corner] == 1).all()
        assert (batch.image[corner] == 0).all()

    def test_a_patch_holds_what_it_was_drawn_for(self, discs: Dataset, tmp_path: Path) -> None:
        batches = self.batches(discs, tmp_path, 1.0, patch=16)
        held = [float(b.target[0, 1:].sum()) > 0 for b in (batches.batch(step, [0]) for step in range(40))]
        assert np.mean(held) > 0.9


class TestSight:
    def test_pictures_keep_their_size_up_to_the_one_that_is_asked_for(self, discs: Dataset) -> None:
        policies = {"default": "percentile:0.5,99.5", "8-bit": "none"}
        for size, expected in ((256, 64), (48, 48)):
            sight = chosen_sight(quick(size=size), discs.cases, policies, 16)
            assert (sight.grid.dims, sight.grid.size, sight.grid.patch) == (2, expected, (expected, expected))
            assert (sight.intensity, sight.volumes) == ("none", False)

    def test_volumes_keep_their_spacing_unless_slices_are_too_large(self, balls: Dataset) -> None:
        policies = {"default": "percentile:0.5,99.5"}
        whole = chosen_sight(quick(), balls.cases, policies, 16).grid
        assert (whole.dims, whole.spacing_mm, whole.patch) == (3, (4.0, 1.5, 1.5), (16, 32, 32))
        coarse = chosen_sight(quick(size=32, dims="2"), balls.cases, policies, 16).grid
        assert coarse.spacing_mm == (1.5, 1.5)
        flat = chosen_sight(quick(dims="2"), balls.cases, policies, 16).grid
        assert (flat.dims, flat.spacing_mm, flat.patch) == (2, (1.5, 1.5), (32, 32))

    def test_levels_are_normalised_by_those_of_the_images(self, discs: Dataset) -> None:
        grid = chosen_sight(quick(), discs.cases, {"8-bit": "none"}, 16).grid
        pixels = np.stack([case.read().array for case in discs]).astype(float)
        assert abs(grid.mean[0] - pixels.mean()) < 0.1
        assert abs(grid.std[0] - np.mean([each.std() for each in pixels])) < 0.1

    def test_pictures_have_no_third_dimension(self, discs: Dataset) -> None:
        with pytest.raises(OptionError, match="got pictures"):
            chosen_sight(quick(dims="3"), discs.cases, {}, 16)

    def test_pictures_and_volumes_do_not_mix(self, discs: Dataset, balls: Dataset) -> None:
        with pytest.raises(OptionError, match="got both"):
            chosen_sight(quick(), (*discs.cases, *balls.cases), {}, 16)

    def test_a_student_of_volumes_keeps_the_spacing_of_scans_that_are_stored_sagittally(
        self, tmp_path: Path
    ) -> None:
        case = sagittal(tmp_path)[0]
        grid = chosen_sight(quick(dims="3"), [case], {"default": "percentile:0.5,99.5"}, 16).grid
        assert grid.spacing_mm == (1.5, 2.0, 4.0)  # axial slices, rows to the back, columns to the left
        assert grid.patch == (32, 32, 16)
        assert grid.levels(case.read(), "percentile:0.5,99.5").shape == (1, 32, 24, 9)
        flat = chosen_sight(quick(dims="2"), [case], {"default": "percentile:0.5,99.5"}, 16).grid
        assert flat.spacing_mm == (1.5, 2.0)  # the file's slices: head on top, rows down, front to the left
