"""Pictures of cases show the truth where the image has it, whatever way the file lies."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.report.bench_results import BenchResults
from anytomy.report.case_choice import chosen_objects
from anytomy.report.case_drawing import FOUND, PROMPT, TRUTH, Flat, drawn, window
from tests.evaluation.bench.rows import rows_of, write_run


def choose(tmp_path, rows, pictures=3, **config):
    return chosen_objects(BenchResults.read(write_run(tmp_path, rows, **config)), pictures)


class TestChoice:
    def test_ranks_run_from_best_to_worst(self, tmp_path):
        (group,) = choose(tmp_path, rows_of([0.3, 0.9, 0.5, 0.1, 0.7]))
        assert [(c.place, c.row["dice"]) for c in group.chosen] == [
            ("best", 0.9),
            ("median", 0.5),
            ("worst", 0.1),
        ]

    @pytest.mark.parametrize(
        ("count", "places"),
        [(1, ["only object"]), (2, ["best", "worst"]), (3, ["best", "median", "worst"])],
    )
    def test_few_objects_have_few_pictures(self, tmp_path, count, places):
        (group,) = choose(tmp_path, rows_of([0.1, 0.2, 0.3][:count]))
        assert [c.place for c in group.chosen] == places

    def test_five_are_evenly_spread(self, tmp_path):
        (group,) = choose(tmp_path, rows_of(np.linspace(0, 1, 9)), pictures=5)
        assert [c.row["dice"] for c in group.chosen] == [1.0, 0.75, 0.5, 0.25, 0.0]
        assert [c.place for c in group.chosen] == ["best", "place 3 of 9", "median", "place 7 of 9", "worst"]

    def test_only_the_first_prompt_is_shown(self, tmp_path):
        rows = [*rows_of([0.9, 0.8]), *rows_of([0.2, 0.1], prompt="box-shift")]
        groups = choose(tmp_path, rows)
        assert {c.row["prompt"] for group in groups for c in group.chosen} == {"box"}

    def test_of_many_structures_the_weak_ones_are_shown_each(self, tmp_path):
        levels = {"a": 1.0, "b": 0.95, "c": 0.7, "d": 0.5}
        rows = [r for name, v in levels.items() for r in rows_of([v, v - 0.1, v - 0.2], structure=name)]
        every, weak = choose(tmp_path, rows)
        assert every.title == "all 4 structures"
        assert [c.row["structure"] for c in every.chosen][::2] == ["a", "d"]
        assert [(c.row["structure"], c.place) for c in weak.chosen] == [("c", "median"), ("d", "median")]
        assert [c.row["dice"] for c in weak.chosen] == pytest.approx([0.6, 0.4])


def blob(shape: tuple[int, ...]) -> np.ndarray:
    """An object that no flip or transposition maps on itself."""
    mask = np.zeros(shape, bool)
    mask[2:4, 3:9, 5:8] = True
    mask[2, 3:5, 8:12] = True
    return mask


def volume(mask: np.ndarray, **grid: Any) -> Image:
    values = np.where(mask, 200, 10).astype(np.uint8)
    z, y, x = mask.shape
    return Image.from_array(values, geometry=Geometry((x, y, z), **grid), is_volume=True)


DIRECTIONS = [
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((0, 1, 0), (1, 0, 0), (0, 0, -1)),
    ((0, 0, 1), (-1, 0, 0), (0, -1, 0)),
]


class TestPlane:
    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("axis", ["x", "y", "z"])
    @pytest.mark.parametrize("whole", [True, False])
    def test_masks_lie_on_the_bright_object(self, direction, axis, whole):
        mask = blob((6, 12, 14))
        image = volume(mask, direction=direction, spacing_xyz_mm=(1.0, 2.0, 3.0))
        along = "zyx".index(axis)
        index = {"z": 2, "y": 4, "x": 6}[axis]
        found = mask if whole else mask.take(index, axis=along)
        within = [a for a in range(3) if a != 2 - along]
        low, high = np.argwhere(mask).min(axis=0)[::-1], np.argwhere(mask).max(axis=0)[::-1] + 1
        box = (*low[within], *high[within])
        prompt = Prompt(box=tuple(int(v) for v in box), slice=index)
        flat = Flat.of_volume(image, found, mask, [prompt], axis=axis, judged=None if whole else index)
        bright = flat.plane == 200
        assert bright.any()
        np.testing.assert_array_equal(flat.truth, bright)
        np.testing.assert_array_equal(flat.found, bright)
        assert flat.dice == 1.0
        if not whole:
            assert flat.slice == index
            (x0, y0, x1, y1) = flat.boxes[0]
            # The cuboid of the whole object holds what is bright in this slice.
            rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
            assert x0 <= columns[0]
            assert columns[-1] < x1
            assert y0 <= rows[0]
            assert rows[-1] < y1
            assert (x1 - x0) * (y1 - y0) == np.prod([high[a] - low[a] for a in within])

    def test_the_whole_volume_is_judged_and_its_largest_slice_shown(self):
        mask = blob((6, 12, 14))
        found = mask.copy()
        found[3] = False
        flat = Flat.of_volume(volume(mask), found, mask, [], axis="z", judged=None)
        assert flat.slice == 2
        assert flat.dice == pytest.approx(2 * found.sum() / (found.sum() + mask.sum()))
        np.testing.assert_array_equal(flat.found, flat.truth)

    def test_prompts_of_other_slices_are_not_drawn(self):
        mask = blob((6, 12, 14))
        prompts = [Prompt(box=(5, 3, 8, 9), slice=s) for s in (2, 3)] + [Prompt(points=((6, 4, 5),))]
        flat = Flat.of_volume(volume(mask), mask, mask, prompts, axis="z", judged=None)
        assert len(flat.boxes) == 1
        assert flat.points == []


class TestDrawing:
    def flat(self, **changes) -> Flat:
        truth, found = np.zeros((60, 80), bool), np.zeros((60, 80), bool)
        truth[10:40, 20:50] = True
        found[20:50, 30:60] = True
        values = {
            "plane": np.full((60, 80), 60, np.uint8),
            "found": found,
            "truth": truth,
            "boxes": [(15, 5, 65, 55)],
            "points": [],
            "spacing": (1.0, 1.0),
            "slice": None,
            "dice": 0.5,
        }
        return Flat(**{**values, **changes})

    def picture(self, flat: Flat) -> np.ndarray:
        return np.asarray(Picture.open(io.BytesIO(drawn(flat, lambda a: a)))).astype(int)

    def near(self, picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
        return np.abs(picture - np.array(colour)).sum(axis=2) < 150

    def test_each_line_lies_on_its_edge_and_nothing_is_filled(self):
        picture = self.picture(self.flat())  # 480 x 360: six drawn pixels for each
        truth, found, box = (self.near(picture, colour) for colour in (TRUTH, FOUND, PROMPT))
        rows, columns = np.nonzero(truth)
        np.testing.assert_allclose((rows.min(), rows.max()), (60, 240), atol=4)
        np.testing.assert_allclose((columns.min(), columns.max()), (120, 300), atol=4)
        rows, columns = np.nonzero(found)
        np.testing.assert_allclose((rows.min(), rows.max()), (120, 300), atol=4)
        np.testing.assert_allclose((columns.min(), columns.max()), (180, 360), atol=4)
        rows, columns = np.nonzero(box)
        np.testing.assert_allclose((rows.min(), rows.max()), (30, 330), atol=6)
        inside = picture[150:210, 200:280]
        assert np.abs(inside - 60).max() < 30

    def test_the_label_is_solid_and_what_was_found_is_dashed(self):
        picture = self.picture(self.flat())
        solid = self.near(picture, TRUTH)[58:63, 130:290].any(axis=0)
        dashed = self.near(picture, FOUND)[298:303, 190:350].any(axis=0)
        assert solid.mean() > 0.97
        assert 0.4 < dashed.mean() < 0.85

    def test_where_both_agree_both_are_seen(self):
        flat = self.flat(found=self.flat().truth)
        picture = self.picture(flat)
        edge = slice(58, 63), slice(130, 290)
        assert self.near(picture, TRUTH)[edge].any(axis=0).mean() > 0.15
        assert self.near(picture, FOUND)[edge].any(axis=0).mean() > 0.3

    def test_small_objects_are_zoomed_in_on_with_room_around(self):
        truth = np.zeros((400, 600), bool)
        truth[200:240, 300:380] = True
        flat = self.flat(truth=truth, found=truth, plane=truth.astype(np.uint8), boxes=[], spacing=(0.5, 1.0))
        left, top, right, bottom = window(flat)
        assert left < 300
        assert right > 380
        assert top < 200
        assert bottom > 240
        # A square in mm.
        assert (right - left) * 0.5 == pytest.approx(bottom - top, abs=1)

    def test_boxes_beyond_the_object_are_shown_whole(self):
        truth = np.zeros((400, 600), bool)
        truth[200:210, 300:310] = True
        flat = self.flat(truth=truth, found=truth, plane=truth.astype(np.uint8), boxes=[(100, 150, 320, 260)])
        left, top, right, bottom = window(flat)
        assert left <= 100
        assert top <= 150
        assert right >= 320
        assert bottom >= 260

    def test_nothing_at_all_shows_everything(self):
        empty = np.zeros((60, 80), bool)
        assert window(self.flat(truth=empty, found=empty, boxes=[])) == (0, 0, 80, 60)
        assert self.picture(self.flat(truth=empty, found=empty, boxes=[])).shape == (360, 480, 3)
