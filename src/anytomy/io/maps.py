"""Maps of numbers on the grid of an image, an uncertainty say: `write_map`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OutputError
from anytomy.io.atomic import atomic_path, check_place
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image

_WRITERS = {".nii.gz": "nifti", ".nii": "nifti", ".nrrd": "itk", ".mha": "itk"}


def map_endings() -> tuple[str, ...]:
    """Endings that a map may have."""
    return tuple(_WRITERS)


def check_map(path: Path) -> None:
    """Find out before any work is done that a map cannot be written.

    Raises:
        OutputError: For an unknown ending, or a place that may not be written to.
    """
    if ending(path) not in _WRITERS:
        raise OutputError(
            f"cannot write {path}: expected an ending of {', '.join(_WRITERS)} for a map of numbers, got "
            f"{ending(path) or 'none'}"
        )
    check_place(path)


def write_map(path: Path, values: NDArray[np.float32], image: Image) -> None:
    """Write numbers on the grid of an image as float32.

    Args:
        path: Where to write; its ending chooses the format. Missing folders are created.
        values: `(z, y, x)`.
        image: Whose grid, and in its own format header, it takes.

    Raises:
        OutputError: As `check_map`, and for whatever the operating system refuses.
    """
    check_map(path)
    writer = importlib.import_module(f"anytomy.io.{_WRITERS[ending(path)]}")
    with atomic_path(path) as temporary:
        writer.write(temporary, np.asarray(values, dtype=np.float32), image)
