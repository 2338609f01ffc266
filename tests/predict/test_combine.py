"""Objects made of others: which voxels, whose in the label map, and what is refused before any work."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.combination import Combination
from anytomy.core.errors import PromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prediction import ObjectMask
from anytomy.core.prompt import Prompt, numbered
from anytomy.core.view import SliceView
from anytomy.predict.combine import combine_objects, recipes
from anytomy.predict.segment import check_request
from tests.engine.tiny import bright_model, card

SHAPE = (3, 4, 5)
RING = "myocardium = epicardium - endocardium"


def prompts(*names: str | None, **fields: Any) -> list[Prompt]:
    return numbered([Prompt(box=(0, 0, 9, 9), name=name, **fields) for name in names])


def objects(masks: np.ndarray[Any, Any], axis: str = "z") -> list[ObjectMask]:
    view = SliceView.canonical(Geometry(size_xyz=masks.shape[:0:-1]).flip(1), axis)
    found = []
    for mask in masks:
        found.append(ObjectMask(view))
        for index, plane in enumerate(view.apply(mask)):
            found[-1].set(index, plane)
    return found


def combined(
    masks: np.ndarray[Any, Any], *texts: str, labels: np.ndarray[Any, Any] | None = None, axis: str = "z"
) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Masks `(z, y, x)` of what is made of objects a, b, c ..., and the label map."""
    found = recipes(prompts(*"abcdef"[: len(masks)]), texts)
    if labels is None:
        labels = np.zeros(masks.shape[1:], np.uint8)
        for id_, mask in enumerate(masks, start=1):
            labels[mask] = id_
    ids = range(1, len(masks) + 1)
    made, _, labels = combine_objects(found, objects(masks, axis), ids, [0.5] * len(masks), labels.copy())
    return [each.expand() for each in made], labels


some_masks = arrays(bool, (3, *SHAPE))


@given(
    masks=some_masks,
    first=st.sampled_from("abc"),
    rest=st.lists(st.tuples(st.sampled_from("-+|&"), st.sampled_from("abc")), max_size=6),
    axis=st.sampled_from("xyz"),
)
def test_expressions_mean_sets_of_voxels(
    masks: np.ndarray[Any, Any], first: str, rest: list[tuple[str, str]], axis: str
) -> None:
    text = first + "".join(f" {sign} {name}" for sign, name in rest)
    of = dict(zip("abc", masks, strict=True))
    # By another way than that of the code: split at what binds least, then fold.
    terms, signs = [[of[first]]], []
    for sign, name in rest:
        if sign == "&":
            terms[-1].append(of[name])
        else:
            terms.append([of[name]])
            signs.append(sign)
    products = [reduce(operator.and_, term) for term in terms]
    expected = products[0]
    for sign, product in zip(signs, products[1:], strict=True):
        expected = expected > product if sign == "-" else expected | product
    (made,), _ = combined(masks, f"made = {text}", axis=axis)
    np.testing.assert_array_equal(made, expected)


@given(masks=some_masks)
def test_parentheses_and_earlier_combinations(masks: np.ndarray[Any, Any]) -> None:
    a, b, c = masks
    (first, second, third), _ = combined(
        masks, "one = a - (b + c)", "two = (a | b) & (b | c)", "three = one + 'two' - 1"
    )
    np.testing.assert_array_equal(first, a & ~b & ~c)
    np.testing.assert_array_equal(second, (a | b) & (b | c))
    np.testing.assert_array_equal(third, (first | second) & ~a)


@given(masks=some_masks, labels=arrays(np.uint8, SHAPE, elements=st.integers(1, 3)))
def test_the_label_map_shows_the_ring_then_its_hole_then_the_rest(
    masks: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]
) -> None:
    a, b, c = masks
    # A label map as the canvas leaves it: each voxel is one of the objects' that claim it.
    claims = np.stack([~masks.any(axis=0), a, b, c])
    before = np.where(claims[labels, *np.indices(SHAPE)], labels, claims.argmax(axis=0)).astype(np.uint8)
    (ring,), after = combined(masks, "ring = a - b", labels=before)
    theirs = np.isin(before, (1, 2))
    expected = before.copy()
    expected[a & b & theirs] = 2
    expected[ring & theirs] = 4
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(after == 3, before == 3)


def test_what_is_made_later_lies_over_what_it_is_made_of() -> None:
    a = np.zeros((3, 1, 1, 8), bool)
    a[0, ..., :6], a[1, ..., 2:4], a[2, ..., 3:8] = True, True, True
    _, labels = combined(a, "wall = a - b", "part = wall & c")
    assert labels[0, 0].tolist() == [4, 4, 2, 3, 5, 5, 3, 3]
    _, labels = combined(a[:2], "wall = a - b", "all = wall + b")
    assert labels[0, 0].tolist() == [4, 4, 4, 4, 4, 4, 0, 0]


def test_scores_are_those_of_the_worst_part() -> None:
    masks = np.zeros((3, *SHAPE), bool)
    masks[:2, 0] = True
    found = recipes(prompts(*"abc"), ["x = a + b", "y = x + a", "z = c & a"])
    labels = np.zeros(SHAPE, np.uint8)
    _, scores, _ = combine_objects(found, objects(masks), [1, 2, 3], [0.9, 0.4, 0.8], labels)
    assert scores == [0.4, 0.4, 0.0]


def test_ids_are_free_ones_or_given_and_the_label_map_can_hold_them() -> None:
    asked = numbered([Prompt(box=(0, 0, 9, 9), id=2, name="a"), Prompt(box=(0, 0, 9, 9), name="b")])
    found = recipes(asked, [Combination("x", "a"), Combination("y", "b", id=3), Combination("z", "3", 700)])
    assert [each.combination.id for each in found] == [4, 3, 700]
    masks = np.ones((2, *SHAPE), bool)
    made, _, labels = combine_objects(found, objects(masks), [2, 1], [1, 1], np.full(SHAPE, 2, np.uint8))
    assert len(made) == 3
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) == {4}


class TestRefused:
    @pytest.mark.parametrize(
        ("texts", "says"),
        [
            ([RING.replace("endo", "ebdo")], "no object ebdocardium; did you mean endocardium?"),
            (["m = Epicardium - x"], "no object x; objects are epicardium, endocardium, "),
            (["m = left"], 'no object left; did you mean "left-kidney"?'),
            (["m = 7"], "no object with the id 7; ids are 1, 2, 3, 4, 5, 6"),
            (["m = twin - 1"], "twin is the name of objects 4 and 5; write the id"),
            (["Epicardium = 1"], "Epicardium is already the name of object 1"),
            (["object  6 = 1"], "is already the name of object 6"),
            (["m = 1", "M = 2"], "M is already the name of the combination m = 1"),
            (["m = m - 1"], "circular, m is made of itself"),
            (["m = 1 - n", "n = k", "k = 2 + M"], "circular, n is made of m in turn"),
            (["m = 1 - n", "n = 2"], "n is made only later; put n = 2 before it"),
            ([Combination("m", "1", id=2)], "id 2 is already that of object 2"),
            (
                [Combination("m", "1", id=9), Combination("n", "1", id=9)],
                "id 9 is already that of the ",
            ),
            (["m = 1 -"], "got the end"),
        ],
    )
    def test_what_is_wrong(self, texts: list[Any], says: str) -> None:
        asked = prompts("epicardium", "endocardium", "left-kidney", "twin", "twin", None)
        with pytest.raises(PromptError) as caught:
            recipes(asked, texts)
        assert says in str(caught.value)

    def test_an_exact_name_comes_before_one_in_other_capitals(self) -> None:
        (found,) = recipes(prompts("a", "A"), ["m = A"])
        assert list(found.places.values()) == [1]

    def test_before_the_model_is_needed(self) -> None:
        image = Image.from_array(np.zeros((20, 20), np.uint8))
        with pytest.raises(PromptError, match="no object endocardium"):
            check_request(card(), image, prompts("epicardium"), combine=[RING])

    def test_all_ids_taken(self) -> None:
        asked = numbered([Prompt(box=(0, 0, 9, 9))] * 65535)
        with pytest.raises(PromptError, match="65535"):
            recipes(asked, ["m = 1"])


class TestSegment:
    """A bright ring and its bright hole: a box on the ring gives all that is bright in it."""

    BOXES = (Prompt(box=(4, 4, 60, 60), name="epicardium"), Prompt(box=(20, 20, 44, 44), name="endocardium"))

    @staticmethod
    def image(depth: int = 0) -> Image:
        y, x = np.indices((64, 64))
        disc = (np.hypot(y - 32, x - 32) < 24).astype(np.uint8) * 250
        return Image.from_array(np.repeat(disc[None], depth, axis=0) if depth else disc, is_volume=depth > 0)

    def test_a_ring_in_a_picture(self) -> None:
        for overlap in ("higher-logit", "last"):
            result = bright_model().segment(self.image(), self.BOXES, combine=[RING], overlap=overlap)
            outer, inner, ring = result.masks
            assert inner.any()
            np.testing.assert_array_equal(ring, outer & ~inner)
            np.testing.assert_array_equal(result.label_map, ring * 3 + inner * 2)
            assert result.ids == (1, 2, 3)
            assert result.names == ("epicardium", "endocardium", "myocardium")
            assert result.scores == (0.5, 0.5, 0.5)
            assert [c.text for c in result.combinations] == [RING]
            assert [source.name for source in result.sources] == list(result.names)

    def test_one_text_is_one_combination(self) -> None:
        result = bright_model().segment(self.image(), self.BOXES, combine=RING)
        assert result.names[2] == "myocardium"

    def test_a_volume_along_any_axis(self) -> None:
        boxes = [
            Prompt(box=(4, 4, 0, 60, 60, 6), name="epicardium"),
            Prompt(box=(20, 20, 1, 44, 44, 5), name="endocardium"),
        ]
        for axis in "xyz":
            result = bright_model().segment(self.image(6), boxes, combine=[RING], axis=axis)
            outer, inner, ring = result.masks
            np.testing.assert_array_equal(ring, outer & ~inner)
            np.testing.assert_array_equal(result.label_map == 3, ring)
            np.testing.assert_array_equal(result.label_map == 2, inner)

    def test_parts_are_cleaned_and_the_ring_keeps_its_hole(self) -> None:
        result = bright_model().segment(
            self.image(), self.BOXES, combine=[RING], largest=True, fill_holes=True
        )
        assert not (result.masks[2] & result.masks[1]).any()

    @pytest.mark.parametrize("ending", [".nii.gz", ".seg.nrrd", ".npz", ".png"])
    def test_it_is_written_like_any_object(self, tmp_path: Any, ending: str) -> None:
        result = bright_model().segment(self.image(), self.BOXES, combine=[RING], overlap="keep")
        written = result.save(tmp_path / f"m{ending}")
        assert written
        if ending == ".png":
            assert [path.name for path in written][2] == "m_3_myocardium.png"
