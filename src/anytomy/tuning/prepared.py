"""Cases as training prepares them: read without noise, and kept on disk as arrays that are mapped."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from anytomy.core.errors import AnytomyError, AnytomyWarning, DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case

T = TypeVar("T")
PREPARED = "prepared"
"""Folder of a run for what is prepared, until its end."""
INDEX = "index.json"
_OURS = re.compile(r"[0-9a-f]{16}(\.[a-z]+)?\.npy")


def quietly_read(case: Case) -> Image:
    """The image of a case; what is odd about it, `datasets verify` says.

    Raises:
        ImageReadError: It cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.read()


def quietly_labelled(case: Case, image: Image, *, strict: bool) -> dict[str, NDArray[Any]]:
    """The label maps of a case by structure, see `Case.labels`.

    Args:
        case: The case.
        image: Its image.
        strict: Whether values that no label names are refused, since they would be learned as background;
            else they are said aloud.

    Raises:
        DatasetError: A label map holds values that no label names.
        ImageReadError: A label map cannot be read.
    """
    from anytomy.datasets.checking import unnamed_values

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, strange = case.labels(image), unnamed_values(case, image)
    if strange:
        message = f"{case.dataset} {case.id}: {strange[0]}"
        if strict:
            raise DatasetError(
                f"expected labels of the declared classes, but {message}",
                hint=f"correct the file or the targets; `anytomy datasets verify {case.dataset}` lists all",
            )
        warnings.warn(message, AnytomyWarning, stacklevel=2)
    return labels


def name_of(case: Case) -> str:
    """What the files of a case are called."""
    return hashlib.sha256(f"{case.dataset}\0{case.id}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all.

    Raises:
        OutputError: As `atomic_path`.
    """
    from anytomy.io.atomic import atomic_path

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            np.save(file, array, allow_pickle=False)
        except OSError as error:
            if error.errno is not None:
                raise
            # numpy counts the bytes that it could not write, and does not say why.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    mapped.cache_clear()  # the file that was there may be mapped still


def clear(run: Path) -> None:
    """Remove what was prepared in the folder of a run; what somebody else put there stays, or cannot go."""
    folders = [run / PREPARED, *sorted(path for path in (run / PREPARED).rglob("*") if path.is_dir())]
    for folder in reversed(folders):
        for path in folder.glob("*"):
            if _OURS.fullmatch(path.name) or path.name == INDEX:
                with contextlib.suppress(OSError):
                    path.unlink()
        with contextlib.suppress(OSError):  # not empty, or not there
            folder.rmdir()
    mapped.cache_clear()


@lru_cache(maxsize=256)
def mapped(path: Path) -> NDArray[Any]:
    """An array on disk: only what is looked at is read.

    Raises:
        AnytomyError: It cannot be read.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise AnytomyError(
            f"expected a prepared array at {path}, but it cannot be read: {error}",
            hint="delete the folder `prepared` of the run: it is made again",
        ) from error


def spread(items: Sequence[T], most: int | None) -> list[T]:
    """So many of the items, evenly spread from the first to the last; all where there are no more."""
    if most is None or most >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]
