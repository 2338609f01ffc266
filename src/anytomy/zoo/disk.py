"""Look at the free space before writing, rather than find out in the middle."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from anytomy.core.errors import OutputError

__all__ = ["full_disk", "megabytes", "need_space"]


def megabytes(count: int) -> str:
    """A number of bytes for people, in units of 1,000,000 bytes; from 1,000 of these on in GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def need_space(folder: Path, count: int) -> None:
    """Check that a folder's disk has room.

    Args:
        folder: It has to exist.
        count: Bytes that will be written.

    Raises:
        OutputError: There is less room.
    """
    free = shutil.disk_usage(folder).free
    if free < count:
        raise OutputError(
            f"expected {megabytes(count)} of free disk space in {folder}, but there are {megabytes(free)}",
            hint="free some, run `anytomy cache clear`, or set ANYTOMY_CACHE to another disk",
        )


def full_disk(error: OSError, folder: Path) -> OutputError | None:
    """The error to raise if writing failed for want of space or quota, else None."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"expected room for a download in {folder}, but the disk is full",
            hint="free some, run `anytomy cache clear`, or set ANYTOMY_CACHE to another disk",
        )
    return None
