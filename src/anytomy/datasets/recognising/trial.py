"""A card with layouts that are being tried: `card_of`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from anytomy.datasets.card import Access, DatasetCard, Size
from anytomy.datasets.layout import Layout, Target
from anytomy.datasets.recognising.meaning import FOREGROUND


def card_of(layouts: Sequence[Layout], *, name: str = "x", root: Path | None = None) -> DatasetCard:
    """A card with nothing but layouts, whose masks have a target each if they have none yet."""
    filled = tuple(_with_any_target(layout) for layout in layouts)
    return DatasetCard(
        id=name,
        title=name,
        summary=name,
        survey=0,
        modality=(),
        anatomy="",
        dimension="2D",
        quality="unknown",
        licence="",
        licence_class="unknown",
        citation="",
        size=Size(),
        access=Access("local"),
        targets=(),
        layouts=filled,
        builtin=False,
        root=root,
    )


def _with_any_target(layout: Layout) -> Layout:
    if layout.targets or layout.reader != "pattern":
        return layout
    return replace(layout, targets=tuple(Target(FOREGROUND, above=0, mask=name) for name in layout.masks))
