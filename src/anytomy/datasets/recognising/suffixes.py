"""Images and masks beside each other, told apart by their names: `x.png` and `x_mask.png` (`suffixes`)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from anytomy.datasets.recognising.affixes import Fit, best_fit
from anytomy.datasets.recognising.emitting import sketches_of
from anytomy.datasets.recognising.files import File
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.sketch import Bundle, Draft, Pair, Sketch
from anytomy.datasets.recognising.telling import tells_masks
from anytomy.datasets.recognising.words import says_mask

# Of several images with the same mask (MR sequences) the one that is labelled on most often.
PREFERRED = ("flair", "t2f", "t1c", "t1ce", "t1gd", "ct", "image", "img", "t2", "t1", "dwi", "adc")


def suffixes(inventory: Inventory) -> Draft | None:
    """See the module."""
    sets = {folder: _told_apart(files) for folder, files in inventory.folders.items()}
    sets = {folder: both for folder, both in sets.items() if both[0] and both[1]}
    if not sets:
        sets = _by_stems(inventory)
    if not sets:
        return None
    images = [(f.path, "/".join(f.folder), f.stem) for both in sets.values() for f in both[0]]
    masks = [(f.path, "/".join(f.folder), f.stem) for both in sets.values() for f in both[1]]
    by_path = {f.path: f for both in sets.values() for files in both for f in files}
    sketches: list[Sketch] = []
    said: list[str] = []
    for fit, others in _fits(images, masks):
        pairs = tuple(Pair(by_path[i], by_path[m], rest) for m, (i, rest) in fit.joined.items())
        found, left_out = sketches_of([Bundle(pairs, fit.rule)], "files")
        sketches += found
        said += left_out
        if others:
            said.append(
                f"masks go with the images *{fit.rule.after}; the others ({', '.join(others)}) are left out:"
                " name another one in the card to use it"
            )
    if not sketches:
        sketches = _of_series(inventory)
    return Draft("suffix", tuple(sketches), tuple(said)) if sketches else None


def _of_series(inventory: Inventory) -> list[Sketch]:
    """Masks of any name beside the only DICOM series of their folder."""
    pairs: list[Pair] = []
    for files in inventory.folders.values():
        series = [f for f in files if f.ending == "/"]
        masks = _told_apart(files)[1]
        if len(series) == 1:
            pairs += [Pair(series[0], mask, mask.stem) for mask in masks if mask.ending != "/"]
    return list(sketches_of([Bundle(tuple(pairs), None)], "series")[0]) if pairs else []


def _told_apart(files: Sequence[File]) -> tuple[list[File], list[File]]:
    masks = [f for f in files if says_mask(f.stem) or f.kind == ".seg.nrrd"]
    chosen = {f.path for f in masks}
    return [f for f in files if f.path not in chosen], masks


def _by_stems(inventory: Inventory) -> dict[tuple[str, ...], tuple[list[File], list[File]]]:
    """Masks named for what they mark, `x.png` and `x_liver.png`, if they look like masks."""
    sets = {}
    longer_of_all: list[File] = []
    for folder, files in inventory.folders.items():
        stems = {f.stem.lower() for f in files}
        longer = [f for f in files if any(start in stems for start in _starts(f.stem.lower()))]
        if longer:
            chosen = {f.path for f in longer}
            sets[folder] = ([f for f in files if f.path not in chosen], longer)
            longer_of_all += longer
    return sets if longer_of_all and tells_masks(inventory, longer_of_all) else {}


def _starts(stem: str) -> Iterator[str]:
    """What stands before each separator in a name."""
    for match in re.finditer(r"[ _.\-]+", stem):
        if match.start():
            yield stem[: match.start()]


def _fits(
    images: Sequence[tuple[str, str, str]], masks: Sequence[tuple[str, str, str]]
) -> Iterator[tuple[Fit, list[str]]]:
    """Rules that join masks with images, each with the other images that the same masks would fit."""
    left = list(masks)
    first = True
    while left:
        fit = best_fit(images, left)
        if fit is None or (not first and len(fit.joined) < 2):
            return
        fit, others = _preferred(fit, images, left)
        yield fit, others
        left = [mask for mask in left if mask[0] not in fit.joined]
        first = False


def _preferred(
    fit: Fit, images: Sequence[tuple[str, str, str]], masks: Sequence[tuple[str, str, str]]
) -> tuple[Fit, list[str]]:
    """Of images that differ in the end of their names only (`_t1`, `_flair`) those that are taken."""
    from anytomy.datasets.recognising.affixes import Rule, apply

    rule = fit.rule
    if not rule.after:
        return fit, []
    cores = defaultdict(set)
    for key, place, name in images:
        if key in fit.images:
            cores[place].add(rule.core(name.lower()))
    ends: Counter[str] = Counter()
    for _, place, name in images:
        low = name.lower()
        for core in cores[place]:
            start = rule.before + core
            if low.startswith(start) and not low[len(start) : len(start) + 1].isalnum():
                ends[low[len(start) :]] += 1
    often = [end for end, n in ends.items() if n >= 0.5 * len(fit.images) and end]
    order = sorted(often, key=lambda e: (_rank(e), e != rule.after, e))
    best = order[0] if order and _rank(order[0]) < _rank(rule.after) else rule.after
    chosen = apply(Rule(rule.before, best, rule.mask_before), images, masks)
    if len(chosen.joined) < len(fit.joined):
        chosen, best = fit, rule.after
    return chosen, [f"*{end}" for end in sorted(often) if end != best]


def _rank(end: str) -> int:
    words = re.findall(r"[a-z]+\d?[a-z]?", end)
    return next((n for n, word in enumerate(PREFERRED) if word in words), len(PREFERRED))
