"""One picture of an image and what was found in it: `preview`, `picture`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.report.draw import save_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prediction import Prediction
    from anytomy.report.draw import Colour

_LONGEST = 3000


def preview(
    image: Image, prediction: Prediction | None, grey: GreyScale, path: Path, *, axis: str | int = "z"
) -> None:
    """Draw an image, or the telling slices of a volume, with prompts and results, into a file.

    Args:
        image: Image or volume.
        prediction: What was asked and what came out; None shows the image alone.
        grey: Values to grey levels.
        path: PNG or JPEG.
        axis: Which way to look at a volume without a prediction.

    Raises:
        OutputError: If the picture cannot be written.
    """
    save_picture(path, picture(image, prediction, grey, axis=axis))


def picture(
    image: Image,
    prediction: Prediction | None,
    grey: GreyScale | None,
    *,
    axis: str | int = "z",
    colours: Sequence[Colour] | None = None,
) -> NDArray[np.uint8]:
    """The picture that `preview` writes: of a volume a contact sheet, of an image an overlay.

    Args:
        image: Image or volume.
        prediction: What was asked and what came out; None shows the image alone.
        grey: Values to grey levels; None shows the masks alone, on black.
        axis: Which way to look at a volume without a prediction.
        colours: RGB per object; repeats.
    """
    from anytomy.report.contact_sheet import contact_sheet

    if image.is_volume:
        return _not_too_large(contact_sheet(image, prediction, grey, axis=axis, colours=colours))
    return _not_too_large(_flat(image, prediction, grey, colours))


def _flat(
    image: Image, prediction: Prediction | None, grey: GreyScale | None, colours: Sequence[Colour] | None
) -> NDArray[np.uint8]:
    from anytomy.report.overlay import overlay

    levels = np.zeros(image.array.shape[:2], np.uint8) if grey is None else grey.apply(image.array)
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    if prediction is None:
        return overlay(levels, [])
    masks = list(prediction.masks)
    return overlay(
        levels,
        masks,
        boxes=[p.box for p in prediction.prompts],
        points=[p.points for p in prediction.prompts],
        labels=[p.labels for p in prediction.prompts],
        names=[
            name if mask.any() else f"{name} (empty)"
            for name, mask in zip(prediction.names, masks, strict=True)
        ],
        colours=colours,
    )


def _not_too_large(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Whole-slide pictures shrunk to what a screen and a mail can take."""
    from anytomy.report.draw import resized

    height, width = picture.shape[:2]
    factor = _LONGEST / max(height, width)
    if factor >= 1:
        return picture
    return resized(picture, round(height * factor), round(width * factor), smooth=True)
