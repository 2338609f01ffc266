"""What decides which masks are found: `AutomaticSettings`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from anytomy.zoo.card import ModelCard

SCORE, STABILITY = 0.88, 0.95
"""SAM's own thresholds, for models whose card has no others."""

MOST_POINTS, MOST_LAYERS, SMALLEST_TILE = 256, 4, 32


@dataclass(frozen=True)
class AutomaticSettings:
    """The numbers of automatic mask generation.

    Defaults are those of Kirillov et al., Segment Anything (arXiv 2304.02643), appendix B, except where said.

    Attributes:
        points: Points of the grid along the longer side of a picture or tile; as dense along the other.
        score: Least predicted IoU of a mask, the model's own. Where None, what the model's card says, else
            SAM's 0.88.
        stability: Least IoU between the mask at a threshold `offset` above and one `offset` below. Where
            None, what the model's card says, else SAM's 0.95.
        offset: In logits.
        duplicate: Masks whose IoU is above this are one object; the better one stays. (The authors compare
            boxes, which takes masks for different that differ in a speck.)
        layers: How often to look closer: layer `i` is of windows `2**i` times smaller with `2**i` times fewer
            points each. The authors use 2, and 0 as their program's default, as here.
        tile: `auto`, `off` or the side of tiles in pixels; see `windows.tile_side`.
        least: Smallest object in pixels (the authors: 100).
        most: Largest object as a share of the picture.

    Raises:
        OptionError: If a number makes no sense.
    """

    points: int = 32
    score: float | None = None
    stability: float | None = None
    offset: float = 1.0
    duplicate: float = 0.7
    layers: int = 0
    tile: str | int = "auto"
    least: int = 10
    most: float = 0.95

    def __post_init__(self) -> None:
        for name, low, high in (
            ("points", 1, MOST_POINTS),
            ("layers", 0, MOST_LAYERS),
            ("least", 1, 2**31),
            ("score", 0, 1),
            ("stability", 0, 1),
            ("duplicate", 0, 1),
            ("most", 0, 1),
            ("offset", 0, 100),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"expected {name} of {low} to {high} for automatic masks, got {value}")
        object.__setattr__(self, "tile", _tile(self.tile))

    def for_model(self, card: ModelCard) -> AutomaticSettings:
        """The settings with thresholds: those given, else those of the model's card, else SAM's."""
        known = card.automatic
        score, stability = (SCORE, STABILITY) if known is None else (known.score, known.stability)
        return replace(
            self,
            score=score if self.score is None else self.score,
            stability=stability if self.stability is None else self.stability,
        )


def _tile(value: str | int) -> str | int:
    text = str(value).strip().lower()
    if text in ("auto", "off"):
        return text
    if not text.isdecimal() or int(text) < SMALLEST_TILE:
        raise OptionError(f"expected a tile of auto, off or {SMALLEST_TILE} pixels and more, got {value!r}")
    return int(text)
