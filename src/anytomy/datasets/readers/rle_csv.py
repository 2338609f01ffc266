"""Masks in a table of run lengths, as in SIIM-ACR: one row for each object, several rows for one image.

Options of the layout: `table` (pattern of the CSV file), `image_column` and `mask_column`. The image's file
name without its ending is what `image_column` holds. `mask_column` holds pairs of numbers, how many pixels to
skip from the end of the run before and how many to take, down the columns of the picture (the first column,
then the next to its right); `-1` or nothing means that there is no object. Where objects overlap, the later
row keeps the pixels. Images that the table does not name are no cases: nobody said what is in them.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import DatasetError, ImageReadError
from anytomy.datasets.case import Case, ImageRef, MaskRef
from anytomy.datasets.finding import Found
from anytomy.datasets.pattern import Pattern, filled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

FORM = "rle_csv"
Rows = dict[str, tuple[str, ...]]


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """The images that the table names; see `DatasetReader`.

    Raises:
        DatasetError: The options are wrong, or the table cannot be read.
    """
    tables = _tables(tree, layout)
    images = _images(tree, layout)
    if not tables or not images:
        return Found(lone_images=tuple(path for path, _ in images.values()), lone_masks=tuple(tables))
    columns = (str(layout.options["image_column"]), str(layout.options["mask_column"]))
    table = tree.path(tables[0])
    rows = _read(table, *columns)
    oddities = [f"{other} is a second table and is left out" for other in tables[1:]]
    missing = sum(name not in images for name in rows)
    if missing:
        oddities.append(f"{tables[0]} names {missing} images that are not there")
    cases, lone = [], []
    for name, (path, names) in images.items():
        if name not in rows:
            lone.append(path)
            continue
        masks = tuple(
            MaskRef(target, (table,), FORM, key="\n".join((*columns, name)))
            for target in card.targets_of(layout)
        )
        case_id = filled(layout.case, names) if layout.case else name
        cases.append(
            Case(
                dataset=card.id,
                id=case_id,
                patient=filled(layout.patient, names) if layout.patient else case_id,
                image=ImageRef(tree.path(path), time=layout.time),
                masks=masks,
                modality=layout.modality or (card.modality[0] if len(card.modality) == 1 else ""),
                split=layout.split or names.get("split") or "",
            )
        )
    return Found(tuple(cases), tuple(oddities), lone_images=tuple(lone))


def decode(ref: MaskRef, image: Image) -> NDArray[Any]:
    """The objects of one image, `(y, x)`: the number of the row (from 1) that holds a pixel.

    Raises:
        ImageReadError: The table cannot be read, or its runs leave the image.
    """
    image_column, mask_column, name = ref.key.split("\n", 2)
    rows = _read(ref.paths[0], image_column, mask_column)
    height, width = image.array.shape[:2]
    columns = np.zeros(width * height, dtype=np.int32)
    for number, text in enumerate(rows.get(name, ()), start=1):
        for start, stop in _runs(text, columns.size, f"{name} in {ref.paths[0]}"):
            columns[start:stop] = number
    return columns.reshape(width, height).T


def _tables(tree: Tree, layout: Layout) -> list[str]:
    missing = [key for key in ("table", "image_column", "mask_column") if not layout.options.get(key)]
    if missing:
        raise DatasetError(
            f"expected the options table, image_column and mask_column of the layout {layout.name!r},"
            f" but {', '.join(missing)} is missing"
        )
    pattern = Pattern(str(layout.options["table"]))
    return [path for path in tree.files if pattern.match(path) is not None]


def _images(tree: Tree, layout: Layout) -> dict[str, tuple[str, dict[str, str]]]:
    """By file name without its ending: path and what stands for the names of the pattern."""
    pattern = Pattern(layout.image)
    found = ((path, pattern.match(path)) for path in tree.files)
    return {
        path.rpartition("/")[2].rpartition(".")[0]: (path, names)
        for path, names in found
        if names is not None
    }


def _read(table: Path, image_column: str, mask_column: str) -> Rows:
    """The run lengths of each image, in the order of the rows; those without an object are empty.

    Raises:
        DatasetError: It cannot be read or has no such columns.
    """
    try:
        status = table.stat()
    except OSError as error:
        raise DatasetError(f"{table} cannot be read: {error.strerror or error}") from error
    return _parsed(table, image_column, mask_column, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _parsed(table: Path, image_column: str, mask_column: str, _changed: int, _size: int) -> Rows:
    rows: dict[str, list[str]] = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            titles = [title.strip() for title in next(reader, [])]
            if image_column not in titles or mask_column not in titles:
                raise DatasetError(
                    f"expected columns {image_column} and {mask_column} in {table}, got {', '.join(titles)}"
                )
            image_at, mask_at = titles.index(image_column), titles.index(mask_column)
            for row in reader:
                if len(row) <= max(image_at, mask_at):
                    continue
                text = row[mask_at].strip()
                held = rows.setdefault(row[image_at].strip(), [])
                if text not in ("", "-1"):
                    held.append(text)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read as a table: {error}") from error
    return {name: tuple(texts) for name, texts in rows.items()}


def _runs(text: str, size: int, where: str) -> list[tuple[int, int]]:
    """First and last + 1 of each run."""
    try:
        numbers = [int(part) for part in text.split()]
    except ValueError:
        numbers = [-1]
    if len(numbers) % 2 or min(numbers) < 0:
        raise ImageReadError(f"expected pairs of whole numbers from 0 for {where}, got {text[:40]!r}")
    ends = np.cumsum(numbers)
    if ends[-1] > size:
        raise ImageReadError(
            f"expected runs within {size} pixels for {where}, got up to {ends[-1]}",
            hint="the table belongs to images of another size",
        )
    return [(int(end) - length, int(end)) for end, length in zip(ends[1::2], numbers[1::2], strict=True)]
