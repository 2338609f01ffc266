"""The largest part and filled holes, and a label map that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from anytomy.core.geometry import Geometry
from anytomy.core.prediction import ObjectMask
from anytomy.core.view import SliceView
from anytomy.predict.cleaning import clean_mask, clean_objects

SHAPE = (5, 6, 7)
GEOMETRY = Geometry(size_xyz=SHAPE[::-1]).flip(1).flip(2)
VIEW = SliceView.canonical(GEOMETRY)
volumes = arrays(bool, SHAPE, elements=st.sampled_from([True, True, False]))
options = st.sampled_from([(True, False), (False, True), (True, True)])


def dense(mask: Any, largest: bool, fill_holes: bool) -> Any:
    if mask.any() and largest:
        parts, count = ndimage.label(mask)
        sizes = ndimage.sum(mask, parts, range(1, count + 1))
        mask = parts == 1 + int(np.argmax(sizes))
    return ndimage.binary_fill_holes(mask) if fill_holes else mask


@given(volumes, options)
def test_masks_agree_with_scipy(mask: Any, wanted: tuple[bool, bool]) -> None:
    got = clean_mask(mask, largest=wanted[0], fill_holes=wanted[1])
    np.testing.assert_array_equal(got, dense(mask, *wanted))


@given(arrays(bool, (6, 7)), options)
def test_a_single_slice_is_two_dimensional(mask: Any, wanted: tuple[bool, bool]) -> None:
    got = clean_mask(mask[None], largest=wanted[0], fill_holes=wanted[1])
    np.testing.assert_array_equal(got[0], dense(mask, *wanted))


def test_corners_do_not_connect_and_open_holes_stay() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0, 0, :2] = mask[0, 1, 2] = True
    assert clean_mask(mask, largest=True, fill_holes=False).sum() == 2
    ring = np.zeros(SHAPE, dtype=bool)
    ring[1:4, 1:4, 1:4] = True
    ring[1:3, 2, 2] = False  # open towards slice 0
    assert clean_mask(ring, largest=False, fill_holes=True).sum() == ring.sum()
    ring[1, 2, 2] = True
    assert clean_mask(ring, largest=False, fill_holes=True).sum() == 27


def objects(masks: Any) -> list[ObjectMask]:
    out = []
    for mask in masks:
        found = ObjectMask(VIEW)
        for s, plane in enumerate(VIEW.apply(mask)):
            found.set(s, plane)
        out.append(found)
    return out


@given(st.lists(volumes, min_size=1, max_size=3), options, st.sampled_from([0, 1]))
def test_the_label_map_follows(masks: Any, wanted: tuple[bool, bool], first: int) -> None:
    ids = [300, 2, 9][: len(masks)]
    label_map = np.zeros(SHAPE, dtype=np.uint16)
    order = list(zip(masks, ids, strict=True))
    for mask, id_ in order if first else order[::-1]:
        label_map[mask] = id_
    before = label_map.copy()
    held = objects(masks)
    clean_objects(held, label_map, ids, largest=wanted[0], fill_holes=wanted[1])
    after = [mask.expand() for mask in held]
    for mask, cleaned in zip(masks, after, strict=True):
        # An object of one slice is filled as a picture; others as SciPy fills the volume.
        if len(np.unique(np.argwhere(mask)[:, 0])) > 1:
            # In the view, where ties between equal parts do not depend on how the file is stored.
            np.testing.assert_array_equal(VIEW.apply(cleaned), dense(VIEW.apply(mask), *wanted))
    anywhere = np.any(after, axis=0)
    np.testing.assert_array_equal(label_map > 0, anywhere)
    for cleaned, id_ in zip(after, ids, strict=True):
        assert cleaned[label_map == id_].all()
        # Who keeps a voxel keeps it in the label map as well.
        assert (label_map[cleaned & (before == id_)] == id_).all()


def test_a_lost_voxel_goes_to_another_claimant_and_a_hole_takes_background_only() -> None:
    one, two = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    one[:, 0:4, 0:4] = True
    one[2, 1:3, 1:3] = False  # a hole, enclosed by slices 1 and 3
    one[:, 5, 6] = True  # a second part
    two[2, 1, 1] = True  # sits in the hole
    two[:, 5, 6] = True  # claims the second part too
    label_map = np.where(one, 1, np.where(two, 2, 0)).astype(np.uint8)
    held = objects([one, two])
    clean_objects(held, label_map, [1, 2], largest=True, fill_holes=True)
    assert (label_map[:, 5, 6] == 2).all()
    assert label_map[2, 2, 2] == 1
    assert label_map[2, 1, 1] == 1  # object 2 kept its larger part only, and the hole is claimed by object 1
    assert held[0].get(2).sum() == 16


@pytest.mark.parametrize("wanted", [{"largest": True, "fill_holes": True}])
def test_nothing_to_clean(wanted: Any) -> None:
    label_map = np.zeros(SHAPE, dtype=np.uint8)
    clean_objects(objects([np.zeros(SHAPE, bool)] * 2), label_map, [1, 2], **wanted)
    assert not label_map.any()
