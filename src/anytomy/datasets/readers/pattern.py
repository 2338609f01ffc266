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
from anytomy.datasets.tree import natural
from anytomy.io.detect import ending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

_LOSSY = (".jpg", ".jpeg")
_PICTURES = (".png", ".bmp", ".gif", ".tif", ".tiff", *_LOSSY)
Names = dict[str, str]
# What a file name says is in a mask, by name of the mask, image and path.
Told = dict[tuple[str, str, str], str]


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """See `DatasetReader`."""
    image_pattern = Pattern(layout.image)
    images = _matching(tree, image_pattern)
    joined: dict[str, dict[str, list[str]]] = {image: {} for image in images}
    told: Told = {}
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
    # Images that are the masks of others; labels in an image's own file make it none.
    taken = {p for image, found in joined.items() for paths in found.values() for p in paths if p != image}
    for image, names in images.items():
        if image in masks_seen or image in taken:
            continue
        masks = _mask_refs(tree, card, layout, patterns, image, joined[image], told)
        doubled = _doubled(masks)
        if doubled is not None:
            names_of = ", ".join(sorted(path.name for path in doubled.paths))
            odd.append(f"{image} is left out: expected one label map, got {names_of}")
        elif masks:
            cases.append(_case(tree, card, layout, image, names, masks))
        else:
            lone.append(image)
    lone_masks = sorted(masks_seen - taken, key=natural)
    kept, oddities = with_patients(tree, layout, cases)
    return Found(kept, (*odd, *oddities), lone_images=tuple(lone), lone_masks=tuple(lone_masks))


def _matching(tree: Tree, pattern: Pattern) -> dict[str, Names]:
    """Paths that match, with what stands for the names; folders end in `/`."""
    folders = (f"{folder}/" for folder in tree.folders if folder != "." or pattern.path == "./")
    paths = folders if pattern.is_folder else tree.files
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
    """Give every image the files that agree with it in all common names; returns all that match.

    Archives differ in upper and lower case; where names of images differ in nothing else, it counts.
    """
    shared = [n for n in pattern.names if n in image_pattern.names]
    if pattern.rooted and image_pattern.rooted:
        shared.append(ROOT)
    by_names: defaultdict[tuple[str, ...], list[tuple[tuple[str, ...], str]]] = defaultdict(list)
    matching = _matching(tree, pattern)
    for path, names in matching.items():
        exact = tuple(names[n] for n in shared)
        by_names[_lower(exact)].append((exact, path))
    of_images = {image: tuple(names[n] for n in shared) for image, names in images.items()}
    known = set(of_images.values())
    same_file = pattern.path == image_pattern.path
    for image, exact in of_images.items():
        found = by_names.get(_lower(exact), ())
        paths = [p for own, p in found if (own == exact or own not in known) and (p != image or same_file)]
        if paths:
            joined[image][mask] = paths
    return set(matching)


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _join_structures(
    tree: Tree,
    pattern: Pattern,
    images: Mapping[str, Names],
    joined: Mapping[str, dict[str, list[str]]],
    mask: str,
    told: Told,
) -> set[str]:
    """Masks whose file names say what they are; a file goes to the images that share most of its name."""
    files = sorted((path.lower(), path) for path in tree.files)
    owners: dict[str, tuple[int, dict[str, str]]] = {}
    starts = {image: pattern.start(names) for image, names in images.items()}
    # The shortest first: `7_kidney.png` is a mask of `7.png`, and so no image that has masks.
    for image in sorted(images, key=lambda image: len(starts[image])):
        if image in owners:
            continue
        start = starts[image]
        place = bisect_left(files, (start,))
        candidates = []
        while place < len(files) and files[place][0].startswith(start):
            candidates.append(files[place][1])
            place += 1
        for path, structure in pattern.structures_of(images[image], candidates).items():
            if path == image:
                continue
            if len(start) > owners.get(path, (-1, {}))[0]:
                owners[path] = (len(start), {})
            owners[path][1][image] = structure
    for path in sorted(owners):
        for image, structure in owners[path][1].items():
            joined[image].setdefault(mask, []).append(path)
            told[mask, image, path] = structure
    # What no image owns may be anything, since `{structure}` matches any text.
    return set(owners)


def _mask_refs(
    tree: Tree,
    card: DatasetCard,
    layout: Layout,
    patterns: Mapping[str, Pattern],
    image: str,
    joined: Mapping[str, list[str]],
    told: Told,
) -> tuple[MaskRef, ...]:
    targets = card.targets_of(layout)
    refs = []
    for name, pattern in patterns.items():
        paths = joined.get(name, [])
        if not paths:
            continue
        if STRUCTURE in pattern.names:
            rules = {t.structure: t for t in targets if t.mask == name}
            for path in paths:
                structure = canonical(told[name, image, path].replace("+", " "))
                above = 127.0 if path.lower().endswith(_LOSSY) else 0.0
                target = rules.get(structure, Target(structure, above=above, mask=name))
                refs.append(MaskRef(target, (tree.path(path),), key=pattern.key))
            continue
        # Objects are numbered in the plain order of their file names: most are hashes, not numbers.
        files = tuple(tree.path(path) for path in (paths if image.endswith("/") else sorted(paths)))
        refs += [
            MaskRef(t, files, _form(image, paths, pattern, t), pattern.key) for t in targets if t.mask == name
        ]
    return tuple(refs)


def _form(image: str, paths: list[str], pattern: Pattern, target: Target) -> str:
    is_picture = paths[0].lower().endswith(_PICTURES)
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


def _case(
    tree: Tree, card: DatasetCard, layout: Layout, image: str, names: Names, masks: tuple[MaskRef, ...]
) -> Case:
    path: Path = tree.path(image.rstrip("/"))
    own = {n: v for n, v in names.items() if n != ROOT}
    plain = "_".join(dict.fromkeys(v for v in own.values() if v))
    stem = path.name if plain or image.endswith("/") else path.name[: -len(ending(path)) or None]
    case_id = filled(layout.case, names) if layout.case else plain or stem
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
