"""Images and masks in one folder, told apart by their names, and folders for each case."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytomy.core.errors import DatasetError

from .made import ball, disc, meanings, noise, pairs, patients, picture, recognised, said, series, volume

CASES = ("a1", "a2", "b10")


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.png", "{}_mask.png"),
        ("{}.jpg", "{}_seg.png"),
        ("{}.png", "{}-seg.png"),
        ("{}.png", "{}_gt.png"),
        ("{}.bmp", "{}_anno.bmp"),
        ("{}.tif", "{}_label.tif"),
        ("{}.png", "{}_segmentation.png"),
        ("{}.png", "{}_annotation.png"),
        ("{}.png", "{}.mask.png"),
        ("{}.nii.gz", "{}_seg.nii.gz"),
        ("{}.nii.gz", "{}_seg-manual.nii.gz"),
        ("{}_image.png", "{}_mask.png"),
        ("image_{}.png", "label_{}.png"),
        ("img{}.tif", "mask{}.tif"),
        ("volume-{}.nii", "segmentation-{}.nii"),
        ("sub-{0}_T1w.nii.gz", "sub-{0}_dseg.nii.gz"),
        ("class one/{} x.png", "class one/{} x_mask.png"),
        ("set_{0}/{0}.png", "set_{0}/{0}_mask.png"),
        ("{0}/ct.nii.gz", "{0}/seg.nii.gz"),
        ("{0}/{0}_ct.nii.gz", "{0}/{0}_label.nii.gz"),
        ("{0}/image.png", "{0}/mask.png"),
        ("{0}/scan.nii.gz", "{0}/gt/seg.nii.gz"),
    ],
)
def test_masks_are_told_by_their_names(tmp_path: Path, image: str, mask: str) -> None:
    expected = {}
    for case in CASES:
        (volume if ".nii" in image else picture)(tmp_path / image.format(case))
        if ".nii" in mask:
            volume(tmp_path / mask.format(case), ball())
        else:
            picture(tmp_path / mask.format(case), disc())
        expected[image.format(case)] = [mask.format(case)]
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected
    assert len(set(patients(tmp_path, found).values())) == len(CASES)


def test_further_masks_of_an_image_are_further_objects(tmp_path: Path) -> None:
    for group, count in (("benign", 1), ("malignant", 3)):
        for n in (1, 11):
            picture(tmp_path / group / f"{group} ({n}).png")
            for k in range(count):
                tail = f"_{k}" if k else ""
                picture(tmp_path / group / f"{group} ({n})_mask{tail}.png", disc())
    found = recognised(tmp_path)
    assert pairs(tmp_path, found)["malignant/malignant (1).png"] == [
        "malignant/malignant (1)_mask.png",
        "malignant/malignant (1)_mask_1.png",
        "malignant/malignant (1)_mask_2.png",
    ]
    assert pairs(tmp_path, found)["benign/benign (11).png"] == ["benign/benign (11)_mask.png"]
    assert "each file is one object" in said(found)


def test_masks_that_are_named_for_structures_only(tmp_path: Path) -> None:
    for case in CASES:
        picture(tmp_path / f"{case}.png", noise(1))
        picture(tmp_path / f"{case}_liver.png", disc())
        picture(tmp_path / f"{case}_spleen.png", disc(radius=4))
    found = recognised(tmp_path)
    assert meanings(found) == [("liver", ">127"), ("spleen", ">127")]
    assert pairs(tmp_path, found)["a1.png"] == ["a1_liver.png", "a1_spleen.png"]


def test_several_sequences_with_one_mask(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        case = f"BraTS20_Training_{n:03}"
        for sequence in ("flair", "t1", "t1ce", "t2"):
            volume(tmp_path / case / f"{case}_{sequence}.nii.gz")
        volume(tmp_path / case / f"{case}_seg.nii.gz", ball())
    found = recognised(tmp_path)
    assert {image.rpartition("_")[2] for image in pairs(tmp_path, found)} == {"flair.nii.gz"}
    assert "*_t1, *_t1ce, *_t2" in said(found)
    assert len(set(patients(tmp_path, found).values())) == 3


def test_case_folders_are_told_by_a_look_into_the_files(tmp_path: Path) -> None:
    for case in ("1GU", "38C", "V0M"):
        volume(tmp_path / case / "lgemri.nii.gz")
        volume(tmp_path / case / "laendo.nii.gz", ball())
    found = recognised(tmp_path)
    assert found.kind == "case-folders"
    assert found.layouts[0].image == "{case}/lgemri.nii.gz"
    assert pairs(tmp_path, found)["38C/lgemri.nii.gz"] == ["38C/laendo.nii.gz"]


def test_one_case_folder_is_enough(tmp_path: Path) -> None:
    volume(tmp_path / "pat0003" / "Flair_x.nii.gz")
    volume(tmp_path / "pat0003" / "T1c_x.nii.gz")
    volume(tmp_path / "pat0003" / "OTMultiClass.nii.gz", ball(2))
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == {"pat0003/Flair_x.nii.gz": ["pat0003/OTMultiClass.nii.gz"]}
    assert "t1c_x" in said(found)


def test_pictures_without_masks_are_not_taken_for_masks(tmp_path: Path) -> None:
    for n in range(4):
        picture(tmp_path / f"x_{n}.png", noise(n))
        picture(tmp_path / f"x_{n}_b.png", noise(n + 10))
    with pytest.raises(DatasetError, match="recognised none"):
        recognised(tmp_path)


# -- DICOM ------------------------------------------------------------------------------------------


def slices(folder: Path, count: int = 5) -> None:
    for n in range(count):
        picture(folder / f"liver_GT_{n:03}.png", disc(1))


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}/DICOM_anon", "{}/Ground"),
        ("train/{}/DICOM_anon", "train/{}/Ground"),
        ("{}/T1/DICOM_anon/InPhase", "{}/T1/Ground"),
        ("images/{}", "masks/{}"),
        ("{}/dicom", "{}/mask"),
    ],
)
def test_a_series_with_a_picture_for_each_slice(tmp_path: Path, image: str, mask: str) -> None:
    for case in ("1", "2", "12"):
        series(tmp_path / image.format(case))
        slices(tmp_path / mask.format(case))
    found = recognised(tmp_path)
    assert (found.kind, found.dimension, found.modality) == ("dicom-png", "3D", "CT")
    got = pairs(tmp_path, found)
    assert set(got) == {image.format(case) for case in ("1", "2", "12")}
    assert len(got[image.format("12")]) == 5
    assert all(path.startswith(mask.format("12")) for path in got[image.format("12")])


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}/dicom", "{}/seg.nii.gz"),
        ("{}/dicom", "{}/masks/seg.nii.gz"),
        ("dicom/{}", "masks/{}.nii.gz"),
        ("images/{}", "labels/{}_mask.nii.gz"),
    ],
)
def test_a_series_with_a_volume(tmp_path: Path, image: str, mask: str) -> None:
    for case in ("p1", "p2"):
        series(tmp_path / image.format(case), modality="MR")
        volume(tmp_path / mask.format(case), ball(depth=5))
    found = recognised(tmp_path)
    assert (found.kind, found.modality) == ("dicom", "MR")
    assert pairs(tmp_path, found) == {image.format(c): [mask.format(c)] for c in ("p1", "p2")}


def test_dicom_pictures_are_images_of_their_own(tmp_path: Path) -> None:
    for n in range(3):
        folder = series(tmp_path / "made" / str(n), count=1, modality="DX")
        (tmp_path / "images").mkdir(exist_ok=True)
        (folder / "i0000.dcm").rename(tmp_path / "images" / f"x{n}.dcm")
        picture(tmp_path / "masks" / f"x{n}.png", disc())
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == {f"images/x{n}.dcm": [f"masks/x{n}.png"] for n in range(3)}


def test_both_phases_of_a_study(tmp_path: Path) -> None:
    for case in ("1", "2"):
        series(tmp_path / case / "T1DUAL/DICOM_anon/InPhase")
        series(tmp_path / case / "T1DUAL/DICOM_anon/OutPhase")
        slices(tmp_path / case / "T1DUAL/Ground")
    found = recognised(tmp_path)
    assert set(pairs(tmp_path, found)) == {f"{c}/T1DUAL/DICOM_anon/InPhase" for c in ("1", "2")}
    assert "outphase" in said(found)
