"""What values and colours mean, where a file beside the images says it (`names_in`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anytomy.core.errors import DatasetError
from anytomy.datasets.readers.manifest import read_table
from anytomy.datasets.recognising.files import READABLE, File
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.tree import Tree

_FILES = re.compile(
    r"(?:.*[_\-])?"
    r"(?:labels?|classes|class_?names?|label_?names?|label_?map|class_dict|colou?r_?map|palette|lut|legend|dseg"
    r"|label_?list|label_?def\w*|dataset|id2label|categories)"
    r"\.(?:json|txt|csv|tsv|lut|label)",
    re.IGNORECASE,
)
_LARGEST = 1 << 20
_BACKGROUNDS = frozenset(
    {"background", "clear label", "unlabelled", "unlabeled", "unknown", "none", "bg", "void"}
)
Names = dict[Any, str]


def names_in(inventory: Inventory) -> tuple[Names, str]:
    """Names by value or colour, and the file that says them; nothing if there is none.

    Known are JSON (name to value, value to name, a list), lines of text (`1 liver`, or one name a line),
    tables with a column of names, and ITK-SNAP's label descriptions.
    """
    found = [path for path in inventory.tree.files if _FILES.fullmatch(path.split("/")[-1])]
    for path in sorted(found, key=lambda p: (p.count("/"), p))[:10]:
        try:
            if inventory.tree.path(path).stat().st_size > _LARGEST:
                continue
            names = _read(inventory.tree, path)
        except (OSError, ValueError, DatasetError):
            continue
        if names:
            return names, path
    return {}, ""


def _read(tree: Tree, path: str) -> Names:
    low = path.lower()
    if low.endswith(".json"):
        return _of_json(json.loads(tree.path(path).read_text(encoding="utf-8-sig")))
    if low.endswith((".csv", ".tsv")):
        return _of_table(*read_table(tree.path(path)))
    return _of_lines(tree.path(path).read_text(encoding="utf-8-sig", errors="replace").splitlines())


def _of_json(value: Any) -> Names:
    if isinstance(value, Mapping):
        for key in ("labels", "label", "classes", "categories", "id2label", "label_names", "names"):
            if isinstance(value.get(key), Mapping | list):
                return _of_json(value[key])
        names: Names = {}
        for left, right in value.items():
            if _whole(left) is not None and isinstance(right, str):
                names[_whole(left)] = right
            elif isinstance(right, list) and len(right) == 3 and all(_whole(v) is not None for v in right):
                names[tuple(int(v) for v in right)] = str(left)
            elif _whole(right) is not None:
                names[_whole(right)] = str(left)
        return _kept(names) if len(names) == len(value) else {}
    if isinstance(value, list):
        return _of_list(value)
    return {}


def _of_list(items: Sequence[Any]) -> Names:
    if items and all(isinstance(item, str) for item in items):
        start = 0 if items[0].strip().lower() in _BACKGROUNDS else 1
        return _kept(dict(enumerate(items, start=start)))
    names: Names = {}
    for item in items:
        if not isinstance(item, Mapping):
            return {}
        name = next(
            (item[k] for k in ("name", "label", "title", "class") if isinstance(item.get(k), str)), ""
        )
        value = next(
            (item[k] for k in ("id", "value", "index", "label_value") if _whole(item.get(k)) is not None),
            None,
        )
        colour = next((item[k] for k in ("color", "colour", "rgb") if isinstance(item.get(k), list)), None)
        if name and value is not None:
            names[_whole(value)] = name
        elif name and colour and len(colour) >= 3:
            names[tuple(int(v) for v in colour[:3])] = name
    return _kept(names)


def _of_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Names:
    low = [title.lower() for title in titles]
    name_at = next(
        (low.index(t) for t in ("name", "label", "class", "structure", "organ", "label_name") if t in low),
        None,
    )
    red, green, blue = (
        next((low.index(t) for t in (c, c[0]) if t in low), None) for c in ("red", "green", "blue")
    )
    value_at = next(
        (low.index(t) for t in ("value", "index", "id", "label_value", "label_id", "no") if t in low), None
    )
    if name_at is None or (value_at is None and None in (red, green, blue)):
        return {}
    names: Names = {}
    for row in rows:
        if len(row) < len(titles):
            continue
        if value_at is not None:
            value: Any = _whole(row[value_at])
        else:
            parts = [_whole(row[at]) for at in (red, green, blue) if at is not None]
            value = tuple(parts) if len(parts) == 3 and None not in parts else None
        if value is not None:
            names[value] = row[name_at].strip()
    return _kept(names)


def _of_lines(lines: Sequence[str]) -> Names:
    texts = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(("#", "//"))]
    snap = [re.fullmatch(r'(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+\d\s+\d\s+"(.*)"', text) for text in texts]
    if texts and all(snap):
        return _kept({int(m[1]): m[2] for m in snap if m})
    numbered = [re.fullmatch(r"(\d+)\s*[:=,;\t ]\s*([^\d\s].*)", text) for text in texts]
    if texts and all(numbered):
        return _kept({int(m[1]): m[2].strip() for m in numbered if m})
    ended = [re.fullmatch(r"([^\d].*?)\s*[:=,;\t ]\s*(\d+)", text) for text in texts]
    if texts and all(ended):
        return _kept({int(m[2]): m[1].strip() for m in ended if m})
    plain = all(re.fullmatch(r"[A-Za-z][\w \-+/().]{0,60}", text) for text in texts)
    return _of_list(texts) if texts and plain and len(texts) <= 300 else {}


def _kept(names: Names) -> Names:
    """Without the background; nothing where this is a list of images rather than of classes."""
    texts = [n.strip().lower() for n in names.values()]
    if len(set(texts)) < len(texts) or any(File.of(text).kind in READABLE for text in texts):
        return {}
    return {
        v: n.strip()
        for v, n in names.items()
        if v not in (0, (0, 0, 0)) and n.strip() and n.strip().lower() not in _BACKGROUNDS
    }


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*\d+\s*", value) else None
