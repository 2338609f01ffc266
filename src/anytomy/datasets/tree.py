"""The files below a folder, listed once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from anytomy.core.errors import DatasetError

# What operating systems and version control leave behind.
_NOISE = frozenset({"__MACOSX", ".git", "__pycache__", "Thumbs.db", "desktop.ini"})
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Tree:
    """The files below a folder.

    Attributes:
        root: The folder.
        files: Their paths below it, with forward slashes, sorted as people count (`2` before `10`).
    """

    root: Path
    files: tuple[str, ...]

    @classmethod
    def of(cls, root: Path) -> Tree:
        """List a folder; hidden files and the leavings of operating systems are left out.

        Links are followed, but for those to a folder that they lie in.

        Raises:
            DatasetError: If it is no folder or cannot be read.
        """
        root = root.expanduser()
        if not root.is_dir():
            what = "is a file" if root.exists() else "does not exist"
            raise DatasetError(f"expected a folder with a data set, but {root} {what}")
        try:
            found = sorted(_walk(root, "", ()), key=natural)
        except OSError as error:
            raise DatasetError(f"{error.filename or root} cannot be read: {error.strerror}") from error
        return cls(root, tuple(found))

    @cached_property
    def folders(self) -> dict[str, list[str]]:
        """The files of each folder that holds any; the folder itself is `.`."""
        held: dict[str, list[str]] = {}
        for file in self.files:
            folder, _, _ = file.rpartition("/")
            held.setdefault(folder or ".", []).append(file)
        return held

    def path(self, relative: str) -> Path:
        """The full path of a file or folder of the tree."""
        return self.root / relative


def natural(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key in which `slice2` comes before `slice10`."""
    # Text and numbers in turns, so that they never meet each other.
    parts = _NUMBER.split(text)
    return [(int(part), part) if place % 2 else part for place, part in enumerate(parts)], text


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """The files of a folder and of those below; `above` are the folders that it lies in."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOISE:
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link that leads to itself
                continue
            if is_folder:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
            elif is_file:
                yield prefix + entry.name
