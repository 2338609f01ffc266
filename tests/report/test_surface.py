"""Bodies: where they really are, the right way round, the nearer before the farther."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anytomy.core.geometry import Geometry
from anytomy.report import surface as module
from anytomy.report.raycast import Camera, Hits, cast
from anytomy.report.shading import translucent_ones
from anytomy.report.sides import OBLIQUES, SIDES, letters
from anytomy.report.solid import solid
from anytomy.report.surface import surface
from tests.core.strategies import rotation_about, rows
from tests.report.made_results import STORAGES, ball, block, grid, made


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small pictures are made fast."""
    monkeypatch.setattr(module, "_WIDTH", 520)
    monkeypatch.setattr(module, "_HEIGHT", 480)
    monkeypatch.setattr(module, "_LEAST", 110)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
PPM = 6.0
SIZE = 420


def look(body, side, centre=(0, 0, 0)) -> tuple[Hits, np.ndarray, np.ndarray]:
    """Hits, and for each mm to the right of and above the centre."""
    camera = Camera(*side.axes, np.asarray(centre, float), PPM, SIZE, SIZE)
    hits = cast(body, camera)
    row, column = np.divmod(hits.pixels, SIZE)
    return hits, (column + 0.5 - SIZE / 2) / PPM, (SIZE / 2 - row - 0.5) / PPM


def body_of(mask, geometry, detail=0.1):
    return solid(mask, (0, 0, 0), geometry, detail)


# -- the shape -----------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    "spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 3.0), (2.0, 1.0, 1.0), (1.0, 3.0, 3.0), (1.5, 1.5, 8.0)]
)
def test_a_ball_is_a_disc_from_each_side(spacing, storage):
    radius, centre = 20.0, (1.3, -2.1, 0.7)
    geometry = grid(60, spacing)
    _, prediction = made(geometry, [ball(geometry, centre, radius)], storage=storage)
    (body,) = module._solids(prediction).values()
    voxel = max(spacing)
    for side in (*SIDES, *OBLIQUES):
        hits, right, up = look(body, side, centre)
        across = np.hypot(right, up)
        assert np.sqrt(hits.pixels.size / np.pi) / PPM == pytest.approx(radius, abs=0.15 * voxel + 0.05)
        assert abs(across.max() - radius) < 0.35 * voxel
        assert abs(right.mean()) < 0.15 * voxel + 0.1  # voxels of a ball are not quite centred
        assert abs(up.mean()) < 0.15 * voxel + 0.1
        # The surface is where it is, and looks where it should.
        deep = np.sqrt(np.maximum(radius**2 - across**2, 0))
        inner = across < 0.8 * radius
        assert np.abs(hits.depth - deep)[inner].mean() < 0.25 * voxel
        outward = np.stack([right, up, deep], axis=1) / radius
        angle = np.degrees(np.arccos(np.clip((outward * hits.normals).sum(axis=1), -1, 1)))
        assert np.median(angle[inner]) < 8


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_turned_grids_and_micrometres(unit):
    turned = rotation_about(2, 30) @ rotation_about(0, 20)
    geometry = replace(grid(60, (1.0, 1.0, 2.0)), direction=rows(turned))
    geometry = replace(
        geometry,
        spacing_xyz_mm=tuple(s * unit for s in geometry.spacing_xyz_mm),
        origin_lps_mm=tuple(turned @ geometry.origin_lps_mm * unit),
    )
    centre = np.array((9.0, -6.0, 3.0)) * unit
    image, prediction = made(geometry, [ball(geometry, centre, 12 * unit)])
    (body,) = module._solids(prediction).values()
    for side in (*SIDES, *OBLIQUES):
        camera = Camera(*side.axes, np.zeros(3), PPM / unit, SIZE, SIZE)
        row, column = np.divmod(cast(body, camera).pixels, SIZE)
        seen = side.axes @ centre * PPM / unit
        assert column.mean() + 0.5 - SIZE / 2 == pytest.approx(seen[0], abs=2)
        assert SIZE / 2 - row.mean() - 0.5 == pytest.approx(seen[1], abs=2)
        assert np.sqrt(column.size / np.pi) == pytest.approx(12 * PPM, abs=2)
    surface(image, prediction)


def test_one_voxel_in_a_large_volume():
    geometry = grid(300, (2.0, 2.0, 2.0))
    mask = np.zeros(geometry.shape_zyx, bool)
    mask[40, 50, 60] = True
    image, prediction = made(geometry, [mask])
    tile = tiles(surface(image, prediction, colours=[RED]), prediction)["anterior"]
    middle_of(tile, RED)
    mask[100, 10, 140] = True  # and two, far apart
    image, prediction = made(geometry, [mask], storage=STORAGES[2])
    surface(image, prediction)


@pytest.mark.parametrize("detail", [0.2, 0.6, 1.2])
def test_merged_voxels_stay_in_their_place(detail):
    geometry = grid(60, (0.5, 0.5, 0.5))
    body = body_of(ball(geometry, (3, 2, -1), 20), geometry, detail)
    hits, right, up = look(body, SIDES[0], (3, 2, -1))
    assert np.sqrt(hits.pixels.size / np.pi) / PPM == pytest.approx(20, abs=0.2)
    assert (abs(right.mean()), abs(up.mean())) < (0.15, 0.15)


def test_a_body_is_closed_where_the_image_ends():
    geometry = grid(20, (1.0, 1.0, 1.0))
    hits, right, _ = look(body_of(np.ones(geometry.shape_zyx, bool), geometry), SIDES[0])
    middle = np.hypot(right, right) < 5
    assert np.ptp(right) == pytest.approx(20, abs=0.6)
    assert hits.depth[middle].mean() == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("detail", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0)])
def test_what_is_one_voxel_thin_does_not_vanish(spacing, detail):
    geometry = grid(40, spacing)
    vessel, wall, spot = (np.zeros(geometry.shape_zyx, bool) for _ in range(3))
    vessel[:, 20, 20] = True
    wall[:, 20, 5:35] = True
    spot[geometry.shape_zyx[0] // 2, 20, 20] = True
    _, right, up = look(body_of(vessel, geometry, detail), SIDES[0])
    assert len(np.unique(np.round(up))) > 35
    assert 0.3 < np.ptp(right) < 1.7 + detail
    _, right, up = look(body_of(wall, geometry, detail), SIDES[0])
    # Drawn a little thicker than it is; voxels that were merged are drawn whole.
    wide, high = 30 + 1.5 * max(detail, 1), 40 + 1.5 * max(detail, spacing[2])
    assert 1150 < right.size / PPM**2 < wide * high
    assert body_of(spot, geometry, detail).border.size


def test_a_thin_wall_that_moves_between_slices_holds_together():
    geometry = grid(60, (1.0, 1.0, 8.0))
    at = np.indices(geometry.shape_zyx[1:]) - 29.5
    across = np.hypot(*at)
    mask = np.stack([(across < 12 + 4 * z) & (across > 7 + 4 * z) for z in range(geometry.shape_zyx[0] - 3)])
    mask = np.concatenate([mask, np.zeros((3, *mask.shape[1:]), bool)])
    body = body_of(mask, geometry)
    _, right, up = look(body, SIDES[0])
    seen = np.zeros((80, 80), bool)
    seen[np.floor(up + 40).astype(int), np.floor(right + 40).astype(int)] = True
    rows = np.flatnonzero(seen.any(axis=1))
    assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))  # no slit between slices


def test_empty_pictures_have_no_hits():
    geometry = grid(20, (1.0, 1.0, 1.0))
    body = body_of(ball(geometry, (0, 0, 0), 5), geometry)
    camera = Camera(*SIDES[0].axes, np.array([500.0, 0, 0]), PPM, 50, 50)
    assert cast(body, camera).pixels.size == 0


# -- the right way round -------------------------------------------------------------------------


def test_sides_are_called_what_they_are():
    assert [letters(side) for side in SIDES] == [
        ("R", "L", "S", "I"),
        ("A", "P", "S", "I"),
        ("L", "R", "A", "P"),
    ]
    assert [letters(side, in_patient=False) for side in SIDES] == [
        ("", "x", "z", ""),
        ("", "y", "z", ""),
        ("x", "", "", "y"),
    ]
    toward = {side.name: side.axes[2] for side in (*SIDES, *OBLIQUES)}
    np.testing.assert_allclose(toward["anterior"], (0, -1, 0))
    np.testing.assert_allclose(toward["left"], (1, 0, 0))
    np.testing.assert_allclose(toward["superior"], (0, 0, 1))
    for side in OBLIQUES:
        assert letters(side) is None
        left, back, up = np.sign(side.axes[2])
        assert side.name.endswith(f"{'back' if back > 0 else 'front'} {'left' if left > 0 else 'right'}")
        assert up > 0
        np.testing.assert_allclose(side.axes @ side.axes.T, np.eye(3), atol=1e-9)


def tiles(picture, prediction) -> dict[str, np.ndarray]:
    """The tiles of a picture by name, in the layout that the module chose."""
    bodies = list(module._solids(prediction).values())
    _, corner = module._look_around(bodies)
    sides = (*SIDES, corner)
    sheet = module._arranged(bodies, sides)
    widths = [camera.width for camera in sheet.cameras[: sheet.columns]]
    heights = [camera.height for camera in sheet.cameras[:: sheet.columns]]
    found = {}
    for place, (side, camera) in enumerate(zip(sides, sheet.cameras, strict=True)):
        row, column = divmod(place, sheet.columns)
        y = module._HEADER + sum(heights[:row]) + module._GAP * row
        x = sum(widths[:column]) + module._GAP * column
        found[side.name.split(",")[0]] = picture[y : y + camera.height, x : x + camera.width]
    return found


def middle_of(tile, colour) -> tuple[float, float]:
    """Right and up, from -1 to 1, of what has one colour."""
    other = [i for i in range(3) if not colour[i]]
    lit = (tile.max(axis=2) > 60) & (tile[..., other].max(axis=2) < tile.max(axis=2) / 2)
    rows, columns = np.nonzero(lit)
    assert rows.size > 100
    return columns.mean() / tile.shape[1] * 2 - 1, 1 - rows.mean() / tile.shape[0] * 2


@pytest.mark.parametrize("storage", STORAGES)
def test_left_is_left_and_front_is_front(storage):
    geometry = grid(60, (1.0, 1.25, 2.0))
    masks = [
        ball(geometry, (18, -15, 0), 8),  # left and in front
        ball(geometry, (-18, 15, 0), 8),  # right and behind
        ball(geometry, (0, 0, 20), 8),  # above
    ]
    image, prediction = made(geometry, masks, storage=storage)
    seen = tiles(surface(image, prediction, colours=[RED, GREEN, BLUE]), prediction)
    front, left, above = (
        {c: middle_of(seen[name], c) for c in (RED, GREEN, BLUE)} for name in ("anterior", "left", "superior")
    )
    assert front[GREEN][0] < -0.2 < 0.2 < front[RED][0]  # the patient's left on the right
    assert front[BLUE][1] > 0.3
    assert left[RED][0] < -0.1 < 0.1 < left[GREEN][0]  # the front on the left
    assert left[BLUE][1] > 0.3
    assert above[RED][0] < -0.2 < 0.2 < above[GREEN][0]  # from above, left on the left
    assert above[GREEN][1] < -0.1 < 0.1 < above[RED][1]  # and the front is up


def test_the_same_scan_stored_otherwise_is_the_same_picture():
    geometry = grid(50, (1.0, 1.25, 2.5))
    masks = [ball(geometry, (8, -5, 0), 9), block(geometry, (-20, -5, -15), (-4, 10, 12))]
    pictures = [surface(*made(geometry, masks, storage=s)).astype(int) for s in STORAGES]
    for other in pictures[1:]:
        assert other.shape == pictures[0].shape
        # Colours of the legend's order too; rounding moves single pixels of edges.
        assert (np.abs(other - pictures[0]).max(axis=2) > 24).mean() < 0.005


# -- what is before what -------------------------------------------------------------------------


def test_the_nearer_hides_the_farther():
    geometry = grid(60, (1.0, 1.0, 1.0))
    near = block(geometry, (-10, -25, -10), (10, -15, 10))
    far = block(geometry, (-25, 5, -25), (25, 15, 25))
    for masks, colours in (([near, far], [RED, GREEN]), ([far, near], [GREEN, RED])):
        image, prediction = made(geometry, masks)
        tile = tiles(surface(image, prediction, colours=colours), prediction)["anterior"]
        height, width = tile.shape[:2]
        red, green, _ = tile[height // 2, width // 2]
        assert red > 100 > 60 > green
        red, green, _ = tile[height // 2, round(width * 0.8)]
        assert green > 100 > 60 > red


def test_the_corner_shows_what_the_other_views_hide():
    geometry = grid(80, (1.0, 1.0, 1.0))
    wall = block(geometry, (-30, -12, -30), (30, -8, 30))
    roof = block(geometry, (-30, -12, 26), (30, 30, 30))
    side = block(geometry, (26, -12, -30), (30, 40, 30))
    _, prediction = made(geometry, [wall | roof | side, ball(geometry, (0, 0, 0), 8)])
    bodies = list(module._solids(prediction).values())
    clear, corner = module._look_around(bodies)
    assert corner.name == "oblique, from the back right"
    assert not clear  # it is not enclosed


def test_the_corner_is_the_usual_one_where_nothing_is_hidden():
    geometry = grid(60, (1.0, 1.0, 1.0))
    _, prediction = made(geometry, [ball(geometry, (-12, 0, 0), 8), ball(geometry, (12, 0, 0), 8)])
    assert module._look_around(list(module._solids(prediction).values()))[1] == OBLIQUES[0]


def test_what_is_enclosed_is_seen_through_what_encloses_it():
    geometry = grid(60, (1.0, 1.0, 1.0))
    core = ball(geometry, (0, 0, 0), 8)
    shell = ball(geometry, (0, 0, 0), 24) & ~ball(geometry, (0, 0, 0), 9)
    image, prediction = made(geometry, [shell, core])
    tile = tiles(surface(image, prediction, colours=[GREEN, RED]), prediction)["anterior"]
    height, width = tile.shape[:2]
    red, green, _ = (int(v) for v in tile[height // 2, width // 2])
    assert red > 80
    assert red > green
    red, green, _ = (int(v) for v in tile[height // 2, round(width * 0.8)])
    assert green > 30 > 25 > red


def test_shells_in_shells_are_all_seen_through():
    def disc(depth, radius):
        row, column = np.mgrid[:40, :40]
        pixels = np.flatnonzero(np.hypot(row - 20, column - 20).ravel() < radius)
        normals = np.tile(np.array([0, 0, 1], np.float32), (pixels.size, 1))
        return Hits(pixels, np.full(pixels.size, depth, np.float32), normals)

    view = [disc(1, 5), disc(3, 18), disc(2, 10)]
    assert translucent_ones([view]) == {1, 2}
    beside = Hits(*(part[:0] for part in (view[0].pixels, view[0].depth, view[0].normals)))
    assert translucent_ones([[view[0], beside, beside], view]) == frozenset()  # seen from somewhere


# -- the picture ---------------------------------------------------------------------------------


def test_objects_without_voxels_are_named(monkeypatch):
    said = []
    monkeypatch.setattr(
        module, "legend", lambda entries, width: (said.extend(entries), np.zeros((9, width, 3)))[1]
    )
    geometry = grid(30, (1.0, 1.0, 2.0))
    masks = [ball(geometry, (0, 0, 0), 8), np.zeros(geometry.shape_zyx, bool)]
    image, prediction = made(geometry, masks, names=["cyst", "stone"])
    surface(image, prediction)
    volume = masks[0].sum() * 2 / 1000
    assert [name for name, _ in said] == [f"cyst  {volume:.3g} ml", "stone (empty)"]


@pytest.mark.parametrize(("extent", "columns"), [((20, 20, 20), 2), ((4, 4, 50), 4), ((50, 50, 1), 2)])
def test_tiles_are_arranged_to_make_bodies_large(extent, columns):
    geometry = grid(60, (1.0, 1.0, 1.0))
    high = np.asarray(extent) / 2
    image, prediction = made(geometry, [block(geometry, -high, high)])
    bodies = list(module._solids(prediction).values())
    sheet = module._arranged(bodies, (*SIDES, OBLIQUES[0]))
    assert sheet.columns == columns
    picture = surface(image, prediction)
    assert max(picture.shape[:2]) <= 620
    assert len({camera.pixels_per_mm for camera in sheet.cameras}) == 1


def test_the_scale_bar_is_as_long_as_it_says():
    geometry = grid(60, (1.0, 1.0, 1.0))
    image, prediction = made(geometry, [ball(geometry, (0, 0, 0), 20)])
    scale = module._arranged(list(module._solids(prediction).values()), SIDES).cameras[0].pixels_per_mm
    tile = tiles(surface(image, prediction), prediction)["anterior"]
    rows = np.flatnonzero((tile[:, 20] > 220).all(axis=1))
    bar = np.flatnonzero((tile[rows[-1]] > 220).all(axis=1))
    lengths = {(np.ptp(bar) + 1) / scale / step for step in (1, 2, 5, 10, 20)}
    assert min(abs(length - 1) for length in lengths) < 0.02


def test_without_a_place_there_are_axes_and_no_scale():
    geometry = Geometry((40, 40, 40))
    mask = np.zeros((40, 40, 40), bool)
    mask[10:30, 10:30, 10:30] = True
    image, prediction = made(geometry, [mask], form="tiff")
    placed = tiles(surface(*made(geometry, [mask])), prediction)
    seen = tiles(surface(image, prediction), prediction)
    assert (seen["anterior"] != placed["anterior"]).any()
    assert not (seen["anterior"][-40:, :60] > 100).any()  # the scale bar's corner
