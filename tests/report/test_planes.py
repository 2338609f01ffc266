"""Three planes: through the right voxel, the right way round, in square millimetres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anytomy.core.intensity import GreyScale
from anytomy.core.prompt import Prompt
from anytomy.report import planes as module
from anytomy.report.planes import planes
from tests.report.made_results import STORAGES, ball, block, grid, made

AS_STORED = GreyScale(0, 255, keep=True, zero_is_black=False)
RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def tiles(monkeypatch):
    """`tiles(image, prediction)`: axial, coronal and sagittal as drawn, and the list beside."""
    kept = []
    joined = module._joined
    monkeypatch.setattr(module, "_joined", lambda rows: (kept.append(rows), joined(rows))[1])

    def draw(image, prediction, grey=AS_STORED, **more):
        kept.clear()
        planes(image, prediction, grey, **more)
        (axial, listed), (coronal, sagittal) = kept[0]
        return {"axial": axial, "coronal": coronal, "sagittal": sagittal, "list": listed}

    return draw


def where(lit) -> tuple[float, float]:
    """Right and up of the middle of what is lit, from -1 to 1."""
    rows, columns = np.nonzero(lit)
    assert rows.size > 50
    return (columns.mean() + 0.5) / lit.shape[1] * 2 - 1, 1 - (rows.mean() + 0.5) / lit.shape[0] * 2


@pytest.mark.parametrize("storage", STORAGES)
def test_planes_are_turned_as_a_radiologist_looks_at_them(tiles, storage):
    geometry = grid(64, (1.0, 1.0, 2.0))
    # From a little of the middle to the left, to the front and upwards: each plane shows one end of it.
    bright = (
        block(geometry, (8, -2, -2), (24, 2, 2))
        | block(geometry, (-2, -24, -2), (2, -8, 2))
        | block(geometry, (-2, -2, 8), (2, 2, 24))
    )
    ball_ = ball(geometry, (0, 0, 0), 4)
    image, prediction = made(geometry, [ball_], storage=storage, values=bright.astype(np.uint8) * 255)
    seen = tiles(image, prediction, alpha=0.0, colours=[(0, 0, 0)])
    lit = {name: tile.min(axis=2) > 220 for name, tile in seen.items()}
    for name, (right, up) in {"axial": (1, 1), "coronal": (1, 1), "sagittal": (-1, 1)}.items():
        shown = lit[name].copy()
        shown[:60], shown[-60:] = False, False  # names, letters, scale
        middle = shown.shape[0] // 2
        beside = shown[middle - 20 : middle + 20].any(axis=0).nonzero()[0]
        above = shown[:, shown.shape[1] // 2 - 20 : shown.shape[1] // 2 + 20].any(axis=1).nonzero()[0]
        assert np.sign(beside.mean() - shown.shape[1] / 2) == right
        assert np.sign(middle - above.mean()) == up


@pytest.mark.parametrize("storage", STORAGES)
def test_they_meet_in_the_largest_object(tiles, storage):
    geometry = grid(60, (1.0, 1.5, 3.0))
    large, small = ball(geometry, (10, -6, 9), 8), ball(geometry, (-18, 15, -18), 5)
    image, prediction = made(geometry, [small, large], storage=storage)
    scene = module._scene(image, prediction, AS_STORED, None)
    at = image.geometry.to_physical(scene.at)
    np.testing.assert_allclose(at, (10, -6, 9), atol=2)
    for tile in (tiles(image, prediction, colours=[RED, GREEN])[n] for n in ("axial", "coronal", "sagittal")):
        assert (tile == GREEN).all(axis=2).any()
        assert not (tile == RED).all(axis=2).any()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.8, 6.0), (3.0, 1.0, 1.0)])
def test_millimetres_are_square_and_planes_share_them(tiles, spacing):
    geometry = grid(60, spacing)
    masks = [block(geometry, (-25, -25, -25), (25, 25, 25))]
    image, prediction = made(geometry, masks)
    seen = tiles(image, prediction, alpha=1.0, colours=[RED])
    left, back, up = (n * s for n, s in zip(geometry.size_xyz, spacing, strict=True))
    for name, (wide, high) in {"axial": (left, back), "coronal": (left, up), "sagittal": (back, up)}.items():
        height, width = seen[name].shape[:2]
        assert width / height == pytest.approx(wide / high, rel=0.02)
    assert seen["axial"].shape[1] == seen["coronal"].shape[1]
    assert seen["coronal"].shape[0] == seen["sagittal"].shape[0]
    assert seen["axial"].shape[0] == pytest.approx(seen["sagittal"].shape[1], abs=1)


@pytest.mark.parametrize("storage", STORAGES)
def test_masks_and_boxes_lie_on_the_bright_object(tiles, storage):
    geometry = grid(60, (1.0, 1.25, 2.0))
    bright = block(geometry, (-16, -8, -10), (8, 14, 18))
    values = bright.astype(np.uint8) * 200
    image, prediction = made(geometry, [bright], storage=storage, values=values, form="tiff")  # no letters
    start, mask = prediction.masks.objects[0].crop()
    stop = np.add(start, mask.shape[::-1])
    prediction = replace(prediction, prompts=(Prompt(box=(*start, *stop), id=1),))
    found = tiles(image, prediction, alpha=1.0, colours=[RED])
    prompted = tiles(image, prediction, alpha=0.0, colours=[GREEN])
    for name in ("axial", "coronal", "sagittal"):
        filled = np.argwhere((found[name][60:-60] == RED).all(axis=2))
        boxed = np.argwhere((prompted[name][60:-60] == GREEN).all(axis=2))
        lit = np.argwhere(prompted[name][60:-60].min(axis=2) > 120)
        for extreme in (np.min, np.max):
            np.testing.assert_allclose(extreme(filled, axis=0), extreme(lit, axis=0), atol=12)
            np.testing.assert_allclose(extreme(boxed, axis=0), extreme(lit, axis=0), atol=12)


def test_boxes_are_drawn_only_in_planes_that_they_cross(tiles):
    geometry = grid(60, (1.0, 1.0, 1.0))
    masks = [ball(geometry, (0, 0, 0), 10), ball(geometry, (15, 15, 15), 5)]
    prompts = [
        Prompt(mask=np.ones((1, 1)), id=1),
        Prompt(box=(40, 40, 50, 50), slice=45, id=2),  # crosses none
    ]
    image, prediction = made(geometry, masks, prompts=prompts)
    for name, tile in tiles(image, prediction, colours=[RED, GREEN]).items():
        assert name == "list" or not (tile == GREEN).all(axis=2).any()
    flat = [prompts[0], Prompt(box=(20, 20, 40, 40), slice=30, id=2)]  # in the axial plane
    seen = tiles(image, replace(prediction, prompts=tuple(flat)), colours=[RED, GREEN])
    square, line = ((seen[n] == GREEN).all(axis=2) for n in ("axial", "coronal"))
    assert np.ptp(np.nonzero(square)[0]) == pytest.approx(np.ptp(np.nonzero(square)[1]), abs=2)
    assert np.ptp(np.nonzero(line)[0]) < 30 < np.ptp(np.nonzero(line)[1])


def test_points_are_drawn_in_their_plane(tiles):
    geometry = grid(60, (1.0, 1.0, 1.0))
    image, prediction = made(geometry, [ball(geometry, (0, 0, 0), 10)])
    at = tuple(int(v) for v in module._scene(image, prediction, None, None).at)

    def greens(point):
        prompted = replace(prediction, prompts=(Prompt(points=(point,), id=1),))
        seen = tiles(image, prompted, None, alpha=0.0, colours=[GREEN])
        plain = tiles(image, prediction, None, alpha=0.0, colours=[GREEN])
        return {n for n in ("axial", "coronal", "sagittal") if (seen[n] != plain[n]).any()}

    assert greens((at[0] + 3, at[1] + 3, at[2])) == {"axial"}
    assert greens((at[0] + 3, at[1], at[2])) == {"axial", "coronal"}


def test_small_objects_are_zoomed_in_on(tiles):
    geometry = grid(400, (2.0, 2.0, 2.0))
    image, prediction = made(geometry, [ball(geometry, (60, -40, 30), 12)])
    seen = tiles(image, prediction, alpha=1.0, colours=[RED])
    share = (seen["axial"] == RED).all(axis=2).mean()
    assert share > 8 * np.pi * 12**2 / 400**2


def test_the_scale_bar_is_as_long_as_it_says(tiles):
    geometry = grid(64, (1.0, 1.0, 1.0))
    image, prediction = made(geometry, [block(geometry, (-30, -30, -30), (30, 30, 30))])
    tile = tiles(image, prediction, None, alpha=0.0, colours=[(0, 0, 0)])["axial"]
    row = tile[-13]
    bar = np.flatnonzero((row > 220).all(axis=1))
    mm = (np.ptp(bar) + 1) / (tile.shape[1] / 64)
    assert min(abs(mm / step - 1) for step in (1, 2, 5, 10, 20, 50)) < 0.02


def test_without_an_image_masks_stand_on_black(tiles):
    geometry = grid(60, (1.0, 1.0, 2.0))
    mask = ball(geometry, (0, 0, 0), 20)
    image, prediction = made(geometry, [mask], values=np.full(geometry.shape_zyx, 200, np.uint8))
    seen = tiles(image, prediction, None, alpha=1.0, colours=[RED])
    tile = seen["axial"][80:-80, 80:-80]
    lines = (tile.min(axis=2) > 0).mean()
    assert lines < 0.02  # nothing grey but the cross
    assert (tile == RED).all(axis=2).mean() > 0.2


def test_no_orientation_is_invented_for_stacks_of_pictures(tiles):
    geometry = grid(60, (1.0, 1.0, 1.0))
    mask = ball(geometry, (0, 0, 0), 20)
    placed = tiles(*made(geometry, [mask]), None)["axial"]
    stack = tiles(*made(geometry, [mask], form="tiff"), None)["axial"]
    middle = placed.shape[0] // 2
    assert (placed[middle - 10 : middle + 10, :20] > 100).any()
    assert not (stack[middle - 30 : middle - 3, :20] > 120).any()
    assert not (stack[-40:, :60] > 150).any()  # nor a scale


def test_many_objects_are_counted(tiles):
    geometry = grid(60, (1.0, 1.0, 1.0))
    masks = [
        block(geometry, (x, y, -5), (x + 2, y + 2, 5)) for x in range(-25, 25, 5) for y in range(-25, 25, 5)
    ]
    image, prediction = made(geometry, masks)
    few = tiles(*made(geometry, masks[:3]))["list"]
    many = tiles(image, prediction)["list"]
    assert many.shape == few.shape
    assert (many != few).any()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_few_slices_are_still_seen(depth):
    geometry = grid(60, (1.0, 1.0, 60.0 / depth / 20))
    mask = ball(geometry, (0, 0, 0), 20)[:depth]
    flat = replace(geometry, size_xyz=(60, 60, depth))
    image, prediction = made(flat, [mask | True])
    picture = planes(image, prediction, AS_STORED)
    assert picture.shape[0] < 1400


def test_colour_volumes_are_shown_in_colour(tiles):
    geometry = grid(30, (1.0, 1.0, 1.0))
    image, prediction = made(geometry, [ball(geometry, (0, 0, 0), 4)])
    colour = np.zeros((*geometry.shape_zyx, 3), np.uint8)
    colour[..., 2] = 200
    tile = tiles(replace(image, array=colour), prediction)["coronal"]
    assert tuple(tile[100, 100]) == (0, 0, 200)


def test_a_result_without_objects_shows_the_middle():
    geometry = grid(30, (1.0, 1.0, 1.0))
    image, prediction = made(geometry, [np.zeros(geometry.shape_zyx, bool)])
    assert tuple(module._scene(image, prediction, None, None).at) == (15, 15, 15)
    planes(image, prediction, None)
