"""What a run needs to go on after a kill: `save` and `load`, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from anytomy.core.errors import AnytomyError, OutputError
from anytomy.io.atomic import atomic_path

FILE = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint over the last one; that one stays if this fails.

    Args:
        folder: Of the run.
        state: Tensors, numbers and texts in dictionaries and lists; loaded without unpickling objects.

    Raises:
        OutputError: If the disk is full or the folder cannot be written.
    """
    import torch

    path = folder / FILE
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch's writer says no more than that it could not write
                if shutil.disk_usage(folder).free > _size(state):
                    raise
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    except OutputError as error:
        kept = "the last checkpoint is kept" if path.is_file() else "no checkpoint was written yet"
        raise OutputError(
            f"{error.message}; {kept}", hint="make room, then the same command goes on from there"
        ) from error


def load(folder: Path) -> dict[str, Any] | None:
    """The checkpoint of a run; None if there is none.

    Raises:
        AnytomyError: If it cannot be read.
    """
    import torch

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    # torch raises RuntimeError, EOFError, UnpicklingError, ... depending on what is wrong.
    except Exception as error:
        raise AnytomyError(
            f"the checkpoint {path} cannot be read: {' '.join(str(error).split())[:200]}",
            hint="delete it to begin anew",
        ) from error
    return state


def _size(value: Any) -> int:
    """Bytes of all tensors."""
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(_size(each) for each in value.values())
    return sum(_size(each) for each in value) if isinstance(value, (list, tuple)) else 0
