"""Pseudo-labels to look at: what the teacher said, what the student saw, and why it was believed or not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.intensity import choose_policy
from anytomy.core.view import SliceView
from anytomy.evaluation.bench.table import unpacked
from anytomy.report.case_drawing import Flat, LeftOutError, drawn, painted
from anytomy.report.case_pictures import CasePicture, case_of, cases_of
from anytomy.report.draw import FAINT, PAPER, Canvas, fitted, resized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case

    Row = Mapping[str, Any]

# As the student's own card has it; without one grey levels stay, and others go by percentiles.
POLICIES = {"8-bit": "none", "default": "percentile:0.5,99.5"}
_TILE, _GAP, _COLUMNS, _CAPTION, _HEAD = 232, 8, 6, 38, 34
LEGEND = "line: the student that judged   dashed: the teacher   long dashes: the box that was asked for"


def chosen(rows: Sequence[Row], most: int) -> list[Row]:
    """So many objects, evenly spread from the best agreement with the student to the worst.

    Where there was no student, the agreement of the answers among themselves counts. None is chosen by eye.
    """

    def rank(row: Row) -> tuple[float, str, int, str]:
        value = row["student_dice"] if row["student_dice"] is not None else row["agreement"]
        return (-(value if value is not None else -1.0), row["case"], row["slice"], row["structure"])

    ordered = sorted(rows, key=rank)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, most)]


@dataclass(eq=False)
class Reviewer:
    """Draws objects of the table; images are read again from the data sets, each once in a row.

    Attributes:
        axis: The file's axis that slices run along.
        intensity: `auto` or a policy.
        policies: Of the modalities.
    """

    axis: str = "z"
    intensity: str = "auto"
    policies: Mapping[str, str] = field(default_factory=lambda: POLICIES)
    _sets: dict[str, Mapping[str, Case] | None] = field(default_factory=dict)
    _held: tuple[tuple[str, str], Image] | None = None

    def picture(self, row: Row) -> CasePicture:
        """An object as a JPEG file for a page.

        Raises:
            LeftOutError: If the image cannot be had.
        """
        flat, grey = self._flat(row)
        return CasePicture(drawn(flat, grey), flat.slice)

    def tile(self, row: Row) -> NDArray[np.uint8]:
        """An object as an RGB picture.

        Raises:
            LeftOutError: If the image cannot be had.
        """
        return painted(*self._flat(row))

    def _flat(self, row: Row) -> tuple[Flat, Callable[[NDArray[Any]], NDArray[np.uint8]]]:
        image = self._image(row["dataset"], row["case"])
        view = SliceView.canonical(image.geometry, self.axis if image.is_volume else "z")
        index = view.slice_to_view(row["slice"])
        found = unpacked(row["mask"])
        if found.shape != view.size[1::-1] or not 0 <= index < view.size[2]:
            raise LeftOutError("the image on this machine is another one than that of the run")
        student = unpacked(row["student"]) if row["student"] else np.zeros_like(found)
        box = [row[side] for side in ("x0", "y0", "x1", "y1")]
        columns, rows = (image.geometry.spacing_xyz_mm[a] for a in view.axes[:2])
        flat = Flat(
            plane=view.apply(image.volume)[index],
            found=found,
            truth=student,
            boxes=[tuple(box)] if None not in box else [],
            points=[],
            spacing=(columns, rows),
            slice=row["slice"] if image.is_volume else None,
            dice=math.nan,
        )
        return flat, choose_policy(image, self.policies, self.intensity).policy.fit(image).apply

    def _image(self, dataset: str, case: str) -> Image:
        if self._held is None or self._held[0] != (dataset, case):
            if dataset not in self._sets:
                self._sets[dataset] = cases_of(dataset)
            self._held = ((dataset, case), case_of(self._sets[dataset], case).read())
        return self._held[1]


def contact_sheet(rows: Sequence[Row], reviewer: Reviewer, title: str) -> NDArray[np.uint8]:
    """Objects beside each other, each with its case, its numbers and why it was rejected.

    Args:
        rows: Of the table of objects.
        reviewer: Draws them.
        title: Above them.

    Returns:
        uint8 RGB. An object whose image cannot be had is a tile that says so.
    """
    columns = min(_COLUMNS, max(len(rows), 3))
    lines = math.ceil(len(rows) / columns)
    width = columns * (_TILE + _GAP) + _GAP
    body = np.full((_HEAD + lines * (_TILE + _CAPTION + _GAP) + _GAP, width, 3), PAPER, dtype=np.uint8)
    words: list[tuple[str, tuple[int, int]]] = []
    for place, row in enumerate(rows):
        x = _GAP + place % columns * (_TILE + _GAP)
        y = _HEAD + place // columns * (_TILE + _CAPTION + _GAP)
        try:
            _paste(body, reviewer.tile(row), x, y)
        except LeftOutError as left:
            words.append((str(left), (x + 4, y + _TILE // 2)))
        words += [(text, (x, y + _TILE + 4 + 16 * line)) for line, text in enumerate(_said(row))]
    sheet = Canvas(body)
    sheet.text(fitted(f"{title}.   {LEGEND}", width - 2 * _GAP, 13), (_GAP, 9), size=13)
    for text, at in words:
        sheet.text(fitted(text, _TILE, 12), at, size=12, colour=FAINT)
    return sheet.array


def _paste(body: NDArray[np.uint8], picture: NDArray[np.uint8], x: int, y: int) -> None:
    """Put a picture into the middle of its tile, as large as fits."""
    factor = _TILE / max(picture.shape[:2])
    height, width = (max(round(side * factor), 1) for side in picture.shape[:2])
    top, left = y + (_TILE - height) // 2, x + (_TILE - width) // 2
    body[top : top + height, left : left + width] = resized(picture, height, width, smooth=True)


def _said(row: Row) -> tuple[str, str]:
    slice_ = f", slice {row['slice']}" if row["slice"] else ""
    return f"{row['structure']}, {row['case']}{slice_}", row["reason"] or numbers_of(row)


def numbers_of(row: Row) -> str:
    """What is known about an object, in a line."""
    known = (
        ("agreement", row["agreement"]),
        ("entropy", row["entropy"]),
        ("student Dice", row["student_dice"]),
    )
    return ", ".join(f"{name} {value:.2f}" for name, value in known if value is not None)
