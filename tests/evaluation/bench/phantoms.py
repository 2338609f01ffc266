"""Data sets of small pictures and volumes; the bright model is right on them, or wrong in a known way."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from PIL import Image as Picture

from anytomy.datasets.dataset import Dataset, open_dataset
from anytomy.zoo.home import home_dir

_HEAD = """id = "{name}"
title = "{name}"
summary = "for tests"
modality = ["{modality}"]
anatomy = "none"
dimension = "{dimension}"
quality = "synthetic"
licence = "none"
licence_class = "open"
citation = "none"
root = "{root}"

[size]

[access]
how = "local"

{targets}
[[layouts]]
name = "own"
image = "{image}"
masks = {{ mask = "{mask}" }}
patient = "{{patient}}"
"""


def add(name: str, root: Path, *, image: str, mask: str, targets: str, dimension: str = "2D") -> Dataset:
    """Make a folder known as a data set of the user's."""
    card = home_dir() / "datasets" / name / "dataset.toml"
    card.parent.mkdir(parents=True, exist_ok=True)
    modality = "MR" if dimension == "3D" else "photograph"
    text = _HEAD.format(**locals())
    card.write_text(text)
    return open_dataset(name)


def pictures(root: Path, name: str = "discs", patients: int = 3) -> Dataset:
    """Pictures of 64 x 64 with two bright discs, labels 1 and 2; the second is dark in the last patient."""
    for patient in range(patients):
        for number in range(2):
            y, x = np.indices((64, 64))
            first = np.hypot(y - 20, x - 20 - number) < 9
            second = np.hypot(y - 46, x - 44) < 7 + patient % 3
            values = np.full((64, 64), 20, np.uint8)
            values[first] = 230
            values[second] = 20 if patient == patients - 1 else 230
            (root / "images").mkdir(parents=True, exist_ok=True)
            (root / "masks").mkdir(exist_ok=True)
            stem = f"p{patient}_{number}.png"
            Picture.fromarray(values).save(root / "images" / stem)
            Picture.fromarray((first + 2 * second).astype(np.uint8)).save(root / "masks" / stem)
    targets = (
        '[[targets]]\nstructure = "liver"\nvalues = [1]\n\n[[targets]]\nstructure = "spleen"\nvalues = [2]\n'
    )
    return add(
        name,
        root,
        image="images/{patient:p\\\\d+}_{n}.png",
        mask="masks/{patient}_{n}.png",
        targets=targets,
    )


def cells(root: Path, name: str = "cells") -> Dataset:
    """One picture with an instance map of nine bright squares, one of them too small, one dark."""
    values, ids = np.full((64, 64), 10, np.uint8), np.zeros((64, 64), np.uint8)
    for number in range(9):
        y, x = 3 + 20 * (number // 3), 3 + 20 * (number % 3)
        side = 3 if number == 4 else 12
        values[y : y + side, x : x + side] = 10 if number == 8 else 240
        ids[y : y + side, x : x + side] = number + 1
    for folder, array in (("images", values), ("masks", ids)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Picture.fromarray(array).save(root / folder / "a_0.png")
    targets = '[[targets]]\nstructure = "nucleus"\nobjects = "instances"\n'
    return add(name, root, image="images/{patient}_{n}.png", mask="masks/{patient}_{n}.png", targets=targets)


def volumes(root: Path, name: str = "balls", patients: int = 2) -> Dataset:
    """MR volumes of 32 x 32 x 9 voxels with a bright ball; the second patient lacks label 2."""
    for patient in range(patients):
        z, y, x = np.indices((9, 32, 32))
        ball = np.hypot(np.hypot(y - 12, x - 14), 2.0 * (z - 4)) < 7
        spot = (abs(y - 25) < 3) & (abs(x - 25) < 3) & (z == 2) & (patient == 0)
        values = np.where(ball | spot, 900.0, 50.0).astype(np.float32)
        affine = np.diag([-1.5, -1.5, 4.0, 1.0])
        folder = root / f"p{patient}"
        folder.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(values.T, affine), folder / "image.nii.gz")
        labels = (ball + 2 * spot).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(labels.T, affine), folder / "label.nii.gz")
    targets = (
        '[[targets]]\nstructure = "liver"\nvalues = [1]\n\n[[targets]]\nstructure = "spleen"\nvalues = [2]\n'
    )
    return add(
        name,
        root,
        image="{patient}/image.nii.gz",
        mask="{patient}/label.nii.gz",
        targets=targets,
        dimension="3D",
    )


def sagittal(root: Path, name: str = "sagittal") -> Dataset:
    """A volume of sagittal slices, 4 mm apart; pixels are 2 mm wide, front to back, and 1.5 mm high."""
    z, y, x = np.indices((9, 32, 24))
    ball = np.hypot(np.hypot(y - 12, x - 14), 2.0 * (z - 4)) < 7
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = 2.0, 1.5, 4.0, 1.0
    folder = root / "p0"
    folder.mkdir(parents=True)
    for file, values in (("image", np.where(ball, 900.0, 50.0).astype(np.float32)), ("label", ball)):
        values = values.astype(np.uint8) if file == "label" else values
        nibabel.save(nibabel.Nifti1Image(values.T, affine), folder / f"{file}.nii.gz")
    return add(
        name,
        root,
        image="{patient}/image.nii.gz",
        mask="{patient}/label.nii.gz",
        targets='[[targets]]\nstructure = "liver"\nvalues = [1]\n',
        dimension="3D",
    )
