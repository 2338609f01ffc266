"""Data sets 1 to 17 of the catalogue: each tree is found whole and read exactly."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.errors import DatasetError, GeometryError, ImageReadError
from anytomy.core.image import Image
from anytomy.core.structures import find
from anytomy.datasets import registry
from anytomy.datasets.dataset import dataset_at
from anytomy.datasets.readers import rle_csv
from tests.datasets import trees_a
from tests.datasets.phantoms import simple_itk
from tests.datasets.trees_a import TREES
from tests.io.dicom_phantom import grid, write_series

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.case import Case

IDS = tuple(dict.fromkeys(card for card, _ in TREES.values()))


def relative(case: Case, root: Path) -> str:
    """The path of a case's image below the root; folders end in `/`."""
    path = case.image.path
    return path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")


@pytest.mark.parametrize("name", TREES)
def test_every_image_is_found_with_its_patient_and_its_labels(name: str, tmp_path: Path) -> None:
    card_id, build = TREES[name]
    expected = build(tmp_path)
    found = dataset_at(registry.card(card_id), tmp_path)

    assert {relative(case, tmp_path) for case in found.cases} == set(expected)
    assert len(found.cases) == len(expected)
    assert not found.lone_images
    assert not found.lone_masks
    assert not found.oddities
    assert len({case.id for case in found.cases}) == len(expected)
    for case in found.cases:
        want = expected[relative(case, tmp_path)]
        assert case.patient == want.patient
        assert case.split == want.split
        assert case.modality == want.modality
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image, labels = case.load()
        assert set(labels) == set(want.labels)
        for structure, label in want.labels.items():
            np.testing.assert_array_equal(labels[structure], label, err_msg=f"{case.id} {structure}")
        if want.image is not None:
            np.testing.assert_array_equal(image.array, want.image)


@pytest.mark.parametrize("card_id", IDS)
def test_cards_are_complete_and_their_structures_are_in_the_vocabulary(card_id: str) -> None:
    card = registry.card(card_id)
    for structure in card.structures:
        assert find(structure) is not None, structure
        assert find(structure).name == structure
    assert 1 <= card.survey <= 17
    assert card.size.survey
    assert card.size.found
    assert card.access.place
    assert f"anytomy datasets add {card_id} FOLDER" in card.access.steps
    assert card.citation
    assert card.patient_key
    said = {name.removeprefix("layouts.") for name in card.unverified if name.startswith("layouts.")}
    assert said <= {layout.name for layout in card.layouts}
    known = set(registry.dataset_ids())
    assert set(card.parents) | set(card.overlaps) <= known
    assert all(d.url.startswith("https://") for d in card.access.downloads)


def test_the_survey_rows_1_to_17_have_one_card_each() -> None:
    rows = sorted(registry.card(card_id).survey for card_id in IDS)
    assert rows == list(range(1, 18))


# -- readers ----------------------------------------------------------------------------------------


def test_a_truncated_film_of_jsrt_is_named(tmp_path: Path) -> None:
    trees_a.jsrt_scr(tmp_path)
    film = tmp_path / "All247images/JPCLN001.IMG"
    film.write_bytes(film.read_bytes()[:-2])
    case = next(c for c in dataset_at(registry.card("jsrt"), tmp_path) if c.patient == "JPCLN001")
    with pytest.raises(ImageReadError, match=r"expected 8388608 bytes .* got 8388606"):
        case.read()


def test_a_film_of_more_than_12_bits_is_refused(tmp_path: Path) -> None:
    trees_a.jsrt_scr(tmp_path)
    film = tmp_path / "All247images/JPCLN001.IMG"
    film.write_bytes(b"\xff\xff" * (2048 * 2048))
    case = next(c for c in dataset_at(registry.card("jsrt"), tmp_path) if c.patient == "JPCLN001")
    with pytest.raises(ImageReadError, match="12 bits"):
        case.read()


def _fumpe_case(root: Path) -> Case:
    trees_a.fumpe(root)
    return dataset_at(registry.card("fumpe"), root)[0]


def test_a_mat_file_without_the_variable_says_what_it_holds(tmp_path: Path) -> None:
    from scipy.io import savemat

    case = _fumpe_case(tmp_path)
    savemat(case.masks[0].paths[0], {"segmentation": np.zeros((2, 2))})
    with pytest.raises(ImageReadError, match=r"expected a variable Mask .* got segmentation"):
        case.load()


@pytest.mark.parametrize(
    "content", [b"", b"no MATLAB file", b"MATLAB 7.3 MAT-file, Platform: " + b" " * 93 + b"\x00\x02IM"]
)
def test_a_file_that_is_no_mat_or_too_new_is_named(content: bytes, tmp_path: Path) -> None:
    case = _fumpe_case(tmp_path)
    case.masks[0].paths[0].write_bytes(content)
    with pytest.raises(ImageReadError, match=r"PAT001\.mat"):
        case.load()


def test_a_damaged_mat_file_is_named(tmp_path: Path) -> None:
    case = _fumpe_case(tmp_path)
    path = case.masks[0].paths[0]
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ImageReadError, match=r"PAT001\.mat"):
        case.load()


def test_a_mat_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    from scipy.io import savemat

    case = _fumpe_case(tmp_path)
    savemat(case.masks[0].paths[0], {"Mask": np.zeros((6, 7, 4))})
    with pytest.raises(GeometryError, match=r"got \(4, 6, 7\)"):
        case.load()


def test_equal_instance_numbers_are_refused(tmp_path: Path) -> None:
    case = _fumpe_case(tmp_path)
    for file in case.image.path.iterdir():
        file.unlink()

    def same(made: Any, z: int) -> None:
        made.InstanceNumber = 1

    write_series(case.image.path, grid(), edit=same)
    with pytest.raises(ImageReadError, match="5 different instance numbers"):
        case.load()


def test_run_lengths_are_those_of_the_competition() -> None:
    # Its own sample code: skip, take, skip, take; the picture is filled column by column.
    image = Image.from_array(np.zeros((4, 3), np.uint8))
    columns = np.zeros(12, int)
    columns[[1, 2, 7]] = 1
    assert trees_a.run_lengths(columns.reshape(3, 4).T) == "1 2 4 1"
    assert rle_csv._runs("1 2 4 1", image.array.size, "x") == [(1, 3), (7, 8)]


@pytest.mark.parametrize(
    ("text", "message"), [("1 2 3", "pairs"), ("a b", "pairs"), ("-5 2", "pairs"), ("167 2", "within 168")]
)
def test_broken_run_lengths_are_refused_and_named(text: str, message: str, tmp_path: Path) -> None:
    trees_a.siim_acr(tmp_path)
    table = tmp_path / "train-rle.csv"
    uid = "1.2.276.0.7230010.3.1.4.8323329.1"
    table.write_text(f"ImageId, EncodedPixels\n{uid}, {text}\n")
    with pytest.warns(UserWarning, match="2 images without masks"):
        case = dataset_at(registry.card("siim_acr"), tmp_path)[0]
    with pytest.raises(ImageReadError, match=f"{message}.*{uid}"):
        case.load()


def test_images_that_the_table_does_not_name_are_left_out_and_said(tmp_path: Path) -> None:
    trees_a.siim_acr(tmp_path)
    table = tmp_path / "train-rle.csv"
    lines = table.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("1.2.276.0.7230010.3.1.4.8323329.2")]
    table.write_text("\n".join([*kept, "1.2.3, -1"]) + "\n")
    with pytest.warns(UserWarning, match="1 images without masks"):
        found = dataset_at(registry.card("siim_acr"), tmp_path)
    assert len(found.cases) == 2
    assert found.lone_images == (
        "dicom-images-train/1.2.276.2.0/1.2.276.2.1/1.2.276.0.7230010.3.1.4.8323329.2.dcm",
    )
    assert found.oddities == ("train-rle.csv names 1 images that are not there",)


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    trees_a.siim_acr(tmp_path)
    (tmp_path / "train-rle.csv").write_text("id,rle\n1,2\n")
    with pytest.raises(DatasetError, match=r"ImageId and EncodedPixels .* got id, rle"):
        dataset_at(registry.card("siim_acr"), tmp_path)


# -- what lies beside -------------------------------------------------------------------------------


def test_glas_without_its_table_says_that_patients_are_unknown(tmp_path: Path) -> None:
    trees_a.glas(tmp_path)
    next(tmp_path.rglob("Grade.csv")).unlink()
    found = dataset_at(registry.card("glas"), tmp_path)
    assert {case.patient for case in found.cases} == {"train_1", "train_2", "testA_1", "testB_3"}
    assert any("Grade.csv" in line for line in found.oddities)


def test_glas_pictures_that_the_table_does_not_name_are_said(tmp_path: Path) -> None:
    trees_a.glas(tmp_path)
    table = next(tmp_path.rglob("Grade.csv"))
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    found = dataset_at(registry.card("glas"), tmp_path)
    assert [line for line in found.oddities if "does not name 1 images" in line]


def test_a_label_of_another_place_is_not_resampled_onto_the_image(tmp_path: Path) -> None:
    trees_a.nci_isbi(tmp_path)
    mask = tmp_path / "Leaderboard/ProstateDx-01-0014.nrrd"
    far = grid(size_xyz=(7, 6, 10), spacing_xyz_mm=(0.75, 0.5, 1.25), origin_lps_mm=(500.0, 0.0, 0.0))
    simple_itk(mask, np.ones((10, 6, 7), np.uint8), far)
    case = next(
        c for c in dataset_at(registry.card("nci_isbi"), tmp_path) if c.patient == "ProstateDx-01-0014"
    )
    with pytest.raises(GeometryError, match=r"ProstateDx-01-0014\.nrrd lies elsewhere .*: 0 %"):
        case.load()


def test_chaos_with_a_missing_mask_is_refused(tmp_path: Path) -> None:
    trees_a.chaos(tmp_path)
    next(iter((tmp_path / "CHAOS_Train_Sets/Train_Sets/CT/1/Ground").iterdir())).unlink()
    case = next(c for c in dataset_at(registry.card("chaos"), tmp_path) if c.id == "CT_1")
    with pytest.raises(GeometryError, match=r"5 slices, but .* has 4 masks"):
        case.load()


def test_two_label_maps_for_one_image_are_not_guessed_between(tmp_path: Path) -> None:
    trees_a.nci_isbi(tmp_path)
    simple_itk(tmp_path / "Training/ProstateDx-01-0006.nrrd", np.ones(trees_a.SHAPE, np.uint8), grid())
    found = dataset_at(registry.card("nci_isbi"), tmp_path)
    assert "ProstateDx-01-0006" not in found.patients
    assert found.oddities == (
        "manifest-1/PROSTATE-DIAGNOSIS/ProstateDx-01-0006/07-08-2008-study/1-T2-1/ is left out: expected one "
        "label map, got ProstateDx-01-0006.nrrd, ProstateDx-01-0006_correctedLabels.nrrd",
    )
