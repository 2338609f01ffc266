"""What a metric is: `Metric`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from anytomy.evaluation.metrics.empty import Emptiness, EmptyRule
from anytomy.evaluation.metrics.pair import Pair

LENGTH = "length"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number for one found mask beside one true mask.

    - `function` gets a `Pair` and returns a float; it changes nothing in it.
    - Where something is empty, `empty` decides and `function` is not called; without an `empty` it is called
      and gives a value for every case.
    - The value does not depend on how the array is stored (flipped, transposed with its spacing), nor on how
      much background lies around both masks, unless something is empty or slices are counted.
    - A third party adds its own as an entry point in the group `anytomy.metrics`; the entry's name is the
      metric's.

    Attributes:
        name: How it is asked for, and its column in tables.
        definition: One line, with the source.
        better: "higher", "lower", or "zero" for signed errors, of which the one nearest to zero is best.
        function: The value of a pair of masks.
        unit: "" for a pure number, "ml", "slices", or "length" for the unit of the spacing.
        empty: What counts where one mask or both are empty.
    """

    name: str
    definition: str
    better: Literal["higher", "lower", "zero"]
    function: Callable[[Pair], float]
    unit: str = ""
    empty: EmptyRule | None = None

    def __call__(self, pair: Pair) -> float:
        """The value for a pair of masks, by the policy where something is empty."""
        case = pair.empty
        if self.empty is not None and case is not Emptiness.NONE:
            return self.empty.value(case, pair.diagonal)
        return self.function(pair)

    def unit_of(self, pair: Pair) -> str:
        """The unit of the value for this pair: "", "mm", "px", "ml" or "slices"."""
        return pair.unit if self.unit == LENGTH else self.unit
