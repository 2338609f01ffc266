"""A folder for each case, files named alike, `case/ct.nii.gz`, `case/seg.nii.gz`: `case_folders`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from anytomy.datasets.recognising.emitting import sketches_of
from anytomy.datasets.recognising.files import File
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.sketch import Bundle, Draft, Pair
from anytomy.datasets.recognising.suffixes import PREFERRED
from anytomy.datasets.recognising.telling import tells_masks
from anytomy.datasets.recognising.words import is_second_observer, says_image, says_mask, tokens

_OWN = "\0"
_MOST_FILES = 200


def case_folders(inventory: Inventory) -> Draft | None:
    """See the module."""
    held = {
        folder: _slots(folder, files)
        for folder, files in inventory.folders.items()
        if 2 <= len(files) <= _MOST_FILES
    }
    if not held:
        return None
    counts = Counter(slot for slots in held.values() for slot in slots)
    common = [slot for slot, n in counts.items() if n >= max(1, 0.3 * len(held))]
    if len(held) > 1:
        common = [slot for slot in common if counts[slot] > 1 or len(held) < 3]
    if len(common) < 2:
        return None
    masks = _mask_slots(inventory, held, common)
    images = [slot for slot in common if slot not in masks]
    if not masks or not images:
        return None
    image = min(images, key=lambda slot: (-counts[slot] // max(1, len(held) // 10), _rank(slot), slot))
    pairs = [
        Pair(slots[image], slots[mask], slots[mask].stem)
        for slots in held.values()
        if image in slots
        for mask in masks
        if mask in slots
    ]
    if not pairs:
        return None
    bundles = [Bundle(tuple(p for p in pairs if _slot(p.mask) == mask), None) for mask in masks]
    said = []
    first = [m for m in masks if not is_second_observer(m)]
    if first and len(first) < len(masks):
        said.append("masks of a second observer are left out")
        bundles = [b for b, m in zip(bundles, masks, strict=True) if m in first]
    sketches, left_out = sketches_of([_united([b for b in bundles if b.pairs])], "case folders")
    others = [slot for slot in images if slot != image]
    if others:
        shown = ", ".join(_shown(slot) for slot in sorted(others)[:8])
        said.append(
            f"masks go with {_shown(image)}; {shown} beside it"
            f" {'are' if len(others) > 1 else 'is'} left out: name another one in the card to use it"
        )
    return Draft("case-folders", sketches, (*left_out, *said))


def _united(bundles: Sequence[Bundle]) -> Bundle:
    return Bundle(tuple(pair for bundle in bundles for pair in bundle.pairs), None)


def _slots(folder: tuple[str, ...], files: Sequence[File]) -> dict[str, File]:
    return {_slot(file): file for file in files}


def _slot(file: File) -> str:
    """A file's name without that of its folder."""
    stem, own = file.stem.lower(), file.folder[-1].lower() if file.folder else ""
    return stem.replace(own, _OWN, 1) if own and own in stem else stem


def _shown(slot: str) -> str:
    return slot.replace(_OWN, "CASE")


def _mask_slots(
    inventory: Inventory, held: dict[tuple[str, ...], dict[str, File]], common: Sequence[str]
) -> list[str]:
    """The names that are masks: by words, or else by a look into some files."""
    named = [slot for slot in common if says_mask(slot.replace(_OWN, " "))]
    if named:
        return sorted(named)
    files: defaultdict[str, list[File]] = defaultdict(list)
    for slots in held.values():
        for slot in common:
            if slot in slots:
                files[slot].append(slots[slot])
    return sorted(slot for slot in common if not says_image(slot) and tells_masks(inventory, files[slot]))


def _rank(slot: str) -> tuple[int, bool]:
    words = tokens(slot.replace(_OWN, " "))
    rank = next((n for n, word in enumerate(PREFERRED) if word in words), len(PREFERRED))
    return rank, not says_image(slot)
