"""What kinds of files lie below a folder, and in which folders: `Inventory`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from anytomy.datasets.tree import Tree, natural
from anytomy.io import detect

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".ome.tif", ".ome.tiff"})
VOLUMES = frozenset(
    {".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".hdr.gz", ".npy"}
)
DICOM = frozenset({".dcm", ".dicom", ".ima"})
LOSSY = frozenset({".jpg", ".jpeg"})
READABLE = PICTURES | VOLUMES | DICOM | {".npz"}
# Half of a pair whose other half is read; no image of its own.
_HALVES = frozenset({".img", ".img.gz", ".raw", ".zraw", ".raw.gz"})
_CLOSED = {
    ".h5": "HDF5", ".hdf5": "HDF5", ".mat": "MATLAB", ".zip": "archive", ".tar": "archive", ".gz": "archive",
    ".7z": "archive", ".rar": "archive", ".mgz": "FreeSurfer", ".pkl": "pickle", ".svs": "whole slide",
    ".ndpi": "whole slide", ".xml": "XML", ".avi": "video", ".mp4": "video",
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """A file of the tree.

    Attributes:
        path: Below the root.
        folder: Its folders, outermost first.
        stem: Its name without the ending.
        ending: With the dot, as it is written.
    """

    path: str
    folder: tuple[str, ...]
    stem: str
    ending: str

    @classmethod
    def of(cls, path: str) -> File:
        """A file by its path."""
        name = PurePosixPath(path)
        ending = detect.ending(name)  # type: ignore[arg-type]
        at = len(name.name) - len(ending)
        return cls(path, name.parts[:-1], name.name[:at], name.name[at:])

    @property
    def kind(self) -> str:
        """The ending in lower case."""
        return self.ending.lower()


@dataclass(frozen=True)
class Inventory:
    """The files of a tree, sorted out.

    Attributes:
        tree: The tree.
    """

    tree: Tree

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Everything that may be an image or a mask, but for DICOM and npz."""
        every = (File.of(path) for path in self.tree.files)
        return tuple(f for f in every if f.kind in PICTURES | VOLUMES)

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
        for folder, paths in self.tree.folders.items():
            dicom = [p for p in paths if File.of(p).kind in DICOM]
            if not dicom:
                nameless = [p for p in paths if _is_nameless(File.of(p))]
                dicom = nameless if len(nameless) >= 2 and self._is_dicom(nameless[0]) else []
            if dicom:
                held[() if folder == "." else tuple(folder.split("/"))] = dicom
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
        return Counter(File.of(path).kind or "no ending" for path in self.tree.files)

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


def spread(items: Iterable[str], count: int) -> list[str]:
    """At most `count` of the items, evenly spread over their natural order."""
    ordered = sorted(items, key=natural)
    if len(ordered) <= count:
        return ordered
    step = (len(ordered) - 1) / max(1, count - 1)
    return [ordered[round(i * step)] for i in range(count)]


def is_half(path: str) -> bool:
    """Whether a file only holds the voxels of a header beside it."""
    return File.of(path).kind in _HALVES
