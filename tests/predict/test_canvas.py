"""Where objects overlap."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.engine.model import Decoded
from anytomy.predict.canvas import Canvas

GEOMETRY = Geometry(size_xyz=(6, 5, 3)).flip(0).flip(2)  # the view reverses columns and slices
VIEW = SliceView.canonical(GEOMETRY)


def canvas(ids: Any, visits: Any, overlap: str = "higher-logit") -> Canvas:
    prompts = [Prompt(box=(0, 0, 1, 1), id=i) for i in ids]
    return Canvas(VIEW, GEOMETRY.shape_zyx, prompts, overlap=overlap, visits=visits)


@st.composite
def drawings(draw: Any) -> Any:
    """Ids, logits (object, slice, row, column), which are drawn in what order."""
    count = draw(st.integers(1, 4))
    ids = draw(st.permutations([1, 7, 255, 300][:count]))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    # Few values and tiny differences: ties in half precision, which must not depend on the order either.
    logits = rng.choice([-5.0, 0.0, 1e-3, 3.0, 3.0001, 8.0, 1e5, np.inf], (count, 3, 5, 6)).astype(np.float32)
    pairs = draw(st.permutations([(i, s) for i in range(count) for s in range(3)]))
    return ids, logits, pairs[: draw(st.integers(1, len(pairs)))]


def dense(ids: Any, logits: Any, pairs: Any, overlap: str) -> Any:
    out = np.zeros(VIEW.apply(np.zeros(GEOMETRY.shape_zyx)).shape, dtype=int)
    best = np.full(out.shape, -np.inf)
    limit = np.finfo(np.float16).max
    for index, slice_ in sorted(pairs):
        plane = logits[index, slice_]
        half = plane.clip(-limit, limit).astype(np.float16)
        wins = (plane > 0) & ((half > best[slice_]) if overlap != "last" else True)
        out[slice_][wins] = ids[index]
        best[slice_][wins] = half[wins]
    return VIEW.restore(out)


@given(drawings(), st.sampled_from(["higher-logit", "keep", "last"]))
def test_label_map_in_any_order_of_drawing(drawing: Any, overlap: str) -> None:
    ids, logits, pairs = drawing
    target = canvas(ids, Counter(s for _, s in pairs), overlap)
    for index, slice_ in pairs:
        target.draw(index, slice_, Decoded(logits[index, slice_], 0.5))
    np.testing.assert_array_equal(target.label_map, dense(ids, logits, pairs, overlap))
    assert not target._winners  # nothing is held once slices are complete
    for index, mask in enumerate(target.stack(is_volume=True)):
        expected = np.zeros((3, 5, 6), dtype=bool)
        for i, slice_ in pairs:
            if i == index:
                expected[slice_] = logits[i, slice_] > 0
        np.testing.assert_array_equal(mask, VIEW.restore(expected))


def test_winners_are_dropped_once_a_slice_is_complete() -> None:
    target = canvas((1, 2), {0: 2, 1: 2, 2: 1})
    plane = np.full((5, 6), 4.0, dtype=np.float32)
    for slice_ in (0, 1, 2):
        target.draw(0, slice_, Decoded(plane, 0.5))
    assert set(target._winners) == {0, 1}
    target.draw(1, 0, Decoded(-plane, 0.5))  # also where the last one finds nothing
    assert set(target._winners) == {1}
    target.draw(1, 1, Decoded(plane + 1, 0.5))
    assert not target._winners


def test_winners_are_cropped_and_half() -> None:
    target = canvas((1, 2), {0: 2})
    plane = np.full((5, 6), -4.0, dtype=np.float32)
    plane[2, 3] = 4
    target.draw(0, 0, Decoded(plane, 0.5))
    ((_, _, values),) = target._winners.values()
    assert values.shape == (1, 1)
    assert values.dtype == np.float16


@pytest.mark.parametrize(
    ("ids", "dtype"), [((1, 255), np.uint8), ((1, 256), np.uint16), ((65535,), np.uint16)]
)
def test_large_ids(ids: Any, dtype: Any) -> None:
    target = canvas(ids, {0: len(ids)})
    target.draw(len(ids) - 1, 0, Decoded(np.ones((5, 6), np.float32), 0.5))
    assert target.label_map.dtype == dtype
    assert target.label_map.max() == ids[-1]


def test_scores_are_means_over_slices_with_voxels() -> None:
    target = canvas((1, 2), {0: 2, 1: 2})
    yes, no = np.ones((5, 6), np.float32), -np.ones((5, 6), np.float32)
    target.draw(0, 0, Decoded(yes, 0.5))
    target.draw(0, 1, Decoded(yes, 0.9))
    target.draw(1, 0, Decoded(no, 0.99))
    target.draw(1, 1, Decoded(no, 0.99))
    assert target.scores == (pytest.approx(0.7), 0.0)


def test_not_a_number_is_outside() -> None:
    target = canvas((1,), {0: 1})
    plane = np.full((5, 6), np.nan, dtype=np.float32)
    plane[1, 1] = 2
    target.draw(0, 0, Decoded(plane, 0.5))
    assert (target.label_map > 0).sum() == 1


def test_another_rule_is_refused() -> None:
    with pytest.raises(OptionError, match=r"higher-logit, last, keep, got 'first'"):
        canvas((1,), {}, "first")
