"""Contact sheets: the right slices, the right way up, prompts where they were given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import GreyScale
from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.report import contact_sheet as module
from anytomy.report.contact_sheet import contact_sheet, telling_slices
from anytomy.report.preview import preview
from anytomy.report.signs import in_view

AS_STORED = GreyScale(0, 255, keep=True, zero_is_black=False)
RED = (255, 0, 0)


def volume_of(values: np.ndarray, **grid) -> Image:
    z, y, x = values.shape[:3]
    return Image.from_array(values, geometry=Geometry((x, y, z), **grid), is_volume=True)


def predict(image: Image, masks, prompts=None, view: SliceView | None = None) -> Prediction:
    view = view or SliceView.canonical(image.geometry)
    objects = []
    for mask in masks:
        stored = ObjectMask(view)
        for index, plane in enumerate(view.apply(np.asarray(mask, bool).reshape(image.geometry.shape_zyx))):
            stored.set(index, plane)
        objects.append(stored)
    prompts = prompts or [Prompt(box=(0, 0, 0, 1, 1, 1), id=i + 1) for i in range(len(objects))]
    stack = MaskStack(objects, is_volume=image.is_volume, shape_zyx=image.geometry.shape_zyx)
    labels = np.zeros(image.array.shape, np.uint8)
    return Prediction(image.geometry, image.is_volume, stack, labels, tuple(prompts), (1.0,) * len(objects))


def tiles(sheet: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
    body = sheet[module._HEADER :]
    height, width = body.shape[0] // rows, (body.shape[1] + module._GAP) // columns
    return [body[r * height : r * height + height - 4, c * width : c * width + width - 4]
            for r in range(rows) for c in range(columns)]  # fmt: skip


# -- which slices --------------------------------------------------------------------------------


def test_slices_are_evenly_spaced_without_a_prediction():
    view = SliceView.stored(Geometry((4, 4, 120)))
    assert telling_slices(None, view, 4) == [15, 45, 75, 105]
    assert telling_slices(None, SliceView.stored(Geometry((4, 4, 3))), 12) == [0, 1, 2]


def test_key_largest_first_and_last_slices_are_among_the_chosen():
    image = volume_of(np.zeros((100, 20, 20), np.uint8))
    mask = np.zeros((100, 20, 20), bool)
    mask[20:80, 5, 5] = True
    mask[33, 2:18, 2:18] = True
    prompt = Prompt(box=(2, 2, 18, 18), slice=47, id=1)
    prediction = predict(image, [mask], [prompt])
    chosen = telling_slices(prediction, prediction.masks.objects[0].view, 6)
    assert len(chosen) == 6
    assert {33, 47, 20, 79} <= set(chosen)


def test_small_objects_are_shown_with_the_slices_beyond():
    image = volume_of(np.zeros((100, 20, 20), np.uint8))
    mask = np.zeros((100, 20, 20), bool)
    mask[50:53, 5:9, 5:9] = True
    prediction = predict(image, [mask])
    assert telling_slices(prediction, prediction.masks.objects[0].view, 12) == [49, 50, 51, 52, 53]


def test_prompted_slices_are_shown_also_where_nothing_was_found():
    image = volume_of(np.zeros((100, 20, 20), np.uint8))
    prediction = predict(image, [np.zeros((100, 20, 20))], [Prompt(box=(2, 2, 9, 9), slice=47, id=1)])
    assert 47 in telling_slices(prediction, prediction.masks.objects[0].view, 12)


def test_there_is_room_for_the_many():
    image = volume_of(np.zeros((60, 20, 20), np.uint8))
    masks = [np.zeros((60, 20, 20), bool) for _ in range(40)]
    for index, mask in enumerate(masks):
        mask[index + 5, 3:9, 3:9] = True
    prediction = predict(image, masks)
    chosen = telling_slices(prediction, prediction.masks.objects[0].view, 12)
    assert len(set(chosen)) == 12
    assert (chosen[0], chosen[-1]) == (5, 44)


# -- how they are shown --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spacing", "ratio"), [((1.0, 1.0, 1.0), 0.5), ((0.5, 1.0, 9.0), 1.0), ((2.0, 1.0, 1.0), 0.25)]
)
def test_pixels_have_the_shape_of_their_spacing(spacing, ratio):
    image = volume_of(np.zeros((1, 40, 80), np.uint8), spacing_xyz_mm=spacing)
    tile = contact_sheet(image, None, AS_STORED)[module._HEADER :]
    assert tile.shape[0] / tile.shape[1] == pytest.approx(ratio, rel=0.03)


def marked(direction) -> Image:
    """A volume whose left, front, upper corner is bright, on a grid with the given axes."""
    geometry = Geometry((40, 40, 40), direction=direction)
    values = np.zeros((40, 40, 40), np.uint8)
    centre = geometry.to_physical((19.5, 19.5, 19.5))
    indices = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), axis=-1)
    left, back, up = np.moveaxis(geometry.to_physical(indices) - centre, -1, 0)
    values[np.transpose((left > 5) & (back < -5) & (up > 5))] = 200
    return Image.from_array(values, geometry=geometry, is_volume=True)


GRIDS = [
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((0, 0, -1), (1, 0, 0), (0, 1, 0)),
    ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
]


@pytest.mark.parametrize("direction", GRIDS)
def test_slices_are_turned_as_a_radiologist_looks_at_them(direction):
    image = marked(direction)
    # For slices across L, P, S: which half of rows and columns shows left, front, head.
    expected = {0: ("top", "left"), 1: ("top", "right"), 2: ("top", "right")}
    for index_axis in range(3):
        patient = image.geometry.nearest_axes[index_axis]
        sheet = contact_sheet(image, None, AS_STORED, axis=index_axis, count=4)
        shown = np.stack([tile.max(axis=2) > 150 for tile in tiles(sheet, 2, 2)]).any(axis=0)
        shown[:40], shown[-40:], shown[:, :40], shown[:, -40:] = (False,) * 4  # letters and numbers
        shown[:, shown.shape[1] // 2 - 12 : shown.shape[1] // 2 + 12] = False
        rows, columns = np.nonzero(shown)
        seen = (
            "top" if rows.mean() < shown.shape[0] / 2 else "bottom",
            "left" if columns.mean() < shown.shape[1] / 2 else "right",
        )
        assert seen == expected[patient]


@pytest.mark.parametrize("direction", GRIDS)
def test_letters_say_where_edges_lie(direction):
    geometry = Geometry((4, 5, 6), direction=direction)
    expected = {0: "APSI", 1: "RLSI", 2: "RLAP"}
    for axis in range(3):
        view = SliceView.canonical(geometry, axis)
        left, right = (module._letter(geometry, view, 0, back=b) for b in (True, False))
        top, bottom = (module._letter(geometry, view, 1, back=b) for b in (True, False))
        assert left + right + top + bottom == expected[geometry.nearest_axes[axis]]


def test_no_orientation_is_invented_for_stacks_of_pictures():
    image = volume_of(np.zeros((1, 200, 200), np.uint8))
    with_letters = contact_sheet(image, None, AS_STORED)[module._HEADER :]
    without = contact_sheet(replace(image, format="tiff"), None, AS_STORED)[module._HEADER :]
    assert with_letters[60:].any()
    assert not without[60:-8].any()


@pytest.mark.parametrize("direction", GRIDS)
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_masks_and_prompts_lie_where_the_bright_object_is(direction, axis):
    geometry = Geometry((48, 52, 56), direction=direction, spacing_xyz_mm=(1.0, 1.25, 1.5))
    values = np.zeros((56, 52, 48), np.uint8)
    values[30:36, 8:20, 24:40] = 200  # z, y, x
    image = replace(Image.from_array(values, geometry=geometry, is_volume=True), format="tiff")  # no letters
    view = SliceView.canonical(geometry, axis)
    ranges = {"x": (24, 40), "y": (8, 20), "z": (30, 36)}
    others = [a for a in "xyz" if a != axis]
    prompt = Prompt(
        box=(*(ranges[a][0] for a in others), *(ranges[a][1] for a in others)),
        points=(tuple((ranges[a][0] + ranges[a][1] - 1) / 2 for a in others),),
        slice=sum(ranges[axis]) // 2,
        id=1,
    )

    def draw(mask, alpha):
        sheet = contact_sheet(
            image, predict(image, [mask], [prompt], view), AS_STORED, count=1, colours=[RED], alpha=alpha
        )
        return sheet[module._HEADER + 30 : -60]

    prompted, found = draw(values * 0, 0.0), draw(values > 0, 1.0)
    lit = np.argwhere(prompted.min(axis=2) > 100)
    boxed = np.argwhere((prompted == RED).all(axis=2))
    filled = np.argwhere((found == RED).all(axis=2))
    for extreme in (np.min, np.max):
        np.testing.assert_allclose(extreme(boxed, axis=0), extreme(lit, axis=0), atol=8)
        np.testing.assert_allclose(extreme(filled, axis=0), extreme(lit, axis=0), atol=8)
    assert len(filled) > 0.85 * np.prod(np.ptp(lit, axis=0))
    assert not (found.min(axis=2) > 150).any()  # nothing of the object is left uncovered


@pytest.mark.parametrize(
    ("prompt", "box", "points"),
    [
        (Prompt(box=(1, 2, 3, 4), slice=5), (1, 2, 5, 3, 4, 6), []),
        (Prompt(box=(1, 2, 3, 4, 5, 6)), (1, 2, 3, 4, 5, 6), []),
        (Prompt(points=((1, 2),), slice=5), None, [(1, 2, 5)]),
        (Prompt(points=((1, 2, 3),)), None, [(1, 2, 3)]),
    ],
)
def test_prompts_in_the_stored_view_are_as_typed(prompt, box, points):
    signs = in_view(prompt, SliceView.stored(Geometry((10, 10, 10))))
    assert signs.box == box
    assert [tuple(p) for p in signs.points] == points


def test_two_numbers_run_along_the_two_other_axes_of_the_file():
    signs = in_view(
        Prompt(box=(1, 2, 3, 4), points=((1, 2),), slice=5), SliceView.stored(Geometry((10, 10, 10)), "y")
    )
    assert signs.box == (1, 2, 5, 3, 4, 6)  # column x, row z, slice y
    assert [tuple(p) for p in signs.points] == [(1, 2, 5)]


def test_small_objects_are_zoomed_in_on():
    values = np.zeros((20, 512, 512), np.uint8)
    mask = np.zeros(values.shape, bool)
    mask[10, 200:212, 300:310] = True
    image = volume_of(values)
    sheet = contact_sheet(image, predict(image, [mask], [Prompt(box=(298, 198, 312, 214), slice=10, id=1)]),
                          AS_STORED, colours=[RED], alpha=1.0)  # fmt: skip
    assert (sheet == RED).all(axis=2).sum() > 3000


def test_colour_volumes_and_single_slices(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (1, 30, 40, 3)).astype(np.uint8)
    preview(volume_of(values), None, AS_STORED, tmp_path / "a.png")
    assert Pillow.open(tmp_path / "a.png").mode == "RGB"


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_preview_of_an_image_is_an_overlay(tmp_path, shape):
    image = Image.from_array(np.full(shape, 90, np.uint8))
    mask = np.zeros((40, 60), bool)
    mask[5:20, 10:30] = True
    prompt = Prompt(box=(10, 5, 30, 20), points=((15, 10),), id=1, name="cyst")
    preview(image, predict(image, [mask], [prompt]), AS_STORED, tmp_path / "with.png")
    preview(image, None, AS_STORED, tmp_path / "without.png")
    drawn, plain = (np.array(Pillow.open(tmp_path / f"{n}.png")) for n in ("with", "without"))
    assert plain.shape == (520, 780, 3)
    assert (plain == 90).all()
    changed = np.argwhere((drawn[:520] != 90).any(axis=2))
    np.testing.assert_allclose(changed.min(axis=0), (65, 130), atol=3)
    np.testing.assert_allclose(changed.max(axis=0), (259, 389), atol=3)


def test_whole_slides_become_handy(tmp_path):
    preview(Image.from_array(np.zeros((5000, 2500), np.uint8)), None, AS_STORED, tmp_path / "a.png")
    assert Pillow.open(tmp_path / "a.png").size == (1500, 3000)


def test_grey_levels_go_through_the_policy(tmp_path):
    values = np.full((1, 40, 40), 1000.0)
    values[:, :, 20:] = -1000
    sheet = contact_sheet(volume_of(values), None, GreyScale(-1000, 1000, keep=False, zero_is_black=False))
    tile = sheet[module._HEADER + 60 : -60, 60:]
    assert tile[50, 40].tolist() == [255] * 3
    assert tile[50, -80].tolist() == [0] * 3


def test_without_grey_levels_masks_stand_on_black():
    values = np.full((5, 60, 60), 200, np.uint8)
    mask = np.zeros(values.shape, bool)
    mask[1:4, 10:50, 10:50] = True
    image = replace(volume_of(values), format="tiff")  # no letters
    sheet = contact_sheet(image, predict(image, [mask]), None, count=1, colours=[RED], alpha=1.0)
    tile = sheet[module._HEADER + 40 : -60]
    assert not tile[..., 1:].any()
    assert (tile == RED).all(axis=2).any()
