"""How sure a model has to be of a mask that nobody asked for: `Thresholds`, as model cards have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytomy.io.toml_table import Table


@dataclass(frozen=True)
class Thresholds:
    """What masks have to reach in automatic mask generation; each model scores itself in its own way.

    Attributes:
        score: Least predicted IoU, the model's own.
        stability: Least IoU between the mask at a higher and at a lower threshold.
        source: Where the numbers come from: pictures and how they were chosen.
    """

    score: float
    stability: float
    source: str


def read_thresholds(card: Table) -> Thresholds | None:
    """The `automatic` section of a card; None where there is none.

    Raises:
        ModelError: A field is missing, unknown or out of range.
    """
    table = card.table("automatic", optional=True)
    if table is None:
        return None
    numbers = {}
    for name in ("score", "stability"):
        value = table.optional_number(name)
        if value is None or not 0 <= value <= 1:
            table.fail(name, "a number from 0 to 1", value)
        numbers[name] = value
    found = Thresholds(**numbers, source=table.text("source"))
    table.finish()
    return found
