"""How much of a folder an understanding of it explains, and what it leaves over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from anytomy.datasets.finding import Found
from anytomy.datasets.recognising.files import READABLE, File
from anytomy.datasets.recognising.inventory import Inventory

# Voxels without a header belong to the header beside them.
_HEADERS = frozenset({".mhd", ".hdr", ".nhdr", ".hdr.gz"})
_VOXELS = frozenset({".raw", ".zraw", ".raw.gz", ".img", ".img.gz"})


def used_paths(found: Found) -> set[str]:
    """Full paths of the images and masks of all cases."""
    return {
        str(path)
        for case in found.cases
        for path in (case.image.path, *(p for mask in case.masks for p in mask.paths))
    }


def share(inventory: Inventory, found: Found) -> float:
    """Which part of the files that may be images or masks belongs to a case."""
    used = used_paths(found)
    inside = partial(_is_used, inventory, used)
    dicom = {path for paths in inventory.dicom_folders.values() for path in paths}
    every = [path for path in inventory.tree.files if path in dicom or File.of(path).kind in READABLE]
    return sum(map(inside, every)) / max(1, len(every))


def left_over(inventory: Inventory, found: Found) -> list[str]:
    """Sentences about files that no case has."""
    odd = list(found.oddities[:5])
    if len(found.oddities) > 5:
        odd.append(f"and {len(found.oddities) - 5} more lines of this kind")
    for paths, what in ((found.lone_images, "without a mask"), (found.lone_masks, "without an image")):
        if paths:
            noun = "image" if what == "without a mask" else "mask"
            odd.append(f"{counted(len(paths), noun)} {what}: {some(paths)}")
    used = used_paths(found)
    lone = {*found.lone_images, *found.lone_masks}
    rest = [p for p in inventory.tree.files if p not in lone and not _is_used(inventory, used, p)]
    headers = {(f.folder, f.stem) for f in map(File.of, inventory.tree.files) if f.kind in _HEADERS}
    rest = [p for p in rest if not _is_half(File.of(p), headers)]
    kinds = Counter(File.of(path).kind or "no ending" for path in rest)
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


def _is_used(inventory: Inventory, used: set[str], path: str) -> bool:
    full = inventory.tree.path(path)
    return str(full) in used or str(full.parent) in used
