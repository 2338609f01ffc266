"""Which images belong to one patient, and folders that are data sets of the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from .made import ball, disc, pairs, patients, picture, recognised, said, volume


def lay(root: Path, names: list[str]) -> None:
    for name in names:
        folder, _, stem = name.rpartition("/")
        picture(root / folder / "images" / f"{stem}.png")
        picture(root / folder / "masks" / f"{stem}.png", disc())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["20_23", "20_31", "5_95", "36_54"], ["20", "20", "36", "5"]),
        (["patient064_frame01", "patient064_frame12", "patient007_frame01"], None),
        (["ABC_slice012", "ABC_slice013", "XYZ_slice001"], ["ABC", "ABC", "XYZ"]),
        (["CHNCXR_0018_0", "MCUCXR_0062_1", "CHNCXR_0032_0"],
         ["CHNCXR_0018_0", "CHNCXR_0032_0", "MCUCXR_0062_1"]),
        (["P1-01", "P1-02", "P2-01"], ["P1", "P1", "P2"]),
        (["TCGA-50-5931-01Z-00-DX1_1_2", "TCGA-50-5931-01Z-00-DX1_2_2", "TCGA-50-6666-01Z-00-DX1_1_1"],
         ["TCGA-50-5931-01Z-00-DX1", "TCGA-50-5931-01Z-00-DX1", "TCGA-50-6666-01Z-00-DX1"]),
        (["case12_left", "case12_right", "case13_left"], ["case12", "case12", "case13"]),
        (["img_1", "img_2", "img_3"], ["img_1", "img_2", "img_3"]),
        (["ISIC_0012", "ISIC_0013"], ["ISIC_0012", "ISIC_0013"]),
        (["1", "2", "3"], ["1", "2", "3"]),
        (["0a1b", "9f0c"], ["0a1b", "9f0c"]),
    ],
)  # fmt: skip
def test_patients_by_names_of_files(tmp_path: Path, names: list[str], expected: list[str] | None) -> None:
    lay(tmp_path, names)
    found = recognised(tmp_path)
    expected = expected or ["patient007", "patient064", "patient064"]
    assert sorted(patients(tmp_path, found).values()) == sorted(expected)
    assert len(pairs(tmp_path, found)) == len(names)
    told = "told apart by the beginning" in said(found)
    assert told == (len(set(expected)) < len(names))


def test_patients_by_folders(tmp_path: Path) -> None:
    lay(tmp_path, [f"p{n:03}/{k}" for n in range(4) for k in range(3)])
    found = recognised(tmp_path)
    assert set(patients(tmp_path, found).values()) == {"p000", "p001", "p002", "p003"}
    assert "told apart by their folders (such as p000): 4 patients, 12 images" in said(found)


def test_folders_of_classes_are_no_patients(tmp_path: Path) -> None:
    lay(tmp_path, [f"{c}/{k}" for c in ("benign", "malignant") for k in ("u", "v")])
    assert len(set(patients(tmp_path).values())) == 4


def test_folders_of_folds_are_no_patients(tmp_path: Path) -> None:
    lay(tmp_path, [f"fold{n}/{k}" for n in range(3) for k in ("u", "v")])
    assert len(set(patients(tmp_path).values())) == 6


def test_one_patient_in_two_splits_stays_one(tmp_path: Path) -> None:
    lay(tmp_path, ["train/7_01", "train/7_02", "train/8_01", "test/7_03", "test/9_01"])
    assert set(patients(tmp_path).values()) == {"7", "8", "9"}


class TestCatalogue:
    def acdc(self, root: Path) -> None:
        for patient in ("patient001", "patient002"):
            for frame in ("01", "12"):
                volume(root / patient / f"{patient}_frame{frame}.nii.gz")
                volume(root / patient / f"{patient}_frame{frame}_gt.nii.gz", ball(2))

    def test_a_folder_with_names_of_its_own_is_known(self, tmp_path: Path) -> None:
        self.acdc(tmp_path)
        found = recognised(tmp_path, catalogue=True)
        assert (found.kind, found.like, found.modality) == ("catalogue", "acdc", "MR")
        assert "looks like ACDC" in said(found)
        assert "4 images of 2 patients" in said(found)

    def test_names_that_everybody_uses_are_no_proof(self, tmp_path: Path) -> None:
        for n in range(4):
            picture(tmp_path / f"images/{n}.jpg")
            picture(tmp_path / f"masks/{n}.jpg", disc())
        found = recognised(tmp_path, catalogue=True)
        assert (found.kind, found.like) == ("folders", "")
        assert "kvasir_seg" in found.similar
        assert "--like kvasir_seg" in said(found)

    def test_own_nnunet_folders_are_not_the_decathlon(self, tmp_path: Path) -> None:
        for n in range(4):
            volume(tmp_path / f"imagesTr/liver_{n}.nii.gz")
            volume(tmp_path / f"labelsTr/liver_{n}.nii.gz", ball())
        found = recognised(tmp_path, catalogue=True)
        assert found.like == ""
        assert "msd" in found.similar

    def test_the_user_knows_better(self, tmp_path: Path) -> None:
        self.acdc(tmp_path)
        found = recognised(tmp_path, catalogue=True, labels={"2": "my muscle"})
        assert (found.kind, found.like) == ("suffix", "")
        assert found.layouts[0].targets[0].structure == "my muscle"
        assert "acdc" in found.similar

    def test_much_else_in_the_folder_is_no_proof(self, tmp_path: Path) -> None:
        self.acdc(tmp_path)
        for n in range(40):
            volume(tmp_path / f"images/x{n}.nii.gz")
            volume(tmp_path / f"masks/x{n}.nii.gz", ball())
        assert recognised(tmp_path, catalogue=True).like == ""
