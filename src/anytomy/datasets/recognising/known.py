"""Folders that are a data set of the catalogue: `known`.

Every data set could lie in `images/` and `masks/`; only layouts with names of their own are proof, such as
`patient001_frame01_gt.nii.gz`. Others are suggestions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from anytomy.core.errors import DatasetError
from anytomy.core.structures import find
from anytomy.datasets.card import DatasetCard
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.layout import Layout
from anytomy.datasets.pattern import Pattern
from anytomy.datasets.readers import reader
from anytomy.datasets.recognising.coverage import counted, left_over, share
from anytomy.datasets.recognising.files import spread
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.recognition import Recognition
from anytomy.datasets.recognising.words import NOISE, SPLITS, says_image, tokens, word_set
from anytomy.datasets.registry import builtin_cards

_GENERIC = word_set(
    """
    mask masks label labels labelcol seg segmentation segmentations gt gts groundtruth patient patients
    case subject study studies frame images
    """
)
_PROOF = 4
_SHARE = 0.6
_LONE = 0.2
_LOOKED_AT = 300


@dataclass(frozen=True)
class _Match:
    card: DatasetCard
    found: Found
    layouts: tuple[str, ...]
    proof: int
    share: float


def known(inventory: Inventory) -> tuple[Recognition | None, tuple[str, ...]]:
    """The data set of the catalogue that a folder is, or those that it may be, likeliest first."""
    sample = spread(inventory.tree.files, _LOOKED_AT)
    matches = [m for card in builtin_cards() if (m := _match(inventory, card, sample)) is not None]
    # Of two cards with the same files the narrower one.
    matches.sort(key=lambda m: (-m.proof, -round(m.share, 1), len(m.card.layouts), m.card.id))
    if matches and matches[0].proof >= _PROOF:
        return _recognition(inventory, matches[0]), tuple(m.card.id for m in matches[1:])
    return None, tuple(m.card.id for m in matches)


def _match(inventory: Inventory, card: DatasetCard, sample: list[str]) -> _Match | None:
    layouts = [layout for layout in card.layouts if _may_fit(layout, sample)]
    if not layouts:
        return None
    try:
        found = find_cases(inventory.tree, replace(card, layouts=tuple(layouts)))
    except DatasetError:
        return None
    lone = len(found.lone_images) / max(1, len(found.cases) + len(found.lone_images))
    covered = share(inventory, found)
    if not found.cases or lone > _LONE or covered < _SHARE:
        return None
    fitting = layouts[:1] if len(layouts) == 1 else _with_cases(inventory, card, layouts)
    return _Match(card, found, tuple(a.name for a in fitting), max(map(_proof, fitting)), covered)


def _with_cases(inventory: Inventory, card: DatasetCard, layouts: list[Layout]) -> list[Layout]:
    return [a for a in layouts if reader(a.reader).find(inventory.tree, card, a).cases]


def _may_fit(layout: Layout, sample: list[str]) -> bool:
    image = Pattern(layout.image)
    if image.is_folder:
        folders = {path.rpartition("/")[0] + "/" for path in sample}
        return any(image.match(folder) for folder in folders)
    patterns = [image, *(Pattern(text) for text in layout.masks.values())]
    return any(pattern.match(path) for pattern in patterns for path in sample)


def _proof(layout: Layout) -> int:
    """How much the names of a layout tell: a word that everybody uses little, any other one more."""
    texts = [layout.image, *layout.masks.values()]
    words = {word for text in texts for word in tokens(_fixed(text)) if len(word) > 1 and not word.isdigit()}
    words -= NOISE | set(SPLITS)
    points = sum(1 if _is_generic(word) else 3 for word in words)
    names = re.findall(r"\{([a-z_]+)", layout.image)
    return points + (len(names) > len(set(names)))


def _fixed(text: str) -> str:
    """The fixed words of a pattern, those of expressions in braces as well; no endings."""
    text = re.sub(r"\{[a-z_0-9]+:?", " ", text.partition("::")[0])
    text = re.sub(r"\\.|\[[^\]]*\]|\(\?[:=!]?", " ", text)
    return re.sub(
        r"\.(?:nii|gz|png|jpg|jpeg|bmp|gif|tif|tiff|mha|mhd|nrrd|npz|dcm|mat|img)\b\*?", " ", text, flags=re.I
    )


def _is_generic(word: str) -> bool:
    return word in _GENERIC or says_image(word) or find(word) is not None


def _recognition(inventory: Inventory, match: _Match) -> Recognition:
    card = match.card
    patients = len({case.patient for case in match.found.cases})
    count = counted(len(match.found.cases), "image")
    return Recognition(
        kind="catalogue",
        layouts=card.layouts,
        dimension=card.dimension,
        modality=card.modality[0] if len(card.modality) == 1 else "",
        understood=(
            f"looks like {card.title} ({card.id}), layout {', '.join(match.layouts)}: {count} of"
            f" {counted(patients, 'patient')}",
        ),
        odd=tuple(left_over(inventory, match.found)),
        like=card.id,
    )
