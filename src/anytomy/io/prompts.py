"""The prompt file: JSON that says what is to be cut out.

    {"objects": [
        {"id": 1, "name": "liver", "box": [40, 60, 210, 190], "slice": 41, "z": [30, 60]},
        {"id": 2, "name": "cyst", "points": [[88, 120, 41, 1], [95, 140, 41, 0]]},
        {"id": 3, "mask": "guess.nii.gz", "mask_value": 3},
        {"id": 4, "name": "aorta", "boxes": {"20": [88, 91, 110, 112], "41": [90, 96, 111, 116]}}],
     "combine": ["healthy liver = liver - cyst"]}

Coordinates are 0-based pixels `x, y[, z]` of the file. A point is `[x, y, label]`, in a volume
`[x, y, z, label]` or, with `slice`, `[x, y, label]`; the label is 1 (object) or 0 (background). Boxes have
four or, in a volume, six numbers and exclusive ends; `"box_format"` (for the file or an object) says where
they come in another form: `xyxy-inclusive` or `xywh`. `"boxes"` has those of several key slices. A mask is a
file beside the JSON. `"combine"` makes objects of others (`anytomy.core.combination`); with an id of its own
one is written `{"name": "healthy liver", "expression": "liver - cyst", "id": 9}`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.combination import EXAMPLE, Combination
from anytomy.core.errors import AnytomyError, PromptError
from anytomy.core.prompt import Prompt
from anytomy.io.detect import stem

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX_FORMATS = ("xyxy", "xyxy-inclusive", "xywh")
_TOP_KEYS = ("objects", "box_format", "combine")
_KEYS = ("id", "name", "box", "boxes", "box_format", "points", "slice", "z", "mask", "mask_value")
_COMBINATION_KEYS = ("name", "expression", "id")
_EXAMPLE = 'write {"objects": [{"box": [x0, y0, x1, y1]}]}'


@dataclass(frozen=True)
class PromptFile:
    """What a prompt file asks for.

    Attributes:
        prompts: One per object in their order; `id` is None where the file gives none.
        combine: Objects to make of others.
    """

    prompts: list[Prompt]
    combine: list[Combination]


def read_prompts(path: Path, *, is_volume: bool) -> list[Prompt]:
    """The prompts of a JSON file, without its combinations; see `read_prompt_file`."""
    return read_prompt_file(path, is_volume=is_volume).prompts


def read_prompt_file(path: Path, *, is_volume: bool) -> PromptFile:
    """The prompts and combinations of a JSON file.

    Args:
        path: The file.
        is_volume: Whether they are for a volume; decides what the numbers of a point mean.

    Raises:
        PromptError: If the file is missing, no JSON, or an object is malformed; names file and object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PromptError(f"{path} is no text in UTF-8, expected a prompt file in JSON") from None
    except OSError as error:
        raise PromptError(f"cannot read the prompt file {path}: {error.strerror or error}") from None
    try:
        document = json.loads(text, object_pairs_hook=_without_twins)
    except json.JSONDecodeError as error:
        raise PromptError(
            f"{path} is no valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise PromptError(f"{path} is nested too deeply for a prompt file") from None
    except PromptError as error:
        raise PromptError(f"{path}: {error.message}", hint=error.hint) from None
    except ValueError as error:  # a number of thousands of digits
        raise PromptError(f"{path} cannot be used: {error}") from None
    return prompt_file_from_dict(document, is_volume=is_volume, folder=path.parent, source=str(path))


def prompts_from_dict(
    document: Any, *, is_volume: bool, folder: Path | None = None, source: str = "prompts"
) -> list[Prompt]:
    """The prompts of a parsed document, without its combinations; see `prompt_file_from_dict`."""
    return prompt_file_from_dict(document, is_volume=is_volume, folder=folder, source=source).prompts


def prompt_file_from_dict(
    document: Any, *, is_volume: bool, folder: Path | None = None, source: str = "prompts"
) -> PromptFile:
    """The prompts and combinations of a parsed document, as a server gets it.

    Args:
        document: What the JSON file holds.
        is_volume: As in `read_prompt_file`.
        folder: Where mask files lie; None refuses masks (never open files that a stranger names).
        source: What messages call the document.

    Raises:
        PromptError: As `read_prompt_file`.
    """
    objects = document.get("objects") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(objects, list):
        came = (
            f"no list 'objects' (keys: {', '.join(map(str, document)) or 'none'})"
            if isinstance(document, Mapping)
            else f"a {type(document).__name__}"
        )
        raise PromptError(f"{source}: expected an object with a list 'objects', got {came}", hint=_EXAMPLE)
    if not objects:
        raise PromptError(f"{source}: 'objects' is empty, expected at least one", hint=_EXAMPLE)
    try:
        _check_keys(document, _TOP_KEYS)
        box_format = _box_format(document.get("box_format", "xyxy"))
    except PromptError as error:
        raise PromptError(f"{source}: {error.message}", hint=error.hint) from None
    prompts: list[Prompt] = []
    seen: dict[int, int] = {}
    for number, entry in enumerate(objects, start=1):
        where = f"{source}, object {number} of {len(objects)}"
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            where += f" ({entry['name']})"
        try:
            prompt = _prompt(entry, box_format, is_volume=is_volume, folder=folder)
        except PromptError as error:
            raise PromptError(f"{where}: {error.message}", hint=error.hint) from None
        except OverflowError:
            raise PromptError(f"{where}: a number is too large") from None
        if prompt.id is not None and prompt.id in seen:
            raise PromptError(
                f"{where}: id {prompt.id} is already that of object {seen[prompt.id]}",
                hint="give each object its own id, or none to any of them",
            )
        if prompt.id is not None:
            seen[prompt.id] = number
        prompts.append(prompt)
    return PromptFile(prompts, _combinations(document.get("combine"), source))


def _combinations(entries: Any, source: str) -> list[Combination]:
    entries = [] if entries is None else entries
    if not isinstance(entries, list):
        raise PromptError(
            f"{source}: expected a list for 'combine', got {_short(entries)}", hint=f'write ["{EXAMPLE}"]'
        )
    found = []
    for number, entry in enumerate(entries, start=1):
        try:
            if isinstance(entry, Mapping):
                _check_keys(entry, _COMBINATION_KEYS)
                found.append(Combination(**{"name": None, "expression": None, **entry}))
            else:
                found.append(Combination.parse(entry))
        except PromptError as error:
            where = f"{source}, combination {number} of {len(entries)}"
            raise PromptError(f"{where}: {error.message}", hint=error.hint) from None
    return found


def _prompt(entry: Any, box_format: str, *, is_volume: bool, folder: Path | None) -> Prompt:
    if not isinstance(entry, Mapping):
        raise PromptError(f"expected an object with a box, points or a mask, got {_short(entry)}")
    _check_keys(entry, _KEYS)
    held = {key: value for key, value in entry.items() if value is not None}
    if not is_volume:
        for key in ("slice", "z", "boxes"):
            if key in held:
                raise PromptError(f"'{key}' is for volumes, and the image is 2D", hint="leave it out")
    if not isinstance(held.get("name", ""), str):
        raise PromptError(f"expected a text for 'name', got {_short(held['name'])}")
    if "mask_value" in held and "mask" not in held:
        raise PromptError("'mask_value' stands without 'mask'")
    box, mask = held.get("box"), None
    if box is not None:
        box = _converted(box, _box_format(held.get("box_format", box_format)))
    boxes = _key_boxes(held.get("boxes", {}), _box_format(held.get("box_format", box_format)))
    points, labels = _points(held.get("points", ()), is_volume=is_volume, in_slice="slice" in held)
    if "mask" in held:
        mask = _mask(held["mask"], held.get("mask_value"), folder)
    prompt = Prompt(
        box=box,
        points=points,
        labels=labels,
        mask=mask,
        slice=held.get("slice"),
        z=held.get("z"),
        id=held.get("id"),
        name=held.get("name") or None,
        boxes=boxes,
    )
    if not is_volume and prompt.box is not None and len(prompt.box) == 6:
        raise PromptError("a box of six numbers is for volumes, and the image is 2D", hint="give x0,y0,x1,y1")
    return prompt


def _key_boxes(values: Any, box_format: str) -> dict[int, Any]:
    """Boxes by slice; JSON has no keys but texts."""
    if not isinstance(values, Mapping) or not all(str(key).strip().isdigit() for key in values):
        raise PromptError(
            f"expected boxes by slice, got {_short(values)}", hint='write {"12": [x0, y0, x1, y1]}'
        )
    return {int(key): _converted(box, box_format) for key, box in values.items()}


def _points(
    values: Any, *, is_volume: bool, in_slice: bool
) -> tuple[tuple[tuple[Any, ...], ...], tuple[Any, ...]]:
    """Coordinates and labels of points that carry their label as last number."""
    axes, form = (2, "[x, y, label]") if in_slice or not is_volume else (3, "[x, y, z, label]")
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise PromptError(f"expected a list of points {form}, got {_short(values)}")
    for point in values:
        if not isinstance(point, Sequence) or isinstance(point, str):
            raise PromptError(f"expected points {form}, got {_short(point)}", hint="write a list of lists")
        if len(point) != axes + 1:
            hint = "the last number is 1 (object) or 0 (background)"
            if is_volume and not in_slice and len(point) == 3:
                hint += "; for [x, y, label] add the 'slice' that the points lie in"
            raise PromptError(f"expected points {form}, got {_short(point)}", hint=hint)
    return tuple(tuple(p[:axes]) for p in values), tuple(p[axes] for p in values)


def _converted(box: Any, box_format: str) -> Any:
    """A box with exclusive ends; what is no box at all is left for `Prompt` to refuse."""
    if box_format == "xyxy" or not isinstance(box, Sequence) or len(box) not in (4, 6):
        return box
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in box):
        return box
    half = len(box) // 2
    start, end = box[:half], box[half:]
    if box_format == "xyxy-inclusive":
        return [*start, *(v + 1 for v in end)]
    if min(end) <= 0:
        raise PromptError(f"expected a positive width and height in box {_short(box)} (box_format xywh)")
    return [*start, *(s + size for s, size in zip(start, end, strict=True))]


def _box_format(value: Any) -> str:
    if value not in BOX_FORMATS:
        raise PromptError(f"expected a box_format of {', '.join(BOX_FORMATS)}, got {_short(value)}")
    return str(value)


def _mask(name: Any, value: Any, folder: Path | None) -> NDArray[np.bool_]:
    if not isinstance(name, str) or not name:
        raise PromptError(f"expected the path of a file for 'mask', got {_short(name)}")
    if folder is None:
        raise PromptError("mask files are not allowed here")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise PromptError(f"expected a whole number for 'mask_value', got {_short(value)}")
    labels = _read_label_file(folder / name)
    mask: NDArray[np.bool_] = labels != 0 if value is None else labels == value
    if not mask.any():
        found = ", ".join(str(v) for v in np.unique(labels)[:8])
        looked = "a non-zero value" if value is None else f"the value {value}"
        raise PromptError(f"mask {folder / name} nowhere has {looked} (found: {found})")
    return mask


def _read_label_file(path: Path) -> NDArray[Any]:
    """Values `([z,] y, x)` of a mask or label map."""
    from anytomy.io.labels import read_labels

    try:
        values: NDArray[Any] = read_labels(path).array
        return values
    except OSError as error:
        raise PromptError(f"cannot read mask {path}: {error.strerror or error}") from None
    except AnytomyError as error:
        raise PromptError(f"cannot read mask: {error.message}", hint=error.hint) from None


def _check_keys(entry: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(str(key).lower(), known, n=1)
            guess = f"did you mean '{close[0]}'? " if close else ""
            raise PromptError(f"unknown key '{key}'", hint=f"{guess}known keys: {', '.join(known)}")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key stand twice and keeps the last; half of the prompt would be lost unseen."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise PromptError(f"key '{twin}' stands twice in one object")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


# -- writing -------------------------------------------------------------------------------------


def prompt_to_dict(prompt: Prompt, *, mask: str | None = None) -> dict[str, Any]:
    """An entry of `objects`, in the form `xyxy`; whole numbers are written as such.

    Args:
        prompt: The prompt.
        mask: Name of the file that holds its mask. Pixels do not go into JSON: without a name a mask is
            left out.
    """
    entry: dict[str, Any] = {}
    if prompt.id is not None:
        entry["id"] = prompt.id
    if prompt.name is not None:
        entry["name"] = prompt.name
    if prompt.box is not None:
        entry["box"] = [_plain(v) for v in prompt.box]
    if prompt.boxes:
        entry["boxes"] = {str(s): [_plain(v) for v in box] for s, box in prompt.boxes.items()}
    if prompt.points:
        pairs = zip(prompt.points, prompt.labels, strict=True)
        entry["points"] = [[*(_plain(v) for v in point), label] for point, label in pairs]
    if mask is not None:
        entry["mask"] = mask
    if prompt.slice is not None:
        entry["slice"] = prompt.slice
    if prompt.z is not None:
        entry["z"] = list(prompt.z)
    return entry


def combination_to_dict(combination: Combination) -> dict[str, Any]:
    """An entry of `combine`."""
    entry: dict[str, Any] = {} if combination.id is None else {"id": combination.id}
    return {**entry, "name": combination.name, "expression": combination.expression}


def write_prompts(path: Path, prompts: Sequence[Prompt], combine: Sequence[Combination] = ()) -> None:
    """Write a prompt file that `read_prompt_file` reads back.

    Masks go into files beside it, `STEM.mask-N.png` (or `.tif` for a volume), N counted from 1.

    Raises:
        OutputError: If it cannot be written.
    """
    from anytomy.io.atomic import atomic_path

    entries = []
    for number, prompt in enumerate(prompts, start=1):
        name = None if prompt.mask is None else _write_mask(path, number, prompt.mask)
        entries.append(prompt_to_dict(prompt, mask=name))
    text = f'{{"objects": {_list_of(entries)}'
    if combine:
        text += f', "combine": {_list_of([combination_to_dict(each) for each in combine])}'
    with atomic_path(path) as temporary:
        temporary.write_text(text + "}\n", encoding="utf-8")


def _list_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """JSON with one entry a line."""
    lines = ",\n    ".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"[\n    {lines}\n]"


def _write_mask(path: Path, number: int, mask: NDArray[np.bool_]) -> str:
    from anytomy.core.image import Image
    from anytomy.io import raster, tiff
    from anytomy.io.atomic import atomic_path

    flat = mask.ndim == 2
    target = path.with_name(f"{path.stem}.mask-{number}{'.png' if flat else '.tif'}")
    values = mask.astype(np.uint8)
    image = Image.from_array(values, is_volume=not flat)
    with atomic_path(target) as temporary:
        (raster if flat else tiff).write(temporary, values, image)
    return target.name


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


# -- finding -------------------------------------------------------------------------------------


def prompts_for(image_path: Path, prompts_dir: Path) -> Path:
    """The prompt file of an image in a folder of prompt files.

    `scan.nii.gz` has `scan.nii.gz.json` or `scan.json`; the longer name wins. A DICOM folder has its own
    name with `.json`.

    Raises:
        PromptError: If there is none; names what was looked for.
    """
    names = [image_path.name] if image_path.is_dir() else [image_path.name, stem(image_path)]
    candidates = [prompts_dir / f"{name}.json" for name in dict.fromkeys(names)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = " or ".join(c.name for c in candidates)
    raise PromptError(f"no prompts for {image_path}: looked for {looked} in {prompts_dir}")
