"""The files below a folder, listed once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from anytomy.core.errors import DatasetError

# What operating systems and version control leave behind.
_NOISE = frozenset({"__MACOSX", ".git", "__pycache__", "Thumbs.db", "desktop.ini"})


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

        Raises:
            DatasetError: If it is no folder or cannot be read.
        """
        root = root.expanduser()
        if not root.is_dir():
            what = "is a file" if root.exists() else "does not exist"
            raise DatasetError(f"expected a folder with a data set, but {root} {what}")
        try:
            found = sorted(_walk(root, ""), key=natural)
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
        return self.root.joinpath(*relative.split("/"))


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key in which `slice2` comes before `slice10`."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for letter in text:
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((0, int(digits), digits))
            digits = ""
        parts.append((1, 0, letter))
    if digits:
        parts.append((0, int(digits), digits))
    return parts


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOISE:
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name
