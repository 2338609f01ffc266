"""Small phantoms of the data sets 1 to 17 of the catalogue, laid out as the real ones are.

Each builder writes a tree below a folder and says what must come out of it: for each image its patient, its
split and its label maps, which were drawn here and never went through the code under test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.geometry import Geometry
from tests.datasets.phantoms import (
    Array,
    Expected,
    Tree,
    chosen,
    draw,
    nifti,
    noise,
    pair,
    picture,
    simple_itk,
    two_blobs,
)
from tests.io.dicom_phantom import dataset, grid, save, write_series

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (5, 6, 7)


def jsrt_scr(root: Path) -> Tree:
    tree = {}
    sides = ("right lung", "left lung", "heart", "right clavicle", "left clavicle")
    for number, name in enumerate(("JPCLN001", "JPCNN002")):
        density = np.random.default_rng(number).integers(0, 4096, size=(2048, 2048)).astype(">u2")
        path = root / "All247images" / f"{name}.IMG"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(density.tobytes())
        labels = {}
        for seed, side in enumerate(sides):
            mask = draw((1024, 1024), [1], 10 * number + seed)
            picture(root / f"scratch/fold{number + 1}/masks/{side}/{name}.gif", mask * 255)
            labels[side] = mask.repeat(2, axis=0).repeat(2, axis=1)
        tree[f"All247images/{name}.IMG"] = Expected(
            name, labels, modality="X-ray", image=4095 - density.astype(int)
        )
    return tree


def jsrt_small(root: Path) -> Tree:
    tree = {}
    for split in ("train", "test"):
        blobs = two_blobs((16, 20))
        heart = np.zeros_like(blobs)
        heart[:3, 12:] = 1
        label = np.where(blobs > 0, 255, np.where(heart > 0, 85, 170)).astype(np.uint8)
        folder = root / "segmentation02/segmentation"
        picture(folder / f"org_{split}/case001.bmp", noise((16, 20), 1))
        picture(folder / f"label_{split}/case001_label.png", label)
        tree[f"segmentation02/segmentation/org_{split}/case001.bmp"] = Expected(
            "case001", {"lung": blobs, "heart": heart}, split, "X-ray"
        )
        picture(root / f"Segmentation01/{split}/org/3.png", noise((16, 20), 2))
        picture(root / f"Segmentation01/{split}/label/3.png", (blobs > 0).astype(np.uint8) * 255)
        tree[f"Segmentation01/{split}/org/3.png"] = Expected(f"{split}_3", {"lung": blobs}, split, "X-ray")
    return tree


def vessel12(root: Path) -> Tree:
    tree = {}
    scans = {
        "VESSEL12_01-05/VESSEL12_01": "VESSEL12_01-20_Lungmasks/VESSEL12_01",
        "VESSEL12_06-10/VESSEL12_06": "VESSEL12_01-20_Lungmasks/VESSEL12_06",
        "VESSEL12_ExampleScans/Scans/VESSEL12_21": "VESSEL12_ExampleScans/Lungmasks/VESSEL12_21",
    }
    for seed, (scan, mask) in enumerate(scans.items()):
        label = draw(SHAPE, [1], seed)
        simple_itk(root / f"{scan}.mhd", noise(SHAPE, seed).astype(np.int16), grid())
        simple_itk(root / f"{mask}.mhd", label, grid())
        tree[f"{scan}.mhd"] = Expected(scan[-11:], {"lung": label}, modality="CT")
    (root / "VESSEL12_ExampleScans/Annotations").mkdir()
    (root / "VESSEL12_ExampleScans/Annotations/VESSEL12_21_Annotations.csv").write_text("1,2,3,1\n")
    return tree


def promise12(root: Path) -> Tree:
    tree = {}
    for number in (0, 13):
        label = draw(SHAPE, [1], number)
        simple_itk(root / f"Case{number:02}.mhd", noise(SHAPE, number).astype(np.int16), grid())
        simple_itk(root / f"Case{number:02}_segmentation.mhd", label, grid())
        tree[f"Case{number:02}.mhd"] = Expected(f"Case{number:02}", {"prostate": label}, modality="MR")
    return tree


def nci_isbi(root: Path) -> Tree:
    tree = {}
    zones = {"peripheral zone of prostate": [1], "central gland of prostate": [2]}
    subjects = {
        "Prostate-3T/Prostate3T-01-0001": "Training/Prostate3T-01-0001.nrrd",
        "PROSTATE-DIAGNOSIS/ProstateDx-01-0006": "Training/ProstateDx-01-0006_correctedLabels.nrrd",
        "PROSTATE-DIAGNOSIS/ProstateDx-01-0014": "Leaderboard/ProstateDx-01-0014.nrrd",
    }
    for seed, (subject, mask) in enumerate(subjects.items()):
        folder = f"manifest-1/{subject}/07-08-2008-study/1-T2-{seed}"
        write_series(root / folder, grid(), modality="MR")
        label = draw(SHAPE, [1, 2], seed)
        geometry, stored = grid(), label
        if seed == 2:  # the same place with slices half as far apart
            geometry = Geometry((7, 6, 10), (0.75, 0.5, 1.25), grid().origin_lps_mm)
            stored = label.repeat(2, axis=0)
        simple_itk(root / mask, stored, geometry)
        tree[f"{folder}/"] = Expected(subject.rpartition("/")[2], chosen(label, zones), modality="MR")
    return tree


BTCV = (
    *("spleen", "right kidney", "left kidney", "gallbladder", "oesophagus", "liver", "stomach", "aorta"),
    *("inferior vena cava", "portal and splenic veins", "pancreas"),
    *("right adrenal gland", "left adrenal gland"),
)


def btcv(root: Path) -> Tree:
    tree = {}
    for number in (1, 40):
        label = draw(SHAPE, list(range(1, 14)), number)
        pair(root, f"img/img{number:04}.nii.gz", f"label/label{number:04}.nii.gz", label)
        wanted = {name: [value] for value, name in enumerate(BTCV, start=1)}
        tree[f"img/img{number:04}.nii.gz"] = Expected(f"{number:04}", chosen(label, wanted), modality="CT")
    return tree


def ct_lymph_nodes(root: Path) -> Tree:
    tree = {}
    for seed, subject in enumerate(("MED_LYMPH_001", "ABD_LYMPH_086")):
        folder = f"CT Lymph Nodes/{subject}/09-14-2014-study/series-{seed}"
        write_series(root / folder, grid())
        label = draw(SHAPE, [1, 2, 7], seed)
        nifti(root / f"MED_ABD_LYMPH_MASKS/{subject}/{subject}_mask.nii.gz", label, grid())
        tree[f"{folder}/"] = Expected(subject, {"lymph node": label}, modality="CT")
    return tree


def glas(root: Path) -> Tree:
    tree, rows = {}, ["name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)"]
    folder = "Warwick QU Dataset (Released 2016_07_08)"
    for seed, (name, patient) in enumerate(
        {"train_1": "4", "train_2": "11", "testA_1": "4", "testB_3": "9"}.items()
    ):
        label = draw((12, 14), [1, 2, 3, 9], seed)
        picture(root / folder / f"{name}.bmp", noise((12, 14, 3), seed))
        picture(root / folder / f"{name}_anno.bmp", label)
        rows.append(f"{name},{patient}, benign, adenomatous")
        tree[f"{folder}/{name}.bmp"] = Expected(
            patient, {"gland": label}, "train" if name.startswith("train") else "test", "pathology"
        )
    (root / folder / "Grade.csv").write_text("\n".join(rows) + "\n")
    return tree


def glas_folders(root: Path) -> Tree:
    tree = {}
    for seed, (folder, split) in enumerate({"Train_Folder": "train", "Test_Folder": "test"}.items()):
        label = draw((12, 14), [1, 2, 30], seed)
        picture(root / folder / "img/15.png", noise((12, 14, 3), seed))
        picture(root / folder / "labelcol/15.png", label)
        tree[f"{folder}/img/15.png"] = Expected(f"{folder}15", {"gland": label}, split, "pathology")
    return tree


def pancreas_ct(root: Path) -> Tree:
    tree = {}
    for number in (1, 82):
        folder = f"Pancreas-CT/PANCREAS_{number:04}/11-24-2015-PANCREAS{number:04}-Pancreas/Pancreas-99667"
        write_series(root / folder, grid())
        label = draw(SHAPE, [1], number)
        # Stored from back to front and from foot to head or the other way round, and the header says so.
        turned = grid().flip(1) if number == 1 else grid().flip(1).flip(2)
        stored = label[:, ::-1] if number == 1 else label[::-1, ::-1]
        nifti(root / f"TCIA_pancreas_labels-02-05-2017/label{number:04}.nii.gz", stored, turned)
        tree[f"{folder}/"] = Expected(f"{number:04}", {"pancreas": label}, modality="CT")
    return tree


def lits(root: Path) -> Tree:
    tree = {}
    places = {
        0: ("Training Batch 1/volume-0.nii", "Training Batch 1/segmentation-0.nii"),
        28: ("volume_pt2/volume-28.nii.gz", "segmentations/segmentation-28.nii.gz"),
    }
    for number, (image, mask) in places.items():
        label = draw(SHAPE, [1, 2], number)
        pair(root, image, mask, label)
        wanted = {"liver": [1, 2], "liver tumour": [2]}
        tree[image] = Expected(str(number), chosen(label, wanted), modality="CT")
    return tree


def acdc(root: Path) -> Tree:
    tree = {}
    for part, split, patient in (("training", "train", "patient001"), ("testing", "test", "patient101")):
        for frame in ("01", "12"):
            label = draw(SHAPE, [1, 2, 3], int(frame))
            image = f"database/{part}/{patient}/{patient}_frame{frame}.nii.gz"
            pair(root, image, image.replace(".nii", "_gt.nii"), label)
            wanted = {"right ventricle": [1], "myocardium": [2], "left ventricle": [3]}
            tree[image] = Expected(patient, chosen(label, wanted), split, "MR")
        nifti(root / f"database/{part}/{patient}/{patient}_4d.nii.gz", noise((2, *SHAPE), 0))
    return tree


def fumpe(root: Path) -> Tree:
    from scipy.io import savemat

    tree = {}
    (root / "FUMPE/GroundTruth").mkdir(parents=True)
    for number in (1, 2):
        folder = f"FUMPE/CT_scans/PAT{number:03}"

        def from_the_head(made: Any, z: int) -> None:
            made.InstanceNumber = SHAPE[0] - z

        order = list(range(SHAPE[0]))[::-1] if number == 2 else None
        write_series(root / folder, grid(), order=order, edit=from_the_head if number == 2 else None)
        label = draw(SHAPE, [1], number)
        by_instance = label[::-1] if number == 2 else label
        stored = {"Mask": by_instance.transpose(1, 2, 0).astype(bool), "other": np.ones(3)}
        savemat(root / f"FUMPE/GroundTruth/PAT{number:03}.mat", stored, do_compression=number == 2)
        tree[f"{folder}/"] = Expected(f"PAT{number:03}", {"pulmonary embolism": label}, modality="CT")
    return tree


MSD: dict[str, tuple[str, str, int, dict[str, list[int]]]] = {
    "Task01_BrainTumour": (
        *("BRATS_001", "MR", 4),
        {"peritumoural oedema": [1], "non-enhancing tumour": [2], "enhancing tumour": [3]},
    ),
    "Task02_Heart": ("la_003", "MR", 1, {"left atrium": [1]}),
    "Task03_Liver": ("liver_0", "CT", 1, {"liver": [1, 2], "liver tumour": [2]}),
    "Task04_Hippocampus": (
        *("hippocampus_001", "MR", 1),
        {"anterior hippocampus": [1], "posterior hippocampus": [2]},
    ),
    "Task05_Prostate": (
        *("prostate_00", "MR", 2),
        {"peripheral zone of prostate": [1], "transition zone of prostate": [2]},
    ),
    "Task06_Lung": ("lung_001", "CT", 1, {"lung tumour": [1]}),
    "Task07_Pancreas": ("pancreas_001", "CT", 1, {"pancreas": [1, 2], "pancreatic tumour": [2]}),
    "Task08_HepaticVessel": ("hepaticvessel_001", "CT", 1, {"hepatic vessel": [1], "liver tumour": [2]}),
    "Task09_Spleen": ("spleen_10", "CT", 1, {"spleen": [1]}),
    "Task10_Colon": ("colon_001", "CT", 1, {"colon tumour": [1]}),
}


def _msd_task(root: Path, prefix: str, task: str) -> Tree:
    name, modality, channels, wanted = MSD[task]
    label = draw(SHAPE, sorted({v for values in wanted.values() for v in values}), len(task))
    image = noise((channels, *SHAPE), channels).astype(np.int16)
    nifti(root / f"{prefix}imagesTr/{name}.nii.gz", image if channels > 1 else image[0])
    nifti(root / f"{prefix}labelsTr/{name}.nii.gz", label)
    (root / f"{prefix}dataset.json").write_text("{}")
    expected = Expected(name, chosen(label, wanted), modality=modality, image=image[0])
    return {f"{prefix}imagesTr/{name}.nii.gz": expected}


def msd(root: Path) -> Tree:
    return {path: case for task in MSD for path, case in _msd_task(root, f"{task}/", task).items()}


def msd_one_task(root: Path) -> Tree:
    return _msd_task(root, "", "Task05_Prostate")


def drive(root: Path) -> Tree:
    tree = {}
    for number, part, split in ((21, "training", "train"), (1, "test", "test")):
        label = draw((12, 10), [1], number)
        image = f"{part}/images/{number:02}_{part}.tif"
        picture(root / image, noise((12, 10, 3), number))
        picture(root / f"{part}/1st_manual/{number:02}_manual1.gif", label * 255)
        picture(root / f"{part}/2nd_manual/{number:02}_manual2.gif", np.zeros_like(label))
        picture(root / f"{part}/mask/{number:02}_{part}_mask.gif", np.full_like(label, 255))
        tree[image] = Expected(f"{number:02}", {"retinal vessel": label}, split, "fundus")
    return tree


def _disc_and_cup(seed: int) -> tuple[Array, dict[str, Array]]:
    label = np.random.default_rng(seed).choice([0, 128, 255], size=(12, 10)).astype(np.uint8)
    wanted = {"optic disc": [0, 128], "optic cup": [0]}
    return label, chosen(label, wanted)


def refuge(root: Path) -> Tree:
    places = {
        "REFUGE-Training400/Training400/Glaucoma/g0001.jpg": (
            *("Annotation-Training400/Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp", "train"),
        ),
        "REFUGE-Training400/Training400/Non-Glaucoma/n0001.jpg": (
            *("Annotation-Training400/Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp", "train"),
        ),
        "REFUGE-Validation400/V0001.jpg": ("REFUGE-Validation400-GT/Disc_Cup_Masks/V0001.bmp", "validation"),
        "Test400/T0001.jpg": ("REFUGE-Test-GT/Disc_Cup_Masks/G/T0001.bmp", "test"),
        "Test400/T0002.jpg": ("REFUGE-Test-GT/Disc_Cup_Masks/N/T0002.bmp", "test"),
    }
    tree = {}
    for seed, (image, (mask, split)) in enumerate(places.items()):
        label, labels = _disc_and_cup(seed)
        picture(root / image, noise((12, 10, 3), seed))
        picture(root / mask, label)
        tree[image] = Expected(image.rpartition("/")[2][:5], labels, split, "fundus")
    return tree


def refuge_folders(root: Path) -> Tree:
    tree = {}
    for seed, (split, name, ending) in enumerate((("train", "g0001", "bmp"), ("val", "V0001", "png"))):
        label, labels = _disc_and_cup(seed)
        picture(root / f"REFUGE2/{split}/images/{name}.jpg", noise((12, 10, 3), seed))
        picture(root / f"REFUGE2/{split}/mask/{name}.{ending}", label)
        tree[f"REFUGE2/{split}/images/{name}.jpg"] = Expected(name, labels, split, "fundus")
    return tree


CHAOS = {"liver": [63], "right kidney": [126], "left kidney": [189], "spleen": [252]}


def chaos(root: Path) -> Tree:
    tree = {}
    top = "CHAOS_Train_Sets/Train_Sets"
    for number in (1, 22):
        # File names run from head to foot in one and from foot to head in the other.
        order = list(range(SHAPE[0]))[:: -1 if number == 1 else 1]

        def slices(folder: str, label: Array, order: list[int] = order) -> None:
            for z, plane in enumerate(label):
                picture(root / folder / f"IMG-0004-{order[z] + 1:05}.png", plane)

        folder = f"{top}/CT/{number}"
        write_series(root / folder / "DICOM_anon", grid(), order=order, name="i{:04},0000b.dcm")
        liver = draw(SHAPE, [1], number)
        slices(f"{folder}/Ground", liver * 255)
        tree[f"{folder}/DICOM_anon/"] = Expected(f"CT_{number}", {"liver": liver}, modality="CT")

        folder = f"{top}/MR/{number}"
        sequences = {
            "T2SPIR": ("T2SPIR/DICOM_anon",),
            "T1DUAL": ("T1DUAL/DICOM_anon/InPhase", "T1DUAL/DICOM_anon/OutPhase"),
        }
        for sequence, series in sequences.items():
            label = draw(SHAPE, [63, 126, 189, 252], number + len(series))
            slices(f"{folder}/{sequence}/Ground", label)
            for name in series:
                path = root / folder / name
                write_series(path, grid(), modality="MR", order=order, name="IMG-0004-{:05}.dcm")
                tree[f"{folder}/{name}/"] = Expected(f"MR_{number}", chosen(label, CHAOS), modality="MR")
    return tree


def chaos_few_shot(root: Path) -> Tree:
    label = draw(SHAPE, [1, 2, 3, 4], 5)
    pair(root, "image_5.nii.gz", "label_5.nii.gz", label)
    wanted = {"liver": [1], "right kidney": [2], "left kidney": [3], "spleen": [4]}
    return {"image_5.nii.gz": Expected("MR_5", chosen(label, wanted), modality="MR")}


def run_lengths(mask: Array) -> str:
    """A mask `(y, x)` as runs down its columns, each counted from the end of the one before."""
    flat = np.concatenate([[0], mask.T.ravel(), [0]]).astype(int)
    edges = np.flatnonzero(np.diff(flat))
    numbers = np.diff(np.concatenate([[0], edges]))
    return " ".join(str(n) for n in numbers)


def siim_acr(root: Path) -> Tree:
    tree, rows = {}, ["ImageId, EncodedPixels"]
    for number, objects in ((1, 2), (2, 0), (3, 1)):
        uid = f"1.2.276.0.7230010.3.1.4.8323329.{number}"
        folder = f"dicom-images-train/1.2.276.{number}.0/1.2.276.{number}.1"
        save(dataset(noise((12, 14), number), "DX"), root / folder / f"{uid}.dcm")
        blobs = two_blobs((12, 14))
        blobs[blobs > objects] = 0
        rows += [f"{uid}, {run_lengths(blobs == n)}" for n in range(1, objects + 1)] or [f"{uid}, -1"]
        tree[f"{folder}/{uid}.dcm"] = Expected(uid, {"pneumothorax": blobs}, "train", "X-ray")
    save(dataset(noise((12, 14), 9), "DX"), root / "dicom-images-test/1.9/1.9.1/1.9.2.dcm")
    (root / "train-rle.csv").write_text("\n".join(rows) + "\n")
    return tree


def siim_acr_png(root: Path) -> Tree:
    blobs = two_blobs((12, 14))
    picture(root / "siim-acr-pneumothorax/png_images/0_train_1_.png", noise((12, 14), 1))
    picture(root / "siim-acr-pneumothorax/png_masks/0_train_1_.png", (blobs > 0).astype(np.uint8) * 255)
    expected = Expected("0_train_1_", {"pneumothorax": blobs}, "", "X-ray")
    return {"siim-acr-pneumothorax/png_images/0_train_1_.png": expected}


COLOURS = {
    "liver": (100, 0, 100),
    "kidney": (255, 255, 0),
    "pancreas": (0, 0, 255),
    "blood vessel": (255, 0, 0),
    "adrenal gland": (0, 255, 255),
    "gallbladder": (0, 255, 0),
    "bone": (255, 255, 255),
    "spleen": (255, 0, 255),
}


def _coloured(seed: int, *, alpha: bool) -> tuple[Array, dict[str, Array]]:
    """Bands of colours, with two bands of vessels apart from each other."""
    names = [*COLOURS, "blood vessel"]
    rgb = np.full((2 * len(names), 9, 3), 10 * (seed % 2), np.uint8)
    labels = {name: np.zeros(rgb.shape[:2], np.uint8) for name in COLOURS}
    for place, name in enumerate(names):
        rgb[2 * place, 2:7] = COLOURS[name]
        labels[name][2 * place, 2:7] = labels[name].max() + 1
    if alpha:
        rgb = np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], axis=-1)
    return rgb, labels


def abdomen_us(root: Path) -> Tree:
    tree = {}
    top = "abdominal_US/abdominal_US"
    places = {
        "RUS/images/test/17.jpg": ("RUS/annotations/test/17.png", "RUS_17", "test"),
        "AUS/images/train/ct14-1.png": ("AUS/annotations/train/ct14-1.png", "AUS_ct14", "train"),
        "AUS/images/test/ircad-e1-12.png": ("AUS/annotations/test/ircad-e1-12.png", "AUS_ircad-e1", "test"),
    }
    for seed, (image, (mask, patient, split)) in enumerate(places.items()):
        rgb, labels = _coloured(seed, alpha=seed == 1)
        picture(root / top / image, noise((*rgb.shape[:2], 3), seed))
        picture(root / top / mask, rgb)
        tree[f"{top}/{image}"] = Expected(patient, labels, split, "ultrasound")
    return tree


TREES: dict[str, tuple[str, Callable[[Path], Tree]]] = {
    build.__name__: (card, build)
    for card, builds in {
        "jsrt": (jsrt_scr, jsrt_small),
        "vessel12": (vessel12,),
        "promise12": (promise12,),
        "nci_isbi": (nci_isbi,),
        "btcv": (btcv,),
        "ct_lymph_nodes": (ct_lymph_nodes,),
        "glas": (glas, glas_folders),
        "pancreas_ct": (pancreas_ct,),
        "lits": (lits,),
        "acdc": (acdc,),
        "fumpe": (fumpe,),
        "msd": (msd, msd_one_task),
        "drive": (drive,),
        "refuge": (refuge, refuge_folders),
        "chaos": (chaos, chaos_few_shot),
        "siim_acr": (siim_acr, siim_acr_png),
        "abdomen_us": (abdomen_us,),
    }.items()
    for build in builds
}
