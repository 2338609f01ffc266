"""Every folder of the development data is recognised without the catalogue; its index is the answer key."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from anytomy.datasets.adding import add_dataset
from anytomy.datasets.finding import find_cases
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.tree import Tree

from .made import meanings, recognised

pytestmark = pytest.mark.shared

KINDS = {
    "acdc": "suffix",
    "biomedparse_demo": "folders",
    "brats2015": "case-folders",
    "btcv": "folders",
    "busi": "suffix",
    "chaos_ct": "dicom-png",
    "chaos_mr": "suffix",
    "dcmqi_ct_liver": "dicom",
    "drishti_gs": "folders",
    "drive": "folders",
    "dsb2018": "object-folders",
    "fuseg_wound": "folders",
    "glas": "folders",
    "hc18": "folders",
    "isbi2012_em": "folders",
    "isic2017": "folders",
    "kvasir_seg": "folders",
    "la2018": "case-folders",
    "lung_ct_slices": "folders",
    "monuseg": "folders",
    "prostate_mr_us": "folders",
    "recist_lesions": "npz",
    "sct_spinal_cord": "suffix",
    "shenzhen_montgomery_cxr": "folders",
    "stardist_nuclei": "suffix",
    "Task04_Hippocampus": "decathlon",
    "ultrasound_nerve": "folders",
    "wbc_zheng2018": "folders",
}


def key(shared: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of the index by folder."""
    rows = defaultdict(list)
    with (shared / "data" / "index.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            rows[row["image"].split("/")[0]].append(row)
    return rows


def test_every_folder_is_in_the_list(shared: Path) -> None:
    assert set(KINDS) == set(key(shared))


@pytest.mark.parametrize("folder", KINDS)
def test_images_go_with_the_masks_of_the_index(shared: Path, folder: str) -> None:
    root = shared / "data" / folder
    found = recognised(root)
    assert found.kind == KINDS[folder]
    cases = find_cases(Tree.of(root), card_of(found.layouts)).cases
    got = set()
    for case in cases:
        image = case.image.path.relative_to(root.parent).as_posix()
        for mask in case.masks:
            for path in mask.paths:
                # The index names folders where each object or slice has a file.
                got |= {(image, p.relative_to(root.parent).as_posix()) for p in (path, path.parent)}
    rows = key(shared)[folder]
    wanted = {(r["image"].partition("::")[0], r["mask"].partition("::")[0]) for r in rows}
    assert wanted <= got
    # Nothing that is a mask is taken for an image; DRIVE's folder of views and the like are left out.
    masks = {mask for _, mask in wanted}
    assert not masks & {image for image, _ in got if "::" not in rows[0]["image"]}
    assert found.dimension in {row["dim"] for row in rows}


@pytest.mark.parametrize("folder", KINDS)
def test_values_mean_what_the_index_says(shared: Path, folder: str) -> None:
    """Names cannot be known; which values count, and whether they are objects, can."""
    rows = key(shared)[folder]
    wanted: set[Any] = {json.dumps(v) for row in rows for v in json.loads(row["labels"]).values()}
    got = {how for _, how in meanings(recognised(shared / "data" / folder))}
    if wanted & {'"instances"', '"one file each"'}:
        assert got == {"instances"}
    elif any('">' in one for one in wanted):
        assert got
        assert all(str(how).startswith(">") for how in got)
        if '">127"' in wanted:
            assert got == {">127"}
    elif folder in ("prostate_mr_us", "la2018", "recist_lesions", "sct_spinal_cord"):
        assert ">0" in got
    elif folder == "isbi2012_em":
        assert got == {">127"}
    elif folder != "dcmqi_ct_liver":
        assert {v for how in got for v in how} == {json.loads(one) for one in wanted}


@pytest.mark.parametrize(
    ("folder", "count"), [("acdc", 6), ("ultrasound_nerve", 14), ("recist_lesions", 2), ("kvasir_seg", 60)]
)
def test_patients_are_those_of_the_index(shared: Path, folder: str, count: int) -> None:
    root = shared / "data" / folder
    found = recognised(root)
    cases = find_cases(Tree.of(root), card_of(found.layouts)).cases
    known = {r["image"].partition("::")[0]: r["patient"] for r in key(shared)[folder]}
    paired = {(c.patient, known[c.image.path.relative_to(root.parent).as_posix()]) for c in cases}
    assert len(paired) == len({a for a, _ in paired}) == len({b for _, b in paired}) == count


@pytest.mark.parametrize("folder", sorted(set(KINDS) - {"dcmqi_ct_liver"}))
def test_every_case_can_be_loaded(shared: Path, folder: str) -> None:
    added = add_dataset("tried", shared / "data" / folder, replace=True, limit=3)
    bad = [f for f in added.findings if f.kind in ("unreadable image", "unreadable mask", "shape", "values")]
    assert not bad


def test_the_whole_of_it_is_a_table(shared: Path) -> None:
    found = recognised(shared / "data")
    assert found.kind == "manifest"
    cases = find_cases(Tree.of(shared / "data"), card_of(found.layouts)).cases
    rows = [row for rows in key(shared).values() for row in rows]
    assert {c.image.path.relative_to(shared / "data").as_posix() for c in cases} == {
        r["image"].partition("::")[0] for r in rows
    }
    assert len({c.id for c in cases}) == len(cases)
