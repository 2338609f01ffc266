"""From a folder and a card to cases: `find_cases`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anytomy.datasets.readers import reader

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import Case
    from anytomy.datasets.tree import Tree


@dataclass(frozen=True)
class Found:
    """What a reader found below a folder.

    Attributes:
        cases: Images with masks.
        oddities: What does not fit, one line each.
        lone_images: Paths of images without any mask.
        lone_masks: Paths of masks without an image.
    """

    cases: tuple[Case, ...] = ()
    oddities: tuple[str, ...] = ()
    lone_images: tuple[str, ...] = ()
    lone_masks: tuple[str, ...] = ()


def find_cases(tree: Tree, card: DatasetCard) -> Found:
    """The cases of a data set, by all its layouts; an image that several find is the first one's.

    They are in the order of layouts, and within each in the order of paths.

    Raises:
        DatasetError: If a layout is broken.
    """
    cases: dict[tuple[str, str, int | None], Case] = {}
    results = [reader(layout.reader).find(tree, card, layout) for layout in card.layouts]
    for result in results:
        for case in result.cases:
            cases.setdefault((str(case.image.path), case.image.key, case.image.time), case)
    used = _used(cases.values(), tree)
    # What one layout cannot pair another one may have: `mask` folders of one are the images of none.
    working = [result for result in results if result.cases] or results
    return Found(
        cases=_unique(list(cases.values()), tree),
        oddities=tuple(dict.fromkeys(line for result in working for line in result.oddities)),
        lone_images=_left([r.lone_images for r in working], used),
        lone_masks=_left([r.lone_masks for r in working], used),
    )


def _used(cases: Iterable[Case], tree: Tree) -> set[str]:
    """Paths below the root of all images and masks."""
    paths = {path for case in cases for mask in case.masks for path in (case.image.path, *mask.paths)}
    return {_below(path, tree) for path in paths}


def _below(path: Path, tree: Tree) -> str:
    """A path below the root as the tree has it; others as they are."""
    return path.as_posix().removeprefix((tree.root / "_").as_posix()[:-1])


def _left(parts: list[tuple[str, ...]], used: set[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for part in parts for path in part if path.rstrip("/") not in used))


def _unique(cases: list[Case], tree: Tree) -> tuple[Case, ...]:
    """Cases whose names tell them apart: those that do not get the folders of their images in front."""
    counts = Counter(case.id for case in cases)
    taken: Counter[str] = Counter()
    out = []
    for case in cases:
        name = case.id
        if counts[name] > 1:
            folder = _below(case.image.path, tree).rpartition("/")[0]
            name = f"{folder}/{name}" if folder else name
        taken[name] += 1
        name = name if taken[name] == 1 else f"{name}#{taken[name]}"
        out.append(case if name == case.id else replace(case, id=name))
    return tuple(out)
