from __future__ import annotations

import numpy as np
import pytest

from anytomy.tuning.augment import IDENTITY, Augmentation, Variation, allowed_flips


def disc(y: int = 20, x: int = 40) -> np.ndarray:
    rows, columns = np.indices((64, 80))
    return np.hypot(rows - y, columns - x) < 9


@pytest.mark.parametrize(
    "variation",
    [
        Variation(flip_x=True),
        Variation(flip_y=True),
        Variation(angle=25),
        Variation(scale=1.3),
        Variation(scale=0.8, shift_x=0.1, shift_y=-0.05),
        Variation(flip_x=True, angle=-12, scale=1.1, gamma=1.2, contrast=1.1, noise=3, seed=4),
    ],
)
def test_labels_go_where_the_picture_goes(variation: Variation) -> None:
    mask = disc()
    picture = np.where(mask, 200, 20).astype(np.uint8)
    moved, labels = variation.picture(picture), variation.labels(mask.astype(np.uint8) * 3)
    assert moved.shape == picture.shape
    assert set(np.unique(labels)) == {0, 3}
    found = moved > 110
    assert 2 * (found & (labels > 0)).sum() / (found.sum() + (labels > 0).sum()) > 0.95


def test_a_turn_goes_the_way_of_the_sign_and_a_shift_to_the_right() -> None:
    mask = disc(20, 40).astype(np.uint8)
    down_right = Variation(shift_x=0.1, shift_y=0.25).labels(mask)
    assert np.argwhere(down_right).mean(axis=0) == pytest.approx((36, 48), abs=0.5)
    larger = Variation(scale=1.4).labels(mask)
    assert larger.sum() == pytest.approx(1.4**2 * mask.sum(), rel=0.1)


def test_a_cut_takes_labels_and_picture_alike() -> None:
    mask = disc()
    picture = np.where(mask, 200, 20).astype(np.uint8)
    cut = Variation(cut=(0.25, 0.1, 0.0, 0.5))
    assert cut.picture(picture).shape == cut.labels(mask).shape == (32, 52)
    assert np.array_equal(cut.picture(picture), picture[:32, 20:72])
    assert np.array_equal(cut.labels(mask), mask[:32, 20:72])


def test_colours_are_kept_apart() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[5:10, 5:12, 1] = 250
    moved = Variation(flip_x=True, angle=5).picture(picture)
    assert moved.shape == picture.shape
    assert moved[..., 1].max() > 200
    assert not moved[..., (0, 2)].any()


def test_the_identity_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
    assert np.array_equal(IDENTITY.picture(picture), picture)


def test_fixed_variants_are_the_same_each_time() -> None:
    policy = Augmentation.named("strong", flip_x=True, flip_y=False)
    assert policy.fixed(3, "a", 0) == IDENTITY
    assert policy.fixed(3, "a", 2) == policy.fixed(3, "a", 2)
    assert len({policy.fixed(3, key, n) for key in "ab" for n in (1, 2)}) == 4


def test_policies_stay_within_their_limits() -> None:
    policy = Augmentation.named("light", flip_x=False, flip_y=True)
    drawn = [policy.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert not any(v.flip_x for v in drawn)
    assert any(v.flip_y for v in drawn)
    assert max(abs(v.angle) for v in drawn) <= policy.angle
    assert all(1 / policy.scale <= v.scale <= policy.scale for v in drawn)
    assert not Augmentation.named("none", flip_x=True, flip_y=True).changes


@pytest.mark.parametrize(
    ("option", "classes", "placed", "expected"),
    [
        ("auto", (), True, (True, False)),
        ("auto", ("liver",), True, (False, False)),
        ("auto", ("left eye",), False, (False, True)),
        ("auto", ("left kidney",), True, (False, False)),
        ("auto", ("nucleus",), False, (True, True)),
        ("xy", ("left kidney",), True, (True, True)),
        ("none", (), False, (False, False)),
        ("y", (), True, (False, True)),
    ],
)
def test_flips_do_not_mix_up_sides(
    option: str, classes: tuple[str, ...], placed: bool, expected: tuple[bool, bool]
) -> None:
    assert allowed_flips(option, classes, placed=placed) == expected
