"""What counts when a mask is empty: the one table, `POLICY`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Emptiness(StrEnum):
    """Which of the two is empty; every measurement carries it, so that tables can count the cases."""

    BOTH = "both"
    TRUTH = "truth"
    FOUND = "found"
    NONE = "none"

    @classmethod
    def of(cls, found: int, truth: int) -> Emptiness:
        """The case of so many voxels (or objects) found and in the truth."""
        if not found:
            return cls.FOUND if truth else cls.BOTH
        return cls.NONE if truth else cls.TRUTH


@dataclass(frozen=True)
class EmptyRule:
    """The values of one metric where something is empty.

    Attributes:
        both: Nothing was to be found, and nothing was.
        truth: Nothing was to be found, and something was.
        found: Something was to be found, and nothing was.

    "diagonal" stands for the diagonal of the whole image, the longest distance that there can be.
    """

    both: float | Literal["diagonal"]
    truth: float | Literal["diagonal"]
    found: float | Literal["diagonal"]

    def value(self, empty: Emptiness, diagonal: float = math.nan) -> float:
        """The value that counts in a case in which something is empty."""
        value = {Emptiness.BOTH: self.both, Emptiness.TRUTH: self.truth, Emptiness.FOUND: self.found}[empty]
        return diagonal if value == "diagonal" else float(value)


POLICY: Mapping[str, EmptyRule] = MappingProxyType(
    {
        "dice": EmptyRule(both=1, truth=0, found=0),
        "iou": EmptyRule(both=1, truth=0, found=0),
        "nsd": EmptyRule(both=1, truth=0, found=0),
        "hd95": EmptyRule(both=0, truth="diagonal", found="diagonal"),
        # Relative to nothing is not defined; `volume_error_ml` says how much was found there.
        "volume_error": EmptyRule(both=0, truth=math.nan, found=-1),
        "ap": EmptyRule(both=1, truth=0, found=0),
        "pq": EmptyRule(both=1, truth=0, found=0),
    }
)
