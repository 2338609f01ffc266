"""The same scan stored in another way gives the same mask in the patient.

- An MR of `chaos_mr`, written to NIfTI with its axes permuted and reversed (8 of the 48 ways, `--all` for
  all), segmented by `Model.segment` from the same cuboid.
- The CT of `chaos_ct` as its DICOM series and as the NIfTI file that SimpleITK makes of it.

Masks are compared by the places of their voxels in mm. Bar: Dice of 0.999.

    python benchmarks/invariance.py --all
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import anytomy
from anytomy.core.prompt import Prompt
from data import arguments, cases
from ledger import progress, publish, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.predict.model import Model
    from data import Case

BAR = 0.999
SLICES = 5
WAYS = list(itertools.product(itertools.permutations(range(3)), itertools.product((0, 1), repeat=3)))


def cuboid(case: Case, image: Image) -> tuple[float, ...]:
    """The box of the first structure, over a few slices around where it is largest."""
    mask = next(iter(case.structures(image).values())) > 0
    areas = mask.sum(axis=(1, 2))
    middle = int(areas.argmax())
    rows, columns = (np.flatnonzero(mask[middle].any(axis=a)) for a in (1, 0))
    low = max(middle - SLICES // 2, 0)
    high = min(low + SLICES, mask.shape[0])
    return (*map(float, (columns[0], rows[0], low, columns[-1] + 1, rows[-1] + 1, high)),)


def moved_box(box: tuple[float, ...], source: Geometry, target: Geometry) -> tuple[float, ...]:
    """The same cuboid on another grid of the same patient."""
    corners = np.array([box[:3], box[3:]]) - 0.5  # edges of voxels, whose centres are whole numbers
    there = target.to_index(source.to_physical(corners))
    edges = np.rint(np.sort(there, axis=0) + 0.5)
    return (*edges[0].tolist(), *edges[1].tolist())


def overlap(first: NDArray[np.bool_], source: Geometry, second: NDArray[np.bool_], target: Geometry) -> float:
    """Dice of two masks `(z, y, x)` on two grids, voxel by voxel in physical space."""
    places = source.to_physical(np.argwhere(first)[:, ::-1])
    index = np.rint(target.to_index(places)).astype(int)
    inside = np.all((index >= 0) & (index < target.size_xyz), axis=1)
    x, y, z = index[inside].T
    return float(2 * second[z, y, x].sum() / (first.sum() + second.sum()))


def rewritten(image: Image, order: tuple[int, ...], flips: tuple[int, ...], folder: Path) -> Image:
    """The image in a NIfTI file whose axes x, y, z are this one's `order`, some of them reversed."""
    import nibabel

    array, geometry = np.transpose(image.array.T, order), image.geometry.permute(order)
    for axis in (a for a in range(3) if flips[a]):
        array, geometry = np.flip(array, axis), geometry.flip(axis)
    path = folder / "".join(map(str, (*order, *flips))) / "scan.nii.gz"
    path.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array), geometry.affine_ras), path)
    return anytomy.read(path)


def as_nifti(series: Path, folder: Path) -> Image:
    """A DICOM series as SimpleITK converts it."""
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series)))
    path = folder / "converted.nii.gz"
    sitk.WriteImage(reader.Execute(), str(path))
    return anytomy.read(path)


def stored_ways(model: Model, case: Case, ways: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:
    """Dice of each way of storing against the file as it is."""
    image = case.image()
    box = cuboid(case, image)
    reference = model.segment(image, [Prompt(box=box)]).masks[0]
    found = []
    with tempfile.TemporaryDirectory() as folder, progress("ways to store", len(ways)) as step:
        for order, flips in ways:
            other = rewritten(image, order, flips, Path(folder))
            prompt = Prompt(box=moved_box(box, image.geometry, other.geometry))
            mask = model.segment(other, [prompt], axis="xyz"[order.index(2)]).masks[0]
            found.append(overlap(reference, image.geometry, mask, other.geometry))
            step(f"{order} {flips}")
    return found


def dicom_and_nifti(model: Model, case: Case) -> float:
    """Dice of the DICOM series against the converted file."""
    image = case.image()
    box = cuboid(case, image)
    with tempfile.TemporaryDirectory() as folder:
        other = as_nifti(case.root / case.image_path, Path(folder))
        prompts = [Prompt(box=box)], [Prompt(box=moved_box(box, image.geometry, other.geometry))]
        # A NIfTI file does not say that it is a CT: the window is stated, so that only geometry is compared.
        first = model.segment(image, prompts[0], intensity="ct:soft").masks[0]
        second = model.segment(other, prompts[1], intensity="ct:soft").masks[0]
    return overlap(first, image.geometry, second, other.geometry)


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--all", action="store_true", help="all 48 ways to store a volume")
    options = parser.parse_args()
    every = {c.dataset: c for c in reversed(cases(options.data, ["chaos_mr", "chaos_ct"]))}
    model = anytomy.load("litemedsam", threads=options.threads)
    chosen = WAYS if options.all else [WAYS[i] for i in (7, 10, 17, 20, 27, 30, 37, 44)]
    lines = []
    if "chaos_mr" in every:
        found = stored_ways(model, every["chaos_mr"], chosen)
        lines.append((f"least of {len(found)} ways to store an MR", min(found)))
    if "chaos_ct" in every:
        lines.append(("DICOM series against NIfTI", dicom_and_nifti(model, every["chaos_ct"])))
    rows = [(name, f"{v:.5f}", f">= {BAR}", "pass" if v >= BAR else "short") for name, v in lines]
    facts = [{"name": n, "figure": float(v), "bar": b, "verdict": w} for n, v, b, w in rows]
    publish("invariance", table(("case", "Dice", "bar", ""), rows), facts)


if __name__ == "__main__":
    main()
