"""Open the cases of a data set and say what is wrong with them: `check_cases`."""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, GeometryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case, MaskRef
    from anytomy.datasets.dataset import Dataset

__all__ = ["KINDS", "Finding", "check_cases", "summarise", "unnamed_values"]

# What can be wrong, and how it is called when several cases have it.
KINDS = {
    "unreadable image": "images cannot be read",
    "unreadable mask": "masks cannot be read",
    "shape": "masks have another shape than their images",
    "position": "masks lie elsewhere than their images",
    "values": "masks hold values that no label names",
    "empty": "masks are empty",
    "duplicate": "images are the same as others",
    "split": "patients are in several splits of the publisher",
    "name": "images have the same name as others",
    "lone image": "images have no mask",
    "lone mask": "masks have no image",
    "listing": "entries do not fit",
    "warning": "files are unusual",
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or strange.

    Attributes:
        kind: One of `KINDS`.
        case: Id of the case, or "".
        file: The file, or "".
        message: One line.
    """

    kind: str
    case: str
    file: str
    message: str


def check_cases(
    dataset: Dataset,
    *,
    progress: Callable[[int, int], None] | None = None,
    limit: int | None = None,
) -> list[Finding]:
    """Open images and masks and report what is wrong. One bad file never stops the rest.

    Args:
        dataset: The data set.
        progress: Called with the number of cases that are done and that of all.
        limit: Open at most so many cases, evenly spread; names are looked at for all.
    """
    findings = list(_by_names(dataset))
    cases = list(dataset.cases)
    if limit is not None and limit < len(cases):
        cases = [cases[round(i * (len(cases) - 1) / max(1, limit - 1))] for i in range(limit)]
    seen: dict[str, Case] = {}
    for number, case in enumerate(cases, start=1):
        findings += _check(case, seen)
        if progress is not None:
            progress(number, len(cases))
    return findings


def summarise(findings: Sequence[Finding], *, examples: int = 3) -> list[str]:
    """One line for each kind of finding, in the order of `KINDS`, with examples."""
    grouped: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.kind].append(finding)
    lines = []
    for kind in sorted(grouped, key=list(KINDS).index):
        found = grouped[kind]
        if len(found) == 1:
            lines.append(found[0].message)
            continue
        names = list(dict.fromkeys(f.case or f.file for f in found if f.case or f.file))
        shown = f": {', '.join(names[:examples])}{' ...' if len(names) > examples else ''}" if names else ""
        lines.append(f"{len(found)} {KINDS[kind]}{shown}; the first: {found[0].message}")
    return lines


def _by_names(dataset: Dataset) -> Iterator[Finding]:
    """What names alone tell."""
    for line in dataset.oddities:
        yield Finding("listing", "", "", line)
    for path in dataset.lone_images:
        yield Finding("lone image", "", path, f"{path} has no mask")
    for path in dataset.lone_masks:
        yield Finding("lone mask", "", path, f"{path} has no image")
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for case in dataset.cases:
        if case.split:
            splits[case.patient].add(case.split)
        if "#" in case.id and case.id.rpartition("#")[2].isdigit():
            path, first = str(case.image.path), case.id.rpartition("#")[0]
            yield Finding("name", case.id, path, f"{path} is called {first} as well")
    for patient, names in splits.items():
        if len(names) > 1:
            message = f"patient {patient} is in {' and '.join(sorted(names))} of the publisher"
            yield Finding("split", patient, "", message)


def _check(case: Case, seen: dict[str, Case]) -> Iterator[Finding]:
    path = str(case.image.path)
    try:
        with _told() as told:
            image = case.read()
    except Exception as error:  # whatever a broken file leads to: it is reported, the rest goes on
        yield Finding("unreadable image", case.id, path, _line(error))
        return
    yield from (Finding("warning", case.id, path, line) for line in told)
    digest = _digest(image)
    if digest in seen:
        other = seen[digest]
        message = f"{path} has the same pixels as {other.image.path}"
        if other.patient != case.patient:
            message += f", though it counts as another patient ({case.patient}, not {other.patient})"
        yield Finding("duplicate", case.id, path, message)
    seen.setdefault(digest, case)
    yield from _check_masks(case, image)


def unnamed_values(case: Case, image: Image) -> list[str]:
    """For each label map that holds values which no label names a line that lists them.

    Raises:
        ImageReadError: If a label map cannot be read.
        GeometryError: If it does not lie on the image's grid.
    """
    from anytomy.datasets.loading import raw_label

    lines = []
    for refs in _by_file(case):
        strange = _unnamed(raw_label(refs[0], image, resize=case.resize_masks), refs)
        if strange:
            lines.append(_strange_line(str(refs[0].paths[0]) if refs[0].paths else "", strange))
    return lines


def _by_file(case: Case) -> list[list[MaskRef]]:
    """The masks of a case, those together that are read from the same place."""
    groups: defaultdict[tuple[Any, ...], list[MaskRef]] = defaultdict(list)
    for ref in case.masks:
        groups[ref.paths, ref.form, ref.key, ref.target.channel, ref.target.colour is not None].append(ref)
    return list(groups.values())


def _strange_line(file: str, strange: Sequence[str]) -> str:
    shown = ", ".join(strange[:8]) + (" ..." if len(strange) > 8 else "")
    return f"{file} holds values that no label names: {shown}"


def _check_masks(case: Case, image: Image) -> Iterator[Finding]:
    from anytomy.datasets.loading import objects_of, raw_label

    labelled, read = False, 0
    groups = _by_file(case)
    for refs in groups:
        file = str(refs[0].paths[0]) if refs[0].paths else ""
        try:
            with _told() as told:
                raw = raw_label(refs[0], image, resize=case.resize_masks)
                labelled = any(objects_of(raw, ref).any() for ref in refs) or labelled
        except GeometryError as error:
            yield Finding("shape", case.id, file, _line(error))
            continue
        except Exception as error:  # as above
            yield Finding("unreadable mask", case.id, file, _line(error))
            continue
        read += 1
        for line in told:
            yield Finding("position" if "elsewhere" in line else "warning", case.id, file, line)
        strange = _unnamed(raw, refs)
        if strange:
            yield Finding("values", case.id, file, _strange_line(file, strange))
    if read == len(groups) and not labelled:
        file = str(case.masks[0].paths[0]) if case.masks and case.masks[0].paths else ""
        yield Finding("empty", case.id, file, f"nothing is labelled in {file}")


def _unnamed(raw: NDArray[Any], refs: Sequence[MaskRef]) -> list[str]:
    """Values or colours of a label map that none of its targets takes; the background is none."""
    targets = [ref.target for ref in refs]
    if refs[0].form == "files" or any(t.above is not None or t.objects == "instances" for t in targets):
        return []
    held: dict[Any, int]
    if any(t.colour is not None for t in targets):
        if raw.shape[-1] != 3:
            return []
        colours, counts = np.unique(raw.reshape(-1, 3), axis=0, return_counts=True)
        named: set[Any] = {t.colour for t in targets}
        held = {tuple(int(v) for v in c): int(n) for c, n in zip(colours, counts, strict=True)}
        background: Any = (0, 0, 0)
    else:
        values, counts = np.unique(raw, return_counts=True)
        named = {v for t in targets for v in t.values}
        held = {float(v): int(n) for v, n in zip(values, counts, strict=True)}
        background = 0
    if background in named or background not in held:
        background = max(held, key=lambda v: held[v])
    strange = [v for v in held if v not in named and v != background]
    return [",".join(map(str, v)) if isinstance(v, tuple) else f"{v:g}" for v in strange]


def _digest(image: Image) -> str:
    array = np.ascontiguousarray(image.array)
    head = f"{array.shape} {array.dtype}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


@contextmanager
def _told() -> Iterator[list[str]]:
    """The texts of our own warnings in a block, once it has ended; others are silenced."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        yield lines
        lines += dict.fromkeys(str(r.message) for r in records if issubclass(r.category, AnytomyWarning))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
