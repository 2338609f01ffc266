"""One picture and the objects in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.engine.frame import PlanePrompt, shifted
from anytomy.engine.model import Decoded, PromptableModel
from anytomy.predict.zoom import AUTO_HEAD_START, Zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.predict.zoom import Window

# Outside of a crop the model said nothing; this is below any logit that it gives.
_OUTSIDE = -100.0


def decode_plane(
    model: PromptableModel, picture: NDArray[np.uint8], prompt: PlanePrompt, zoom: Zoom
) -> Decoded:
    """Logits of one object on all pixels of a picture.

    The model's embedding cache sees to it that the picture is encoded once for all objects; with zoom every
    object has its own crop.

    Args:
        model: Encodes and decodes.
        picture: uint8 `(y, x)` or `(y, x, 3)`, as the model should see it.
        prompt: In the picture's pixels.
        zoom: Whether to look at crops; of several views the one that the model trusts most counts.
    """
    windows = zoom.windows(prompt.box, (picture.shape[0], picture.shape[1]))
    answers = [_decode_window(model, picture, prompt, window) for window in windows]
    # Of equal scores the first, the larger view, wins.
    return max(
        zip(answers, windows, strict=True),
        key=lambda pair: pair[0].score + (AUTO_HEAD_START if pair[1] is None else 0.0),
    )[0]


def _decode_window(
    model: PromptableModel, picture: NDArray[np.uint8], prompt: PlanePrompt, window: Window | None
) -> Decoded:
    if window is None:
        return model.decode(model.encode(picture), prompt)
    x0, y0, x1, y1 = window
    crop = np.ascontiguousarray(picture[y0:y1, x0:x1])
    inside = model.decode(model.encode(crop), shifted(prompt, window))
    logits = np.full(picture.shape[:2], _OUTSIDE, dtype=np.float32)
    logits[y0:y1, x0:x1] = inside.logits
    return Decoded(logits, inside.score)
