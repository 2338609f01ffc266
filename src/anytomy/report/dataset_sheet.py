"""Cases of a data set with their labels on one picture: `dataset_sheet`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, DatasetError
from anytomy.core.intensity import choose_policy
from anytomy.core.view import SliceView
from anytomy.report.draw import FAINT, INK, PAPER, Canvas, Colour, colour_of, fitted, font, legend, resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset

_WIDTH = 1440
_MARGIN = 12
_GAP = 10
_HEADER = 64
_CAPTION = 24
_POLICIES = {"CT": "ct:soft", "8-bit": "none", "default": "percentile:0.5,99.5"}
_LUNG_WORDS = ("lung", "airway", "trachea", "bronch", "covid", "pulmonary nodule", "pneumonia")
# Pictures whose brightest parts are darker than this are shown brighter, and it is said.
_DARK = 90


@dataclass(frozen=True)
class Tile:
    """One case as it is shown.

    Attributes:
        name: The case's id.
        picture: uint8 `(row, column, 3)`.
        labels: For each structure in it a label map of the picture's size, one value per object.
        aspect: Height of a pixel in widths of it.
        note: Which slice, and what else is to be said.
        fault: Why the case cannot be shown; empty where it can.
    """

    name: str
    picture: NDArray[np.uint8] = field(default_factory=lambda: np.full((1, 1, 3), PAPER, np.uint8))
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    aspect: float = 1.0
    note: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Sheet:
    """The picture and what is on it.

    Attributes:
        picture: uint8 RGB.
        tiles: The cases, in order.
    """

    picture: NDArray[np.uint8]
    tiles: tuple[Tile, ...]


def dataset_sheet(
    dataset: Dataset,
    *,
    count: int = 12,
    structures: Sequence[str] = (),
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sheet:
    """Cases spread over a data set, each in the slice where most is labelled, labels in colour.

    Args:
        dataset: It is on this machine.
        count: Number of cases at most.
        structures: Show only these, and only cases that have labels of them; all where empty.
        seed: Choose cases at random by this number; evenly spaced in the data set's order by default.
        progress: Called as `progress(done, total)` after each case.

    Raises:
        DatasetError: No case has labels of these structures, or none can be read.
    """
    cases = spread_cases(dataset.cases, count, structures=structures, seed=seed)
    tiles: list[Tile] = []
    for number, case in enumerate(cases, start=1):
        try:
            tiles.append(tile_of(case, structures=structures))
        except AnytomyError as error:
            tiles.append(Tile(case.id, fault=error.message))
        if progress is not None:
            progress(number, len(cases))
    if all(tile.fault for tile in tiles):
        raise DatasetError(f"none of {len(tiles)} cases of {dataset.card.id} can be read: {tiles[0].fault}")
    shown = {name for tile in tiles for name in tile.labels}
    order = [name for name in dataset.structures if name in shown]
    return Sheet(
        draw_sheet(dataset.card.title, _facts(dataset, len(tiles), len(order)), tiles, order), tuple(tiles)
    )


def spread_cases(
    cases: Sequence[Case], count: int, *, structures: Sequence[str] = (), seed: int | None = None
) -> list[Case]:
    """Cases in their order: evenly spaced, or drawn at random.

    Raises:
        DatasetError: None has labels of these structures.
    """
    having = [case for case in cases if not structures or set(case.structures) & set(structures)]
    if not having:
        known = ", ".join(dict.fromkeys(s for case in cases for s in case.structures))
        raise DatasetError(
            f"expected cases with labels of {' or '.join(structures)}, but there are none",
            hint=f"labelled are {known or 'none'}",
        )
    count = min(count, len(having))
    if seed is not None:
        return [having[i] for i in sorted(random.Random(seed).sample(range(len(having)), count))]
    return [having[int((i + 0.5) * len(having) / count)] for i in range(count)]


# -- one case ------------------------------------------------------------------------------------


def tile_of(case: Case, *, structures: Sequence[str] = ()) -> Tile:
    """The slice of a case in which most is labelled, as a radiologist would look at it.

    Raises:
        AnytomyError: Its image or its labels cannot be read.
    """
    image, found = case.load()
    labels = {name: map_ for name, map_ in found.items() if not structures or name in structures}
    view = SliceView.canonical(image.geometry)
    shown = {name: view.apply(map_ if image.is_volume else map_[None]) for name, map_ in labels.items()}
    index, labelled = _fullest(list(shown.values()), view.size[2])
    plane = view.apply(image.volume)[index]
    planes = {name: map_[index] for name, map_ in shown.items() if map_[index].any()}
    levels, brightened = _levels(image, plane, list(labels))
    spacing = image.geometry.spacing_xyz_mm
    aspect = spacing[view.axes[1]] / spacing[view.axes[0]] if image.has_place else 1.0
    window, zoomed = _window(planes, aspect, 1 / 4 if image.is_volume else 1 / 6)
    notes = [f"{'xyz'[view.axes[2]]} {view.slice_to_view(index)}"] if image.is_volume else []
    objects = sum(len(np.unique(map_)) - int((map_ == 0).any()) for map_ in planes.values())
    notes += [f"{objects} objects"] if objects > len(planes) else []
    notes += ["zoomed in"] if zoomed else []
    notes += ["brightened"] if brightened else []
    notes += [] if labelled else ["nothing labelled"]
    return Tile(
        case.id,
        levels[window],
        {name: map_[window].astype(np.int32) for name, map_ in planes.items()},
        aspect,
        ", ".join(notes),
    )


def _fullest(maps: Sequence[NDArray[Any]], count: int) -> tuple[int, int]:
    """The slice where most is labelled and how much; the middle one where nothing is."""
    totals = np.zeros(count, dtype=np.int64)
    for map_ in maps:
        totals += np.array([np.count_nonzero(plane) for plane in map_], dtype=np.int64)
    index = int(totals.argmax()) if totals.any() else count // 2
    return index, int(totals[index])


def _levels(image: Image, plane: NDArray[Any], structures: Sequence[str]) -> tuple[NDArray[np.uint8], bool]:
    """Grey levels or colours of one slice, `(row, column, 3)`, and whether they were made brighter."""
    policies = dict(_POLICIES)
    if structures and all(any(word in name for word in _LUNG_WORDS) for name in structures):
        policies["CT"] = "ct:lung"
    levels = choose_policy(image, policies).policy.fit(image).apply(plane)
    bright = float(np.percentile(levels, 99.8))
    brightened = 0 < bright < _DARK
    if brightened:
        levels = (levels.astype(np.float32) * (230 / bright)).clip(0, 255).astype(np.uint8)
    return (np.repeat(levels[..., None], 3, axis=2) if levels.ndim == 2 else levels), brightened


def _window(
    planes: Mapping[str, NDArray[Any]], aspect: float, small: float
) -> tuple[tuple[slice, slice], bool]:
    """The part that is shown, and whether it is less than the whole.

    That is so where all that is labelled extends over less than the part `small` of the picture.
    """
    everything = slice(None), slice(None)
    if not planes:
        return everything, False
    inside = np.any([map_ != 0 for map_ in planes.values()], axis=0)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    step = np.array([aspect, 1.0])  # of a row and of a column
    full = np.array(inside.shape)
    low = np.array([rows[0], columns[0]])
    high = np.array([rows[-1] + 1, columns[-1] + 1])
    extent, whole = float(((high - low) * step).max()), float((full * step).max())
    if extent > whole * small:
        return everything, False
    # Three times as large as what is labelled and a quarter of the picture at least: one sees where it is.
    size = np.minimum(np.ceil(max(3 * extent, whole / 4) / step), full).astype(int)
    start = np.clip((low + high - size) // 2, 0, full - size)
    stop = start + size
    return (slice(int(start[0]), int(stop[0])), slice(int(start[1]), int(stop[1]))), True


# -- the sheet -----------------------------------------------------------------------------------


def draw_sheet(title: str, facts: str, tiles: Sequence[Tile], structures: Sequence[str]) -> NDArray[np.uint8]:
    """Tiles in rows below a title, and a legend of the structures that are on them."""
    colours = {name: colour_of(number) for number, name in enumerate(structures)}
    columns, width, height = _layout(tiles)
    rows = math.ceil(len(tiles) / columns)
    full = max(2 * _MARGIN + columns * (width + _GAP) - _GAP, 720)
    body = np.full((_HEADER + rows * (height + _CAPTION + _GAP), full, 3), PAPER, np.uint8)
    sheet = Canvas(body)
    sheet.text(fitted(title, full - 2 * _MARGIN, 22), (_MARGIN, 8), size=22)
    sheet.text(fitted(facts, full - 2 * _MARGIN, 14), (_MARGIN, 37), size=14, colour=FAINT)
    picture = sheet.array
    for number, tile in enumerate(tiles):
        top = _HEADER + number // columns * (height + _CAPTION + _GAP)
        left = _MARGIN + number % columns * (width + _GAP)
        drawn = _draw_tile(tile, width, height, colours)
        picture[top : top + height + _CAPTION, left : left + width] = drawn
    strip = legend(list(colours.items()), full - 2 * _MARGIN + 16)
    framed = np.full((len(strip) + 8, full, 3), PAPER, np.uint8)
    framed[: len(strip), _MARGIN - 8 : _MARGIN - 8 + strip.shape[1]] = strip
    return np.concatenate([picture, framed])


def _layout(tiles: Sequence[Tile]) -> tuple[int, int, int]:
    """Columns, and width and height of the frame that each picture is fitted into."""
    shapes = [tile.picture.shape[0] * tile.aspect / tile.picture.shape[1] for tile in tiles if not tile.fault]
    high = float(np.clip(np.median(shapes), 0.5, 1.6))
    columns = len(tiles) if len(tiles) <= 3 else round(math.sqrt(len(tiles) * 2.2 * high))
    # Rows as full as can be: 12 pictures are 4 + 4 + 4, not 5 + 5 + 2.
    columns = math.ceil(len(tiles) / math.ceil(len(tiles) / columns))
    width = min((_WIDTH - 2 * _MARGIN - _GAP * (columns - 1)) / columns, 640.0, 800.0 / high)
    return columns, round(width), round(width * high)


def _draw_tile(tile: Tile, width: int, height: int, colours: Mapping[str, Colour]) -> NDArray[np.uint8]:
    """The picture above its name."""
    frame = np.full((height + _CAPTION, width, 3), PAPER, np.uint8)
    rows, columns = tile.picture.shape[0] * tile.aspect, tile.picture.shape[1]
    scale = min(height / rows, width / columns)
    tall, wide = max(1, round(rows * scale)), max(1, round(columns * scale))
    canvas = Canvas(resized(tile.picture, tall, wide, smooth=True), stroke=1 if wide < 400 else 2)
    # The small ones on top, so that a tumour shows in its kidney.
    for name in sorted(tile.labels, key=lambda n: -int(np.count_nonzero(tile.labels[n]))):
        canvas.mask(resized(tile.labels[name], tall, wide), colours[name], alpha=0.25)
    top, left = height - tall, (width - wide) // 2
    frame[top : top + tall, left : left + wide] = canvas.array
    whole = Canvas(frame)
    if tile.fault:
        for number, line in enumerate(_lines(tile.fault, width - 20)):
            whole.text(line, (10, height / 2 - 30 + 18 * number), size=13, colour=FAINT)
    note = fitted(tile.note, width * 0.6, 13)
    room = width - font(13).getlength(note) - 14
    whole.text(fitted(tile.name, room, 14), (0, height + 4), size=14, colour=INK)
    whole.text(note, (width, height + 5), size=13, colour=FAINT, anchor="ra")
    return whole.array


def _lines(text: str, width: float, most: int = 4) -> list[str]:
    """A text broken into lines that are not wider than `width`."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(13).getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [fitted(line, width, 13) for line in lines[:most]]


def _facts(dataset: Dataset, shown: int, structures: int) -> str:
    cases, patients, labelled = len(dataset), len(dataset.patients), len(dataset.structures)
    card = dataset.card
    facts = [
        f"{shown} of {cases} case{'s' * (cases > 1)}"
        + (f" of {patients} patient{'s' * (patients > 1)}" if patients != cases else ""),
        " ".join(filter(None, (", ".join(card.modality), card.anatomy))),
        f"{structures} of " * (structures < labelled) + f"{labelled} structures" if labelled > 1 else "",
        card.licence and f"licence {card.licence}",
    ]
    return "   |   ".join(fact for fact in facts if fact)
