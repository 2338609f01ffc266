"""Validation samples of a tuning run as pictures: label and answer as contours on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.report.draw import Canvas, colour_of, legend, resized

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SIDE = 384
_DASH = (8.0, 6.0)
_NOTE = "line: label   dashed: the tuned model"


def validation_pictures(path: Path) -> list[tuple[str, NDArray[np.uint8]]]:
    """Name and picture of each sample that a run has kept.

    Args:
        path: Its `validation.npz`.

    Raises:
        OptionError: If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise OptionError(f"the validation samples {path} cannot be read: {error}") from error
    classes = [str(name) for name in arrays["classes"]]
    return [
        (str(name), _drawn(arrays[f"picture{i}"], arrays[f"truth{i}"], arrays[f"found{i}"], classes))
        for i, name in enumerate(arrays["names"])
    ]


def _drawn(
    picture: NDArray[np.uint8], truth: NDArray[Any], found: NDArray[Any], classes: list[str]
) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    factor = _SIDE / max(height, width)
    size = (max(round(height * factor), 8), max(round(width * factor), 8))
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    canvas = Canvas(resized(colours, *size, smooth=True))
    scale = (size[1] / width, size[0] / height)
    shown = [n for n in range(1, len(classes) + 1) if (truth == n).any() or (found == n).any()]
    for number in shown:
        colour = colour_of(number - 1)
        canvas.contour(truth == number, colour, scale=scale)
        canvas.contour(found == number, colour, scale=scale, dash=_DASH)
    entries = [(classes[number - 1], colour_of(number - 1)) for number in shown]
    return np.concatenate([canvas.array, legend(entries, size[1], note=_NOTE)])
