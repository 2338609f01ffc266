"""Interactive runs: what a curve of Dice or IoU after each prompt comes to.

A curve holds one value for each prompt, in 0 to 1; the first is the value after the first prompt. A run that
stopped early keeps its last value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CVPR25_STEPS = 6  # a box, then five clicks


@dataclass(frozen=True)
class Clicks:
    """How many prompts it took.

    Attributes:
        number: Prompts until the target was reached; the cap if it was not.
        reached: Whether it was, so that the cap can be told from a success with the last prompt.
    """

    number: int
    reached: bool


def at_k(curve: Sequence[float], k: int) -> float:
    """The value after `k` prompts, counted from 1; the last value where the run stopped before.

    Raises:
        OptionError: If the curve is empty or leaves 0 to 1, or `k` is below 1.
    """
    return _held(curve, k)[-1]


def number_of_clicks(iou_curve: Sequence[float], target: float = 0.9, most: int = 20) -> Clicks:
    """NoC@90: the first prompt after which the IoU is at least `target`.

    As in RITM (Sofiiuk et al. 2021, arXiv 2102.06583): `most` if it is not reached within so many prompts.

    Args:
        iou_curve: IoU (not Dice) after each prompt.
        target: IoU to reach.
        most: The cap; later values are not looked at.

    Raises:
        OptionError: If the curve is empty or leaves 0 to 1, or `most` is below 1.

    Example:
        >>> number_of_clicks([0.5, 0.8, 0.92, 0.91])
        Clicks(number=3, reached=True)
    """
    for number, value in enumerate(_held(iou_curve, most), start=1):
        if value >= target:
            return Clicks(number, True)
    return Clicks(most, False)


def area_under_curve(curve: Sequence[float], steps: int | None = None) -> float:
    """Area under the curve by trapezia, divided by its width: 0 to 1, whatever the number of prompts.

    Args:
        curve: Dice or IoU after each prompt; a single value is the area.
        steps: Cut or hold the curve to so many prompts, so that runs of different lengths compare.

    Raises:
        OptionError: If the curve is empty or leaves 0 to 1, or `steps` is below 1.
    """
    values = _held(curve, len(curve) if steps is None else steps)
    return values[0] if len(values) == 1 else _trapezia(values) / (len(values) - 1)


def cvpr25_auc(curve: Sequence[float]) -> float:
    """The AUC of the CVPR 2025 challenge on interactive 3D segmentation: at most 4, not 1.

    Trapezia over the five click steps with unit spacing; the box, which comes first, is left out, and scores
    0 where there is none (JunMa11/CVPR-MedSegFMCompetition, CVPR25_iter_eval.py).

    Args:
        curve: Dice or NSD after the box and after each of five clicks, six values.

    Raises:
        OptionError: If the curve has not six values or leaves 0 to 1.
    """
    if len(curve) != _CVPR25_STEPS:
        raise OptionError(f"expected values after a box and five clicks, got {len(curve)} values")
    return _trapezia(_held(curve, _CVPR25_STEPS)[1:])


def _held(curve: Sequence[float], steps: int) -> list[float]:
    """The first `steps` values; the last one is repeated where there are fewer."""
    values = [float(value) for value in curve]
    if not values:
        raise OptionError("expected a value after each prompt, got no value")
    bad = [value for value in values if not 0 <= value <= 1]
    if bad:
        raise OptionError(f"expected values from 0 to 1, got {bad[0]}")
    if steps < 1:
        raise OptionError(f"expected a number of prompts of 1 or more, got {steps}")
    return (values + values[-1:] * (steps - len(values)))[:steps]


def _trapezia(values: list[float]) -> float:
    """Area under values at unit distance."""
    return math.fsum(values) - (values[0] + values[-1]) / 2
