"""From rows to what people read: means with intervals, weak structures, comparisons, counts."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anytomy.evaluation.bench.objects import MEASURED
from anytomy.evaluation.statistics import Interval, Paired, bootstrap, holm, paired, patient_means

WEAK = 0.80
SHIFT_BINS = ((0.0, 5.0), (5.0, 10.0), (10.0, 15.0), (15.0, 20.0), (20.0, 30.0))
Row = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Setting:
    """How objects were prompted.

    Attributes:
        model: Id.
        prompt: Simulator.
        scope: `picture`, `slice` or `volume`.
        volume: Strategy, or "".
        zoom: As in `segment`.
    """

    model: str
    prompt: str
    scope: str
    volume: str
    zoom: str

    @classmethod
    def of(cls, row: Row) -> Setting:
        """The setting of a row."""
        return cls(
            row["model"], row["prompt"] or "", row["scope"] or "", row["volume"] or "", row["zoom"] or "off"
        )

    @property
    def label(self) -> str:
        """In a few words: `litemedsam, box`, with what is not usual."""
        extra = [self.volume] if self.volume else []
        extra += [f"zoom {self.zoom}"] if self.zoom != "off" else []
        return ", ".join([self.model, self.prompt, *extra])


@dataclass(frozen=True)
class Cell:
    """One metric of one structure in one data set under one setting.

    Attributes:
        dataset: Id.
        structure: Name.
        setting: How it was prompted.
        metric: Name.
        interval: Mean of the patients' means, with its interval.
        objects: How many objects.
        object_mean: Mean over objects, as many papers report.
        quartiles: Of the objects: lower, median, upper.
        failed: Objects whose Dice is below 0.5.
        empty: Objects for which nothing was found.
    """

    dataset: str
    structure: str
    setting: Setting
    metric: str
    interval: Interval
    objects: int
    object_mean: float
    quartiles: tuple[float, float, float]
    failed: int
    empty: int

    @property
    def is_weak(self) -> bool:
        """Whether its mean Dice is below 0.80."""
        return self.metric == "dice" and self.interval.mean < WEAK


@dataclass(frozen=True)
class Comparison:
    """Two settings on the same patients of one structure (`""`: of all, each patient's mean).

    Attributes:
        dataset: Id.
        structure: Name, or "".
        first: A setting.
        second: Another one.
        result: Difference, second less first, and p.
        adjusted: p after Holm over all comparisons of the report.
    """

    dataset: str
    structure: str
    first: Setting
    second: Setting
    result: Paired
    adjusted: float


def measured(rows: Sequence[Row], *, level: str = "") -> list[Row]:
    """Rows with results; of one level where it is named (`object`, `structure`, `case`)."""
    found = [row for row in rows if row["status"] == MEASURED]
    return (
        [row for row in found if row["level"] == level]
        if level
        else [r for r in found if r["level"] != "case"]
    )


def cells(rows: Sequence[Row], metric: str = "dice", *, seed: int = 0) -> list[Cell]:
    """A cell for each data set, structure and setting, in this order."""
    groups: defaultdict[tuple[str, str, Setting], list[Row]] = defaultdict(list)
    for row in measured(rows):
        groups[row["dataset"], row["structure"], Setting.of(row)].append(row)
    return [_cell(key, groups[key], metric, seed) for key in sorted(groups)]


def _cell(key: tuple[str, str, Setting], rows: Sequence[Row], metric: str, seed: int) -> Cell:
    values = np.array([_number(row[metric]) for row in rows])
    finite = values[np.isfinite(values)]
    means = patient_means((row["patient"], _number(row[metric])) for row in rows)
    quartiles = np.percentile(finite, [25, 50, 75]) if finite.size else np.full(3, np.nan)
    dataset, structure, setting = key
    return Cell(
        dataset=dataset,
        structure=structure,
        setting=setting,
        metric=metric,
        interval=bootstrap([means[p] for p in sorted(means)], seed=seed),
        objects=len(rows),
        object_mean=float(finite.mean()) if finite.size else np.nan,
        quartiles=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
        failed=sum(_number(row.get("dice")) < 0.5 for row in rows),
        empty=sum(row["empty"] == "found" for row in rows),
    )


def weak(found: Sequence[Cell]) -> list[Cell]:
    """Cells whose mean Dice is below 0.80, the weakest first."""
    return sorted((cell for cell in found if cell.is_weak), key=lambda cell: cell.interval.mean)


def comparisons(rows: Sequence[Row], metric: str = "dice", *, seed: int = 0) -> list[Comparison]:
    """Every pair of settings of the same scope, by data set and structure, p adjusted over all of them."""
    groups: defaultdict[tuple[str, str], defaultdict[Setting, list[Row]]]
    groups = defaultdict(lambda: defaultdict(list))
    for row in measured(rows):
        groups[row["dataset"], row["structure"]][Setting.of(row)].append(row)
    found = []
    for (dataset, structure), by_setting in sorted(groups.items()):
        means = {
            setting: patient_means((r["patient"], _number(r[metric])) for r in each)
            for setting, each in sorted(by_setting.items())
        }
        for first, second in itertools.combinations(means, 2):
            if first.scope == second.scope:
                result = paired(means[first], means[second], seed=seed)
                found.append((dataset, structure, first, second, result))
    adjusted = holm([each[-1].p for each in found])
    return [Comparison(*each, p) for each, p in zip(found, adjusted, strict=True)]


def robustness(rows: Sequence[Row], *, seed: int = 0) -> dict[str, list[tuple[str, Interval]]]:
    """For each model what a moved box costs: Dice less that of the tight box of the same object.

    Returns:
        By model, for each range of shifts (pixels at 1024) the mean difference by patient.
    """
    shown = [row for row in measured(rows, level="object") if row["shift"] is not None]
    names = ("dataset", "case", "structure", "object", "model", "zoom", "scope")
    tight = {tuple(r[n] for n in names): _number(r["dice"]) for r in shown if r["shift"] == 0}
    values: defaultdict[str, defaultdict[str, list[tuple[str, float]]]]
    values = defaultdict(lambda: defaultdict(list))
    for row in shown:
        base = tight.get(tuple(row[n] for n in names))
        for low, high in SHIFT_BINS:
            if base is not None and low < row["shift"] <= high:
                patient = f"{row['dataset']}/{row['patient']}"
                values[row["model"]][f"{low:g} to {high:g}"].append((patient, _number(row["dice"]) - base))
    return {
        model: [(name, bootstrap(list(patient_means(v).values()), seed=seed)) for name, v in bins.items()]
        for model, bins in values.items()
    }


def counts(rows: Sequence[Row]) -> dict[tuple[str, str], Counter[str]]:
    """For each data set and structure how many objects were measured, and how many not and why.

    Objects that several models or simulators prompted count once.
    """
    seen: dict[tuple[Any, ...], str] = {}
    for row in rows:
        if row["level"] == "object":
            key = (row["dataset"], row["structure"], row["case"], row["object"])
            seen.setdefault(key, row["status"])
    out: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (dataset, structure, *_), status in seen.items():
        out[dataset, structure][status] += 1
    return dict(out)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
