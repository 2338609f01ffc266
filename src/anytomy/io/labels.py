"""Masks and label maps, whose values are ids and not what a viewer shows: `read_labels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.io import raster, tiff
from anytomy.io.read import read

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.image import Image


def read_labels(path: Path) -> Image:
    """Read a mask or label map of any format.

    PNG and TIFF may hold colours for eyes; the ids are the numbers behind them.

    Raises:
        ImageReadError: As `read`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        head = b""  # `read` says what is wrong
    picture = next((each for each in (raster, tiff) if each.matches(path, head)), None)
    return picture.read(path, labels=True) if picture else read(path)
