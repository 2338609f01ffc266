"""From rows to what people read: means with intervals, weak structures, comparisons, counts."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.evaluation.bench.objects import MEASURED
from anytomy.evaluation.metrics.metric import LENGTH
from anytomy.evaluation.metrics.registry import metrics_by_name
from anytomy.evaluation.statistics import Interval, Paired, bootstrap, holm, paired, patient_means

WEAK = 0.80
FAILED = 0.5
SHIFT_BINS = ((0.0, 5.0), (5.0, 10.0), (10.0, 15.0), (15.0, 20.0), (20.0, 30.0), (30.0, np.inf))
MIXED = "mixed units"
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
        structure: Name; "" for all of the data set together.
        setting: How it was prompted.
        metric: Name.
        unit: `mm`, `px`, `ml`, `slices`, "" for a pure number, or `MIXED`: then there is no mean.
        interval: Mean of the patients' means, with its interval.
        objects: How many objects (of level `case`: images).
        object_mean: Mean over objects, as many papers report.
        quartiles: Of the objects: lower, median, upper.
        failed: Objects whose Dice is below 0.5.
        empty: Objects for which nothing was found.
    """

    dataset: str
    structure: str
    setting: Setting
    metric: str
    unit: str
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

    @property
    def is_surely_weak(self) -> bool:
        """Whether it is weak and its interval stays below 0.80 too."""
        return self.is_weak and self.interval.high < WEAK


@dataclass(frozen=True)
class Comparison:
    """Two settings on the same patients of one structure (`""`: of all, each patient's mean).

    Attributes:
        dataset: Id.
        structure: Name, or "".
        first: A setting.
        second: Another one.
        result: Difference, second less first, and p.
        adjusted: p after Holm over all comparisons that were asked for together.
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


def cells(rows: Sequence[Row], metric: str = "dice", *, level: str = "", seed: int = 0) -> list[Cell]:
    """A cell for each data set, structure and setting, in this order.

    Args:
        rows: Of a table of results.
        metric: Name of its column.
        level: As in `measured`; `case` for instance metrics.
        seed: Of the intervals.
    """
    groups: defaultdict[tuple[str, str, Setting], list[Row]] = defaultdict(list)
    for row in measured(rows, level=level):
        groups[row["dataset"], row["structure"], Setting.of(row)].append(row)
    return [_cell(*key, groups[key], metric, seed) for key in sorted(groups)]


def overall(rows: Sequence[Row], metric: str = "dice", *, seed: int = 0) -> list[Cell]:
    """A cell for each data set and setting, all structures together: each counts the same in a patient."""
    groups: defaultdict[tuple[str, Setting], list[Row]] = defaultdict(list)
    for row in measured(rows):
        groups[row["dataset"], Setting.of(row)].append(row)
    return [
        _cell(dataset, "", setting, groups[dataset, setting], metric, seed)
        for dataset, setting in sorted(groups)
    ]


def _cell(
    dataset: str, structure: str, setting: Setting, rows: Sequence[Row], metric: str, seed: int
) -> Cell:
    unit = _unit(rows, metric)
    values = np.array([_value(row, metric) for row in rows])
    finite = values[np.isfinite(values) & (unit != MIXED)]
    quartiles = np.percentile(finite, [25, 50, 75]) if finite.size else np.full(3, np.nan)
    means = _by_patient(_by_structure(rows, metric)) if finite.size else {}
    return Cell(
        dataset=dataset,
        structure=structure,
        setting=setting,
        metric=metric,
        unit=unit,
        interval=bootstrap([means[p] for p in sorted(means)], seed=seed),
        objects=len(rows),
        object_mean=float(finite.mean()) if finite.size else np.nan,
        quartiles=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
        failed=sum(_value(row, "dice") < FAILED for row in rows),
        empty=sum(row["empty"] == "found" for row in rows),
    )


def weak(found: Sequence[Cell]) -> list[Cell]:
    """Cells whose mean Dice is below 0.80, the weakest first."""
    return sorted((cell for cell in found if cell.is_weak), key=lambda cell: cell.interval.mean)


def comparisons(
    rows: Sequence[Row], metric: str = "dice", *, by_structure: bool = True, seed: int = 0
) -> list[Comparison]:
    """Every pair of settings that judge the same and differ in one thing, p adjusted over all of them.

    Args:
        rows: Of a table of results.
        metric: Name of its column.
        by_structure: For each structure; else for each data set, each patient's mean over the structures
            that both settings have of it.
        seed: Of the intervals.
    """
    groups: defaultdict[tuple[str, str], defaultdict[Setting, list[Row]]]
    groups = defaultdict(lambda: defaultdict(list))
    for row in measured(rows):
        groups[row["dataset"], row["structure"] if by_structure else ""][Setting.of(row)].append(row)
    found = []
    for (dataset, structure), by_setting in sorted(groups.items()):
        means = {setting: _by_structure(each, metric) for setting, each in sorted(by_setting.items())}
        for first, second in itertools.combinations(means, 2):
            if _differ_in_one(first, second):
                common = means[first].keys() & means[second].keys()
                sides = [_by_patient({key: means[s][key] for key in common}) for s in (first, second)]
                found.append((dataset, structure, first, second, paired(*sides, seed=seed)))
    adjusted = holm([each[-1].p for each in found])
    return [Comparison(*each, p) for each, p in zip(found, adjusted, strict=True)]


def robustness(rows: Sequence[Row], *, seed: int = 0) -> dict[str, list[tuple[str, Interval]]]:
    """For each model what a moved box costs: Dice less that of the tight box of the same object.

    Returns:
        By model, for each range of shifts (pixels at 1024) in ascending order the mean difference by
        patient. Ranges without an object are left out.
    """
    shown = [row for row in measured(rows, level="object") if row["shift"] is not None and _is_one_box(row)]
    names = ("dataset", "case", "structure", "object", "model", "zoom", "scope")
    tight = {tuple(r[n] for n in names): _value(r, "dice") for r in shown if r["shift"] == 0}
    values: defaultdict[str, defaultdict[tuple[float, float], list[tuple[str, float]]]]
    values = defaultdict(lambda: defaultdict(list))
    for row in shown:
        base = tight.get(tuple(row[n] for n in names))
        for low, high in SHIFT_BINS:
            if base is not None and low < row["shift"] <= high:
                patient = f"{row['dataset']}/{row['patient']}"
                values[row["model"]][low, high].append((patient, _value(row, "dice") - base))
    return {
        model: [
            (_range(edges), bootstrap(list(patient_means(bins[edges]).values()), seed=seed))
            for edges in sorted(bins)
        ]
        for model, bins in sorted(values.items())
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


def _by_structure(rows: Sequence[Row], metric: str) -> dict[tuple[str, str], float]:
    """The mean of each patient's objects of each structure, by structure and patient."""
    out: dict[tuple[str, str], float] = {}
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["structure"]].append(row)
    for structure, each in groups.items():
        means = patient_means((row["patient"], _value(row, metric)) for row in each)
        out |= {(structure, patient): mean for patient, mean in means.items()}
    return out


def _by_patient(means: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Each patient's mean over structures, whatever the number of objects."""
    return patient_means((patient, means[structure, patient]) for structure, patient in sorted(means))


def _differ_in_one(first: Setting, second: Setting) -> bool:
    """Whether two settings judge the same and differ in the model, the prompt, the strategy or the zoom."""
    if first.scope != second.scope:
        return False
    names = ("model", "prompt", "volume", "zoom")
    return sum(getattr(first, name) != getattr(second, name) for name in names) == 1


def _is_one_box(row: Row) -> bool:
    """Whether an object was prompted by a single box and nothing else, once."""
    prompts = json.loads(row["prompts"] or "[]")
    return len(prompts) == 1 and "box" in prompts[0] and "points" not in prompts[0] and not row["dice_curve"]


def _range(edges: tuple[float, float]) -> str:
    low, high = edges
    return f"over {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"


def _unit(rows: Sequence[Row], metric: str) -> str:
    try:
        unit = metrics_by_name([metric])[0].unit
    except OptionError:  # of instances, or a third party's that is not installed here
        return ""
    if unit != LENGTH:
        return unit
    units = {row["unit"] or "" for row in rows}
    return units.pop() if len(units) == 1 else MIXED


def _value(row: Row, metric: str) -> float:
    value = row.get(metric)
    return float("nan") if value is None else float(value)
