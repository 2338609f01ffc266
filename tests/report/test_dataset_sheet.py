"""Contact sheets of data sets: which cases, which slice, labels where they belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anytomy.core.errors import DatasetError, ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.datasets import registry
from anytomy.datasets.card import DatasetCard, card_from
from anytomy.datasets.case import Case, ImageRef, MaskRef
from anytomy.datasets.dataset import Dataset, dataset_at
from anytomy.datasets.layout import Target
from anytomy.report.dataset_sheet import Tile, dataset_sheet, draw_sheet, spread_cases, tile_of
from anytomy.report.draw import colour_of, outline


@dataclass(frozen=True)
class Shown(Case):
    """A case of an image and labels in memory."""

    image_in_memory: Image | None = None
    labels_in_memory: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def load(self) -> tuple[Image, dict[str, NDArray[Any]]]:
        if self.image_in_memory is None:
            raise ImageReadError(f"{self.image.path} is truncated")
        return self.image_in_memory, dict(self.labels_in_memory)


def case_of(
    name: str, image: Image | None, structures: tuple[str, ...] = ("liver",), **labels: NDArray[Any]
) -> Shown:
    masks = tuple(MaskRef(Target(s, values=(1,)), (Path("m"),)) for s in structures)
    found = {s.replace("_", " "): map_ for s, map_ in labels.items()}
    return Shown("tiny", name, name, ImageRef(Path(name)), masks, "", "", False, image, found)


def card() -> DatasetCard:
    values = {
        "id": "tiny",
        "title": "A tiny set",
        "summary": "for tests",
        "modality": ["CT"],
        "anatomy": "abdomen",
        "dimension": "3D",
        "quality": "synthetic",
        "licence": "CC0",
        "licence_class": "open",
        "citation": "none",
        "size": {},
        "access": {"how": "local"},
        "targets": [{"structure": "liver", "values": [1]}],
        "layouts": [{"name": "only", "image": "{case}.png", "masks": {"mask": "{case}_m.png"}}],
    }
    return card_from(values, source=Path("tiny.toml"), builtin=True)


def dataset_of(*cases: Case) -> Dataset:
    return Dataset(card(), Path("tiny"), cases)


def flat(values: NDArray[Any]) -> Image:
    return Image.from_array(values, is_volume=False)


def grey(height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    return np.tile(np.linspace(0, 255, width, dtype=np.uint8), (height, 1))


# -- which cases ---------------------------------------------------------------------------------


def test_cases_are_spread_over_the_whole_set() -> None:
    cases = [case_of(str(n), None) for n in range(100)]
    assert [case.id for case in spread_cases(cases, 4)] == ["12", "37", "62", "87"]
    assert spread_cases(cases, 200) == cases
    assert spread_cases(cases[:1], 12) == cases[:1]


def test_a_seed_draws_the_same_cases_again() -> None:
    cases = [case_of(str(n), None) for n in range(100)]
    drawn = spread_cases(cases, 10, seed=3)
    assert drawn == spread_cases(cases, 10, seed=3)
    assert drawn != spread_cases(cases, 10, seed=4)
    assert len(set(drawn and [case.id for case in drawn])) == 10
    assert [int(case.id) for case in drawn] == sorted(int(case.id) for case in drawn)


def test_only_cases_that_have_the_structure() -> None:
    cases = [case_of(str(n), None, ("liver", "spleen") if n % 10 == 0 else ("liver",)) for n in range(30)]
    assert [case.id for case in spread_cases(cases, 12, structures=["spleen"])] == ["0", "10", "20"]
    with pytest.raises(DatasetError, match="labelled are liver, spleen"):
        spread_cases(cases, 12, structures=["kidney"])


# -- one case ------------------------------------------------------------------------------------


def volume(**grid: Any) -> tuple[Image, NDArray[np.uint8]]:
    values = np.random.default_rng(0).normal(100, 20, (10, 40, 50)).astype(np.float32)
    label = np.zeros((10, 40, 50), np.uint8)
    label[3, 5:35, 5:45] = 1
    label[6, 5:10, 5:10] = 1
    image = Image.from_array(values, geometry=Geometry((50, 40, 10), **grid), is_volume=True)
    return Image(image.array, image.geometry, True, format="nifti"), label


def test_the_slice_where_most_is_labelled() -> None:
    image, label = volume()
    tile = tile_of(case_of("a", image, liver=label))
    assert tile.note == "z 3"
    assert (tile.labels["liver"] != 0).sum() == 1200


def test_slices_are_numbered_as_in_the_file_and_shown_as_a_radiologist_looks() -> None:
    image, label = volume(direction=((-1, 0, 0), (0, 1, 0), (0, 0, -1)), spacing_xyz_mm=(1, 2, 5))
    label[3, 5:8, 5:8] = 0
    tile = tile_of(case_of("a", image, liver=label))
    assert tile.note == "z 3"
    assert tile.aspect == 2.0
    assert np.array_equal(tile.labels["liver"], label[3, :, ::-1])


def test_only_the_structure_that_was_asked_for() -> None:
    image, label = volume()
    spleen = np.roll(label, 2, axis=2)
    case = case_of("a", image, ("liver", "spleen"), liver=label, spleen=spleen)
    assert set(tile_of(case, structures=["liver"]).labels) == {"liver"}
    assert set(tile_of(case).labels) == {"liver", "spleen"}


def test_what_is_small_is_zoomed_in_on() -> None:
    label = np.zeros((400, 400), np.uint8)
    label[100:110, 300:310] = 1
    values = np.arange(400 * 400, dtype=np.int64).reshape(400, 400).astype(np.float32)
    tile = tile_of(case_of("a", flat(values), liver=label))
    assert tile.note == "zoomed in"
    assert tile.picture.shape == (100, 100, 3)
    assert tile.labels["liver"].shape == (100, 100)
    assert tile.labels["liver"].sum() == 100


def test_zooming_stays_inside_of_the_picture() -> None:
    label = np.zeros((400, 300), np.uint8)
    label[0, 0] = 1
    tile = tile_of(case_of("a", flat(np.ones((400, 300), np.float32)), liver=label))
    assert tile.picture.shape == (100, 100, 3)
    assert tile.labels["liver"][0, 0] == 1


def test_a_case_without_labels_is_shown_and_said() -> None:
    image, label = volume()
    assert tile_of(case_of("a", image, liver=np.zeros_like(label))).note == "z 5, nothing labelled"


def test_dark_pictures_are_brightened_and_it_is_said() -> None:
    dark = np.minimum(grey(), 40)
    tile = tile_of(case_of("a", flat(dark), liver=np.ones_like(dark)))
    assert tile.note == "brightened"
    assert tile.picture.max() > 200
    tile = tile_of(case_of("a", flat(grey()), liver=np.ones_like(dark)))
    assert np.array_equal(tile.picture[..., 0], grey())


def test_objects_are_counted() -> None:
    label = np.zeros((64, 96), np.uint16)
    label[2:30, 2:40], label[2:30, 40:90], label[40:60, 5:80] = 7, 300, 9
    assert tile_of(case_of("a", flat(grey()), liver=label)).note == "3 objects"


def test_air_is_seen_in_lungs_and_not_in_other_ct() -> None:
    values = np.full((4, 64, 64), -1000, np.int16)
    values[:, 10:50, 10:50] = -800
    values[:, 50:, :] = 200
    image = Image.from_array(values, is_volume=True, modality="CT")
    label = (values == -800).astype(np.uint8)
    lung = tile_of(case_of("a", image, ("lung",), lung=label))
    liver = tile_of(case_of("a", image, liver=label))
    assert lung.picture[20, 20, 0] > 60
    assert liver.picture[20, 20, 0] == 0


# -- the sheet -----------------------------------------------------------------------------------


def test_labels_lie_on_the_picture_in_the_colours_of_the_legend() -> None:
    label = np.zeros((64, 96), np.uint8)
    label[16:48, 24:72] = 1
    black = np.zeros((64, 96, 3), np.uint8)
    sheet = draw_sheet("title", "facts", [Tile("a", black, {"liver": label})], ["liver"])
    red = colour_of(0)
    fill = tuple(round(v * 0.25) for v in red)
    filled = np.argwhere((sheet == fill).all(axis=-1))
    low, high = filled.min(axis=0), filled.max(axis=0)
    # 640 pixels wide: 96 columns of 6.67 pixels, contour inside.
    assert np.allclose(high - low, [32 * 640 / 96, 48 * 640 / 96], atol=6)
    contour = np.argwhere((sheet == red).all(axis=-1))
    assert ((contour[:, 0] > low[0] - 4) | (contour[:, 0] > high[0])).all()
    assert (contour[:, 0] > high[0] + 40).any()  # the legend's square


def test_touching_objects_keep_their_own_contours() -> None:
    label = np.zeros((20, 20), np.int32)
    label[5:15, 5:10], label[5:15, 10:15] = 1, 2
    edge = outline(label, 1)
    assert edge[5:15, 9:11].all()
    assert not edge[6:14, 6:9].any()
    assert not outline(label > 0, 1)[6:14, 6:14].any()


def test_a_small_structure_is_drawn_over_a_large_one() -> None:
    large, small = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    large[8:56, 8:56], small[24:40, 24:40] = 1, 1
    tile = Tile("a", np.zeros((64, 64, 3), np.uint8), {"tumour": small, "kidney": large})
    sheet = draw_sheet("t", "f", [tile], ["tumour", "kidney"])
    assert (sheet[:-60] == colour_of(0)).all(axis=-1).any()


def test_a_case_that_cannot_be_read_does_not_spoil_the_sheet() -> None:
    good = case_of("good", flat(grey()), liver=np.ones((64, 96), np.uint8))
    calls: list[tuple[int, int]] = []
    sheet = dataset_sheet(
        dataset_of(good, case_of("bad", None)), progress=lambda done, total: calls.append((done, total))
    )
    assert [tile.fault for tile in sheet.tiles] == ["", "bad is truncated"]
    assert sheet.picture.dtype == np.uint8
    assert calls == [(1, 2), (2, 2)]
    with pytest.raises(DatasetError, match="none of 1 cases of tiny can be read: bad is truncated"):
        dataset_sheet(dataset_of(case_of("bad", None)))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 24])
@pytest.mark.parametrize("shape", [(64, 96), (200, 50), (16, 300)])
def test_any_number_and_shape_fits(count: int, shape: tuple[int, int]) -> None:
    image, label = flat(grey(*shape)), np.ones(shape, np.uint8)
    cases = [case_of(f"a long name {'of a case ' * (n % 3)}{n}", image, liver=label) for n in range(count)]
    picture = dataset_sheet(dataset_of(*cases), count=count).picture
    assert 700 <= picture.shape[1] <= 1450
    assert picture.shape[0] < 4000


@pytest.mark.shared
@pytest.mark.parametrize(
    "folder", ["acdc", "btcv", "busi", "chaos_mr", "drive", "dsb2018", "glas", "kvasir_seg"]
)
def test_sheets_of_real_data_sets(shared: Path, folder: str) -> None:
    sheet = dataset_sheet(dataset_at(registry.card(folder), shared / "data" / folder), count=6)
    assert not [tile.fault for tile in sheet.tiles if tile.fault]
    assert all(tile.labels for tile in sheet.tiles)
