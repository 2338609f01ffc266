"""Folders with a `dataset.json`: nnU-Net's raw format (both versions) and the Decathlon's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from anytomy.core.errors import DatasetError
from anytomy.datasets.layout import Layout, Target
from anytomy.datasets.readers.manifest import document_rows
from anytomy.datasets.recognising.emitting import literal
from anytomy.datasets.recognising.files import READABLE, File
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.looking import has_frames
from anytomy.datasets.recognising.sketch import Draft, Sketch
from anytomy.datasets.tree import Tree

_MODALITIES = {
    "ct": "CT", "cta": "CT", "cbct": "CT", "mri": "MR", "mr": "MR", "t1": "MR", "t2": "MR", "t1w": "MR",
    "t2w": "MR", "t1ce": "MR", "t1gd": "MR", "t1c": "MR", "flair": "MR", "adc": "MR", "dwi": "MR",
    "pet": "PT", "us": "US", "ultrasound": "US", "xray": "X-ray", "x-ray": "X-ray",
}  # fmt: skip


def nnunet(inventory: Inventory) -> Draft | None:
    """`imagesTr/CASE_0000.nii.gz` and `labelsTr/CASE.nii.gz`."""
    tree = inventory.tree
    first = [File.of(p) for p in tree.files if _in(p, "imagestr") and File.of(p).stem.endswith("_0000")]
    first = [f for f in first if f.kind in READABLE]
    labelled = {p.lower() for p in tree.files if _in(p, "labelstr")}
    if not first or not labelled:
        return None
    ending = Counter(f.ending for f in first).most_common(1)[0][0]
    label_ending = Counter(File.of(p).ending for p in tree.files if _in(p, "labelstr")).most_common(1)[0][0]
    where = next((p for p in tree.files if p.split("/")[-1].lower() == "dataset.json"), None)
    said: list[str] = []
    odd: list[str] = []
    targets: tuple[Target, ...] = ()
    modality = ""
    document = read_document(tree, where) if where else {}
    if document:
        channels = document.get("channel_names", document.get("modality", {}))
        channels = channels if isinstance(channels, Mapping) else {}
        names = [str(v) for _, v in sorted(channels.items(), key=lambda item: str(item[0]))]
        if len(names) > 1:
            said.append(
                f"images have {len(names)} channels ({', '.join(names)}): channel 0 ({names[0]}) is the"
                " image; name another one (_0001) in the card to use it"
            )
        modality = modality_in(names[:1])
        targets, more = _targets(document)
        odd += more
        said.append(f"dataset.json names {', '.join(t.structure for t in targets) or 'no labels'}")
    elif any(File.of(p).stem.endswith("_0001") for p in tree.files if _in(p, "imagestr")):
        said.append(
            "images have several channels: channel 0 is the image; name another one in the card to use it"
        )
    layouts = [("Tr", "train")]
    if any(_in(p, "labelsts") for p in tree.files):
        layouts.append(("Ts", "test"))
    sketches = tuple(
        Sketch(
            Layout(
                name=f"nnunet {split}",
                image=f"images{part}/{{case}}_0000{literal(ending)}",
                masks={"mask": f"labels{part}/{{case}}{literal(label_ending)}"},
                targets=targets,
                case="{case}",
                split=split,
                documented=False,
            )
        )
        for part, split in layouts
    )
    return Draft("nnunet", sketches, tuple(said), tuple(odd), modality=modality, settled=True)


def decathlon(inventory: Inventory) -> Draft | None:
    """`dataset.json` with a list of images and labels."""
    tree = inventory.tree
    where = next((p for p in tree.files if p.split("/")[-1].lower() == "dataset.json"), None)
    document = read_document(tree, where) if where else {}
    if where is None or not document:
        return None
    rows = document_rows(document)
    folder = where.rpartition("/")[0]
    listed = [(_below(folder, image), _below(folder, mask), split) for image, mask, split in rows if mask]
    present = set(tree.files)
    there = [row for row in listed if row[0] in present and row[1] in present]
    if not there:
        return None
    targets, odd = _targets(document)
    channels = document.get("modality", document.get("channel_names", {}))
    names = [str(v) for v in channels.values()] if isinstance(channels, Mapping) else [str(channels)]
    said = [f"{where} lists {len(there)} images with labels"]
    if targets:
        said.append(f"it names {', '.join(t.structure for t in targets)}")
    if len(there) < len(listed):
        odd.append(f"{where} lists {len(listed) - len(there)} pairs whose files are not there")
    time = 0 if any(has_frames(tree.path(image)) for image, _, _ in there[:8]) else None
    if time is not None:
        shown = f" ({names[0]} of {', '.join(names)})" if len(names) > 1 else ""
        said.append(
            f"images hold several volumes: number 0{shown} is taken; `time` in the card takes another one"
        )
    layouts = _by_folders(there, targets, time)
    if not layouts:
        options = {"file": where}
        layouts = (
            Layout(
                name="decathlon", image=where, reader="manifest", options=options, targets=targets, time=time,
                documented=False,
            ),
        )  # fmt: skip
    sketches = tuple(Sketch(layout) for layout in layouts)
    return Draft("decathlon", sketches, tuple(said), tuple(odd), modality=modality_in(names), settled=True)


def _by_folders(
    rows: Sequence[tuple[str, str, str]], targets: tuple[Target, ...], time: int | None
) -> tuple[Layout, ...]:
    """Patterns, where each label has its image's name; else none."""
    found: dict[tuple[str, ...], Layout] = {}
    for image, mask, split in rows:
        a, b = File.of(image), File.of(mask)
        if a.stem.lower() != b.stem.lower():
            return ()
        key = ("/".join(a.folder), a.ending, "/".join(b.folder), b.ending, split)
        if key not in found:
            found[key] = Layout(
                name=f"decathlon {split}".strip(),
                image=f"{literal(key[0])}/{{case}}{literal(a.ending)}".lstrip("/"),
                masks={"mask": f"{literal(key[2])}/{{case}}{literal(b.ending)}".lstrip("/")},
                targets=targets,
                case="{case}",
                split=split,
                time=time,
                documented=False,
            )
    return tuple(found.values()) if len(found) <= 4 else ()


def _targets(document: Mapping[str, Any]) -> tuple[tuple[Target, ...], list[str]]:
    """Targets of `labels`: name to value, value to name, or name to a list of values (regions)."""
    labels = document.get("labels")
    if not isinstance(labels, Mapping):
        return (), []
    found, odd = [], []
    for left, right in labels.items():
        name, value = (right, left) if _is_number(left) and isinstance(right, str) else (left, right)
        values = (
            [int(v) for v in value] if isinstance(value, list) else [int(value)] if _is_number(value) else []
        )
        low = str(name).strip().lower()
        if low == "ignore":
            odd.append(f"value {', '.join(map(str, values))} is to be ignored: it counts as background here")
        elif low != "background" and values and values != [0]:
            found.append(Target(str(name).strip(), values=tuple(values)))
    return tuple(found), odd


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.strip().isdigit())


def modality_in(names: Sequence[str]) -> str:
    """The modality that all names of channels agree on, or ""."""
    said = {_MODALITIES.get(name.strip().lower(), "") for name in names}
    return said.pop() if len(said) == 1 else ""


def read_document(tree: Tree, where: str) -> Mapping[str, Any]:
    """A JSON object from a file of the tree.

    Raises:
        DatasetError: If it cannot be read or is no object.
    """
    path = tree.path(where)
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"expected {path} to describe the data set, but it cannot be read: {error}",
            hint="correct the file or remove it",
        ) from error
    return document if isinstance(document, Mapping) else {}


def _in(path: str, folder: str) -> bool:
    parts = path.lower().split("/")
    return len(parts) > 1 and parts[-2] == folder


def _below(folder: str, path: str) -> str:
    parts = [part for part in f"{folder}/{path}".replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts)
