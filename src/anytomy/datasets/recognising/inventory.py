"""What kinds of files lie below a folder, and in which folders: `Inventory`."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from anytomy.datasets.recognising.files import DICOM, PICTURES, VOLUMES, File
from anytomy.datasets.recognising.series import beside, series_of, slice_masks
from anytomy.datasets.tree import Tree
from anytomy.io import detect

_CLOSED = {
    ".h5": "HDF5", ".hdf5": "HDF5", ".mat": "MATLAB", ".zip": "archive", ".tar": "archive", ".gz": "archive",
    ".7z": "archive", ".rar": "archive", ".mgz": "FreeSurfer", ".pkl": "pickle", ".svs": "whole slide",
    ".ndpi": "whole slide", ".xml": "XML", ".avi": "video", ".mp4": "video",
}  # fmt: skip


@dataclass(frozen=True)
class Inventory:
    """The files of a tree, sorted out.

    Attributes:
        tree: The tree.
    """

    tree: Tree

    @cached_property
    def headers(self) -> dict[str, tuple[str, str]]:
        """Series and modality of the DICOM files that were looked into; see `series.header_of`."""
        return {}

    @cached_property
    def every(self) -> tuple[File, ...]:
        """All files of the tree."""
        return tuple(File.of(path) for path in self.tree.files)

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Everything that may be an image or a mask, but for npz.

        A folder with a DICOM series is one image (its ending is `/`), a folder with a picture for each of its
        slices one mask (`/*.png`).
        """
        taken = {path for paths in self.dicom_folders.values() for path in paths}
        plain = [f for f in self.every if f.kind in PICTURES | VOLUMES and f.path not in taken]
        series, loose = series_of(self)
        if not series:
            return (*plain, *loose)
        stacks, used = slice_masks(plain, series)
        return (
            *(beside(one, stacks) for one in series),
            *stacks,
            *loose,
            *(f for f in plain if f.path not in used),
        )

    @cached_property
    def folders(self) -> dict[tuple[str, ...], list[File]]:
        """The images and masks of each folder that holds any."""
        held: dict[tuple[str, ...], list[File]] = {}
        for file in self.files:
            held.setdefault(file.folder, []).append(file)
        return held

    @cached_property
    def by_lower(self) -> dict[tuple[str, ...], list[File]]:
        """The images and masks of each folder by its name in lower case."""
        held: defaultdict[tuple[str, ...], list[File]] = defaultdict(list)
        for folder, files in self.folders.items():
            held[tuple(part.lower() for part in folder)] += files
        return held

    @cached_property
    def below(self) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
        """The folders in each folder that hold images or masks, itself and three levels at most."""
        held: defaultdict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
        for folder in self.folders:
            for up in range(min(4, len(folder) + 1)):
                held[folder[: len(folder) - up]].append(folder)
        return held

    @cached_property
    def dicom_folders(self) -> dict[tuple[str, ...], list[str]]:
        """The folders that hold DICOM files, with them."""
        held: dict[tuple[str, ...], list[str]] = {}
        nameless: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for file in self.every:
            if file.kind in DICOM:
                held.setdefault(file.folder, []).append(file.path)
            elif _is_nameless(file):
                nameless[file.folder].append(file.path)
        for folder, paths in nameless.items():
            if folder not in held and len(paths) >= 2 and self._is_dicom(paths[0]):
                held[folder] = paths
        return held

    def _is_dicom(self, path: str) -> bool:
        from anytomy.io.dicom_header import looks_like_dicom

        try:
            return looks_like_dicom(detect.read_head(self.tree.path(path)))
        except OSError:
            return False

    @cached_property
    def endings(self) -> Counter[str]:
        """How many files have each ending."""
        return Counter(file.kind or "no ending" for file in self.every)

    def described(self) -> str:
        """What is there, in a few words, for a message."""
        if not self.tree.files:
            return "no files"
        most = self.endings.most_common(6)
        counts = ", ".join(f"{n} {ending}" for ending, n in most)
        more = f" and {len(self.endings) - 6} other endings" if len(self.endings) > 6 else ""
        names = list(dict.fromkeys(f.split("/")[0] for f in self.tree.folders if f != "."))
        below = f" in the folders {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}" if names else ""
        closed = {word for end, word in _CLOSED.items() if end in self.endings}
        unread = f" ({', '.join(sorted(closed))} files are not looked into)" if closed else ""
        return f"{counts}{more}{below}{unread}"


def _is_nameless(file: File) -> bool:
    # `IM-0001-0001`, `1.2.840.113619.2.55`: no ending, or one that is only a number.
    return not file.ending or file.ending[1:].isdigit()
