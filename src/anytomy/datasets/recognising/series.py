"""DICOM folders: which are series, and which folders of pictures hold a mask for each of their slices."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anytomy.core.errors import ImageReadError
from anytomy.datasets.recognising.files import PICTURES, File
from anytomy.datasets.recognising.words import says_image

if TYPE_CHECKING:
    from anytomy.datasets.recognising.inventory import Inventory

Folder = tuple[str, ...]
_KEYWORDS = ("SeriesInstanceUID", "Modality", "SOPInstanceUID", "SOPClassUID", "Rows")


def series_of(inventory: Inventory) -> tuple[list[File], list[File]]:
    """Folders with the slices of a series, as one file each, and DICOM files that are images of their own."""
    series, loose = [], []
    for folder, paths in inventory.dicom_folders.items():
        images = [path for path in _ends(paths) if header_of(inventory, path)[0]]
        if not images:
            continue
        uids = [header_of(inventory, path)[0] for path in images]
        if len(paths) > 1 and folder and len(set(uids)) == 1:
            series.append(File("/".join(folder) + "/", folder[:-1], folder[-1], "/"))
        else:
            loose += [File.of(path) for path in paths if header_of(inventory, path)[0] or len(paths) > 8]
    return series, loose


def _ends(paths: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([paths[0], paths[len(paths) // 2], paths[-1]]))


def header_of(inventory: Inventory, path: str) -> tuple[str, str]:
    """Series and modality of a DICOM image; empty for what is none."""
    from anytomy.io.dicom_header import read_header

    known: dict[str, tuple[str, str]] = inventory.headers
    if path not in known:
        known[path] = ("", "")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = read_header(inventory.tree.path(path), _KEYWORDS)
        except ImageReadError:
            header = None
        if header is not None and not header.not_an_image:
            uid = str(header.dataset.get("SeriesInstanceUID") or path)
            known[path] = (uid, str(header.dataset.get("Modality") or ""))
    return known[path]


def slice_masks(files: Sequence[File], series: Sequence[File]) -> tuple[list[File], set[str]]:
    """Folders with about as many pictures as a series beside them has files, and the pictures in them."""
    pictures: defaultdict[Folder, list[File]] = defaultdict(list)
    for file in files:
        if file.kind in PICTURES:
            pictures[file.folder].append(file)
    stacks: list[File] = []
    used: set[str] = set()
    for folder, held in pictures.items():
        if not folder or says_image(folder[-1]) or len(held) < 2:
            continue
        if any(_near(folder, one) for one in series):
            kind = max({f.kind for f in held}, key=lambda k: sum(f.kind == k for f in held))
            stacks.append(File(held[0].path, folder[:-1], folder[-1], f"/*{kind}"))
            used |= {f.path for f in held}
    return stacks, used


def beside(series: File, stacks: Sequence[File]) -> File:
    """A series as if it lay in the folder of its slices' masks: `DICOM_anon/InPhase` beside `Ground`."""
    own = (*series.folder, series.stem)
    for stack in stacks:
        depth = len(stack.folder)
        if depth < len(series.folder) and own[:depth] == stack.folder:
            return File(series.path, stack.folder, "/".join(own[depth:]), series.ending)
    return series


def _near(folder: Folder, series: File) -> bool:
    """Whether a folder may hold the masks of a series: one folder apart, or named alike in two folders."""
    own = (*series.folder, series.stem)
    shared = 0
    for a, b in zip(folder, own, strict=False):
        if a != b:
            break
        shared += 1
    apart = len(folder) - shared, len(own) - shared
    if shared and max(apart) <= 3:
        return True
    return len(folder) == len(own) and folder[-1].lower() == own[-1].lower()
