"""What the values of masks mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from .made import SIZE, Array, disc, meanings, picture, recognised, said, volume

RNG = np.random.default_rng(5)


def masks(root: Path, arrays: list[Array], ending: str = ".png", **options: Any) -> None:
    for n, array in enumerate(arrays):
        picture(root / f"images/{n}.png")
        picture(root / f"masks/{n}{ending}", array, **options)


def blobs(count: int, seed: int) -> Array:
    """A map with so many separate objects, numbered."""
    rng = np.random.default_rng(seed)
    out = np.zeros((SIZE, SIZE), np.uint8)
    for number, cell in enumerate(rng.permutation(16)[:count], start=1):
        y, x = 12 * (cell // 4) + 1, 12 * (cell % 4) + 1
        out[y : y + 4 + rng.integers(6), x : x + 4 + rng.integers(6)] = number
    return out


def test_binary(tmp_path: Path) -> None:
    masks(tmp_path, [disc(), disc(radius=5)])
    assert meanings(recognised(tmp_path)) == [("foreground", ">127")]


def test_binary_with_ones(tmp_path: Path) -> None:
    masks(tmp_path, [disc(1), disc(1, radius=5)])
    assert meanings(recognised(tmp_path)) == [("foreground", ">0")]


def test_binary_with_ones_and_255(tmp_path: Path) -> None:
    masks(tmp_path, [disc(1), disc(255, radius=5)])
    assert meanings(recognised(tmp_path)) == [("foreground", ">0")]


def test_one_bit(tmp_path: Path) -> None:
    for n in range(2):
        picture(tmp_path / f"images/{n}.png")
        picture(tmp_path / f"masks/{n}.png", disc().astype(bool))
    assert meanings(recognised(tmp_path)) == [("foreground", ">0")]


def test_grey_as_colour(tmp_path: Path) -> None:
    masks(tmp_path, [np.repeat(disc()[..., None], 3, axis=2)] * 2)
    assert meanings(recognised(tmp_path)) == [("foreground", ">127")]


def test_jpegs_have_a_threshold(tmp_path: Path) -> None:
    masks(tmp_path, [disc(), disc(radius=6)], ".jpg", quality=60)
    found = recognised(tmp_path)
    assert meanings(found) == [("foreground", ">127")]
    assert "JPEG" in said(found)


def test_blurred_edges_have_a_threshold(tmp_path: Path) -> None:
    arrays = [gaussian_filter(disc(radius=r).astype(float), 1.2).astype(np.uint8) for r in (8, 12, 15)]
    masks(tmp_path, arrays)
    assert meanings(recognised(tmp_path)) == [("foreground", ">127")]


def test_soft_maps_of_several_experts(tmp_path: Path) -> None:
    def soft(shift: float) -> Array:
        rings = [disc(1, radius=r, centre=(24 + shift, 24)).astype(int) for r in (21, 20, 19, 18)]
        return np.array([0, 64, 128, 191, 255], np.uint8)[sum(rings)]

    masks(tmp_path, [soft(0), soft(1)])
    found = recognised(tmp_path)
    assert meanings(found) == [("foreground", ">127")]
    assert "several experts" in said(found)


def test_two_grey_levels_are_classes(tmp_path: Path) -> None:
    cell = [np.maximum(disc(128, radius=r), disc(255, radius=r // 2)) for r in (14, 18)]
    masks(tmp_path, cell)
    assert meanings(recognised(tmp_path)) == [("label 128", (128,)), ("label 255", (255,))]


def test_stray_grey_values_between_classes_are_said(tmp_path: Path) -> None:
    cell = np.maximum(disc(128, radius=18), disc(255, radius=10))
    strange = cell.copy()
    strange[24, 34], strange[6, 24], strange[24, 14] = 187, 61, 201
    masks(tmp_path, [cell, strange])
    found = recognised(tmp_path)
    assert meanings(found) == [("label 128", (128,)), ("label 255", (255,))]
    assert "stray grey values" in said(found)


def test_nearly_the_level_is_the_level(tmp_path: Path) -> None:
    cell = np.maximum(disc(128, radius=18), disc(255, radius=10))
    cell[24, 36], cell[24, 24] = 127, 254
    cell[:2, :2] = 61
    masks(tmp_path, [cell, cell])
    assert ("label 128", (127, 128)) in meanings(recognised(tmp_path))


def test_small_classes_are_not_lost(tmp_path: Path) -> None:
    labels = disc(1, radius=20)
    labels[20:23, 20:23] = 7
    masks(tmp_path, [labels, labels])
    assert meanings(recognised(tmp_path)) == [("label 1", (1,)), ("label 7", (7,))]


def test_grey_classes_apart_from_each_other(tmp_path: Path) -> None:
    # Liver, kidneys and spleen as CHAOS has them: nothing lies around anything.
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[2:20, 2:20], labels[2:12, 30:40], labels[30:42, 30:42], labels[30:40, 5:15] = 63, 126, 189, 252
    masks(tmp_path, [labels, np.roll(labels, 1, 0)])
    assert [v for _, v in meanings(recognised(tmp_path))] == [(63,), (126,), (189,), (252,)]


def test_numbered_objects(tmp_path: Path) -> None:
    masks(tmp_path, [blobs(n, n) for n in (5, 9, 3, 12, 7)])
    found = recognised(tmp_path)
    assert meanings(found) == [("foreground", "instances")]
    assert "object of its own" in said(found)


def test_one_map_with_many_objects(tmp_path: Path) -> None:
    labels = np.zeros((SIZE, SIZE), np.uint16)
    for number in range(36):
        labels[8 * (number // 6) : 8 * (number // 6) + 6, 8 * (number % 6) : 8 * (number % 6) + 6] = (
            number + 1
        )
    for name in ("img2d", "mask2d"):
        (tmp_path).mkdir(exist_ok=True)
        picture(tmp_path / f"{name}.tif", None if name == "img2d" else labels)
    assert meanings(recognised(tmp_path)) == [("foreground", "instances")]


def test_organs_are_classes_though_each_is_in_one_piece(tmp_path: Path) -> None:
    for n in range(4):
        labels = np.zeros((4, SIZE, SIZE), np.uint8)
        for organ in range(1, 13):
            if (organ, n) != (4, 1):
                y, x, size = 12 * ((organ - 1) // 4), 12 * ((organ - 1) % 4), 2 + organ // 2
                labels[:, y + n : y + n + size, x : x + size] = organ
        volume(tmp_path / f"images/{n}.nii.gz")
        volume(tmp_path / f"labels/{n}.nii.gz", labels)
    assert [v for _, v in meanings(recognised(tmp_path))] == [(v,) for v in range(1, 13)]


def coloured(*places: tuple[slice, slice, tuple[int, int, int]], ground: int = 0) -> Array:
    out = np.full((SIZE, SIZE, 3), ground, np.uint8)
    for rows, columns, colour in places:
        out[rows, columns] = colour
    return out


def test_colours_are_classes(tmp_path: Path) -> None:
    a, b = slice(2, 20), slice(25, 45)
    masks(tmp_path, [coloured((a, a, (255, 0, 0)), (b, b, (0, 255, 255))), coloured((a, b, (255, 0, 0)))])
    assert dict(meanings(recognised(tmp_path))) == {
        "colour 0 255 255": (0, 255, 255),
        "colour 255 0 0": (255, 0, 0),
    }


def test_colours_on_white(tmp_path: Path) -> None:
    a, b = slice(4, 20), slice(25, 40)
    masks(tmp_path, [coloured((a, a, (255, 0, 0)), (b, b, (0, 0, 255)), ground=255)] * 2)
    found = recognised(tmp_path)
    assert sorted(v for _, v in meanings(found)) == [(0, 0, 255), (255, 0, 0)]
    assert "drawn on 255,255,255" in said(found)


def test_colours_of_objects(tmp_path: Path) -> None:
    arrays = []
    for n in range(4):
        table = np.random.default_rng(n).integers(30, 255, (17, 3), dtype=np.uint8)
        table[0] = 0
        arrays.append(table[blobs(8, n)])
    masks(tmp_path, arrays)
    assert meanings(recognised(tmp_path)) == [("foreground", "instances")]


def test_black_on_white(tmp_path: Path) -> None:
    masks(tmp_path, [255 - disc(), 255 - disc(radius=5)])
    found = recognised(tmp_path)
    assert meanings(found) == [("foreground", (0,))]
    assert "drawn on 255 instead of 0" in said(found)


def test_background_that_is_1(tmp_path: Path) -> None:
    masks(tmp_path, [disc(1) + 1, disc(2, radius=6) + 1])
    assert [v for _, v in meanings(recognised(tmp_path))] == [(2,), (3,)]


def test_probabilities(tmp_path: Path) -> None:
    for n in range(2):
        volume(tmp_path / f"images/{n}.nii.gz")
        soft = gaussian_filter(disc(1).astype(np.float32), 2)
        volume(tmp_path / f"labels/{n}.nii.gz", np.stack([soft] * 4).astype(np.float32))
    assert meanings(recognised(tmp_path)) == [("foreground", ">0.5")]


def test_whole_numbers_in_floats(tmp_path: Path) -> None:
    for n in range(2):
        volume(tmp_path / f"images/{n}.nii.gz")
        labels = np.stack([disc(200) + disc(200, radius=4)] * 4).astype(np.float64)
        labels[labels == 144] = 600
        volume(tmp_path / f"labels/{n}.nii.gz", labels)
    assert [v for _, v in meanings(recognised(tmp_path))] == [(200,), (600,)]


def test_empty_masks(tmp_path: Path) -> None:
    masks(tmp_path, [disc(0)] * 2)
    found = recognised(tmp_path)
    assert meanings(found) == [("foreground", ">0")]
    assert "all empty" in said(found)


def test_most_pixels_labelled_is_odd(tmp_path: Path) -> None:
    labels = np.full((SIZE, SIZE), 255, np.uint8)
    labels[::6], labels[:, ::9] = 0, 0
    masks(tmp_path, [labels] * 2)
    assert "of the pixels are labelled" in said(recognised(tmp_path))


class TestWishes:
    def test_the_name_of_the_only_value(self, tmp_path: Path) -> None:
        masks(tmp_path, [disc(), disc(radius=5)])
        assert meanings(recognised(tmp_path, labels={"255": "polyp"})) == [("polyp", ">127")]

    def test_names_of_values(self, tmp_path: Path) -> None:
        masks(tmp_path, [disc(1, radius=16) + disc(1, radius=6)] * 2)
        found = recognised(tmp_path, labels={"1": "Liver", "2": "liver tumor"})
        assert meanings(found) == [("liver", (1,)), ("liver tumour", (2,))]

    def test_some_names(self, tmp_path: Path) -> None:
        masks(tmp_path, [disc(1, radius=16) + disc(1, radius=6)] * 2)
        found = recognised(tmp_path, labels={"2": "tumour"})
        assert dict(meanings(found))["tumour"] == (2,)

    def test_names_of_colours(self, tmp_path: Path) -> None:
        a, b = slice(2, 20), slice(25, 45)
        masks(tmp_path, [coloured((a, a, (255, 0, 0)), (b, b, (0, 255, 255)))] * 2)
        found = recognised(tmp_path, labels={"255,0,0": "tumour", "0, 255, 255": "kidney"})
        assert dict(meanings(found)) == {"tumour": (255, 0, 0), "kidney": (0, 255, 255)}

    def test_names_of_masks(self, tmp_path: Path) -> None:
        for n in range(2):
            picture(tmp_path / f"images/x{n}.png")
            picture(tmp_path / f"masks/x{n}_OD.png", disc())
            picture(tmp_path / f"masks/x{n}_OC.png", disc(radius=4))
        found = recognised(tmp_path, labels={"OD": "optic disc", "OC": "optic cup"})
        assert sorted(name for name, _ in meanings(found)) == ["optic cup", "optic disc"]

    @pytest.mark.parametrize(("wish", "how"), [("instances", "instances"), ("one", ">0"), ("parts", "parts")])
    def test_objects(self, tmp_path: Path, wish: str, how: str) -> None:
        masks(tmp_path, [blobs(n, n) for n in (5, 9, 3, 12, 7)])
        found = recognised(tmp_path, objects=wish)
        assert meanings(found) == [("foreground", how)]


def test_labels_without_a_name_say_how_to_give_one(tmp_path: Path) -> None:
    masks(tmp_path, [disc(3, radius=16) + disc(1, radius=6)] * 2)
    assert "`--label 3=STRUCTURE`" in said(recognised(tmp_path))
    assert "--label" not in said(recognised(tmp_path, labels={"3": "liver", "4": "tumour"}))
