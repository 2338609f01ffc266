"""The development data, each set read by its card; `index.csv` and plain libraries say what is right."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from anytomy.datasets.card import DatasetCard
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.registry import card
from anytomy.datasets.tree import Tree
from tests.datasets.test_catalogue_b import assert_same_objects

pytestmark = pytest.mark.shared

# Sets of the index that are read by the card of another name.
CARDS = {"chaos_ct": "chaos", "chaos_mr": "chaos", "msd_hippocampus": "msd"}
FOLDERS = {"msd_hippocampus": "Task04_Hippocampus"}
# What the index calls what the vocabulary calls otherwise.
NAMES = {
    "acdc": {"RV": "right ventricle", "LV": "left ventricle"},
    "biomedparse_demo": {
        "edema": "oedema",
        "glandular structure": "gland",
        "left heart atrium": "left atrium",
        "left heart ventricle": "left ventricle",
        "right heart ventricle": "right ventricle",
        "tumor": "tumour",
    },
    "brats2015": {
        "oedema": "peritumoural oedema",
        "non-enhancing": "non-enhancing tumour",
        "enhancing": "enhancing tumour",
    },
    "busi": {"tumour": "breast tumour"},
    "drive": {"vessel": "retinal vessel"},
    "fuseg_wound": {"ulcer": "foot ulcer"},
    "hc18": {"head": "fetal head"},
    "isic2017": {"lesion": "skin lesion"},
    "monuseg": {"nuclei": "nucleus"},
    "msd_hippocampus": {"anterior": "anterior hippocampus", "posterior": "posterior hippocampus"},
    "shenzhen_montgomery_cxr": {"lungs": "lung"},
    "ultrasound_nerve": {"nerve": "brachial plexus"},
    "wbc_zheng2018": {"nucleus": "white blood cell nucleus", "cytoplasm": "white blood cell cytoplasm"},
}
# The index has the slide, the picture or the visit in these, or spells the same person otherwise.
PATIENTS: dict[str, Callable[[str], str]] = {
    "brats2015": lambda given: given.removesuffix("_1"),
    "btcv": lambda given: given.zfill(4),
    "chaos_ct": lambda given: f"CT_{given}",
    "chaos_mr": lambda given: "MR_" + "".join(c for c in given if c.isdigit()),
    "dcmqi_ct_liver": lambda given: "99000",
    "hc18": lambda given: given.partition("_")[0],
    "monuseg": lambda given: "-".join(given.split("-")[:3]),
    "sct_spinal_cord": lambda given: "sct",
}
SETS = (
    "acdc",
    "biomedparse_demo",
    "brats2015",
    "btcv",
    "busi",
    "chaos_ct",
    "chaos_mr",
    "dcmqi_ct_liver",
    "drishti_gs",
    "drive",
    "dsb2018",
    "fuseg_wound",
    "glas",
    "hc18",
    "isbi2012_em",
    "isic2017",
    "kvasir_seg",
    "la2018",
    "lung_ct_slices",
    "monuseg",
    "msd_hippocampus",
    "prostate_mr_us",
    "recist_lesions",
    "sct_spinal_cord",
    "shenzhen_montgomery_cxr",
    "stardist_nuclei",
    "ultrasound_nerve",
    "wbc_zheng2018",
)


@pytest.fixture
def data(shared: Path) -> Path:
    """The folder with the index."""
    if not (shared / "data" / "index.csv").is_file():
        pytest.skip("no ../shared/data here")
    return shared / "data"


def test_every_set_of_the_index_is_tried(data: Path) -> None:
    assert {row["dataset"] for row in rows_of(data)} == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_images_are_found_and_paired_and_labels_are_those_of_plain_libraries(name: str, data: Path) -> None:
    found_card, found = read(name, data)
    by_image = {(case.image.path.resolve(), case.image.key): case for case in found.cases}
    rows = [row for row in rows_of(data) if row["dataset"] == name]
    assert rows
    assert not found.oddities
    for row in rows:
        path, _, key = row["image"].partition("::")
        case = by_image.get(((data / path).resolve(), key))
        assert case is not None, row["image"]
        assert case.patient == PATIENTS.get(name, str)(row["patient"]), row["image"]
        mask = (data / row["mask"].partition("::")[0]).resolve()
        files = {f.resolve() for ref in case.masks for f in ref.paths}
        image, labels = case.load()
        assert case.dataset == found_card.id
        if row["labels"] == "{}":
            continue
        assert mask in files or {mask} == {f.parent for f in files}, row["mask"]
        answer = reference().Case(data, name, row["image"], row["mask"], json.loads(row["labels"]))
        for structure, expected in answer.structures(image).items():
            got = labels[NAMES.get(name, {}).get(structure, structure)]
            assert_same_objects(first_lesion(got) if name == "busi" else got, expected, row["mask"])


def test_several_lesions_of_one_picture_stay_apart(data: Path) -> None:
    _, found = read("busi", data)
    for case in found.cases:
        files = sorted(case.image.path.parent.glob(f"{case.image.path.stem}_mask*.png"))
        assert sorted(f for ref in case.masks for f in ref.paths) == files
        _, labels = case.load()
        assert labels["breast tumour"].max() == len(files)


def test_patients_with_several_images_are_one_patient(data: Path) -> None:
    for name, patients in (("acdc", 6), ("prostate_mr_us", 8), ("isbi2012_em", 1), ("brats2015", 1)):
        _, found = read(name, data)
        assert len({case.patient for case in found.cases}) == patients, name
        assert len(found.cases) > patients


def test_both_sequences_of_brats2015_have_the_label(data: Path) -> None:
    _, found = read("brats2015", data)
    assert sorted(case.image.path.name.split("_")[0] for case in found.cases) == ["Flair", "T1c"]
    one, other = (case.load()[1] for case in found.cases)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_dcmqi_masks_lie_on_the_series(data: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    _, found = read("dcmqi_ct_liver", data)
    case = next(c for c in found.cases if c.image.path.name == "ct-3slice")
    image, labels = case.load()
    both = sitk.GetArrayFromImage(sitk.ReadImage(str(data / "dcmqi_ct_liver" / "liver_spine_seg.nrrd")))
    assert image.array.shape == both.shape
    np.testing.assert_array_equal(labels["liver"] > 0, both == 1)
    np.testing.assert_array_equal(labels["spine"] > 0, both == 2)
    assert labels["heart"].any()


def test_modalities_are_those_of_the_index(data: Path) -> None:
    names = {"MRI": "MR", "MRI-FLAIR": "MR"}
    for name in ("biomedparse_demo", "prostate_mr_us", "kvasir_seg", "chaos_ct", "chaos_mr", "btcv"):
        _, found = read(name, data)
        by_image = {str(case.image.path.resolve()): case for case in found.cases}
        for row in rows_of(data):
            if row["dataset"] == name:
                case = by_image[str((data / row["image"]).resolve())]
                assert case.modality == names.get(row["modality"], row["modality"]), row["image"]


def read(name: str, data: Path) -> tuple[DatasetCard, Found]:
    """The card of a set of the index and what it finds in the set's folder."""
    found = card(CARDS.get(name, name))
    return found, find_cases(Tree.of(data / FOLDERS.get(name, name)), found)


def first_lesion(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The object of the first file: the index names no other."""
    return np.where(labels == 1, labels, 0)


@cache
def rows_of(data: Path) -> tuple[dict[str, str], ...]:
    with (data / "index.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@cache
def reference() -> ModuleType:
    """`benchmarks/data.py`, which reads masks by plain libraries."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "data.py"
    spec = importlib.util.spec_from_file_location("anytomy_benchmark_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
