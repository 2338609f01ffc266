"""Before and after, on patients that training never saw: rows as the benchmark has them.

Prompts are simulated and answers are judged by the benchmark's own code. A model of classes is asked for
nothing: it gets the image. The plain model, which cannot do that, gets a tight box around each object, in a
volume on each of its slices.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, AnytomyWarning
from anytomy.evaluation.bench.classes import WITHOUT_PROMPT
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.objects import MEASURED
from anytomy.evaluation.bench.summary import measured as measured_rows
from anytomy.evaluation.bench.work import run_case
from anytomy.evaluation.statistics import Interval, Paired, bootstrap, holm, paired, patient_means

if TYPE_CHECKING:
    from anytomy.datasets.case import Case
    from anytomy.engine.model import LoadedModel
    from anytomy.tuning.config import TuneConfig

    Row = dict[str, Any]

ALL = ""
"""Structure of what is averaged over structures."""


@dataclass(frozen=True)
class Change:
    """One structure of one data set before and after, by one kind of prompt.

    Attributes:
        dataset: Id.
        structure: Name; `ALL` for the mean over structures.
        prompts: Simulators before and after; `none` where there is no prompt, "" where it was not measured.
        before: Mean Dice of patients; of none where the base cannot be asked so.
        after: Mean Dice of patients.
        result: Difference by patient, after less before.
        adjusted: p after Holm over the structures.
    """

    dataset: str
    structure: str
    prompts: tuple[str, str]
    before: Interval
    after: Interval
    result: Paired
    adjusted: float


def evaluate(
    model: LoadedModel,
    cases: Sequence[Case],
    config: TuneConfig,
    classes: Sequence[str],
    simulators: Sequence[str],
    *,
    zoom: str = "off",
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Row]:
    """Rows of all objects and classes of some cases; a case that cannot be read is named and left out.

    Args:
        model: What is judged.
        cases: Of patients that training never saw.
        config: Axis, intensity, smallest object, seed.
        classes: Structures that count.
        simulators: Who prompts, where the model takes prompts.
        zoom: How close it looks at small objects then, as in `segment`.
        progress: Called with cases done, cases in all and a name.
    """
    rows: list[Row] = []
    for number, case in enumerate(cases, start=1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows += _rows(model, case, config, classes, simulators, zoom)
        except AnytomyError as error:
            message = f"{case.dataset} {case.id} is not judged: {error}"
            warnings.warn(message, AnytomyWarning, stacklevel=2)
        if progress is not None:
            progress(number, len(cases), f"{case.dataset} {case.id}")
    return rows


def simulators_for(config: TuneConfig, mix: Mapping[str, float]) -> tuple[str, ...]:
    """Who prompts in the evaluation: for each kind that is trained the benchmark's counterpart."""
    if config.is_semantic:
        return ("box-per-slice", "box")
    names = []
    for kind in mix:
        if kind == "box-clicks" and config.rounds > 1:
            names += ["box", f"box-clicks-{config.rounds - 1}"]
        elif kind.startswith("box"):
            names.append("box")
        elif kind == "clicks":
            names.append(f"clicks-{config.rounds}")
        else:
            names.append("deepest")
    return tuple(dict.fromkeys(names))


def changes(before: Sequence[Row], after: Sequence[Row], *, seed: int = 0) -> list[Change]:
    """Each structure and the mean of all of them, before and after, paired by patient."""
    found: list[tuple[str, str, tuple[str, str], Interval, Interval, Paired]] = []
    held = [by_patient(before), by_patient(after)]
    for dataset in sorted({key[0] for key in held[1]}):
        for prompts in _pairs(held[0], held[1], dataset):
            sides = [
                {s: v for (d, p, s), v in each.items() if d == dataset and p == prompt}
                for each, prompt in zip(held, prompts, strict=True)
            ]
            names = sorted(sides[1])
            for name in [*names, *([ALL] if len(names) > 1 else [])]:
                first, second = (_mean(side) if name == ALL else side.get(name, {}) for side in sides)
                intervals = [
                    bootstrap([each[p] for p in sorted(each)], seed=seed) for each in (first, second)
                ]
                result = paired(first, second, seed=seed)
                found.append((dataset, name, prompts, intervals[0], intervals[1], result))
    adjusted = holm([each[-1].p for each in found if each[1] != ALL])
    queue = iter(adjusted)
    return [Change(*each, each[-1].p if each[1] == ALL else next(queue)) for each in found]


def by_patient(rows: Sequence[Row]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Dice of each patient by data set, prompt and structure."""
    groups: defaultdict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for row in measured_rows(rows):
        value = np.nan if row["dice"] is None else row["dice"]
        groups[row["dataset"], row["prompt"], row["structure"]].append((row["patient"], value))
    return {key: patient_means(values) for key, values in groups.items()}


def _pairs(
    before: Mapping[tuple[str, str, str], Any], after: Mapping[tuple[str, str, str], Any], dataset: str
) -> list[tuple[str, str]]:
    """Which prompt before is compared with which after: the same one; a box where there is none after."""
    then = {prompt for d, prompt, _ in before if d == dataset}
    now = sorted({prompt for d, prompt, _ in after if d == dataset})
    return [(p if p in then else max(then, default="") if p == WITHOUT_PROMPT else "", p) for p in now]


def _mean(by_structure: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Each patient's mean over structures."""
    pairs = ((patient, value) for each in by_structure.values() for patient, value in each.items())
    return patient_means(pairs)


def _rows(
    model: LoadedModel,
    case: Case,
    config: TuneConfig,
    classes: Sequence[str],
    simulators: Sequence[str],
    zoom: str,
) -> list[Row]:
    asked = BenchConfig(
        models=(model.card.id,),
        data=(case.dataset,),
        prompts=tuple(simulators),
        intensity=config.intensity,
        seed=config.seed,
        least=config.least,
        structures=tuple(classes),
        axis=config.axis,
        zoom=zoom,
    )
    if model.card.classes:
        return run_case(model, case, replace(asked, prompts=(WITHOUT_PROMPT,)))
    if not config.is_semantic:
        return run_case(model, case, asked)
    # In a volume a box on each slice, each on its own; in a picture the box.
    rows: list[Row] = []
    for name in simulators:
        rows = run_case(model, case, replace(asked, prompts=(name,), volume="slices", least=1))
        if any(row["status"] == MEASURED for row in rows):
            break
    return rows
