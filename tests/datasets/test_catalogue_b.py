"""Rows 18 to 33 of the survey's table: their cards, and tiny trees in their layouts read through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anytomy.core.errors import DatasetError
from anytomy.core.structures import find
from anytomy.datasets.card import read_card
from anytomy.datasets.finding import find_cases
from anytomy.datasets.registry import builtin_cards, card
from anytomy.datasets.tree import Tree
from tests.datasets.trees_b import TREES, mms

SURVEY = {
    "busi": 18,
    "camus": 19,
    "mms": 20,
    "mosmed": 21,
    "covid_radiography": 22,
    "covid_qu_ex": 23,
    "qata_cov19": 24,
    "ct2us": 25,
    "polypgen": 26,
    "abdomenct_1k": 27,
    "amos": 28,
    "kits": 29,
    "totalsegmentator": 30,
    "brats": 31,
    "han_seg": 32,
    "fh_ps_aop": 33,
}
# Sets that are not in the survey's table; `tests/datasets/test_shared_data.py` reads files of theirs.
OTHERS = (
    "biomedparse_demo",
    "brats2015",
    "dcmqi_ct_liver",
    "drishti_gs",
    "dsb2018",
    "fuseg_wound",
    "hc18",
    "isbi2012_em",
    "isic2017",
    "kvasir_seg",
    "la2018",
    "lung_ct_slices",
    "monuseg",
    "prostate_mr_us",
    "recist_lesions",
    "sct_spinal_cord",
    "shenzhen_montgomery_cxr",
    "stardist_nuclei",
    "ultrasound_nerve",
    "wbc_zheng2018",
)
CARDS = Path(__file__).parents[2] / "src/anytomy/datasets/cards"

# Other layouts, by names alone: data set, image, its masks, patient.
NAMES = [
    ("ct2us", "slice/1_10.png", ["mask/1_10.png"], "1_10"),
    ("kits", "data/case_00000/imaging.nii.gz", ["data/case_00000/segmentation.nii.gz"], "case_00000"),
    (
        "isic2017",
        "ISIC-2017_Test_v2_Data/ISIC_0012086.jpg",
        ["ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0012086_segmentation.png"],
        "ISIC_0012086",
    ),
    (
        "shenzhen_montgomery_cxr",
        "Lung Segmentation/CXR_png/CHNCXR_0001_0.png",
        ["Lung Segmentation/masks/CHNCXR_0001_0_mask.png"],
        "CHNCXR_0001_0",
    ),
    (
        "shenzhen_montgomery_cxr",
        "Lung Segmentation/CXR_png/MCUCXR_0001_0.png",
        ["Lung Segmentation/masks/MCUCXR_0001_0.png"],
        "MCUCXR_0001_0",
    ),
    ("ultrasound_nerve", "train/12_7.tif", ["train/12_7_mask.tif"], "12"),
    ("hc18", "images/010_2HC.png", ["masks/010_2HC.png"], "010"),
    ("fuseg_wound", "train/images/0011.png", ["train/labels/0011.png"], "0011"),
    ("wbc_zheng2018", "Dataset 2/001.bmp", ["Dataset 2/001.png"], "2_001"),
    (
        "monuseg",
        "Train_Folder/img/TCGA-18-5592-01Z-00-DX1.tif",
        ["Train_Folder/labelcol/TCGA-18-5592-01Z-00-DX1.png"],
        "TCGA-18-5592",
    ),
    (
        "drishti_gs",
        "Training/Images/GLAUCOMA/drishtiGS_002.png",
        [
            "Training/GT/drishtiGS_002/SoftMap/drishtiGS_002_ODsegSoftmap.png",
            "Training/GT/drishtiGS_002/SoftMap/drishtiGS_002_cupsegSoftmap.png",
        ],
        "drishtiGS_002",
    ),
    (
        "drishti_gs",
        "Test/Images/drishtiGS_001.png",
        ["Test/Test_GT/drishtiGS_001/SoftMap/drishtiGS_001_ODsegSoftmap.png"],
        "drishtiGS_001",
    ),
    ("la2018", "Training Set/0RZDK/lgemri.nrrd", ["Training Set/0RZDK/laendo.nrrd"], "0RZDK"),
    (
        "brats2015",
        "HGG/brats_tcia_pat105_2/VSD.Brain.XX.O.MR_T1c.36001/VSD.Brain.XX.O.MR_T1c.36001.mha",
        ["HGG/brats_tcia_pat105_2/VSD.Brain_3more.XX.O.OT.42379/VSD.Brain_3more.XX.O.OT.42379.mha"],
        "brats_tcia_pat105",
    ),
]


@pytest.mark.parametrize("name", [*SURVEY, *OTHERS])
def test_the_card_is_read_and_says_what_is_needed(name: str) -> None:
    found = read_card(CARDS / f"{name}.toml", builtin=True)
    assert found.id == name
    assert found.survey == SURVEY.get(name, 0)
    assert bool(found.size.survey) == (name in SURVEY)
    assert found.size.found
    assert found.patient_key
    assert found.access.place.startswith("https://")
    assert found.access.steps.endswith(f"anytomy datasets add {name} FOLDER")
    assert found.structures or any("{structure}" in m for la in found.layouts for m in la.masks.values())
    if any(word in found.licence for word in ("unknown", "not stated")):
        assert "licence" in found.unverified


@pytest.mark.parametrize("name", [*SURVEY, *OTHERS])
def test_structures_are_named_by_the_vocabulary(name: str) -> None:
    for structure in read_card(CARDS / f"{name}.toml", builtin=True).structures:
        known = find(structure)
        assert known is not None, structure
        assert known.name == structure


def test_parents_and_overlaps_are_data_sets() -> None:
    known = {c.id for c in builtin_cards()}
    for name in (*SURVEY, *OTHERS):
        found = card(name)
        assert {*found.parents, *found.overlaps} <= known, name
        assert name not in (*found.parents, *found.overlaps)


@pytest.mark.parametrize("name", TREES)
def test_a_tree_in_the_layout_gives_back_what_was_put_into_it(name: str, tmp_path: Path) -> None:
    planted = TREES[name](tmp_path)
    found = find_cases(Tree.of(tmp_path), card(name.partition(".")[0]))
    cases = {(c.image.path.relative_to(tmp_path).as_posix(), c.image.time): c for c in found.cases}
    assert len(cases) == len(found.cases)
    assert set(cases) == {(p.image, p.time) for p in planted}
    assert len({case.id for case in found.cases}) == len(planted)
    assert not found.oddities
    assert not found.lone_masks
    for put in planted:
        case = cases[put.image, put.time]
        assert (case.patient, case.modality, case.split) == (put.patient, put.modality, put.split)
        image, labels = case.load()
        if put.array is not None:
            np.testing.assert_array_equal(image.array, put.array)
        assert set(labels) == set(put.labels)
        for structure, expected in put.labels.items():
            assert_same_objects(labels[structure], expected, f"{put.image}: {structure}")


@pytest.mark.parametrize(("name", "image", "masks", "patient"), NAMES, ids=[n[1] for n in NAMES])
def test_other_layouts_pair_their_files(
    name: str, image: str, masks: list[str], patient: str, tmp_path: Path
) -> None:
    for path in (image, *masks):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = find_cases(Tree.of(tmp_path), card(name))
    assert len(found.cases) == 1
    case = found.cases[0]
    assert case.image.path == tmp_path / image
    assert case.patient == patient
    assert {path for mask in case.masks for path in mask.paths} == {tmp_path / path for path in masks}
    assert not found.lone_images
    assert not found.lone_masks


def test_mms_without_its_table_says_what_is_missing(tmp_path: Path) -> None:
    mms(tmp_path)
    for table in tmp_path.glob("*.csv"):
        table.unlink()
    with pytest.raises(DatasetError, match="External code, ED, ES"):
        find_cases(Tree.of(tmp_path), card("mms"))


def test_mms_reports_what_the_table_lacks(tmp_path: Path) -> None:
    mms(tmp_path)
    table = next(tmp_path.glob("*.csv"))
    lines = table.read_text(encoding="utf-8").replace("B2L0L2", "X9X9X9").splitlines()
    table.write_text("\n".join(line.replace(",0,3,", ",0,,") for line in lines), encoding="utf-8")
    found = find_cases(Tree.of(tmp_path), card("mms"))
    assert [c.id for c in found.cases] == ["A0S9V9_ED"]
    assert len(found.oddities) == 3
    text = "\n".join(found.oddities)
    assert "B2L0L2" in text
    assert "column ES" in text
    assert "X9X9X9" in text


def test_sets_by_file_name_list_their_structures() -> None:
    total, head = card("totalsegmentator"), card("han_seg")
    assert (len(total.structures), len(head.structures)) == (117, 30)
    assert {"left adrenal gland", "right kidney"} <= set(total.structures)
    assert {"mandible", "left optic nerve", "right carotid artery"} <= set(head.structures)


def test_downloads_are_https_and_stay_in_the_folder() -> None:
    files = [d for name in (*SURVEY, *OTHERS) for d in card(name).access.downloads]
    assert files
    assert all(d.url.startswith("https://") and "/" not in d.file for d in files)


def assert_same_objects(got: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    """The same objects in the same voxels; how they are numbered does not matter."""
    assert got.shape == expected.shape, what
    np.testing.assert_array_equal(got > 0, expected > 0, err_msg=what)
    pairs = set(zip(got[got > 0].tolist(), expected[expected > 0].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}), what
