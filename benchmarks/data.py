"""The development data: images and what is to be found in them.

Reads `index.csv` of a data folder (`../shared/data` beside the repository, or `--data DIR`); its README says
what the columns mean. Images come through `anytomy.read`, as a user's would; masks are read with plain
libraries, so that no error of our readers can hide in both.

    python benchmarks/data.py            # what is there, and how many objects each set gives
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anytomy.core.image import Image

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Objects that are measured: those of 20 pixels or more, the first 12 of an image in the order of their ids
# (file names where each has its own file; for connected parts, from the top).
LEAST_PIXELS = 20
MOST_OBJECTS = 12
# Labels that cover several objects at once: each connected part is prompted by itself.
PARTED = ("lungs", "lung", "nuclei")


@dataclass(frozen=True, eq=False)
class Target:
    """One object to be found, in one slice.

    Attributes:
        structure: What it is.
        number: Its id within the structure, from the label.
        slice: Slice of the file's third axis; None in an image.
        mask: Bool `(y, x)` on the stored grid.
    """

    structure: str
    number: int
    slice: int | None
    mask: NDArray[np.bool_]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The tight box `x0, y0, x1, y1` on the stored grid, ends exclusive."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


@dataclass(frozen=True)
class Case:
    """One row of the index: an image and its labels."""

    root: Path
    dataset: str
    image_path: str
    mask_path: str
    labels: dict[str, Any]

    def image(self) -> Image:
        """The image, as a user would read it."""
        return anytomy.read(self.root / self.image_path.split("::")[0])

    def structures(self, image: Image) -> dict[str, NDArray[np.int64]]:
        """For each structure a label map on the image's stored grid, `([z,] y, x)`, one id per object."""
        raw = _stacked(self, image)
        named = {name: _objects(raw, rule) for name, rule in self.labels.items()}
        for labels in named.values():
            if labels.shape != image.array.shape[: labels.ndim]:
                raise ValueError(f"{self.mask_path}: {labels.shape} does not fit {image.array.shape}")
        return {k: _parts(v) if k in PARTED and v.ndim == 2 else v for k, v in named.items()}

    def targets(self, image: Image) -> list[Target]:
        """The objects to measure; in a volume each in the slice where it is largest."""
        found = []
        for structure, labels in self.structures(image).items():
            count = 0
            for number in (int(v) for v in np.unique(labels) if v):
                mask, slice_ = labels == number, None
                if mask.ndim == 3:
                    slice_ = int(mask.sum(axis=(1, 2)).argmax())
                    mask = mask[slice_]
                if mask.sum() < LEAST_PIXELS or count >= MOST_OBJECTS:
                    continue
                count += 1
                found.append(Target(structure, number, slice_, mask))
        return found


def cases(root: Path, datasets: list[str] | None = None) -> list[Case]:
    """The rows of the index, those of one image one after the other.

    Leaves the process with a message where the data are absent, as they are on most machines.
    """
    index = root / "index.csv"
    if not index.exists():
        print(f"no development data at {root} (index.csv is not there): nothing to measure; see --data")
        raise SystemExit(0)
    with index.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if not datasets or r["dataset"] in datasets]
    every = [Case(root, r["dataset"], r["image"], r["mask"], json.loads(r["labels"])) for r in rows]
    first = {c.image_path: i for i, c in reversed(list(enumerate(every)))}
    return sorted((c for c in every if c.labels), key=lambda c: first[c.image_path])


def arguments(description: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with index.csv")
    parser.add_argument("--sets", nargs="*", default=defaults.get("sets"), help="only these data sets")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    return parser


def _objects(raw: NDArray[Any], rule: Any) -> NDArray[np.int64]:
    """A label map of one structure by the index's rule."""
    if rule in ("instances", "one file each"):
        return raw.astype(np.int64)
    if rule == "channel 0 where 4D":
        return (raw > 0).astype(np.int64)
    if isinstance(rule, str) and rule.startswith(">"):
        return (raw > float(rule[1:])).astype(np.int64)
    return (raw == rule).astype(np.int64)


def _parts(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    from scipy.ndimage import label

    parts, _ = label(labels, structure=np.ones((3, 3)))
    return np.asarray(parts, dtype=np.int64)


def _stacked(case: Case, image: Image) -> NDArray[Any]:
    """The raw label of a case on the image's stored grid `([z,] y, x)`."""
    path, _, key = case.mask_path.partition("::")
    file = case.root / path
    if key:
        with np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays[key])
    if file.is_dir() and "one file each" in case.labels.values():
        return _numbered([_picture(p) > 0 for p in sorted(file.glob("*.png"))])
    if file.is_dir():
        return _series(case.root / case.image_path, sorted(file.glob("*.png")), image)
    if file.name.endswith((".nii", ".nii.gz")):
        return _nifti(file)
    if file.suffix in (".tif", ".tiff"):
        import tifffile

        return np.asarray(tifffile.imread(file))
    return _picture(file)


def _picture(path: Path) -> NDArray[Any]:
    """Grey levels or palette indices of a 2D label."""
    from PIL import Image as Picture

    with Picture.open(path) as opened:
        array = np.asarray(opened)
    if array.ndim == 3:
        array = array[..., :3].max(axis=-1)
    return array.astype(np.uint8) * 255 if array.dtype == bool else array


def _numbered(masks: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    labels = np.zeros(masks[0].shape, dtype=np.int64)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    return labels


def _nifti(path: Path) -> NDArray[Any]:
    import nibabel

    array = np.asanyarray(nibabel.load(path).dataobj)
    if array.ndim == 4:
        array = array[..., 0]
    return array.T


def _series(folder: Path, masks: list[Path], image: Image) -> NDArray[Any]:
    """One mask file for each DICOM file, both sorted by name, on the slices of the image."""
    import pydicom

    files = sorted(folder.glob("*.dcm"))
    if len(files) != len(masks):
        raise ValueError(f"{folder}: {len(files)} DICOM files, but {len(masks)} masks")
    out = np.zeros(image.array.shape, dtype=np.uint8)
    for file, mask in zip(files, masks, strict=True):
        position = pydicom.dcmread(file, stop_before_pixels=True).ImagePositionPatient
        index = image.geometry.to_index([float(v) for v in position])
        out[round(float(index[2]))] = _picture(mask) > 0
    return out


def loaded(every: list[Case]) -> Iterator[tuple[Case, Image, list[Target]]]:
    """Cases with their images and objects; an image that stands several times is read once."""
    path, image = None, None
    for case in every:
        if image is None or case.image_path != path:
            path, image = case.image_path, case.image()
        yield case, image, case.targets(image)


def main() -> None:
    """Print what is there."""
    options = arguments(__doc__).parse_args()
    counts: dict[str, list[int]] = {}
    for case, image, targets in loaded(cases(options.data, options.sets)):
        row = counts.setdefault(case.dataset, [0, 0])
        row[0] += 1
        row[1] += len(targets)
        sides = [f"{t.structure} {t.number} {int(t.mask.sum())}px" for t in targets]
        print(case.dataset, image.array.shape, image.array.dtype, "; ".join(sides), file=sys.stderr)
    print("\n".join(f"{name}: {rows} pairs, {objects} objects" for name, (rows, objects) in counts.items()))


if __name__ == "__main__":
    main()
