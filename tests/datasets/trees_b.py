"""Tiny data sets on disk, in the layouts of rows 18 to 33 of the survey's table, and what was put into them.

Files are written by numpy, nibabel, SimpleITK and Pillow, never by the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PIL import Image as Picture

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Planted:
    """A case that a tree holds.

    Attributes:
        image: Its path below the root.
        patient: Who.
        labels: For each structure a label map on the image's grid, one value per object.
        array: What reading the image gives; None where it is not compared.
        modality: What the case says it is.
        split: The publisher's own.
        time: Which frame of the file.
    """

    image: str
    patient: str
    labels: dict[str, Array] = field(default_factory=dict)
    array: Array | None = None
    modality: str = ""
    split: str = ""
    time: int | None = None


def busi(root: Path) -> list[Planted]:
    """Two lesions in one picture, one in another, none in a third."""
    base = "Dataset_BUSI_with_GT"
    out = []
    for name, lesions in (("benign (1)", 2), ("benign (10)", 1), ("malignant (1)", 1), ("normal (3)", 0)):
        folder = f"{base}/{name.split()[0]}"
        image = speckle(40, 48, 3)
        png(root / folder / f"{name}.png", image)
        whole = np.zeros((40, 48), dtype=int)
        for number in range(max(lesions, 1)):
            mask = np.zeros((40, 48), dtype=bool)
            if lesions:
                mask[4:12, 4 + 20 * number : 16 + 20 * number] = True
                whole[mask] = number + 1
            ending = f"_{number}" if number else ""
            png(root / folder / f"{name}_mask{ending}.png", mask)
        out.append(Planted(f"{folder}/{name}.png", name, {"breast tumour": whole}, image, "ultrasound"))
    return out


def camus(root: Path) -> list[Planted]:
    """Both views and phases of two patients; sequences beside them."""
    out = []
    for patient in ("patient0001", "patient0002"):
        folder = f"database_nifti/{patient}"
        for view in ("2CH", "4CH"):
            for phase in ("ED", "ES"):
                image, label = speckle(30, 22), values_of(30, 22, (1, 2, 3))
                stem = f"{folder}/{patient}_{view}_{phase}"
                nifti(root / f"{stem}.nii.gz", image)
                nifti(root / f"{stem}_gt.nii.gz", label)
                # NIfTI files always hold volumes; these have one slice.
                out.append(Planted(f"{stem}.nii.gz", patient, _heart(label[None]), image[None], "ultrasound"))
            for ending in ("half_sequence", "half_sequence_gt"):
                nifti(root / f"{folder}/{patient}_{view}_{ending}.nii.gz", speckle(4, 30, 22))
    return out


def _heart(label: Array) -> dict[str, Array]:
    return only(label, {"left ventricle": 1, "myocardium": 2, "left atrium": 3})


def camus_challenge(root: Path) -> list[Planted]:
    """The older form: MetaImage pairs of one slice; test patients, also numbered from 1, have no labels."""
    image, label = speckle(1, 30, 22), values_of(30, 22, (1, 2, 3))[None]
    stem = "training/patient0001/patient0001_4CH_ES"
    itk(root / f"{stem}.mhd", image)
    itk(root / f"{stem}_gt.mhd", label)
    itk(root / "testing/patient0001/patient0001_4CH_ES.mhd", image)
    return [Planted(f"{stem}.mhd", "patient0001", _heart(label), image, "ultrasound", "train")]


def mms(root: Path) -> list[Planted]:
    """Five frames, two of them labelled, as the table says."""
    out = []
    rows = [",External code,VendorName,Vendor,Centre,ED,ES,Age"]
    for code, folder, split, frames in (
        ("A0S9V9", "Training/Labeled", "train", (0, 3)),
        ("B2L0L2", "Testing", "test", (4, 1)),
    ):
        images, labels = speckle(5, 3, 20, 16), np.zeros((5, 3, 20, 16), dtype=np.uint8)
        for number, frame in enumerate(frames):
            labels[frame] = values_of(20, 16, (1, 2, 3))
            labels[frame, number] = 0
        stem = f"OpenDataset/{folder}/{code}/{code}_sa"
        nifti(root / f"{stem}.nii.gz", images)
        nifti(root / f"{stem}_gt.nii.gz", labels)
        rows.append(f"{len(rows) - 1},{code},Siemens,A,1,{frames[0]},{frames[1]},56")
        for frame in frames:
            names = {"left ventricle": 1, "myocardium": 2, "right ventricle": 3}
            planted = only(labels[frame], names)
            out.append(Planted(f"{stem}.nii.gz", code, planted, images[frame], "MR", split, frame))
    table = root / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return out


def mosmed(root: Path) -> list[Planted]:
    """Two studies with masks, one without."""
    out = []
    for number in (255, 256):
        image, mask = ct(3, 20, 16), values_of(20, 16, (1,), depth=3)
        path = f"COVID19_1110/studies/CT-1/study_0{number}.nii.gz"
        nifti(root / path, image)
        nifti(root / f"COVID19_1110/masks/study_0{number}_mask.nii.gz", mask)
        labels = {"lung infection": mask}
        out.append(Planted(path, f"study_0{number}", labels, image, "CT"))
    nifti(root / "COVID19_1110/studies/CT-0/study_0001.nii.gz", ct(3, 20, 16))
    return out


def covid_radiography(root: Path) -> list[Planted]:
    """Masks of another size than the pictures."""
    out = []
    for name, stem in (
        ("COVID", "COVID-1"),
        ("Viral Pneumonia", "Viral Pneumonia-1"),
        ("Normal", "Normal-7"),
    ):
        folder = f"COVID-19_Radiography_Dataset/{name}"
        image = speckle(60, 60)
        png(root / folder / "images" / f"{stem}.png", image)
        small = np.zeros((40, 40), dtype=np.uint8)
        small[4:30, 2:16] = 255
        small[6:32, 22:38] = 255
        png(root / folder / "masks" / f"{stem}.png", np.stack([small] * 3, axis=-1))
        # Three pixels of the picture to two of the mask; the nearest is the one that a centre lies in.
        at = np.floor((np.arange(60) + 0.5) * 40 / 60).astype(int)
        lungs = np.where(small > 0, 1, 0)
        lungs[:, 20:] *= 2
        labels = {"lung": lungs[np.ix_(at, at)]}
        out.append(Planted(f"{folder}/images/{stem}.png", stem, labels, image, "X-ray"))
    return out


def covid_qu_ex(root: Path) -> list[Planted]:
    """A picture with infection and lungs, and pictures with lungs, one of them the same."""
    lungs = np.zeros((32, 32), dtype=np.uint8)
    lungs[4:28, 3:14], lungs[4:28, 18:29] = 1, 2
    infection = np.zeros((32, 32), dtype=np.uint8)
    infection[8:15, 5:12] = infection[20:24, 20:26] = 1
    out = []
    for part, split, kind, name in (
        ("Infection", "Train", "COVID-19", "covid_1"),
        ("Lung", "Train", "COVID-19", "covid_1"),
        ("Lung", "Test", "Non-COVID", "non_COVID (7)"),
    ):
        folder = f"{part} Segmentation Data/{part} Segmentation Data/{split}/{kind}"
        image = speckle(32, 32)
        png(root / folder / "images" / f"{name}.png", image)
        png(root / folder / "lung masks" / f"{name}.png", (lungs > 0) * np.uint8(255))
        labels = {"lung": lungs}
        if part == "Infection":
            png(root / folder / "infection masks" / f"{name}.png", infection * np.uint8(255))
            labels["lung infection"] = infection
        out.append(Planted(f"{folder}/images/{name}.png", name, labels, image, "X-ray", split))
    return out


def qata_cov19(root: Path) -> list[Planted]:
    """Names that tell the person and one that does not."""
    out = []
    long = "sub-S09340_ses-E18539_run-1_bp-chest_vp-ap_dx"
    for split, name, patient in (
        ("Train", long, "sub-S09340"),
        ("Test", "covid_12", "covid_12"),
        ("Test", "sub-S10_ses-E1_run-1_bp-chest_vp-pa_cr", "sub-S10"),
    ):
        folder = f"QaTa-COV19/QaTa-COV19-v2/{split} Set"
        image, mask = speckle(28, 28), values_of(28, 28, (1,))
        png(root / folder / "Images" / f"{name}.png", image)
        png(root / folder / "Ground-truths" / f"mask_{name}.png", mask * np.uint8(255))
        labels = {"lung infection": mask}
        out.append(Planted(f"{folder}/Images/{name}.png", patient, labels, image, "X-ray", split))
    return out


def ct2us(root: Path) -> list[Planted]:
    """The doubled folders of the archive; soft edges of a mask."""
    out = []
    for name in ("1_10", "1_11"):
        image, mask = speckle(26, 26, 3), values_of(26, 26, (1,))
        png(root / f"slice/slice/{name}.png", image)
        png(root / f"mask/mask/{name}.png", np.where(mask > 0, 200, 60).astype(np.uint8))
        out.append(Planted(f"slice/slice/{name}.png", name, {"kidney": mask}, image, "ultrasound"))
    return out


def polypgen(root: Path) -> list[Planted]:
    """Single frames, sequences, frames without polyps; masks as JPEG."""
    base = root / "PolypGen2021_MultiCenterData_v3"
    out = []
    for folder, part, name, patient in (
        ("data_C1", "C1", "100H0050", "C1_100H0050"),
        ("data_C6", "C6", "100H0050", "C6_100H0050"),
        ("sequenceData/positive/seq3", "seq3", "1_endocv2021_positive_7", "seq3"),
        ("sequenceData/positive/seq3", "seq3", "1_endocv2021_positive_8", "seq3"),
    ):
        mask = values_of(64, 64, (1,))
        jpeg(base / folder / f"images_{part}" / f"{name}.jpg", speckle(64, 64, 3))
        jpeg(base / folder / f"masks_{part}" / f"{name}_mask.jpg", mask * np.uint8(255))
        jpeg(base / folder / f"bbox_image_{part}" / f"{name}_mask_bbox.jpg", speckle(64, 64, 3))
        path = f"{base.name}/{folder}/images_{part}/{name}.jpg"
        out.append(Planted(path, patient, {"polyp": mask}, None, "endoscopy"))
    jpeg(base / "sequenceData/negativeOnly/seq1_neg/1.jpg", speckle(64, 64, 3))
    jpeg(base / "imagesAll_positive/100H0050.jpg", speckle(64, 64, 3))
    return out


def abdomenct_1k(root: Path) -> list[Planted]:
    """Images in parts, masks in one folder; two kidneys under one value."""
    out = []
    for part, case in ((1, "Case_00001"), (3, "Case_00900")):
        image, label = ct(4, 24, 30), values_of(24, 30, (1, 2, 3, 4), depth=4)
        label[:, 18:22, 20:26] = 2
        path = f"AbdomenCT-1K-ImagePart{part}/{case}_0000.nii.gz"
        nifti(root / path, image)
        nifti(root / f"Mask/{case}.nii.gz", label)
        labels = only(label, {"liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4})
        labels["kidney"][:, 18:22, 20:26] = 2
        out.append(Planted(path, case, labels, image, "CT"))
    nifti(root / "AbdomenCT-1K-ImagePart1/Case_00002_0000.nii.gz", ct(4, 24, 30))  # a label that is held back
    return out


AMOS = (
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "oesophagus",
    "liver",
    "stomach",
    "aorta",
    "inferior vena cava",
    "pancreas",
    "right adrenal gland",
    "left adrenal gland",
    "duodenum",
    "urinary bladder",
    "prostate or uterus",
)


def amos(root: Path) -> list[Planted]:
    """CT and MR by number; images of the test part without labels."""
    out = []
    for part, number, modality in (
        ("Tr", "0001", "CT"),
        ("Va", "0500", "CT"),
        ("Tr", "0507", "MR"),
        ("Va", "0600", "MR"),
    ):
        image, label = ct(3, 40, 24), values_of(40, 24, tuple(range(1, 16)), depth=3)
        path = f"amos22/images{part}/amos_{number}.nii.gz"
        nifti(root / path, image)
        nifti(root / f"amos22/labels{part}/amos_{number}.nii.gz", label)
        labels = only(label, {name: value for value, name in enumerate(AMOS, start=1)})
        out.append(Planted(path, f"amos_{number}", labels, image, modality, part))
    nifti(root / "amos22/imagesTs/amos_0002.nii.gz", ct(3, 40, 24))
    return out


def kits(root: Path) -> list[Planted]:
    """One file name in each folder; readings of single raters beside it."""
    out = []
    for case in ("case_00000", "case_00588"):
        image, label = ct(3, 24, 24), values_of(24, 24, (1, 2, 3), depth=3)
        folder = f"kits23/dataset/{case}"
        nifti(root / folder / "imaging.nii.gz", image)
        nifti(root / folder / "segmentation.nii.gz", label)
        nifti(root / folder / "instances" / "kidney_instance-1_annotation-1.nii.gz", label)
        labels = only(label, {"kidney": 1, "kidney tumour": 2, "kidney cyst": 3})
        out.append(Planted(f"{folder}/imaging.nii.gz", case, labels, image, "CT"))
    return out


def totalsegmentator(root: Path) -> list[Planted]:
    """A file for each structure, empty for what is not in the scan."""
    names = {
        "kidney_right": "right kidney",
        "adrenal_gland_left": "left adrenal gland",
        "esophagus": "oesophagus",
        "vertebrae_L1": "vertebra L1",
        "lung_upper_lobe_left": "left upper lobe of lung",
        "portal_vein_and_splenic_vein": "portal and splenic veins",
        "brain": "brain",
    }
    out = []
    for case in ("s0000", "s1429"):
        image = ct(3, 24, 24)
        nifti(root / case / "ct.nii.gz", image)
        labels = {}
        for number, (file, structure) in enumerate(names.items()):
            mask = np.zeros((3, 24, 24), dtype=np.uint8)
            if file != "brain":
                mask[:, 3 * number : 3 * number + 2, 4:9] = 1
            nifti(root / case / "segmentations" / f"{file}.nii.gz", mask)
            labels[structure] = mask
        out.append(Planted(f"{case}/ct.nii.gz", case, labels, image, "CT"))
    (root / "meta.csv").write_text("image_id;age\ns0000;50\n", encoding="utf-8")
    return out


BOTH = "necrotic and non-enhancing tumour core"


def _brats(
    root: Path, files: dict[str, str], mask: str, patient: str, core: str = BOTH, enhancing: int = 4
) -> list[Planted]:
    label = values_of(20, 20, (1, 2, enhancing), depth=3)
    nifti(root / mask, label)
    names = {core: 1, "peritumoural oedema": 2, "enhancing tumour": enhancing}
    out = []
    for path in files.values():
        image = speckle(3, 20, 20).astype(np.float32)
        nifti(root / path, image)
        out.append(Planted(path, patient, only(label, names), image, "MR"))
    return out


def brats(root: Path) -> list[Planted]:
    """Two visits of one person in the names of 2023: four sequences each with one label."""
    base = "ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData"
    out = []
    for name in ("BraTS-GLI-00005-000", "BraTS-GLI-00005-001"):
        files = {s: f"{base}/{name}/{name}-{s}.nii.gz" for s in ("t1n", "t1c", "t2w", "t2f")}
        out += _brats(root, files, f"{base}/{name}/{name}-seg.nii.gz", "GLI-00005", "necrotic core", 3)
    return out


def brats_2021(root: Path) -> list[Planted]:
    """The names of 2021 and 2020, with 4 for what enhances."""
    out = []
    for name, core in (("BraTS2021_00000", "necrotic core"), ("BraTS20_Training_001", BOTH)):
        files = {s: f"train/{name}/{name}_{s}.nii.gz" for s in ("t1", "t1ce", "t2", "flair")}
        out += _brats(root, files, f"train/{name}/{name}_seg.nii.gz", name, core)
    return out


def brats_2019(root: Path) -> list[Planted]:
    """The names of 2019 and 2018, by grade."""
    out = []
    for grade, name in (("HGG", "BraTS19_CBICA_AAB_1"), ("LGG", "Brats18_TCIA10_420_1")):
        files = {s: f"{grade}/{name}/{name}_{s}.nii.gz" for s in ("t1", "t1ce", "t2", "flair")}
        out += _brats(root, files, f"{grade}/{name}/{name}_seg.nii.gz", name[:-2])
    return out


def han_seg(root: Path) -> list[Planted]:
    """CT with a file for each organ; the MR has a grid of its own and no labels."""
    names = {
        "A_Carotid_L": "left carotid artery",
        "Bone_Mandible": "mandible",
        "Glnd_Submand_R": "right submandibular gland",
        "OpticNrv_R": "right optic nerve",
        "SpinalCord": "spinal cord",
    }
    out = []
    for case in ("case_01", "case_42"):
        folder = f"HaN-Seg/set_1/{case}"
        image = ct(3, 24, 24)
        itk(root / folder / f"{case}_IMG_CT.nrrd", image)
        itk(root / folder / f"{case}_IMG_MR_T1.nrrd", speckle(2, 12, 12))
        labels = {}
        for number, (file, structure) in enumerate(names.items()):
            mask = np.zeros((3, 24, 24), dtype=np.uint8)
            mask[:, 4 * number : 4 * number + 3, 6:12] = 1
            itk(root / folder / f"{case}_OAR_{file}.seg.nrrd", mask)
            labels[structure] = mask
        out.append(Planted(f"{folder}/{case}_IMG_CT.nrrd", case, labels, image, "CT"))
    return out


def fh_ps_aop(root: Path) -> list[Planted]:
    """Colour as three slices; a grey one."""
    base = "Pubic Symphysis-Fetal Head Segmentation and Angle of Progression"
    out = []
    for name, grey in (("00001", False), ("04000", True)):
        stored = np.stack([speckle(32, 28)] * 3) if grey else speckle(3, 32, 28)
        label = values_of(32, 28, (1, 2))
        itk(root / base / "image_mha" / f"{name}.mha", stored)
        itk(root / base / "label_mha" / f"{name}.mha", label)
        image = stored[0] if grey else np.moveaxis(stored, 0, -1)
        labels = only(label, {"pubic symphysis": 1, "fetal head": 2})
        out.append(Planted(f"{base}/image_mha/{name}.mha", name, labels, image, "ultrasound"))
    return out


# Builder by name; the name of the data set is what comes before a full stop.
TREES: dict[str, Callable[[Path], list[Planted]]] = {
    "abdomenct_1k": abdomenct_1k,
    "amos": amos,
    "brats": brats,
    "brats.2019": brats_2019,
    "brats.2021": brats_2021,
    "busi": busi,
    "camus": camus,
    "camus.challenge": camus_challenge,
    "covid_qu_ex": covid_qu_ex,
    "covid_radiography": covid_radiography,
    "ct2us": ct2us,
    "fh_ps_aop": fh_ps_aop,
    "han_seg": han_seg,
    "kits": kits,
    "mms": mms,
    "mosmed": mosmed,
    "polypgen": polypgen,
    "qata_cov19": qata_cov19,
    "totalsegmentator": totalsegmentator,
}


# -- phantoms and files ------------------------------------------------------------------------------

_RANDOM = np.random.default_rng(18)


def speckle(*shape: int) -> Array:
    """Random grey levels."""
    return _RANDOM.integers(0, 256, size=shape, dtype=np.uint8)


def ct(*shape: int) -> Array:
    """Random Hounsfield units, from air to bone."""
    values = _RANDOM.integers(-1024, 1500, size=shape).astype(np.int16)
    values.flat[0], values.flat[1] = -1024, 1500
    return values


def values_of(height: int, width: int, values: tuple[int, ...], *, depth: int = 0) -> Array:
    """A label map with a box of each value, not touching; with `depth` in all slices but the last."""
    label = np.zeros((height, width), dtype=np.uint8)
    step = height // len(values)
    for number, value in enumerate(values):
        top = number * step
        label[top : top + max(step - 1, 1), 2 : width // 2 - number % 3] = value
    if not depth:
        return label
    volume = np.stack([label] * depth)
    volume[-1] = 0
    return volume


def only(label: Array, names: dict[str, int]) -> dict[str, Array]:
    """For each name the mask of its value, 0 and 1."""
    return {name: (label == value).astype(np.uint8) for name, value in names.items()}


def png(path: Path, array: Array) -> None:
    """Write a picture, bool as one bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(array).save(path)


def jpeg(path: Path, array: Array) -> None:
    """Write a picture with loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(array).save(path, quality=90)


def nifti(path: Path, array: Array) -> None:
    """Write `([t,] [z,] y, x)` with an oblique-free affine that is not the identity."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-0.8, -0.9, 2.5, 1.0])
    affine[:3, 3] = (30.0, -12.0, 7.0)
    nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine).to_filename(str(path))


def itk(path: Path, array: Array) -> None:
    """Write `([z,] y, x)` by SimpleITK, by the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.7, 3.0)[: array.ndim])
    image.SetOrigin((-11.0, 4.0, 9.0)[: array.ndim])
    sitk.WriteImage(image, str(path), useCompression=True)
