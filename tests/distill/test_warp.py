from __future__ import annotations

import numpy as np
import pytest
import torch

from anytomy.distill.warp import Look, Warp
from anytomy.tuning.augment import Augmentation, Variation


def ramp(*size: int) -> torch.Tensor:
    """A smooth picture `(1, *size)`."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
    return torch.exp(-3 * sum(a**2 for a in axes))[None] + 0.2 * axes[-1][None]


@pytest.mark.parametrize("size", [(20, 31), (9, 14, 17)])
def test_the_identity_changes_nothing(size: tuple[int, ...]) -> None:
    picture = ramp(*size)
    warp = Warp.of(Variation(), size, np.random.default_rng(0))
    torch.testing.assert_close(warp(picture), picture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("flips", [(True, False), (False, True), (True, True)])
def test_flips_reverse_columns_and_rows(flips: tuple[bool, bool]) -> None:
    picture = torch.rand(2, 12, 17)
    warp = Warp.of(Variation(flip_x=flips[0], flip_y=flips[1]), (12, 17), np.random.default_rng(0))
    axes = [a for a, flip in ((2, flips[0]), (1, flips[1])) if flip]
    torch.testing.assert_close(warp(picture), picture.flip(axes), atol=1e-5, rtol=0)


def test_a_rotation_is_that_of_the_other_augmentation() -> None:
    """`tuning.augment` turns pictures by SciPy; both must agree on direction, scale and shift."""
    variation = Variation(angle=25, scale=1.2, shift_x=0.05, shift_y=-0.1)
    picture = (ramp(40, 50)[0] * 150 + 40).numpy().astype(np.uint8)
    scipys = variation.picture(picture)
    warp = Warp.of(variation, (40, 50), np.random.default_rng(0))
    ours = warp(torch.from_numpy(picture).float()[None])[0].numpy()
    middle = (slice(10, 30), slice(12, 38))
    assert np.abs(ours[middle] - scipys[middle]).max() < 3


def test_a_patch_of_a_larger_picture_lies_where_it_was_cut() -> None:
    picture = torch.rand(1, 40, 60)
    warp = Warp.of(Variation(), (8, 10), np.random.default_rng(0), centre=np.array([20.5, 30.5]))
    torch.testing.assert_close(warp(picture), picture[:, 17:25, 26:36], atol=1e-5, rtol=0)


def test_what_is_smaller_than_a_patch_lies_in_its_corner() -> None:
    picture = torch.rand(1, 5, 6)
    centre = np.array([2.0, 2.5])
    warp = Warp.of(Variation(), (8, 16), np.random.default_rng(0), centre=centre, middle=centre)
    made = warp(picture)
    torch.testing.assert_close(made[:, :5, :6], picture, atol=1e-5, rtol=0)
    assert not made[:, 5:].any()
    assert not made[:, :, 6:].any()


@pytest.mark.parametrize("size", [(40, 52), (20, 30, 26)])
def test_the_inverse_brings_everything_back(size: tuple[int, ...]) -> None:
    picture = ramp(*size)
    policy = Augmentation(flip_x=True, flip_y=True, angle=15, scale=1.2, shift=0.05)
    for number in range(4):
        rng = np.random.default_rng(number)
        warp = Warp.of(policy.draw(rng), size, rng)
        back = warp.inverse(size)(warp(picture))
        middle = (0, *(slice(n // 3, -(n // 3)) for n in size))
        assert (back[middle] - picture[middle]).abs().max() < 0.05


def test_a_bend_moves_pixels_and_follows_from_the_generator() -> None:
    picture = ramp(32, 32)
    bent = [Warp.of(Variation(), (32, 32), np.random.default_rng(s), bends=True)(picture) for s in (1, 1, 2)]
    torch.testing.assert_close(bent[0], bent[1])
    assert (bent[0] - picture).abs().max() > 0.02
    assert (bent[0] - bent[2]).abs().max() > 0.02


def test_a_look_changes_levels_and_leaves_the_range() -> None:
    levels = torch.rand(3, 8, 8)
    assert Look()(levels) is levels
    changed = Look(gamma=2.0)(levels)
    torch.testing.assert_close(changed, levels**2)
    noisy = Look(noise=0.1, seed=3)(levels)
    torch.testing.assert_close(noisy, Look(noise=0.1, seed=3)(levels))
    assert 0 <= noisy.min() <= noisy.max() <= 1
    # The same noise in all colours: it is of the picture, not of a colour.
    inside = ((noisy > 0) & (noisy < 1)).all(dim=0)
    torch.testing.assert_close((noisy - levels)[0][inside], (noisy - levels)[1][inside], atol=1e-6, rtol=0)
