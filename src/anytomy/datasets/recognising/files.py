"""A file of the tree by its folders, name and ending: `File`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from anytomy.datasets.tree import natural
from anytomy.io import detect

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".ome.tif", ".ome.tiff"})
VOLUMES = frozenset(
    {".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".hdr.gz", ".npy"}
)
DICOM = frozenset({".dcm", ".dicom", ".ima"})
LOSSY = frozenset({".jpg", ".jpeg"})
READABLE = PICTURES | VOLUMES | DICOM | {".npz"}


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


def spread(items: Iterable[str], count: int) -> list[str]:
    """At most `count` of the items, evenly spread over their natural order."""
    ordered = sorted(items, key=natural)
    if len(ordered) <= count:
        return ordered
    step = (len(ordered) - 1) / max(1, count - 1)
    return [ordered[round(i * step)] for i in range(count)]
