from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from anytomy.core.errors import OptionError
from anytomy.volumes.interpolate import interpolate

Mask = NDArray[np.bool_]


def disk(radius: float, centre: tuple[float, float] = (32, 32), shape: tuple[int, int] = (64, 64)) -> Mask:
    y, x = np.indices(shape)
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def dice(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_every_third_slice_of_a_sphere_gives_the_sphere_back() -> None:
    sphere = {z: disk(np.sqrt(20**2 - (z - 24) ** 2)) for z in range(6, 43)}
    drawn = {z: mask for z, mask in sphere.items() if z % 3 == 0}
    made = interpolate(drawn)
    assert sorted(made) == [z for z in range(6, 43) if z % 3]
    whole = np.stack([made[z] for z in sorted(made)])
    assert dice(whole, np.stack([sphere[z] for z in sorted(made)])) > 0.98
    assert min(dice(mask, sphere[z]) for z, mask in made.items()) > 0.93  # the poles are the worst


def test_radii_of_concentric_disks_change_in_proportion() -> None:
    made = interpolate({10: disk(8), 14: disk(20)})
    radii = [float(np.sqrt(made[z].sum() / np.pi)) for z in (11, 12, 13)]
    assert radii == pytest.approx([11, 14, 17], abs=0.5)


def test_two_objects_move_each_for_itself() -> None:
    first = disk(6, (16, 14)) | disk(6, (46, 48))
    last = disk(6, (20, 14)) | disk(6, (42, 48))
    middle = interpolate({0: first, 2: last})[1]
    assert dice(middle, disk(6, (18, 14)) | disk(6, (44, 48))) > 0.9


def test_a_part_without_a_successor_ends_between() -> None:
    made = interpolate({0: disk(8) | disk(4, (8, 8)), 10: disk(8)})
    assert dice(made[5], disk(8)) > 0.99
    assert not made[9][8, 8]


def test_objects_apart_from_each_other_leave_the_slices_between_empty() -> None:
    made = interpolate({0: disk(4, (10, 10)), 4: disk(4, (50, 50))})
    assert not made[2].any()


def test_distances_are_those_in_mm() -> None:
    """A cross of a wide and a high bar: the one with the larger margin in mm wins in the middle."""
    wide, high = np.zeros((2, 41, 41), dtype=bool)
    wide[18:23, 5:36] = True
    high[5:36, 18:23] = True
    even = interpolate({0: wide, 2: high})[1]
    assert even.any()
    assert np.array_equal(even, even.T)
    tall = interpolate({0: wide, 2: high}, spacing_mm=(4.0, 1.0))[1]
    assert np.ptp(np.flatnonzero(tall.any(axis=0))) != np.ptp(np.flatnonzero(tall.any(axis=1)))


@pytest.mark.parametrize("spacing", [(2.0, 2.0), (0.1, 0.1)])
def test_a_common_scale_changes_nothing(spacing: tuple[float, float]) -> None:
    keys = {0: disk(5, (20, 25)), 4: disk(9, (24, 22))}
    plain, scaled = interpolate(keys), interpolate(keys, spacing_mm=spacing)
    assert all(np.array_equal(plain[z], scaled[z]) for z in plain)


def test_what_touches_the_edge_of_the_picture_stays_there() -> None:
    strip = np.zeros((20, 30), dtype=bool)
    strip[:, :6] = True
    made = interpolate({0: strip, 2: strip, 5: np.ones_like(strip), 7: np.ones_like(strip)})
    assert np.array_equal(made[1], strip)
    assert made[6].all()


def test_only_wanted_slices_between_drawn_ones_are_made() -> None:
    keys = {2: disk(5), 6: disk(7), 9: disk(4), 12: np.zeros((64, 64), dtype=bool)}
    assert sorted(interpolate(keys, [0, 3, 6, 8, 11, 30])) == [3, 8]


def test_one_drawn_slice_is_not_enough() -> None:
    with pytest.raises(OptionError, match="at least two slices"):
        interpolate({3: disk(4), 5: np.zeros((64, 64), dtype=bool)})
