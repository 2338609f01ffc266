"""How much the cache holds, and how to empty it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anytomy.core.errors import OutputError
from anytomy.zoo.home import cache_dir

__all__ = ["Usage", "clear", "usage"]


@dataclass(frozen=True)
class Usage:
    """One kind of things in the cache.

    Attributes:
        kind: `weights`, `graphs`, `embeddings` or `samples`.
        path: Its folder.
        files: How many files lie there.
        bytes: Their size.
        busy: Whether another process writes there, so that it was left alone.
    """

    kind: str
    path: Path
    files: int
    bytes: int
    busy: bool = False


def usage(kinds: Sequence[str]) -> list[Usage]:
    """What the cache holds, kind by kind."""
    return [_count(kind) for kind in kinds]


def clear(kinds: Sequence[str]) -> list[Usage]:
    """Remove all files of some kinds; only below the cache's own folders, following no links.

    A kind that another process fetches into at this moment is left alone.

    Returns:
        What was removed, kind by kind.

    Raises:
        OutputError: A file cannot be removed.
    """
    return [_clear(kind) for kind in kinds]


def _count(kind: str) -> Usage:
    folder = cache_dir(kind)
    sizes = []
    for path in _files(folder):
        # Another process may remove a file between the listing and the look.
        with suppress(FileNotFoundError):
            sizes.append(path.lstat().st_size)
    return Usage(kind, folder, len(sizes), sum(sizes))


def _clear(kind: str) -> Usage:
    import filelock

    folder = cache_dir(kind)
    held: list[filelock.BaseFileLock] = []
    try:
        for path in _files(folder, locks=True):
            lock: filelock.BaseFileLock = filelock.FileLock(path)
            lock.acquire(timeout=0)
            held.append(lock)
        before = _count(kind)
        for path in _files(folder):
            path.unlink(missing_ok=True)
        for below in sorted(_folders(folder), reverse=True):
            # Not empty if something came in the meantime: then it stays.
            with suppress(OSError):
                below.rmdir()
        return before
    except filelock.Timeout:
        return Usage(kind, folder, 0, 0, busy=True)
    except OSError as error:
        raise OutputError(
            f"expected to remove {error.filename}, but: {error.strerror}",
            hint="check who owns the cache, or set ANYTOMY_CACHE to a folder of yours",
        ) from error
    finally:
        for lock in held:
            lock.release()


def _files(folder: Path, *, locks: bool = False) -> Iterator[Path]:
    """All files below a folder, or all locks. Locks are empty and stay: others may wait on them."""
    # A list first: files are removed while this is read.
    for base, folders, files in list(_walk(folder)):
        yield from (base / name for name in files if name.endswith(".lock") == locks)
        if locks:
            continue
        # A link to a folder is removed as a link, and never entered.
        yield from (base / name for name in folders if (base / name).is_symlink())


def _folders(folder: Path) -> list[Path]:
    return [base for base, _, _ in _walk(folder) if base != folder]


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    for base, folders, files in os.walk(folder, followlinks=False):
        yield Path(base), folders, files
