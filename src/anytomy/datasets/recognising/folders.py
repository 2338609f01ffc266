"""Images and masks in folders of their own: `images/x.png` and `masks/x.png`, at any depth (`folders`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anytomy.datasets.recognising.affixes import Rule, best_fit
from anytomy.datasets.recognising.emitting import sketches_of
from anytomy.datasets.recognising.files import File
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.leaving import without_others
from anytomy.datasets.recognising.sketch import Bundle, Draft, Pair, Sketch
from anytomy.datasets.recognising.telling import tells_masks
from anytomy.datasets.recognising.words import is_mask_word, says_image, says_mask, split_of, tokens, topic

Folder = tuple[str, ...]
# So many folders of a kind are looked at to find out how they pair.
_SAMPLED = 60
_MOST_RAISED = 8
_MOST_BESIDE = 8
# Folders of so many names are no kinds: each belongs to a case.
_MOST_KINDS = 60


@dataclass(frozen=True)
class _Masks:
    """Folders of masks that lie alike: `PREFIX/OWN/SUB`."""

    own: Folder
    depth: int  # of SUB
    folders: tuple[Folder, ...]

    def prefix(self, folder: Folder) -> Folder:
        return folder[: len(folder) - self.depth - len(self.own)]

    def sub(self, folder: Folder) -> Folder:
        return folder[len(folder) - self.depth :] if self.depth else ()


@dataclass(frozen=True)
class _Match:
    """Where the images of some folders of masks are."""

    image_dir: Folder
    inner: int
    own_folder: bool = False
    apart: bool = False  # SUB belongs to the masks alone


def folders(inventory: Inventory) -> Draft | None:
    """See the module."""
    bundles: list[Bundle] = []
    for masks, match in _matched(inventory):
        if match.apart:
            for part in _parted(masks):
                bundles += _bundles(inventory, part, match)
        else:
            bundles += _bundles(inventory, masks, match)
    bundles, said = without_others([bundle for bundle in bundles if bundle.pairs])
    if not bundles:
        return None
    groups: defaultdict[tuple[Folder, int, str, str], list[Bundle]] = defaultdict(list)
    for bundle in bundles:
        before, after = (bundle.rule.before, bundle.rule.after) if bundle.rule else ("*", "*")
        groups[bundle.image_dir, bundle.inner, before, after].append(bundle)
    sketches: list[Sketch] = []
    for (image_dir, *_), members in sorted(groups.items()):
        found, left_out = sketches_of(members, "/".join(image_dir) or "folders")
        sketches += found
        said += left_out
    kind = "object-folders" if any(s.one_file_each for s in sketches) else "folders"
    return Draft(kind, tuple(sketches), tuple(said))


def _matched(inventory: Inventory) -> Iterator[tuple[_Masks, _Match]]:
    """Folders of masks and where their images are; beside them, or beside a folder that they lie in."""
    for masks in _mask_folders(inventory):
        candidates = [masks]
        for _ in range(3):
            left = []
            for one in candidates:
                match = _best_match(inventory, one)
                if match is not None:
                    yield one, match
                else:
                    left += _raised(one)
            candidates = left


def _raised(masks: _Masks) -> list[_Masks]:
    """The same folders with the one above them as part of their name: `derivatives/labels`."""
    above: defaultdict[Folder, list[Folder]] = defaultdict(list)
    for folder in masks.folders:
        prefix = masks.prefix(folder)
        if prefix:
            above[prefix[-1:]].append(folder)
    if len(above) > _MOST_RAISED:
        return []
    return [_Masks((*_lower(name), *masks.own), masks.depth, tuple(found)) for name, found in above.items()]


def _mask_folders(inventory: Inventory) -> list[_Masks]:
    """Folders that are named as those of masks, by where they lie."""
    grouped: defaultdict[tuple[Folder, int], list[Folder]] = defaultdict(list)
    for folder in inventory.folders:
        at = _mask_level(inventory, folder)
        if at is None:
            continue
        end = at + 1
        while end < len(folder) and says_mask(folder[end]):
            end += 1
        own = tuple(part.lower() for part in folder[at:end])
        grouped[own, len(folder) - end].append(folder)
    if not grouped:
        grouped = _by_content(inventory)
    if len(grouped) > _MOST_KINDS:
        return []
    return [_Masks(own, depth, tuple(found)) for (own, depth), found in sorted(grouped.items())]


def _mask_level(inventory: Inventory, folder: Folder) -> int | None:
    """The first of the last run of levels that say mask; none where a deeper one says image."""
    for at in range(len(folder) - 1, -1, -1):
        if says_image(folder[at]):
            return None
        if says_mask(folder[at]):
            while at and says_mask(folder[at - 1]) and _has_siblings(inventory, folder[:at]):
                at -= 1
            return at
    return None


def _has_siblings(inventory: Inventory, folder: Folder) -> bool:
    """Whether a folder is not just the one that everything is in (`Dataset_with_GT`)."""
    above = folder[:-1]
    return any(other[: len(above)] == above and other[: len(folder)] != folder for other in inventory.folders)


def _by_content(inventory: Inventory) -> defaultdict[tuple[Folder, int], list[Folder]]:
    """Two folders with the same names side by side: the one whose files look like masks."""
    grouped: defaultdict[tuple[Folder, int], list[Folder]] = defaultdict(list)
    names = {f: {file.stem.lower() for file in files} for f, files in inventory.folders.items()}
    beside: defaultdict[Folder, list[Folder]] = defaultdict(list)
    for folder in names:
        if folder and not split_of(folder[-1]):
            beside[folder[:-1]].append(folder)
    told: dict[str, bool] = {}
    for folders_ in beside.values():
        if len(folders_) > _MOST_BESIDE:
            continue  # these are cases, not kinds of files
        for folder in folders_:
            twins = [f for f in folders_ if f != folder and 2 * len(names[f] & names[folder]) > len(names[f])]
            if not twins or says_image(folder[-1]):
                continue
            own = folder[-1].lower()
            if own not in told:
                told[own] = tells_masks(inventory, inventory.folders[folder])
            if told[own] and not all(told.get(f[-1].lower(), False) for f in twins):
                grouped[(own,), 0].append(folder)
    return grouped


def _parted(masks: _Masks) -> Iterator[_Masks]:
    """Folders of each structure, `masks/liver`, `masks/spleen`, as kinds of their own."""
    by_sub: defaultdict[Folder, list[Folder]] = defaultdict(list)
    for folder in masks.folders:
        by_sub[masks.sub(folder)].append(folder)
    for sub, found in sorted(by_sub.items()):
        yield _Masks((*masks.own, *(part.lower() for part in sub)), 0, tuple(found))


# -- where the images are ---------------------------------------------------------------------------


def _best_match(inventory: Inventory, masks: _Masks) -> _Match | None:
    """Where most masks find images by their names; among equals, where folders are named alike."""
    sample = masks.folders[:: -(-len(masks.folders) // _SAMPLED)]
    scored: list[tuple[tuple[float, ...], int, _Match]] = []
    for match in _possible(inventory, masks, sample):
        joined, total = 0, 0
        for folder in sample:
            files = inventory.folders[folder]
            images = _images_of(inventory, masks, match, folder)
            total += len(files)
            joined += min(len(files), _joined(match, masks, folder, images, files))
        if joined:
            scored.append(((round(joined / total, 1), *_likeness(match, masks)), -len(scored), match))
    return max(scored, key=lambda one: one[:2])[2] if scored else None


def _possible(inventory: Inventory, masks: _Masks, sample: Sequence[Folder]) -> list[_Match]:
    found: dict[_Match, None] = {}
    for folder in sample:
        prefix, sub = masks.prefix(folder), masks.sub(folder)
        for other in inventory.below.get(prefix, ()):
            below = other[len(prefix) :]
            if other == folder or any(says_mask(part) for part in below):
                continue
            if sub and below[len(below) - len(sub) :] == sub:
                found[_Match(_lower(below[: len(below) - len(sub)]), len(sub))] = None
            if len(below) <= 2:
                if not sub:
                    found[_Match(_lower(below), 0)] = None
                elif len(sub) == 1:
                    stems = {file.stem.lower() for file in inventory.folders[other]}
                    own = sub[-1].lower() in stems
                    found[_Match(_lower(below), 0, own_folder=own, apart=not own)] = None
    return list(found)


def _lower(folder: Folder) -> Folder:
    return tuple(part.lower() for part in folder)


def _images_of(inventory: Inventory, masks: _Masks, match: _Match, folder: Folder) -> list[File]:
    """The images that the masks of a folder may belong to."""
    sub = _lower(masks.sub(folder)) if match.inner else ()
    place = (*_lower(masks.prefix(folder)), *match.image_dir, *sub)
    return inventory.by_lower.get(place, [])


def _joined(
    match: _Match, masks: _Masks, folder: Folder, images: Sequence[File], files: Sequence[File]
) -> int:
    if not images:
        return 0
    if match.own_folder:
        own = masks.sub(folder)[-1].lower()
        return len(files) if any(image.stem.lower() == own for image in images) else 0
    fit = best_fit([(f.path, "", f.stem) for f in images], [(f.path, "", f.stem) for f in files])
    if fit is not None and fit.joined:
        return len(fit.joined)
    return len(files) if len(images) == 1 else 0


def _likeness(match: _Match, masks: _Masks) -> tuple[float, ...]:
    """How well folders of images and masks are named for each other."""
    image, mask = topic(" ".join(match.image_dir)), topic(" ".join(masks.own))
    both = len(image | mask)
    alike = len(image & mask) / both if both else 1.0
    splits = split_of(" ".join(match.image_dir)) == split_of(" ".join(masks.own))
    named = any(says_image(part) for part in match.image_dir)
    # One folder for images and masks of a name is likelier than folders of other things.
    strange = sum(not says_image(part) and not is_mask_word(part) for part in match.image_dir)
    return (splits, alike, named, match.inner, -strange, -len(tokens(" ".join(match.image_dir))))


# -- pairs ------------------------------------------------------------------------------------------


def _bundles(inventory: Inventory, masks: _Masks, match: _Match) -> list[Bundle]:
    images: list[tuple[str, str, str]] = []
    names: list[tuple[str, str, str]] = []
    by_path: dict[str, File] = {}
    single: dict[str, File] = {}
    for number, folder in enumerate(masks.folders):
        place = str(number)
        found = _images_of(inventory, masks, match, folder)
        by_path |= {f.path: f for f in (*found, *inventory.folders[folder])}
        images += [(f.path, place, f.stem) for f in found]
        names += [(f.path, place, f.stem) for f in inventory.folders[folder]]
        if len(found) == 1:
            single[place] = found[0]

    def bundle(pairs: Sequence[Pair], rule: Rule | None) -> Bundle:
        return Bundle(tuple(pairs), rule, match.image_dir, masks.own, match.inner, match.own_folder)

    if match.own_folder:
        return [bundle(_own_folders(masks, images, names, by_path), Rule())]
    out: list[Bundle] = []
    while names:
        fit = best_fit(images, names)
        if fit is None or (out and len(fit.joined) < 2 and not _is_plain(fit.rule)):
            break
        pairs = [Pair(by_path[i], by_path[m], rest) for m, (i, rest) in fit.joined.items()]
        out.append(bundle(pairs, fit.rule))
        names = [name for name in names if name[0] not in fit.joined]
    joined = sum(len(one.pairs) for one in out)
    total = joined + len(names)
    if single and joined < 0.5 * total:
        # Names say nothing: one image in each folder, all masks beside it are its own.
        everything = [(f.path, str(n), f) for n, d in enumerate(masks.folders) for f in inventory.folders[d]]
        pairs = [Pair(single[p], f, f.stem) for _, p, f in everything if p in single]
        return [bundle(pairs, None)]
    return out


def _is_plain(rule: Rule) -> bool:
    """Whether a rule that holds for one pair only is made of words that name no patient: `_training`."""
    return not topic(f"{rule.before} {rule.after} {rule.mask_before}") - {"train", "validation", "test"}


def _own_folders(
    masks: _Masks,
    images: Sequence[tuple[str, str, str]],
    names: Sequence[tuple[str, str, str]],
    by_path: dict[str, File],
) -> list[Pair]:
    """Pairs of an image and what lies in a folder of its name."""
    named = {(place, name.lower()): key for key, place, name in images}
    pairs = []
    for key, place, _ in names:
        image = named.get((place, masks.sub(masks.folders[int(place)])[-1].lower()))
        if image is not None:
            pairs.append(Pair(by_path[image], by_path[key], by_path[key].stem))
    return pairs
