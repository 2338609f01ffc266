"""Between an image and the square input of a model: `Frame`.

The steps are those of LiteMedSAM's authors (`CVPR24_LiteMedSAM_infer.py`) and of SAM; which of them apply
stands in the model's card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError, PromptError
from anytomy.engine import resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.zoo.card import Preprocess

# A bool mask has no logits; SAM's own masks reach about +-10 inside and outside.
_MASK_LOGIT = 10.0


@dataclass(frozen=True)
class PlanePrompt:
    """A prompt in one picture: `x` is the column, `y` the row; box ends exclusive.

    Attributes:
        box: `(x0, y0, x1, y1)`.
        points: `((x, y), ...)`.
        labels: 1 or 0 for each point; all 1 by default.
        mask: bool `(y, x)`.

    Raises:
        PromptError: If labels do not fit the points.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    mask: NDArray[np.bool_] | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of `box`, `points`, `mask` it holds."""
        held = (("box", self.box), ("points", self.points or None), ("mask", self.mask))
        return tuple(kind for kind, value in held if value is not None)

    def __post_init__(self) -> None:
        if not self.labels:
            object.__setattr__(self, "labels", (1,) * len(self.points))
        if len(self.labels) != len(self.points):
            raise PromptError(
                f"expected one label for each of {len(self.points)} points, got {len(self.labels)}"
            )


@dataclass(frozen=True)
class Frame:
    """How a picture of `height` x `width` pixels lies in the model's `size` x `size` input.

    Attributes:
        height: Rows of the picture.
        width: Columns of the picture.
        inner_height: Rows that it takes in the input; what is below is padding.
        inner_width: Columns that it takes in the input.
        size: Side of the input.
        integer_boxes: The authors truncate scaled box corners to whole pixels.
        uniform: Prompts are scaled by the ratio of the longest sides (LiteMedSAM), not along each axis by
            the whole number of pixels that the picture takes (SAM).
    """

    height: int
    width: int
    inner_height: int
    inner_width: int
    size: int
    integer_boxes: bool = False
    uniform: bool = False

    @classmethod
    def of(cls, shape: tuple[int, int], size: int, preprocess: Preprocess) -> Frame:
        """The frame for a picture of shape `(y, x)`."""
        height, width = shape
        inner = (size, size)
        pads = preprocess.aspect == "pad"
        if pads:
            scale = size / max(height, width)
            inner = (max(int(height * scale + 0.5), 1), max(int(width * scale + 0.5), 1))
        whole = preprocess.integer_boxes
        return cls(height, width, inner[0], inner[1], size, integer_boxes=whole, uniform=whole and pads)

    @property
    def _scale_xy(self) -> NDArray[np.float64]:
        if self.uniform:
            return np.full(2, self.size / max(self.height, self.width))
        return np.array([self.inner_width / self.width, self.inner_height / self.height])

    def inner(self, side: int) -> tuple[int, int]:
        """Rows and columns of the picture on a square of `side` pixels, a mask say; the rest is padding."""
        rows, columns = (round(n * side / self.size) for n in (self.inner_height, self.inner_width))
        return max(rows, 1), max(columns, 1)

    def pixels(self, picture: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.float32]:
        """The input `(1, 3, size, size)` of a grey `(y, x)` or colour `(y, x, 3)` picture of 0..255."""
        check_picture(picture)
        shape = (self.inner_height, self.inner_width)
        match preprocess.resize:
            case "area":
                small = resample.resize_area(picture, shape)
            case "nearest":
                small = resample.resize_nearest(picture, shape)
            case method:
                small = resample.resize_pillow(picture, shape, bicubic=method == "bicubic")
        values: NDArray[Any] = small.astype(np.float32)
        if preprocess.scale == "minmax":
            low, high = float(values.min()), float(values.max())
            values = (values - low) / max(high - low, 1e-8)
        if values.ndim == 2:
            values = np.repeat(values[..., None], 3, axis=-1)
        if preprocess.scale == "mean-std":
            mean, std = (np.asarray(v, np.float32) for v in (preprocess.mean, preprocess.std))
            values = (values - mean) / std
        out = np.zeros((1, 3, self.size, self.size), dtype=np.float32)
        out[0, :, : shape[0], : shape[1]] = values.transpose(2, 0, 1)
        return out

    def tokens(self, prompt: PlanePrompt) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates `(1, n, 2)` in input pixels and labels `(1, n)` as SAM's prompt encoder reads them.

        Labels: 0 background, 1 object, 2 and 3 the corners of the box, -1 the padding point that SAM was
        trained with when there is no box.

        The exclusive end of a box is given to the model as it is, one pixel beyond the last one. Of the two
        readings this is the one that reproduces the figures known of LiteMedSAM; ending on the last pixel
        costs thin structures up to 0.08 Dice (portal veins 0.30 against 0.38) and gains nuclei 0.01.
        """
        coords: list[Any] = [np.asarray(p) * self._scale_xy for p in prompt.points]
        labels = [float(v) for v in prompt.labels]
        if prompt.box is None:
            coords, labels = [*coords, np.zeros(2)], [*labels, -1.0]
        else:
            x0, y0, x1, y1 = prompt.box
            corners = np.array([[x0, y0], [x1, y1]]) * self._scale_xy
            corners = np.trunc(corners) if self.integer_boxes else corners
            coords, labels = [*coords, *corners], [*labels, 2.0, 3.0]
        return np.asarray(coords, np.float32)[None], np.asarray(labels, np.float32)[None]

    def box_from_input(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """The picture's box for corners in the input; `tokens` inverts it."""
        # A quarter of a pixel keeps truncation from falling to the pixel before by rounding.
        nudge = 0.25 if self.integer_boxes else 0.0
        start = (np.array([x0, y0]) + nudge) / self._scale_xy
        end = (np.array([x1, y1]) + nudge) / self._scale_xy
        return float(start[0]), float(start[1]), float(end[0]), float(end[1])

    def mask_input(self, mask: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
        """A bool mask `(y, x)` as low-resolution logits `(1, 1, side, side)`."""
        if mask.shape != (self.height, self.width):
            raise PromptError(
                f"expected a mask of shape {(self.height, self.width)} (rows, columns), got {mask.shape}"
            )
        rows, columns = self.inner(side)
        share = resample.resize_area(mask.astype(np.uint8) * 255, (rows, columns)) / 255
        out = np.full((1, 1, side, side), -_MASK_LOGIT, dtype=np.float32)
        out[0, 0, :rows, :columns] = (2 * share - 1) * _MASK_LOGIT
        return out

    def logits(self, low_resolution: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mask logits `(m, m)` of the decoder on the picture's own pixels `(y, x)`.

        SAM enlarges to the input first where the decoder's output is smaller than the input; the padding is
        cut off, then the rest is resized; the threshold (0) comes after.
        """
        if low_resolution.shape[0] != self.size:
            low_resolution = resample.resize_bilinear(low_resolution, (self.size, self.size))
        inner = low_resolution[: self.inner_height, : self.inner_width]
        return resample.resize_bilinear(inner, (self.height, self.width))

    def logit_weights(self, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `logits` does to each axis, as matrices, for those who need a part of the picture only.

        `logits(low) == rows @ low @ columns.T` up to rounding, and so for any of their rows.

        Args:
            side: Edge `m` of the decoder's output.

        Returns:
            `rows` `(y, m)` and `columns` `(x, m)`.
        """
        whole = np.eye(side, dtype=np.float32)
        wide = resample.resize_bilinear(whole, (self.size, side))
        rows = resample.resize_bilinear(wide[: self.inner_height], (self.height, side))
        return rows, resample.resize_bilinear(wide[: self.inner_width], (self.width, side))


def check_picture(picture: NDArray[Any]) -> None:
    """Refuse what is not a picture of grey levels or colours.

    Raises:
        ImageReadError: Unless it is uint8 of shape `(y, x)` or `(y, x, 3)` and not empty.
    """
    fits = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)
    if picture.dtype != np.uint8 or not fits or picture.size == 0:
        raise ImageReadError(
            f"expected uint8 of shape (y, x) or (y, x, 3), got {picture.dtype} of {picture.shape}"
        )


def shifted(prompt: PlanePrompt, window: Sequence[int]) -> PlanePrompt:
    """A prompt in the coordinates of a crop `x0, y0, x1, y1`."""
    x0, y0, x1, y1 = window
    box = prompt.box
    return PlanePrompt(
        box=None if box is None else (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0),
        points=tuple((x - x0, y - y0) for x, y in prompt.points),
        labels=prompt.labels,
        mask=None if prompt.mask is None else prompt.mask[y0:y1, x0:x1],
    )
