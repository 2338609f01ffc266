"""Interactive runs of a benchmark: the Dice after each prompt, and what it came to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.evaluation.bench.summary import Setting, measured
from anytomy.evaluation.metrics.clicks import at_k
from anytomy.evaluation.statistics import Interval, bootstrap, patient_means

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Row = Mapping[str, Any]


@dataclass(frozen=True)
class Curve:
    """The objects of a data set, prompted again and again under one setting.

    Attributes:
        dataset: Id.
        setting: How they were prompted.
        dice: Mean of the patients' means after 1, 2, ... prompts; a run that stopped keeps its last value.
        auc: Area under the curve of Dice, 0 to 1.
        clicks: NoC@90: prompts until the IoU is 0.9, 20 where it is not reached.
        reached: Objects that reached it.
        objects: All of them.
    """

    dataset: str
    setting: Setting
    dice: tuple[Interval, ...]
    auc: Interval
    clicks: Interval
    reached: int
    objects: int


def curves(rows: Sequence[Row], *, seed: int = 0) -> list[Curve]:
    """A curve for each data set and setting that corrects, in this order."""
    groups: defaultdict[tuple[str, Setting], list[Row]] = defaultdict(list)
    steps: defaultdict[str, int] = defaultdict(int)
    for row in measured(rows):
        if row["dice_curve"]:
            setting = Setting.of(row)
            groups[row["dataset"], setting].append(row)
            # As long as the longest: it is rare that all runs of a simulator stop early.
            steps[setting.prompt] = max(steps[setting.prompt], len(row["dice_curve"]))
    return [_curve(*key, groups[key], steps[key[1].prompt], seed) for key in sorted(groups)]


def _curve(dataset: str, setting: Setting, rows: Sequence[Row], steps: int, seed: int) -> Curve:
    def mean(value: Callable[[Row], Any]) -> Interval:
        means = patient_means((r["patient"], np.nan if value(r) is None else value(r)) for r in rows)
        return bootstrap([means[p] for p in sorted(means)], seed=seed)

    return Curve(
        dataset=dataset,
        setting=setting,
        dice=tuple(mean(lambda r, k=k: at_k(r["dice_curve"], k)) for k in range(1, steps + 1)),  # type: ignore[misc]
        auc=mean(lambda r: r["auc"]),
        clicks=mean(lambda r: r["noc90"]),
        reached=sum(bool(r["noc90_reached"]) for r in rows),
        objects=len(rows),
    )
