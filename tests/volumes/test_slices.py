from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import GreyScale
from anytomy.core.view import SliceView
from anytomy.engine.frame import PlanePrompt
from anytomy.volumes.slices import NeighbourSlices, Slices, SquareSlices, Turn
from tests.core.strategies import stored, stored_array
from tests.engine.tiny import bright_model
from tests.volumes.strategy_contract import OFF

GREY = GreyScale(0.0, 255.0, keep=True, zero_is_black=False)
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@given(
    st.sampled_from(ORDERS), st.tuples(*[st.booleans()] * 3), st.sampled_from("xyz"), st.sampled_from("xyz")
)
def test_a_turn_is_the_way_from_one_canonical_view_to_another(order, flips, here, there) -> None:
    geometry = stored(Geometry(size_xyz=(4, 3, 2), spacing_xyz_mm=(1, 2, 3)), order, flips)
    array = stored_array(numbered((2, 3, 4)), order, flips)
    one, other = SliceView.canonical(geometry, here), SliceView.canonical(geometry, there)
    turn = Turn.between(one, other)
    np.testing.assert_array_equal(turn.apply(one.apply(array)), other.apply(array))
    np.testing.assert_array_equal(turn.restore(turn.apply(one.apply(array))), one.apply(array))


@given(
    st.sampled_from(ORDERS),
    st.tuples(*[st.booleans()] * 3),
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
def test_a_cuboid_holds_the_same_voxels_after_a_turn(order, flips, low, size) -> None:
    shape = (6, 7, 8)
    high = tuple(a + b for a, b in zip(low, size, strict=True))
    turn = Turn(order, flips)
    array = numbered(shape)
    s0, r0, c0, s1, r1, c1 = turn.cuboid(low, high, shape)
    turned = turn.apply(array)[s0:s1, r0:r1, c0:c1]
    inside = array[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    assert sorted(turned.ravel()) == sorted(inside.ravel())


def test_other_planes_are_the_canonical_ones_with_their_spacing() -> None:
    geometry = Geometry(size_xyz=(5, 4, 3), spacing_xyz_mm=(0.5, 1.0, 4.0))
    image = Image.from_array(numbered((3, 4, 5)).astype(np.uint8), is_volume=True, geometry=geometry)
    slices = Slices.of(image, SliceView.canonical(geometry), GREY)
    assert slices.spacing == (4.0, 1.0, 0.5)
    sagittal, coronal = slices.planes()
    assert (sagittal.slices.spacing, len(sagittal.slices), sagittal.slices.shape) == (
        (0.5, 4.0, 1.0),
        5,
        (3, 4),
    )
    assert (coronal.slices.spacing, len(coronal.slices), coronal.slices.shape) == ((1.0, 4.0, 0.5), 4, (3, 5))
    # The head is on top: rows run against the slices of the axial plane.
    assert coronal.turn.flips == (False, True, False)


def test_thick_slices_are_shown_square_and_answered_on_their_own_pixels() -> None:
    seen = np.zeros((1, 8, 40), np.uint8)
    seen[0, 2:6, 10:30] = 255
    slices = SquareSlices(seen, GREY, spacing=(1.0, 5.0, 1.0), turns=())
    assert slices[0].shape == (40, 40)
    assert slices.shape == (8, 40)
    found = slices.decode(bright_model(), 0, PlanePrompt(box=(10, 2, 30, 6)), OFF)
    assert found.logits.shape == (8, 40)
    truth = seen[0] > 0
    assert ((found.logits > 0) & truth).sum() / ((found.logits > 0) | truth).sum() > 0.8


def test_neighbours_are_the_channels() -> None:
    seen = np.stack([np.full((4, 4), 10 * i, np.uint8) for i in range(6)])
    near = NeighbourSlices(Slices(seen, GREY))
    assert [int(v) for v in near[2][0, 0]] == [10, 20, 30]
    assert [int(v) for v in near[0][0, 0]] == [0, 0, 10]
    assert [int(v) for v in near[5][0, 0]] == [40, 50, 50]
    # Slices of half a pixel: the next but one is as far as a pixel is wide.
    thin = NeighbourSlices(Slices(seen, GREY, spacing=(0.5, 1.0, 1.0)))
    assert [int(v) for v in thin[2][0, 0]] == [0, 20, 40]
    thick = NeighbourSlices(Slices(seen, GREY, spacing=(8.0, 1.0, 1.0)))
    assert thick.step == 1


def test_colour_has_no_room_for_neighbours() -> None:
    with pytest.raises(OptionError, match="colour"):
        NeighbourSlices(Slices(np.zeros((3, 4, 4, 3), np.uint8), GREY))
