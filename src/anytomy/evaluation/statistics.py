"""Statistics by patient: means, bootstrap intervals, paired tests.

Objects and slices of one patient are not independent: they are averaged first, and patients are what is
counted, drawn and paired.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

LEVEL = 0.95
DRAWS = 5000
# Of five pairs not even the clearest difference is significant (p = 0.0625).
LEAST_PAIRS = 6


@dataclass(frozen=True)
class Interval:
    """A mean over patients with its bootstrap interval.

    Attributes:
        mean: Mean of the patients' means.
        low: Lower end; NaN of fewer than two patients.
        high: Upper end.
        patients: How many.
    """

    mean: float
    low: float
    high: float
    patients: int


@dataclass(frozen=True)
class Paired:
    """A comparison of two settings on the same patients.

    Attributes:
        difference: Mean of the patients' differences, second less first, with its interval.
        p: Two-sided Wilcoxon signed-rank test; NaN of fewer than `LEAST_PAIRS` patients.
    """

    difference: Interval
    p: float


def patient_means(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean of each patient's values; values that are not finite are left out."""
    held: defaultdict[str, list[float]] = defaultdict(list)
    for patient, value in values:
        if np.isfinite(value):
            held[patient].append(value)
    return {patient: float(np.mean(each)) for patient, each in held.items()}


def bootstrap(means: Sequence[float], *, seed: int = 0, draws: int = DRAWS) -> Interval:
    """Mean and percentile interval of 95 % (Efron 1979), patients drawn with replacement.

    Args:
        means: One value per patient.
        seed: Of the draws.
        draws: How many.
    """
    values: NDArray[np.float64] = np.asarray(means, dtype=float)
    if values.size == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, np.nan, np.nan, 1)
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(values.size, size=(draws, values.size))].mean(axis=1)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(mean, float(low), float(high), values.size)


def paired(first: Mapping[str, float], second: Mapping[str, float], *, seed: int = 0) -> Paired:
    """Compare two settings on the patients that both have.

    Zero differences are ranked and dropped as Pratt (1959) has it; where all are zero, p is 1.
    """
    common = sorted(first.keys() & second.keys())
    differences = np.array([second[p] - first[p] for p in common])
    interval = bootstrap(list(differences), seed=seed)
    if len(common) < LEAST_PAIRS:
        return Paired(interval, np.nan)
    if not differences.any():
        return Paired(interval, 1.0)
    from scipy.stats import wilcoxon

    return Paired(interval, float(wilcoxon(differences, zero_method="pratt").pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number (Holm 1979); NaN stays and does not count."""
    adjusted = [float("nan")] * len(p_values)
    order = sorted((p, i) for i, p in enumerate(p_values) if np.isfinite(p))
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted
