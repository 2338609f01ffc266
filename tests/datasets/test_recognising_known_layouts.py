"""Layouts of well-known data sets, recognised by the general rules alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile

from .made import SIZE, ball, disc, noise, pairs, patients, picture, recognised, said, series, text, volume

Expected = dict[str, list[str]]


def both(root: Path, image: str, mask: str) -> Expected:
    (volume if ".nii" in image else picture)(root / image)
    volume(root / mask, ball()) if ".nii" in mask else picture(root / mask, disc())
    return {image: [mask]}


def united(parts: list[Expected]) -> Expected:
    out: Expected = {}
    for part in parts:
        for image, masks in part.items():
            out[image] = sorted({*out.get(image, []), *masks})
    return out


def chase(root: Path) -> Expected:
    found = united([both(root, f"Image_{n:02}L.jpg", f"Image_{n:02}L_1stHO.png") for n in range(1, 5)])
    for n in range(1, 5):
        picture(root / f"Image_{n:02}L_2ndHO.png", disc(radius=8))
    return found


def hrf(root: Path) -> Expected:
    names = [f"{n:02}_{kind}" for n in range(1, 4) for kind in ("dr", "g", "h")]
    for name in names:
        picture(root / "mask" / f"{name}_mask.tif", disc(radius=22))
    return united([both(root, f"images/{name}.JPG", f"manual1/{name}.tif") for name in names])


def montgomery(root: Path) -> Expected:
    text(root / "ClinicalReadings" / "MCUCXR_0001_0.txt")
    names = [f"MCUCXR_{n:04}_{n % 2}.png" for n in range(1, 5)]
    return united(
        [
            both(root, f"CXR_png/{name}", f"ManualMask/{side}Mask/{name}")
            for name in names
            for side in ("left", "right")
        ]
    )


def isic2018(root: Path) -> Expected:
    for n in range(3):
        picture(root / "ISIC2018_Task1-2_Test_Input" / f"ISIC_00{n + 40}.jpg")
    return united(
        [
            both(
                root,
                f"ISIC2018_Task1-2_{part}_Input/ISIC_00{n + at}.jpg",
                f"ISIC2018_Task1_{part}_GroundTruth/ISIC_00{n + at}_segmentation.png",
            )
            for part, at in (("Training", 10), ("Validation", 20))
            for n in range(3)
        ]
    )


def cell_tracking(root: Path) -> Expected:
    for n in range(6):
        picture(root / f"01/t{n:03}.tif")
    return united([both(root, f"01/t{n:03}.tif", f"01_GT/SEG/man_seg{n:03}.tif") for n in (1, 3, 4)])


def cellpose(root: Path) -> Expected:
    return united(
        [
            both(root, f"{part}/{n:03}_img.png", f"{part}/{n:03}_masks.png")
            for part in ("train", "test")
            for n in range(3)
        ]
    )


def bids(root: Path) -> Expected:
    text(root / "participants.tsv", "participant_id\nsub-01\n")
    return united(
        [
            both(
                root,
                f"sub-{n:02}/anat/sub-{n:02}_T2w.nii.gz",
                f"derivatives/labels/sub-{n:02}/anat/sub-{n:02}_T2w_seg.nii.gz",
            )
            for n in (1, 2, 3)
        ]
    )


def lgg(root: Path) -> Expected:
    people = ("TCGA_CS_4941_19960909", "TCGA_DU_5849_19950405")
    text(root / "kaggle_3m" / "data.csv", "Patient,gender\nTCGA_CS_4941,1\n")
    return united(
        [
            both(root, f"kaggle_3m/{p}/{p}_{n}.tif", f"kaggle_3m/{p}/{p}_{n}_mask.tif")
            for p in people
            for n in (1, 2, 11)
        ]
    )


def stacks(root: Path) -> Expected:
    tifffile.imwrite(root / "train-volume.tif", noise(1, (4, SIZE, SIZE)), photometric="minisblack")
    tifffile.imwrite(root / "train-labels.tif", ball(255, 4), photometric="minisblack")
    tifffile.imwrite(root / "test-volume.tif", noise(2, (4, SIZE, SIZE)), photometric="minisblack")
    return {"train-volume.tif": ["train-labels.tif"]}


def promise12(root: Path) -> Expected:
    for n in range(3):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise(n, (4, 8, 8))), root / f"Case{n:02}.mhd")
        SimpleITK.WriteImage(
            SimpleITK.GetImageFromArray(ball(1, 4)[:, :8, :8]), root / f"Case{n:02}_segmentation.mhd"
        )
    return {f"Case{n:02}.mhd": [f"Case{n:02}_segmentation.mhd"] for n in range(3)}


def ircad(root: Path) -> Expected:
    for n in (1, 2):
        series(root / f"3Dircadb1.{n}/PATIENT_DICOM")
        for organ in ("liver", "bone", "leftkidney"):
            series(root / f"3Dircadb1.{n}/MASKS_DICOM/{organ}")
    return {
        f"3Dircadb1.{n}/PATIENT_DICOM": [
            f"3Dircadb1.{n}/MASKS_DICOM/{organ}" for organ in ("bone", "leftkidney", "liver")
        ]
        for n in (1, 2)
    }


def kits(root: Path) -> Expected:
    text(root / "kits.json", [{"case_id": "case_00000"}])
    return united(
        [
            both(root, f"data/case_{n:05}/imaging.nii.gz", f"data/case_{n:05}/segmentation.nii.gz")
            for n in range(3)
        ]
    )


def clinicdb(root: Path) -> Expected:
    return united(
        [
            both(root, f"{k}/Original/{n}.{k.lower()}", f"{k}/Ground Truth/{n}.{k.lower()}")
            for k in ("PNG", "TIF")
            for n in (1, 2)
        ]
    )


def voc_with_pictures(root: Path) -> Expected:
    for n in range(3):
        picture(root / f"masks_vis/{n}.png", np.repeat(disc(200)[..., None], 3, 2))
    return united([both(root, f"images/{n}.png", f"masks/{n}.png") for n in range(3)])


LAYOUTS = (
    *(chase, hrf, montgomery, isic2018, cell_tracking, cellpose, bids, lgg, stacks, promise12, ircad, kits),
    *(clinicdb, voc_with_pictures),
)


@pytest.mark.parametrize("lay", LAYOUTS, ids=lambda lay: lay.__name__)
def test_well_known_layouts(tmp_path: Path, lay: Callable[[Path], Expected]) -> None:
    expected = lay(tmp_path)
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected


def test_patients_of_the_brain_tumours(tmp_path: Path) -> None:
    lgg(tmp_path)
    assert set(patients(tmp_path).values()) == {"TCGA_CS_4941_19960909", "TCGA_DU_5849_19950405"}


def test_voxels_beside_their_headers_are_not_left_over(tmp_path: Path) -> None:
    promise12(tmp_path)
    assert "left alone" not in said(recognised(tmp_path))
