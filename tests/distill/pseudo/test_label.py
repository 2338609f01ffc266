"""Labels that nobody drew: right teachers are believed, wrong ones are found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy.core.errors import OptionError, PromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.label import PseudoLabel, pseudo_label
from anytomy.distill.pseudo.reliability import Rules
from anytomy.distill.pseudo.table import write_objects
from anytomy.evaluation.bench.table import read_rows, unpacked
from tests.distill.pseudo.phantoms import Wrong, bright, ellipse, image, picture, student_of

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.engine.model import PromptableModel

CASES = 30


def labelled(seed: int, teacher: PromptableModel, **more: object) -> PseudoLabel:
    truth = ellipse(seed)
    student = student_of(truth, seed, 0.7 + 0.15 * seed / CASES)
    return pseudo_label(image(truth), teacher, ("blob",), student=student, seed=seed, **more)  # type: ignore[arg-type]


def share_accepted(labels: list[PseudoLabel]) -> float:
    return sum(label.accepted for label in labels) / sum(len(label.objects) for label in labels)


class TestTeachers:
    def test_a_right_one_is_mostly_believed(self) -> None:
        assert share_accepted([labelled(seed, bright()) for seed in range(CASES)]) > 0.5

    @pytest.mark.parametrize("how", ["shifted", "blob"])
    def test_one_that_errs_the_same_way_each_time_is_found_out(self, how: str) -> None:
        labels = [labelled(seed, Wrong(bright(), how)) for seed in range(CASES)]  # type: ignore[arg-type]
        assert share_accepted(labels) <= 0.1

    def test_what_is_rejected_teaches_nothing(self) -> None:
        label = labelled(3, Wrong(bright(), "shifted"))  # type: ignore[arg-type]
        assert label.accepted == 0
        assert not label.class_map.any()
        student = student_of(ellipse(3), 3, 0.7 + 0.15 * 3 / CASES).argmax(axis=0) == 1
        assert label.weight[student].max() == 0
        assert label.weight[unpacked(label.objects[0].mask)].max() == 0

    def test_what_the_student_is_unsure_of_is_not_asked_about(self) -> None:
        truth = ellipse(3) | ellipse(4)
        found = np.zeros((2, *truth.shape), np.float32)
        found[1][truth] = 0.95
        found[1, 2:8, 50:58] = 0.55  # a speck, off the ellipses
        found[0] = 1 - found[1]
        alone = found.copy()
        alone[:, 2:8, 50:58] = np.array([1, 0])[:, None, None]
        teachers = [bright(), bright()]
        with_speck, without = (
            pseudo_label(image(truth), teacher, ("blob",), student=each)
            for teacher, each in zip(teachers, (found, alone), strict=True)
        )
        assert len(teachers[0].engine.asked) == len(teachers[1].engine.asked) > 0
        (speck,) = [each for each in with_speck.objects if each.box and each.box[1] < 8 and each.box[0] > 45]
        (reason,) = speck.reasons
        assert reason.startswith("certainty: the student is sure to 0.55")
        assert with_speck.accepted == without.accepted > 0
        assert not with_speck.weight[2:8, 50:58].any()
        np.testing.assert_array_equal(with_speck.class_map, without.class_map)

    def test_boxes_that_somebody_drew_need_no_student(self) -> None:
        wrong, right = 0, 0
        for seed in range(CASES):
            truth = ellipse(seed)
            rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
            box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            prompts = [Prompt(box=box, name="blob")]
            asking = Asking(how="stored")
            shifted = Wrong(bright(), "shifted")
            said = [
                pseudo_label(image(truth), each, ("blob",), asking=asking, prompts=prompts)  # type: ignore[arg-type]
                for each in (bright(), shifted)
            ]
            right += said[0].accepted
            wrong += said[1].accepted
            outside = np.ones_like(truth)
            outside[box[1] : box[3], box[0] : box[2]] = False
            assert said[0].weight[outside].min() > 0.9
        assert right >= 0.9 * CASES
        assert wrong <= 0.1 * CASES


class TestLabel:
    def test_an_accepted_object_is_drawn_with_weights_that_know_its_edge(self) -> None:
        seed = next(s for s in range(CASES) if labelled(s, bright()).accepted)
        label, truth = labelled(seed, bright()), ellipse(seed)
        found = label.class_map == 1
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.75
        assert label.class_map.dtype == np.uint8
        assert label.weight.dtype == np.float32
        assert 0 <= label.weight.min() < label.weight.max() <= 1
        wrong = found != truth
        assert label.weight[wrong].mean() < label.weight[~wrong].mean()

    def test_where_the_student_disagrees_counts_less(self) -> None:
        seed = next(s for s in range(CASES) if labelled(s, bright()).accepted)
        truth = ellipse(seed)
        student = student_of(truth, seed, 0.7 + 0.15 * seed / CASES)
        disputed = [labelled(seed, bright(), rules=Rules(disputed=d)) for d in (0.2, 1.0)]
        other = (student.argmax(axis=0) == 0) & (disputed[0].class_map == 1)
        assert other.any()
        np.testing.assert_allclose(disputed[0].weight[other], 0.2 * disputed[1].weight[other], rtol=1e-5)

    def test_follows_from_its_arguments(self) -> None:
        first, again = labelled(5, bright()), labelled(5, bright())
        assert np.array_equal(first.class_map, again.class_map)
        assert np.array_equal(first.weight, again.weight)
        assert first.rows() == again.rows()

    def test_without_an_object_a_sure_student_is_believed(self) -> None:
        empty = np.zeros((64, 64), dtype=bool)
        student = np.zeros((2, 64, 64), dtype=np.float32)
        student[0] = 0.99
        student[1] = 0.01
        student[:, :8] = 0.5
        label = pseudo_label(image(empty), bright(), ("blob",), student=student)
        assert label.objects == ()
        assert label.weight[8:].min() > 0.9
        assert label.weight[:8].max() < 0.01

    def test_probabilities_sum_to_one(self) -> None:
        label = labelled(5, bright(), soft=True)
        assert label.soft is not None
        assert label.soft.shape == (2, 64, 64)
        np.testing.assert_allclose(label.soft.astype(float).sum(axis=0), 1, atol=2e-3)


class TestVolume:
    def test_lies_on_the_grid_of_the_file_however_it_is_stored(self) -> None:
        truth = np.stack([ellipse(11)] * 3)
        truth[0] = False
        student = np.stack([1 - truth * 0.9, truth * 0.9]).astype(np.float32)
        label = pseudo_label(image(truth), bright(), ("blob",), student=student)
        assert {each.file_slice for each in label.objects} == {1, 2}
        assert ((label.class_map == 1) == truth).mean() > 0.98
        # The same scan with x and z reversed, which the geometry says.
        stored = truth[::-1, :, ::-1]
        geometry = Geometry(size_xyz=(64, 64, 3), direction=((-1, 0, 0), (0, 1, 0), (0, 0, -1)))
        reversed_ = Image.from_array(np.ascontiguousarray(picture(stored)), is_volume=True, geometry=geometry)
        other = pseudo_label(
            reversed_, bright(), ("blob",), student=np.ascontiguousarray(student[:, ::-1, :, ::-1])
        )
        assert {each.file_slice for each in other.objects} == {0, 1}
        assert np.array_equal(other.class_map, label.class_map[::-1, :, ::-1])
        assert np.array_equal(other.weight, label.weight[::-1, :, ::-1])

    def test_a_stored_3d_box_is_carried_by_a_strategy(self) -> None:
        truth = np.stack([ellipse(12)] * 3)
        rows, columns = np.flatnonzero(truth[0].any(axis=1)), np.flatnonzero(truth[0].any(axis=0))
        box = (columns[0], rows[0], 0, columns[-1] + 1, rows[-1] + 1, 3)
        label = pseudo_label(
            image(truth),
            bright(),
            ("blob",),
            asking=Asking(how="stored", volume="slices"),
            prompts=[Prompt(box=box, name="blob")],
        )
        assert [each.file_slice for each in label.objects] == [0, 1, 2]
        assert label.accepted == 3


class TestMistakes:
    def test_a_student_is_needed_to_find_objects(self) -> None:
        with pytest.raises(OptionError, match="student"):
            pseudo_label(image(ellipse(0)), bright(), ("blob",))

    def test_a_student_on_another_grid(self) -> None:
        with pytest.raises(OptionError, match="shape"):
            pseudo_label(image(ellipse(0)), bright(), ("blob",), student=np.zeros((2, 32, 32), np.float32))

    def test_no_stored_prompt(self) -> None:
        with pytest.raises(PromptError, match="stored"):
            pseudo_label(image(ellipse(0)), bright(), ("blob",), asking=Asking(how="stored"))


def test_the_table_has_every_object_and_why(tmp_path: Path) -> None:
    labels = [labelled(seed, Wrong(bright(), "blob"), case=f"case {seed}") for seed in range(4)]  # type: ignore[arg-type]
    labels += [labelled(seed, bright(), case=f"right {seed}") for seed in range(4)]
    rows = [row for label in labels for row in label.rows("phantoms")]
    write_objects(tmp_path / "objects.parquet", rows)
    back = read_rows(tmp_path / "objects.parquet")
    assert len(back) == sum(len(label.objects) for label in labels)
    for row, one in zip(back, [o for label in labels for o in label.objects], strict=True):
        assert row["accepted"] == one.accepted == (row["reason"] == "")
        assert row["dataset"] == "phantoms"
        assert np.array_equal(unpacked(row["mask"]), unpacked(one.mask))
        assert row["area"] == unpacked(row["mask"]).sum()
        assert (row["x0"], row["y1"]) == (one.box[0], one.box[3])  # type: ignore[index]


def test_masks_lie_in_the_slices_that_the_teacher_saw() -> None:
    truth = np.stack([ellipse(11)] * 2)
    label = pseudo_label(
        image(truth), bright(), ("blob",), student=np.stack([~truth, truth]).astype(np.float32)
    )
    view = SliceView.canonical(image(truth).geometry)
    for each in label.objects:
        seen = view.apply(label.class_map)[each.slice] == 1
        assert np.array_equal(seen, unpacked(each.mask))
