from __future__ import annotations

import numpy as np
import pytest

from anytomy.distill.views import averaged
from anytomy.tuning.augment import Augmentation

_POLICY = Augmentation(flip_x=True, flip_y=True, angle=10, scale=1.1, shift=0.03)


def bright(levels: np.ndarray) -> np.ndarray:
    """A student that finds what is bright, and so moves with the picture."""
    inside = (levels[0] > 0.5).astype(np.float32)
    return np.stack([1 - inside, inside])


def phantom() -> np.ndarray:
    z, y, x = np.indices((6, 40, 48))
    return np.where(np.hypot(y - 15, x - 30) < 8 - abs(z - 3), 220, 20).astype(np.uint8)[None]


@pytest.mark.parametrize("flat", [True, False])
def test_views_are_undone_before_they_are_averaged(flat: bool) -> None:
    levels = phantom()
    found = averaged(bright, levels, _POLICY, views=6, flat=flat, seed=0, key="a")
    assert found.shape == (2, 6, 40, 48)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    inside, truth = found[1] > 0.5, levels[0] > 128
    assert 2 * (inside & truth).sum() / (inside.sum() + truth.sum()) > 0.9


def test_one_view_is_the_case_itself() -> None:
    levels = phantom()
    found = averaged(bright, levels, _POLICY, views=1, flat=True, seed=0, key="a")
    np.testing.assert_allclose(found, bright(levels / np.float32(255)), atol=1e-6)


def test_views_follow_from_seed_and_case() -> None:
    levels = phantom()
    made = [
        averaged(bright, levels, _POLICY, views=3, flat=False, seed=s, key=k)
        for s, k in ((0, "a"), (0, "a"), (0, "b"), (1, "a"))
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[3])


def test_a_student_that_does_not_move_with_the_picture_is_unsure_of_itself() -> None:
    """It finds the same corner whatever it sees: views disagree about it."""

    def corner(levels: np.ndarray) -> np.ndarray:
        inside = np.zeros(levels.shape[1:], np.float32)
        inside[:, :12, :12] = 1
        return np.stack([1 - inside, inside])

    found = averaged(corner, phantom(), _POLICY, views=8, flat=True, seed=0, key="a")
    assert found[1, :, 4:8, 4:8].max() < 0.9
