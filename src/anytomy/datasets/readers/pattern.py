"""The default reader: images and masks by path patterns that are joined by their names in braces."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from anytomy.core.structures import canonical
from anytomy.datasets.case import Case, ImageRef, MaskRef
from anytomy.datasets.finding import Found
from anytomy.datasets.layout import Target
from anytomy.datasets.patients import with_patients
from anytomy.datasets.pattern import ROOT, STRUCTURE, Pattern, filled
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

_PICTURES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff", ".jpg", ".jpeg"})
Names = dict[str, str]


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """See `DatasetReader`."""
    image_pattern = Pattern(layout.image)
    images = _matching(tree, image_pattern)
    joined: dict[str, dict[str, list[str]]] = {image: {} for image in images}
    told: dict[tuple[str, str], str] = {}
    masks_seen: set[str] = set()
    patterns = {name: Pattern(text).beside(image_pattern) for name, text in layout.masks.items()}
    for name, pattern in patterns.items():
        if STRUCTURE in pattern.names:
            seen = _join_structures(tree, pattern, images, joined, name, told)
        else:
            seen = _join(tree, pattern, image_pattern, images, joined, name)
        if pattern.path != image_pattern.path:
            masks_seen |= seen
    cases, lone, odd = [], [], []
    taken = {path for found in joined.values() for paths in found.values() for path in paths}
    same_file = {pattern.path for pattern in patterns.values()} == {image_pattern.path}
    for image, names in images.items():
        if not same_file and (image in masks_seen or image in taken):
            continue
        masks = _mask_refs(tree, card, layout, image, joined[image], told)
        doubled = _doubled(masks)
        if doubled is not None:
            names_of = ", ".join(sorted(path.name for path in doubled.paths))
            odd.append(f"{image} is left out: expected one label map, got {names_of}")
        elif masks:
            cases.append(_case(tree, card, layout, image, names, masks))
        else:
            lone.append(image)
    lone_masks = () if same_file else tuple(sorted(masks_seen - taken))
    kept, oddities = with_patients(tree, layout, cases)
    return Found(kept, (*odd, *oddities), lone_images=tuple(lone), lone_masks=lone_masks)


def _matching(tree: Tree, pattern: Pattern) -> dict[str, Names]:
    """Paths that match, with what stands for the names; folders end in `/`."""
    paths = [f"{folder}/" for folder in tree.folders] if pattern.is_folder else tree.files
    found = ((path, pattern.match(path)) for path in paths)
    return {path: names for path, names in found if names is not None}


def _join(
    tree: Tree,
    pattern: Pattern,
    image_pattern: Pattern,
    images: Mapping[str, Names],
    joined: Mapping[str, dict[str, list[str]]],
    mask: str,
) -> set[str]:
    """Give every image the files that agree with it in all common names; returns all that match."""
    shared = [n for n in pattern.names if n in image_pattern.names]
    if pattern.rooted and image_pattern.rooted:
        shared.append(ROOT)
    by_names: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    matching = _matching(tree, pattern)
    for path, names in matching.items():
        by_names[tuple(names[n].lower() for n in shared)].append(path)
    for image, names in images.items():
        paths = [
            p
            for p in by_names.get(tuple(names[n].lower() for n in shared), [])
            if p != image or _same(pattern, image_pattern)
        ]
        if paths:
            joined[image][mask] = paths
    return set(matching)


def _same(pattern: Pattern, other: Pattern) -> bool:
    return pattern.path == other.path


def _join_structures(
    tree: Tree,
    pattern: Pattern,
    images: Mapping[str, Names],
    joined: Mapping[str, dict[str, list[str]]],
    mask: str,
    told: dict[tuple[str, str], str],
) -> set[str]:
    """Masks whose file names say what they are; a file goes to the image that shares most of its name."""
    files = sorted((path.lower(), path) for path in tree.files)
    owner: dict[str, tuple[int, str, str]] = {}
    for image, names in images.items():
        start = pattern.start(names)
        place = bisect_left(files, (start,))
        candidates = []
        while place < len(files) and files[place][0].startswith(start):
            candidates.append(files[place][1])
            place += 1
        for path, structure in pattern.structures_of(names, candidates).items():
            if path != image and len(start) >= owner.get(path, (0, "", ""))[0]:
                owner[path] = (len(start), image, structure)
    for path in sorted(owner):
        _, image, structure = owner[path]
        joined[image].setdefault(mask, []).append(path)
        told[mask, path] = structure
    # What no image owns may be anything, since `{structure}` matches any text.
    return set(owner)


def _mask_refs(
    tree: Tree,
    card: DatasetCard,
    layout: Layout,
    image: str,
    joined: Mapping[str, list[str]],
    told: Mapping[tuple[str, str], str],
) -> tuple[MaskRef, ...]:
    targets = card.targets_of(layout)
    refs = []
    for name, text in layout.masks.items():
        paths = joined.get(name, [])
        if not paths:
            continue
        pattern = Pattern(text)
        if STRUCTURE in pattern.names:
            rules = {t.structure: t for t in targets if t.mask == name}
            for path in paths:
                structure = canonical(told[name, path].replace("+", " "))
                target = rules.get(structure, Target(structure, above=0.0, mask=name))
                refs.append(MaskRef(target, (tree.path(path),), key=pattern.key))
            continue
        files = tuple(tree.path(path) for path in paths)
        refs += [
            MaskRef(t, files, _form(image, paths, pattern, t), pattern.key) for t in targets if t.mask == name
        ]
    return tuple(refs)


def _form(image: str, paths: list[str], pattern: Pattern, target: Target) -> str:
    is_picture = ending_of(paths[0]) in _PICTURES
    if image.endswith("/") and is_picture:
        return "slices"
    # One file of a pattern that several may fit to is one object, whatever grey values its edges have; where
    # values or colours tell structures apart, or parts of it are objects, it is a label map.
    alone = pattern.open_ended and is_picture and target.above is not None and target.objects == "instances"
    return "files" if len(paths) > 1 or alone else "map"


def _doubled(masks: Iterable[MaskRef]) -> MaskRef | None:
    """A mask of several files although it is a label map: which of them is right, nobody can tell."""
    maps = (m for m in masks if m.form == "files" and (m.target.values or m.target.colour is not None))
    return next(maps, None)


def ending_of(path: str) -> str:
    """The ending of a relative path; see `anytomy.io.detect.ending`."""
    from pathlib import PurePosixPath

    return ending(PurePosixPath(path))  # type: ignore[arg-type]


def _case(
    tree: Tree, card: DatasetCard, layout: Layout, image: str, names: Names, masks: tuple[MaskRef, ...]
) -> Case:
    path: Path = tree.path(image.rstrip("/"))
    own = {n: v for n, v in names.items() if n != ROOT}
    stem = path.name if image.endswith("/") else path.name[: len(path.name) - len(ending(path))]
    plain = "_".join(dict.fromkeys(v for v in own.values() if v)) or stem
    case_id = filled(layout.case, names) if layout.case else plain
    patient = (
        filled(layout.patient, names) if layout.patient else own.get("patient", own.get("case", case_id))
    )
    modality = layout.modality or (card.modality[0] if len(card.modality) == 1 else "")
    return Case(
        dataset=card.id,
        id=case_id,
        patient=patient,
        image=ImageRef(path, key=Pattern(layout.image).key, time=layout.time),
        masks=masks,
        modality=modality,
        split=layout.split or own.get("split", ""),
        resize_masks=layout.resize_masks,
    )
