"""From bundles of pairs to path patterns: `sketches_of`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anytomy.datasets.layout import Layout
from anytomy.datasets.recognising.affixes import plain_rests
from anytomy.datasets.recognising.files import File
from anytomy.datasets.recognising.leaving import without_second_observers
from anytomy.datasets.recognising.sketch import Bundle, Pair, Sketch
from anytomy.datasets.recognising.words import split_of, structure_words, tokens

_LEVEL_NAMES = ("folder", "group", "part", "section", "level")
# More kinds of masks than this are told by their names, `{structure}`, not by a pattern each.
_MOST_MASKS = 12


@dataclass(frozen=True)
class _Level:
    """One of the folders that images and masks share: a fixed name, or one in braces."""

    text: str
    name: str = ""

    def __str__(self) -> str:
        return f"{{{self.name}}}" if self.name else literal(self.text)


def sketches_of(bundles: Sequence[Bundle], name: str) -> tuple[tuple[Sketch, ...], tuple[str, ...]]:
    """Layouts of bundles that have the same images, and sentences about what was left out.

    Folders `train`, `val` and `test` become layouts of their own with that split.
    """
    bundles, said = without_second_observers(bundles)
    rows = [(bundle, pair) for bundle in bundles for pair in bundle.pairs]
    prefixes = {len(bundle.prefix(pair.image)) for bundle, pair in rows}
    keep_prefix = len(prefixes) == 1

    def levels(bundle: Bundle, pair: Pair) -> tuple[str, ...]:
        before = bundle.prefix(pair.image) if keep_prefix else ()
        return (*before, *bundle.sub(pair.image))

    parts: defaultdict[tuple[str, ...], list[tuple[Bundle, Pair]]] = defaultdict(list)
    split_at = _split_levels([levels(*row) for row in rows])
    for row in rows:
        found = levels(*row)
        parts[tuple(found[at] for at in split_at)].append(row)
    repeated = len(parts) > 1 and _repeats(parts.values())
    sketches = []
    for values, members in sorted(parts.items()):
        split = next((s for s in map(split_of, values) if s), "")
        split = split or split_of(bundles[0].image_dir[-1] if bundles[0].image_dir else "")
        columns = [levels(*row) for row in members]
        sketches.append(_sketch(members, columns, split_at, split, repeated, name, keep_prefix))
    return tuple(sketches), said


def _split_levels(rows: Sequence[tuple[str, ...]]) -> list[int]:
    """The levels that hold nothing but folders for training, validation and test."""
    found = []
    for at, column in enumerate(zip(*rows, strict=True)):
        values = set(column)
        if len({split_of(v) for v in values}) == len(values) and all(split_of(v) for v in values):
            found.append(at)
    return found[:1]


def _repeats(parts: Iterable[list[tuple[Bundle, Pair]]]) -> bool:
    """Whether images of several parts have the same name."""
    stems = Counter(stem for part in parts for stem in {pair.image.stem.lower() for _, pair in part})
    return any(n > 1 for n in stems.values())


def _sketch(
    rows: Sequence[tuple[Bundle, Pair]],
    columns: Sequence[tuple[str, ...]],
    fixed: Sequence[int],
    split: str,
    repeated: bool,
    name: str,
    keep_prefix: bool,
) -> Sketch:
    bundle = rows[0][0]
    cores = [_core(b, pair) for b, pair in rows]
    count = len(columns[0]) if columns else 0
    inner = bundle.inner
    levels = _levels(columns, cores, fixed, inner if keep_prefix else count, bundle.rule is None)
    before, after = levels[: len(levels) - inner], levels[len(levels) - inner :]
    image_file, names = _image_file(rows, levels)
    prefix = len(bundle.prefix(rows[0][1].image))
    image_dir = rows[0][1].image.folder[prefix : prefix + len(bundle.image_dir)]
    folders = [*map(str, before), *map(literal, image_dir), *map(str, after)]
    masks: dict[str, str] = {}
    structures: dict[str, str] = {}
    several: set[str] = set()
    by_dir: defaultdict[tuple[tuple[str, ...], str], list[Pair]] = defaultdict(list)
    owner = {}
    for b, pair in rows:
        key = (b.mask_dir, b.rule.mask_before if b.rule else "")
        by_dir[key].append(pair)
        owner[key] = b
    for (mask_dir, start), pairs in by_dir.items():
        mine = owner[mask_dir, start]
        prefix = len(mine.prefix(pairs[0].image))
        spelt = pairs[0].mask.folder[prefix : prefix + len(mask_dir)]
        place = [*map(str, before), *map(literal, spelt), *map(str, after)]
        if mine.own_folder:
            place.append("{case}")
        said = structure_words(" ".join(mask_dir))
        for label, file, structure, many in _mask_files(mine, pairs, names):
            own = _fresh(label if len(by_dir) == 1 else "_".join([*mask_dir, label]), masks)
            masks[own] = "/".join([*place, file])
            structures[own] = structure or said
            several |= {own} if many else set()
    if len(masks) == 1:
        (old,) = masks
        masks, structures = {"mask": masks[old]}, {"mask": structures[old]}
        several = {"mask"} if several else set()
    image = "/".join([*folders, image_file])
    case = _case_template(rows, cores, levels, columns, names, split if repeated else "")
    return Sketch(
        Layout(
            name=name,
            image=image,
            masks=masks,
            case=case,
            split=split,
            documented=False,
        ),
        {k: v for k, v in structures.items() if v},
        frozenset(several),
    )


def _core(bundle: Bundle, pair: Pair) -> str:
    return bundle.rule.core(pair.image.stem.lower()) if bundle.rule else ""


def _levels(
    columns: Sequence[tuple[str, ...]],
    cores: Sequence[str],
    fixed: Sequence[int],
    inner: int,
    by_folder: bool,
) -> list[_Level]:
    """The folders from the first one that is not the same for all; those before may be anything."""
    depth = len(columns[0]) if columns else 0
    outer = depth - inner
    varied = [at for at in range(depth) if len({row[at] for row in columns}) > 1]
    start = min([*varied, *fixed, outer])
    if by_folder and start == outer and outer:
        # One case only: its folder is its name all the same.
        varied, start = [outer - 1, *varied], outer - 1
    case_at = max((at for at in varied if at < outer), default=None) if by_folder else None
    free = list(_LEVEL_NAMES)
    levels = []
    for at in range(start, depth):
        value = columns[0][at]
        if at not in varied:
            levels.append(_Level(value))
        elif at == case_at or all(r[at].lower() == c for r, c in zip(columns, cores, strict=True)):
            levels.append(_Level(value, "case"))
        else:
            levels.append(_Level(value, free.pop(0) if free else f"level{at}"))
    return levels


def _image_file(rows: Sequence[tuple[Bundle, Pair]], levels: Sequence[_Level]) -> tuple[str, tuple[str, ...]]:
    """The file part of the image pattern, and the names that the pattern has."""
    images = [pair.image for _, pair in rows]
    rule = rows[0][0].rule
    names = tuple(level.name for level in levels if level.name)
    if rule is not None:
        stem = images[0].stem
        end = len(stem) - len(rule.after)
        text = f"{literal(stem[: len(rule.before)])}{{case}}{literal(stem[end:])}"
        return text + endings_text(images, "ending"), tuple(dict.fromkeys([*names, "case"]))
    text = _stem_text(images, names, "image")
    return text + endings_text(images, "ending"), names if "{image}" not in text else (*names, "image")


def _stem_text(files: Sequence[File], names: Sequence[str], free: str) -> str:
    """The stem of files that lie in a folder per case: fixed, with the folder's name in it, or free."""
    stems = {file.stem.lower() for file in files}
    if len(stems) == 1:
        return literal(files[0].stem)
    if "case" in names:
        inside = set()
        for file in files:
            near = next((f for f in reversed(file.folder) if f.lower() in file.stem.lower()), "")
            at = file.stem.lower().find(near.lower()) if near else -1
            inside.add((file.stem[:at].lower(), file.stem[at + len(near) :].lower()) if near else None)
        if len(inside) == 1 and None not in inside:
            ((before, after),) = inside  # type: ignore[misc]
            return f"{literal(before)}{{case}}{literal(after)}"
    return f"{{{free}}}"


def _mask_files(
    bundle: Bundle, pairs: Sequence[Pair], names: Sequence[str]
) -> list[tuple[str, str, str, bool]]:
    """For each kind of mask a label, the file part of its pattern, what it marks, whether files are many."""
    files = [pair.mask for pair in pairs]
    ending = endings_text(files, "mask_ending")
    images = {pair.image.path for pair in pairs}
    rule = bundle.rule
    if bundle.own_folder or (rule is None and len(pairs) > len(images) and not _are_words(pairs)):
        return [("mask", "*" + ending, structure_words(" ".join(bundle.mask_dir)), True)]
    if rule is None and len(pairs) == len(images):
        text = _stem_text(files, names, "mask")
        words = structure_words(files[0].stem) if len({f.stem for f in files}) == 1 else ""
        return [(files[0].stem, text + ending, words, False)]
    stem = pairs[0].mask.stem
    start = f"{literal(stem[: len(rule.mask_before)])}{{case}}" if rule is not None else ""
    marked = structure_words(stem[: len(rule.mask_before)]) if rule is not None else ""
    found = []
    heads = _heads(pairs, keep_numbers=rule is None)
    if len(heads) > _MOST_MASKS or _is_sparse(heads, len(images)):
        separator = "" if rule is None else _separator(pairs)
        return [("mask", f"{start}{literal(separator)}{{structure}}{ending}", "", False)]
    for head, numbers in heads.items():
        text = f"{start}{literal(head)}{_numbers_text(numbers)}{ending}"
        found.append((head, text, structure_words(head) or marked, bool(numbers)))
    return found


def _numbers_text(numbers: set[str]) -> str:
    """The numbers that tell the objects of an image apart, in a pattern; "" for none.

    A star would do, but `a_1*` fits to `a_11` as well.
    """
    if not numbers:
        return ""
    shapes = sorted({re.sub(r"\d+", r"\\d+", re.escape(n)).replace("\\ ", " ") for n in numbers if n})
    some = shapes[0] if len(shapes) == 1 else f"(?:{'|'.join(shapes)})"
    return f"{{object:(?:{some})?}}" if "" in numbers else f"{{object:{some}}}"


def _heads(pairs: Sequence[Pair], *, keep_numbers: bool) -> dict[str, set[str]]:
    """Kinds of rests of names, and the numbers of those of which an image has several.

    `_mask` and `_mask_1` are one kind. Where names of other things have numbers too (ribs), all are kinds.
    """
    rests = {pair.rest for pair in pairs}
    grouped = plain_rests(rests)
    if keep_numbers and len(grouped) > 1:
        return {rest: set() for rest in sorted(rests)}
    heads: dict[str, set[str]] = {}
    for head, numbers in sorted(grouped.items()):
        if len(numbers) == 1:
            heads[head + next(iter(numbers))] = set()
        else:
            heads[head] = numbers
    return heads


def _is_sparse(heads: dict[str, set[str]], images: int) -> bool:
    """Whether hardly any two images have the same kind of mask, as where each name says what it is."""
    return len(heads) > 3 and len(heads) > images


def _are_words(pairs: Sequence[Pair]) -> bool:
    """Whether masks are named for what they mark: by words, the same ones from image to image."""
    stems = Counter(pair.mask.stem.lower() for pair in pairs)
    images = len({pair.image.path for pair in pairs})
    wordy = sum(bool(re.fullmatch(r"[a-z][a-z _+\-]*(?:[_ ][lr0-9]+)?", stem)) for stem in stems)
    return wordy >= 0.7 * len(stems) and (images == 1 or len(stems) < 0.7 * len(pairs))


def _separator(pairs: Sequence[Pair]) -> str:
    starts = Counter(re.match(r"[ _.\-]*", pair.rest)[0] for pair in pairs)  # type: ignore[index]
    return starts.most_common(1)[0][0]


def _case_template(
    rows: Sequence[tuple[Bundle, Pair]],
    cores: Sequence[str],
    levels: Sequence[_Level],
    columns: Sequence[tuple[str, ...]],
    names: Sequence[str],
    split: str,
) -> str:
    """What tells cases apart: the name, with the folders in front where names repeat."""
    if not names:
        return ""
    plain = "{case}" if "case" in names else "{" + names[-1] + "}"
    images = {pair.image.path: core for (_, pair), core in zip(rows, cores, strict=True)}
    if rows[0][0].rule is None:
        alike = len({tuple(row) for row in columns}) < len(images) or "image" in names
    else:
        alike = len(set(images.values())) < len(images)
    others = [f"{{{level.name}}}" for level in levels if level.name and level.name != "case"]
    ahead = [split] if split else []
    if alike or (rows[0][0].rule is None and others):
        tail = ["{image}"] if "image" in names else []
        return "_".join([*ahead, *others, *([plain] if plain not in others else []), *tail])
    return "_".join([*ahead, plain])


def endings_text(files: Iterable[File], name: str) -> str:
    """The ending in a pattern: a fixed one, or a choice."""
    counted = Counter(file.ending.lower() for file in files)
    if len(counted) == 1:
        return next(iter(counted))
    if set(counted) == {".nii", ".nii.gz"}:
        return ".nii*"
    return "{" + name + ":" + "|".join(re.escape(e) for e in sorted(counted)) + "}"


def literal(text: str) -> str:
    """A fixed text in a pattern; what means something there, such as braces, may be any character."""
    marks = iter("abcdefgh" * 8)
    return re.sub(r"[{}*\\]", lambda _: "{any_" + next(marks) + ":.}", text)


def _fresh(label: str, taken: Iterable[str]) -> str:
    """A short name for a mask in a card."""
    name = "_".join(tokens(label)) or "mask"
    number, out = 2, name
    while out in taken:
        out, number = f"{name}_{number}", number + 1
    return out
