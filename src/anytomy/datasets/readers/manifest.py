"""Data sets that a table lists: a CSV file with a row for each image and mask, or a JSON list of them.

Options of the layout: `file` (the table's path below the data set's folder). Columns are found by their
titles: `image` and `mask`, and optionally `patient`, `case`, `structure`, `value`, `labels`, `modality` and
`split` (with the usual other names for each, see `SYNONYMS`). Paths are relative to the table's folder;
`scan.npz::imgs` names an array in a file. A mask may be a folder: one file for each object, or for each
slice of a DICOM series.
`labels` may be JSON: `{"liver": 1, "polyp": ">127", "cell": "instances", "nucleus": "one file each"}`.
Several rows may belong to one image. A file that is not there is an oddity, not a failure.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import DatasetError
from anytomy.core.structures import canonical
from anytomy.datasets.case import Case, ImageRef, MaskRef
from anytomy.datasets.layout import Target
from anytomy.datasets.tree import natural
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.finding import Found
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

SYNONYMS: dict[str, tuple[str, ...]] = {
    "image": (
        *("image", "img", "images", "imagepath", "imagefile", "imagefilename", "imagename", "imgpath"),
        *("scan", "volume", "input"),
    ),
    "mask": (
        *("mask", "masks", "maskpath", "maskfile", "maskfilename", "maskname", "label", "labelpath"),
        *("labelfile", "seg", "segpath", "segmentation", "segmentationpath", "segmentationfile", "gt"),
        *("groundtruth", "annotation", "annotationpath", "labelmap", "target"),
    ),
    "patient": ("patient", "patientid", "subject", "subjectid", "pid", "person"),
    "case": ("case", "caseid", "id", "name", "uid"),
    "structure": ("structure", "organ", "class", "classname", "labelname", "region", "object"),
    "value": ("value", "labelvalue", "pixelvalue"),
    "labels": ("labels", "classes", "values"),
    "modality": ("modality", "imagemodality"),
    "split": ("split", "set", "fold", "subset", "partition", "phase"),
}
_SPLITS = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "testing": "test",
    "dev": "validation",
}
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class Row:
    """One row: texts by what they are, and its number for messages."""

    number: int
    cells: Mapping[str, str]

    def get(self, name: str) -> str:
        """A cell, or ""."""
        return self.cells.get(name, "").strip()


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """See `DatasetReader`."""
    from anytomy.datasets.finding import Found

    table = layout.options.get("file")
    if not isinstance(table, str) or not table:
        raise DatasetError(
            f"expected the option file (a CSV or JSON) of {layout.name!r} in {card.source}, got none"
        )
    path = tree.path(table)
    cases: dict[tuple[str, ...], dict[str, Any]] = {}
    oddities: list[str] = []
    targets = card.targets_of(layout)
    for row in rows_of(path):
        try:
            _add(cases, row, path.parent, targets, layout)
        except DatasetError as error:
            oddities.append(f"{table}, row {row.number}: {error.message}")
    built = tuple(_case(card, layout, facts) for facts in cases.values() if facts["masks"])
    lone = tuple(_relative(tree, facts["image"].path) for facts in cases.values() if not facts["masks"])
    return Found(built, tuple(oddities), lone)


def rows_of(path: Path) -> list[Row]:
    """The rows of a CSV, TSV or JSON file.

    Raises:
        DatasetError: It cannot be read, or has no columns for images and masks.
    """
    if ending(path) == ".json":
        return _json_rows(path)
    titles, rows = read_table(path)
    columns = columns_of(titles)
    if "image" not in columns or "mask" not in columns:
        raise DatasetError(
            f"expected columns image and mask in {path}, got {', '.join(titles) or 'none'}",
            hint="name them so in its first row",
        )
    return [
        Row(number, {name: row[at] for name, at in columns.items() if at < len(row)})
        for number, row in enumerate(rows, start=2)
        if any(cell.strip() for cell in row)
    ]


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of a table with commas, semicolons or tabs.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        first = text.split("\n", 1)[0]
        separator = max(",;\t", key=first.count)
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a table: {error}") from error
    return ([title.strip() for title in rows[0]], rows[1:]) if rows else ([], [])


def columns_of(titles: list[str]) -> dict[str, int]:
    """Which column holds what."""
    plain = [re.sub(r"[^a-z]", "", title.lower()) for title in titles]
    found = {}
    for name, known in SYNONYMS.items():
        places = [plain.index(word) for word in known if word in plain]
        if places:
            found[name] = places[0]
    return found


def document_rows(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Image, mask and split of each entry of a Decathlon-like list or of nnU-Net's explicit one."""
    found = []
    for section, split in (
        ("training", "train"),
        ("validation", "validation"),
        ("testing", "test"),
        ("test", "test"),
    ):
        for entry in document.get(section) or ():
            if isinstance(entry, Mapping):
                found.append(
                    (_path(entry, "image"), _path(entry, "mask"), split if _path(entry, "mask") else "")
                )
    explicit = document.get("dataset")
    if isinstance(explicit, Mapping):
        for entry in explicit.values():
            if isinstance(entry, Mapping):
                found.append((_path(entry, "image"), _path(entry, "mask"), "train"))
    return [row for row in found if row[0]]


def _path(entry: Mapping[str, Any], name: str) -> str:
    for key, value in entry.items():
        if re.sub(r"[^a-z]", "", str(key).lower()) in SYNONYMS[name]:
            value = value[0] if isinstance(value, list) and value else value
            return value if isinstance(value, str) else ""
    return ""


def _json_rows(path: Path) -> list[Row]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if isinstance(document, list):
        document = {"training": document}
    found = document_rows(document) if isinstance(document, Mapping) else []
    if not found:
        raise DatasetError(f"expected a list of images and masks in {path}, got none")
    return [
        Row(number, {"image": image, "mask": mask, "split": split})
        for number, (image, mask, split) in enumerate(found, start=1)
    ]


def _add(
    cases: dict[tuple[str, ...], dict[str, Any]],
    row: Row,
    folder: Path,
    targets: tuple[Target, ...],
    layout: Layout,
) -> None:
    """Add what a row says to the case of its image."""
    if not row.get("image"):
        raise DatasetError("no image is named")
    path, key = _place(folder, row.get("image"))
    if not path.exists():
        raise DatasetError(f"the image {row.get('image')} is not there")
    facts = cases.setdefault(
        (str(path), key),
        {"image": ImageRef(path, key=key, time=layout.time), "row": row, "masks": [], "split": ""},
    )
    if not row.get("mask"):
        return
    mask, mask_key = _place(folder, row.get("mask"))
    if not mask.exists():
        raise DatasetError(f"the mask {row.get('mask')} is not there")
    for target in _targets(row, targets):
        facts["masks"].append(_mask_ref(target, mask, mask_key, is_series=path.is_dir()))


def _place(folder: Path, text: str) -> tuple[Path, str]:
    name, _, key = text.replace("\\", "/").partition("::")
    return folder / name, key


def _targets(row: Row, given: tuple[Target, ...]) -> tuple[Target, ...]:
    """What a row's mask marks: by its own cells, else by the card."""
    labels = row.get("labels")
    if labels.startswith("{"):
        return tuple(_of_json(row, labels))
    structure = row.get("structure") or ("" if labels.startswith("[") else labels)
    if structure:
        value = row.get("value")
        if value:
            return (_target(structure, int(value) if value.lstrip("-").isdigit() else value),)
        return (Target(canonical(structure), above=0),)
    return given or (Target("foreground", above=0),)


def _of_json(row: Row, text: str) -> Iterator[Target]:
    try:
        said = json.loads(text)
    except ValueError:
        raise DatasetError(f"its labels are no JSON: {text[:60]}") from None
    if not said:
        # All that is not background, without a name.
        yield Target(canonical(row.get("structure") or "foreground"), above=0)
    for name, value in said.items():
        yield _target(str(name), value)


def _target(name: str, value: Any) -> Target:
    structure = canonical(name)
    if isinstance(value, bool) or value is None:
        raise DatasetError(f'expected a value, a list, ">NUMBER" or "instances" for {name}, got {value}')
    if isinstance(value, list):
        return Target(structure, values=tuple(int(v) for v in value))
    if isinstance(value, int | float):
        return Target(structure, values=(int(value),))
    text = str(value).strip().lower()
    above = re.fullmatch(r">\s*(\d+(?:\.\d+)?)", text)
    if above:
        return Target(structure, above=float(above[1]))
    channel = re.match(r"channel (\d+)", text)
    if channel:
        return Target(structure, above=0, channel=int(channel[1]))
    colour = re.fullmatch(r"(\d+)[, ]+(\d+)[, ]+(\d+)", text)
    if colour:
        return Target(structure, colour=(int(colour[1]), int(colour[2]), int(colour[3])))
    if text in ("instances", "one file each", "objects", "files"):
        return Target(structure, objects="instances")
    raise DatasetError(f'expected a value, ">NUMBER", "R,G,B" or "instances" for {name}, got {value!r}')


def _mask_ref(target: Target, path: Path, key: str, *, is_series: bool) -> MaskRef:
    if not path.is_dir():
        return MaskRef(target, (path,), key=key)
    files = sorted(
        (p for p in path.iterdir() if p.is_file() and p.name[0] != "."), key=lambda p: natural(p.name)
    )
    pictures = tuple(p for p in files if ending(p) in _PICTURES) or tuple(files)
    if not pictures:
        raise DatasetError(f"the folder of masks {path} is empty")
    return MaskRef(target, pictures, "slices" if is_series else "files")


def _case(card: DatasetCard, layout: Layout, facts: Mapping[str, Any]) -> Case:
    row: Row = facts["row"]
    image: ImageRef = facts["image"]
    stem = image.path.name[: len(image.path.name) - len(ending(image.path))]
    split = row.get("split").lower()
    name = row.get("case") or stem
    return Case(
        dataset=card.id,
        id=name,
        patient=row.get("patient") or name,
        image=image,
        masks=tuple(facts["masks"]),
        modality=row.get("modality")
        or layout.modality
        or (card.modality[0] if len(card.modality) == 1 else ""),
        split=_SPLITS.get(split, split) or layout.split,
    )


def _relative(tree: Tree, path: Path) -> str:
    return path.relative_to(tree.root).as_posix() if path.is_relative_to(tree.root) else str(path)
