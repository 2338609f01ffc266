"""How the teacher is asked: `Asking`, and prompts that differ a little, `jittered` and `mirrored`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.engine.frame import PlanePrompt

if TYPE_CHECKING:
    from anytomy.predict.placing import Track

    Box = tuple[float, float, float, float]

WAYS = ("student", "stored", "automatic")
# Which of row and column run backwards: left and right, top and bottom, both.
FLIPS = ((False, True), (True, False), (True, True))


@dataclass(frozen=True)
class Asking:
    """Which objects the teacher is asked about, and how often about each.

    Attributes:
        how: `student` (a box around each part of what a student predicts), `stored` (prompts that somebody
            drew) or `automatic` (automatic masks, matched with what a student predicts).
        margin: By how much a box around a student's part is grown on each side, in pixels of a picture whose
            longest side is 1024, as in `box-jitter`: MedSAM learned boxes that are 0 to 20 too large.
        least: Smallest part in pixels.
        share: Smallest part as a share of the largest one of its class in the case; parts of a volume are
            connected through slices.
        jitters: How many boxes are tried beside the one that is asked for.
        jitter: By how much each side of those moves at most, in or out, as a share of the box's side.
        flips: How many mirrored pictures are tried, 0 to 3: left and right, top and bottom, both. Each costs
            an encoding of every picture and slice.
        fit_box: Widen masks that do not fill their box (`volumes.fitted`); None does so with stored boxes,
            which are tight, and not with those of a student.
        zoom: As in `segment`.
        volume: The strategy that carries stored prompts through a volume.

    Raises:
        OptionError: If a value makes no sense.
    """

    how: str = "student"
    margin: float = 5.0
    least: int = 16
    share: float = 0.02
    jitters: int = 4
    jitter: float = 0.05
    flips: int = 0
    fit_box: bool | None = None
    zoom: str = "off"
    volume: str = "auto"

    @property
    def fits_box(self) -> bool:
        """Whether masks are widened."""
        return self.how == "stored" if self.fit_box is None else self.fit_box

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise OptionError(f"expected to ask by {', '.join(WAYS)}, got {self.how!r}")
        for name, low, high in (
            ("margin", 0, 200),
            ("least", 1, 2**31),
            ("share", 0, 1),
            ("jitters", 0, 64),
            ("jitter", 0, 0.5),
            ("flips", 0, len(FLIPS)),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"expected {name} of {low} to {high} for pseudo-labels, got {value}")


def grown(box: Box, by: float, shape: tuple[int, int]) -> Box:
    """A box with each side moved outwards by so many pixels; the border of the picture stops it."""
    x0, y0, x1, y1 = box
    return max(x0 - by, 0.0), max(y0 - by, 0.0), min(x1 + by, shape[1]), min(y1 + by, shape[0])


def jittered(track: Track, jitter: float, shape: tuple[int, int], rng: np.random.Generator) -> Track:
    """A track whose boxes are moved side by side, and whose points are moved as far.

    A person, or a student, would have drawn another box as well; what hangs on the pixel is not known.

    Args:
        track: The object.
        jitter: Farthest move, as a share of the box's side; for points without a box, of a tenth of the
            picture.
        shape: `(row, column)` of the slices.
        rng: Its randomness.
    """
    return replace(
        track, prompts={s: _moved(prompt, jitter, shape, rng) for s, prompt in track.prompts.items()}
    )


def _moved(
    prompt: PlanePrompt, jitter: float, shape: tuple[int, int], rng: np.random.Generator
) -> PlanePrompt:
    height, width = shape
    box, sides = prompt.box, (0.1 * width, 0.1 * height)
    if box is not None:
        sides = (box[2] - box[0], box[3] - box[1])
        # A side of a few pixels moves by one at least: by less, nothing would change.
        reach = np.maximum(np.array([*sides, *sides]) * jitter, 1.0)
        x0, y0, x1, y1 = np.array(box) + rng.uniform(-1, 1, 4) * reach
        x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
        box = (float(x0), float(y0), float(min(max(x1, x0 + 1), width)), float(min(max(y1, y0 + 1), height)))
    points = []
    for x, y in prompt.points:
        dx, dy = rng.uniform(-1, 1, 2) * np.array(sides) * jitter
        points.append((float(np.clip(x + dx, 0, width - 1)), float(np.clip(y + dy, 0, height - 1))))
    return replace(prompt, box=box, points=tuple(points))


def mirrored(track: Track, flip: tuple[bool, bool], shape: tuple[int, int]) -> Track:
    """A track on slices that are mirrored in rows, columns or both."""
    return replace(track, prompts={s: _mirrored(prompt, flip, shape) for s, prompt in track.prompts.items()})


def _mirrored(prompt: PlanePrompt, flip: tuple[bool, bool], shape: tuple[int, int]) -> PlanePrompt:
    rows, columns = flip
    box, mask = prompt.box, prompt.mask
    if box is not None:
        x0, y0, x1, y1 = box
        x0, x1 = (shape[1] - x1, shape[1] - x0) if columns else (x0, x1)
        y0, y1 = (shape[0] - y1, shape[0] - y0) if rows else (y0, y1)
        box = (x0, y0, x1, y1)
    points = tuple(
        (shape[1] - 1 - x if columns else x, shape[0] - 1 - y if rows else y) for x, y in prompt.points
    )
    return replace(prompt, box=box, points=points, mask=None if mask is None else mask[steps(flip)])


def steps(flip: tuple[bool, bool]) -> tuple[slice, slice]:
    """The index that mirrors an array `(row, column)`, and mirrors it back."""
    rows, columns = (slice(None, None, -1 if backwards else 1) for backwards in flip)
    return rows, columns
