"""Cards in a line or two, and empty files: what tests of finding and opening need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anytomy.datasets.card import DatasetCard, card_from
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.tree import Tree

LIVER: dict[str, Any] = {"structure": "liver", "above": 0}


def values(**changes: Any) -> dict[str, Any]:
    """What a TOML reader gives of a small card of the user's."""
    return {
        "id": "mine",
        "title": "Mine",
        "summary": "a set of mine",
        "modality": ["CT"],
        "anatomy": "abdomen",
        "dimension": "3D",
        "quality": "manual",
        "licence": "CC BY 4.0",
        "licence_class": "open",
        "citation": "",
        "size": {},
        "access": {"how": "local"},
        "targets": [LIVER],
        "layouts": [layout("images/{case}.png", "masks/{case}.png")],
    } | changes


def layout(image: str, mask: str | dict[str, str], **changes: Any) -> dict[str, Any]:
    """One layout; a single mask is called `mask`."""
    masks = {"mask": mask} if isinstance(mask, str) else mask
    return {"name": "plain", "image": image, "masks": masks} | changes


def make_card(*layouts: dict[str, Any], **changes: Any) -> DatasetCard:
    """A card of the user's with these layouts."""
    tables = {"layouts": list(layouts)} if layouts else {}
    return card_from(values(**tables, **changes), source=Path("some/dataset.toml"), builtin=False)


def touch(root: Path, *paths: str) -> None:
    """Files that hold nothing of use."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"broken")


def find(root: Path, *layouts: dict[str, Any], **changes: Any) -> Found:
    """What a card with these layouts finds."""
    return find_cases(Tree.of(root), make_card(*layouts, **changes))


def pairs(found: Found, root: Path) -> dict[str, list[str]]:
    """The masks of each image, by path below the root."""
    return {
        case.image.path.relative_to(root).as_posix(): list(
            dict.fromkeys(p.relative_to(root).as_posix() for ref in case.masks for p in ref.paths)
        )
        for case in found.cases
    }
