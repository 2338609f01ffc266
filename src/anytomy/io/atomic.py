"""Files that are either the old one or the new one, never a half: `atomic_path`."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.errors import OutputError
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINTS = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
}


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes `final` when the block ends without an error.

    It lies in the same folder and has the same ending, for libraries that choose the format by it. Missing
    folders are created, a symbolic link is followed, an old file stays untouched until the new one is safe
    on disk, and nothing is left behind after an error.

    Args:
        final: Where the file should be in the end.

    Raises:
        OutputError: For anything that the operating system refuses, also inside the block: no space, no
            permission, a read-only disk, a folder in the way.
    """
    target = Path(os.path.realpath(final))
    temporary = target.with_name(f".anytomy-{secrets.token_hex(6)}{ending(target)}")
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not os.access(target, os.W_OK):
            # Renaming onto it would work and ignore that somebody protected it.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise output_error(final, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Find out before any work is done that a file cannot be written where it should.

    Args:
        path: The file; its folder need not exist.

    Raises:
        OutputError: If a folder is in the way, or the place may not be written to.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = path.absolute().parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
        if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """What the operating system said about an output, as one line with a way out."""
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(f"cannot write {path}: {reason}", hint=_HINTS.get(error.errno or 0))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a small file at once or not at all.

    Raises:
        OutputError: As `atomic_path`.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with its line ends as they are, at once or not at all.

    Raises:
        OutputError: As `atomic_path`.
    """
    write_bytes(path, text.encode())
