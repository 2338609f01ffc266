"""How much of a folder an understanding of it explains, and what it leaves over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from anytomy.datasets.finding import Found
from anytomy.datasets.recognising.files import READABLE, File
from anytomy.datasets.recognising.inventory import Inventory

# Voxels without a header belong to the header beside them.
_HEADERS = frozenset({".mhd", ".hdr", ".nhdr", ".hdr.gz"})
_VOXELS = frozenset({".raw", ".zraw", ".raw.gz", ".img", ".img.gz"})


def used_paths(inventory: Inventory, found: Found) -> set[str]:
    """The images and masks of all cases, as paths below the root."""
    above = (inventory.tree.root / "_").as_posix()[:-1]
    return {
        path.as_posix().removeprefix(above)
        for case in found.cases
        for path in {case.image.path, *(p for mask in case.masks for p in mask.paths)}
    }


def share(inventory: Inventory, found: Found) -> float:
    """Which part of the files that may be images or masks belongs to a case."""
    used = used_paths(inventory, found)
    dicom = {path for paths in inventory.dicom_folders.values() for path in paths}
    every = [file for file in inventory.every if file.kind in READABLE or file.path in dicom]
    return sum(_is_used(used, file) for file in every) / max(1, len(every))


def left_over(inventory: Inventory, found: Found) -> list[str]:
    """Sentences about files that no case has."""
    odd = list(found.oddities[:5])
    if len(found.oddities) > 5:
        odd.append(f"and {len(found.oddities) - 5} more lines of this kind")
    for paths, what in ((found.lone_images, "without a mask"), (found.lone_masks, "without an image")):
        if paths:
            noun = "image" if what == "without a mask" else "mask"
            odd.append(f"{counted(len(paths), noun)} {what}: {some(paths)}")
    used = used_paths(inventory, found)
    lone = {*found.lone_images, *found.lone_masks}
    headers = {(file.folder, file.stem) for file in inventory.every if file.kind in _HEADERS}
    rest = [f for f in inventory.every if f.path not in lone and not _is_used(used, f)]
    kinds = Counter(f.kind or "no ending" for f in rest if not _is_half(f, headers))
    if kinds:
        odd.append(f"other files are left alone: {', '.join(f'{n} {k}' for k, n in kinds.most_common(6))}")
    return odd


def _is_half(file: File, headers: set[tuple[tuple[str, ...], str]]) -> bool:
    stem = file.stem.removesuffix(".raw")
    return file.kind in _VOXELS | {".gz"} and (file.folder, stem) in headers


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def some(paths: Sequence[str]) -> str:
    """The first few."""
    return ", ".join(paths[:3]) + (" ..." if len(paths) > 3 else "")


def _is_used(used: set[str], file: File) -> bool:
    """Whether a file, or the series that it is a slice of, belongs to a case."""
    return file.path in used or "/".join(file.folder) in used
