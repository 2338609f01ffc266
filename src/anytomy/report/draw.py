"""Drawing masks, prompts and names on pictures: what `overlay` and `contact_sheet` are made of.

Only numpy and Pillow. An image pixel has extent: with `scale` drawn pixels for each, image pixel x covers
the drawn pixels x * scale to (x + 1) * scale, and its centre, where points lie, is in the middle.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OutputError
from anytomy.io.seg_nrrd import PALETTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Rgb = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

PICTURES = (".png", ".jpg", ".jpeg")
Colour = tuple[int, int, int]
Scale = tuple[float, float]

PAPER: Colour = (24, 26, 30)
INK: Colour = (235, 235, 235)
FAINT: Colour = (150, 155, 165)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def colour_of(index: int, colours: Sequence[Colour] | None = None) -> Colour:
    """Colour of the object at a position: those of the files that we write, then lighter ones."""
    palette = colours or PALETTE
    colour = palette[index % len(palette)]
    # A second and third object of the same hue can still be told apart.
    light = (0.0, 0.5, 0.25)[index // len(palette) % 3] if colours is None else 0.0
    red, green, blue = (round(v + (255 - v) * light) for v in colour)
    return red, green, blue


class Canvas:
    """A picture to draw on.

    Args:
        picture: uint8 `(row, column, 3)`; it is copied.
        stroke: Width of lines in pixels; signs grow with it.
    """

    def __init__(self, picture: Rgb, *, stroke: int = 2) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.fromarray(np.ascontiguousarray(picture))
        self._draw = ImageDraw.Draw(self._image)
        self.stroke = stroke

    @property
    def array(self) -> Rgb:
        """The picture so far, uint8 `(row, column, 3)`."""
        return np.array(self._image)

    def mask(self, mask: NDArray[Any], colour: Colour, *, alpha: float = 0.35) -> None:
        """Fill a mask of the picture's size translucently and draw its contour inside its edge.

        In a label map each object has a contour of its own.
        """
        from PIL import Image

        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size == 0:
            return
        # Only the part that it covers: a picture with a hundred nuclei would be blended a hundred times.
        top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
        bottom, right = int(rows[-1]) + 2, int(columns[-1]) + 2
        mask = mask[top:bottom, left:right]
        corner = (left, top, left + mask.shape[1], top + mask.shape[0])
        part = np.asarray(self._image.crop(corner)).astype(np.float32)
        inside = mask != 0
        part[inside] = part[inside] * (1 - alpha) + np.asarray(colour, dtype=np.float32) * alpha
        part[outline(mask, self.stroke)] = colour
        self._image.paste(Image.fromarray(part.round().astype(np.uint8)), (left, top))

    def box(self, box: Sequence[float], colour: Colour, scale: Scale = (1.0, 1.0)) -> None:
        """Outline a box `(x0, y0, x1, y1)`, ends exclusive; dashed, so that it is no mask's contour."""
        x0, y0, x1, y1 = (v * f for v, f in zip(box, (*scale, *scale), strict=True))
        corners = [(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1), (x0, y0)]
        self._draw.line(corners, fill=BLACK, width=self.stroke + 2)
        dash = 5 * self.stroke
        for (ax, ay), (bx, by) in itertools.pairwise(corners):
            length = max(math.hypot(bx - ax, by - ay), 1.0)
            for start in range(0, math.ceil(length), 2 * dash):
                ends = [
                    (ax + (bx - ax) * t / length, ay + (by - ay) * t / length)
                    for t in (start, min(start + dash, length))
                ]
                self._draw.line(ends, fill=colour, width=self.stroke)

    def contour(
        self,
        mask: Mask,
        colour: Colour,
        *,
        scale: Scale = (1.0, 1.0),
        dash: tuple[float, float] | None = None,
    ) -> None:
        """Draw the edge of a mask as a line with a black rim, `dash` pixels on and off; nothing is filled."""
        from anytomy.report.contour import contours, dashes

        lines = [line * scale for line in contours(mask)]
        # Through the gaps of a dashed line one sees what lies below it.
        parts = [part for line in lines for part in dashes(line, *dash)] if dash else lines
        for width, fill in ((self.stroke + 2, BLACK), (self.stroke, colour)):
            for part in parts:
                self._draw.line([(x, y) for x, y in part], fill=fill, width=width, joint="curve")

    def point(self, point: Sequence[float], label: int, colour: Colour, scale: Scale = (1.0, 1.0)) -> None:
        """Draw a point as + (object, its colour) or x (background, white), rimmed in black."""
        x, y = ((value + 0.5) * factor - 0.5 for value, factor in zip(point, scale, strict=True))
        arm = 4.0 * self.stroke
        if label:
            strokes = [((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm))]
        else:
            arm *= 0.75
            strokes = [((x - arm, y - arm), (x + arm, y + arm)), ((x - arm, y + arm), (x + arm, y - arm))]
        for width, fill in ((self.stroke + 4, BLACK), (self.stroke, colour if label else WHITE)):
            for ends in strokes:
                self._draw.line(ends, fill=fill, width=width)

    def blend(self, where: Mask, colour: Colour, *, alpha: float) -> None:
        """Mix a colour into the pixels of a mask of the picture's size."""
        from PIL import Image

        picture = self.array
        mixed = picture[where] * (1 - alpha) + np.asarray(colour, dtype=np.float32) * alpha
        picture[where] = mixed.round().astype(np.uint8)
        self._image.paste(Image.fromarray(picture))

    def swatch(self, at: tuple[float, float], colour: Colour) -> None:
        """Draw a square of 14 pixels, as legends have it, from its upper left corner."""
        x, y = at
        self._draw.rectangle((x, y, x + 13, y + 13), fill=colour)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """Draw a straight line."""
        self._draw.line([start, end], fill=colour, width=self.stroke)

    def scale_bar(self, length: int, text: str, at: tuple[float, float]) -> None:
        """Draw a bar of so many pixels from its lower left end to the right, its length in words above."""
        x, y = at
        for grow, fill in ((1, BLACK), (0, INK)):
            self._draw.rectangle((x - grow, y - 2 - grow, x + length + grow, y + grow), fill=fill)
        self.text(text, (x, y - 6), size=13, anchor="ld", rim=True)

    def text(
        self,
        text: str,
        at: tuple[float, float],
        *,
        size: int = 14,
        colour: Colour = INK,
        anchor: str = "la",
        rim: bool = False,
    ) -> None:
        """Write one line; `anchor` as in Pillow (`la` left and top), `rim` for text on an image."""
        self._draw.text(
            at,
            drawable(text),
            fill=colour,
            font=font(size),
            anchor=anchor,
            stroke_width=2 if rim else 0,
            stroke_fill=BLACK,
        )


def outline(mask: NDArray[Any], thickness: int) -> Mask:
    """The pixels of a mask, or of each object of a label map, within `thickness` of its edge.

    The picture's border is no edge.
    """
    inner = mask
    for _ in range(thickness):
        padded = np.pad(inner, 1, mode="edge")
        beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        inner = np.where(np.logical_and.reduce([inner == part for part in beside]), inner, 0)
    edge: Mask = (mask != 0) & (inner == 0)
    return edge


def resized(picture: NDArray[Any], height: int, width: int, *, smooth: bool = False) -> NDArray[Any]:
    """An RGB picture or a mask at another size; edges of pixels stay sharp without `smooth`."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    values = picture.astype(np.uint8) if picture.dtype == bool else picture
    enlarged = Image.fromarray(np.ascontiguousarray(values)).resize((width, height), how)
    return np.asarray(enlarged).astype(picture.dtype)


@lru_cache
def font(size: int) -> Any:
    """Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """The text in one line, accents left out: Pillow's font has the plain letters and an ellipsis."""
    letters = unicodedata.normalize("NFD", text)
    return "".join(" " if c.isspace() else c for c in letters if not unicodedata.combining(c))


def fitted(text: str, width: float, size: int = 14) -> str:
    """The text, cut with an ellipsis where it would be wider than `width` pixels."""
    text = drawable(text)
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


_NAMELESS = re.compile(r"object \d+( \(empty\))?")


def legend(entries: Sequence[tuple[str, Colour]], width: int, *, note: str = "") -> Rgb:
    """A strip of colours and names in as many columns as fit; names beyond six lines are counted.

    Objects without names of their own that do not fit are only counted: a number says nothing.

    Args:
        entries: Name and colour of each object.
        width: Width of the strip in pixels.
        note: A last line, such as what the signs mean.
    """
    size, line, most_lines, margin = 14, 22, 6, 8
    longest = max((font(size).getlength(drawable(name)) for name, _ in entries), default=0)
    columns = max(1, int((width - margin) // (longest + 40)))
    column = (width - margin) // columns
    room = columns * most_lines
    if len(entries) > room and all(_NAMELESS.fullmatch(name) for name, _ in entries):
        note = "   ".join(filter(None, (f"{len(entries)} objects", note)))
        entries = []
    shown = list(entries) if len(entries) <= room else list(entries[: room - 1])
    cells: list[tuple[str, Colour | None]] = [*shown]
    if len(shown) < len(entries):
        cells.append((f"and {len(entries) - len(shown)} more", None))
    lines = math.ceil(len(cells) / columns)
    height = margin + line * (lines + bool(note)) + margin // 2 if cells or note else 0
    strip = np.full((height, width, 3), PAPER, dtype=np.uint8)
    if not height:
        return strip
    for index, (_, colour) in enumerate(cells):
        x, y = margin + index % columns * column, margin + index // columns * line
        if colour is not None:
            strip[y + 3 : y + 17, x : x + 14] = colour
    canvas = Canvas(strip)
    for index, (name, colour) in enumerate(cells):
        x, y = margin + index % columns * column, margin + index // columns * line + 10
        canvas.text(
            fitted(name, column - 30, size),
            (x + 20, y),
            size=size,
            colour=FAINT if colour is None else INK,
            anchor="lm",
        )
    if note:
        y = margin + lines * line + 10
        canvas.text(fitted(note, width - 2 * margin, 12), (margin, y), size=12, colour=FAINT, anchor="lm")
    return canvas.array


def check_picture(path: Path) -> None:
    """Find out before any work is done that a picture cannot be written.

    Raises:
        OutputError: If the ending is neither PNG's nor JPEG's, or the place may not be written to.
    """
    from anytomy.io.atomic import check_place

    if path.suffix.lower() not in PICTURES:
        raise OutputError(
            f"cannot write a picture to {path}, expected PNG or JPEG",
            hint="give a name that ends in .png or .jpg",
        )
    check_place(path)


def save_picture(path: Path, rgb: Rgb) -> None:
    """Write a picture as PNG or JPEG, whole or not at all.

    Raises:
        OutputError: As `check_picture`, and for whatever the operating system refuses.
    """
    from PIL import Image

    from anytomy.io.atomic import atomic_path

    check_picture(path)
    with atomic_path(path) as temporary:
        # JPEG: no visible blocks around contours; PNG takes no quality.
        Image.fromarray(np.ascontiguousarray(rgb)).save(temporary, quality=92)
