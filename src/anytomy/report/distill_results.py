"""A distillation as its report tells it: `DistillResults`, from the files of its folder."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.distill.labelling import OBJECTS, PSEUDO
from anytomy.distill.outcome import STUDENT, TEACHER, TEST
from anytomy.distill.pseudo.trial import TRIAL
from anytomy.distill.run import SCHEMA
from anytomy.distill.session import ALL, FEW
from anytomy.evaluation.bench.classes import WITHOUT_PROMPT
from anytomy.evaluation.bench.summary import measured
from anytomy.evaluation.bench.table import read_rows
from anytomy.evaluation.statistics import Interval, patient_means
from anytomy.tuning import record
from anytomy.tuning.evaluate import Change, by_patient, changes

Row = dict[str, Any]

NAMES = {
    STUDENT: "student",
    FEW: "student of the labelled cases alone",
    ALL: "student of all labels",
    TEACHER: "teacher with perfect boxes",
}
"""What is compared, in the order of tables; all but the last run without prompts, and see `names`."""

# A difference below this is not told as a loss of a case.
_LOSS = 0.02


@dataclass(frozen=True)
class Loss:
    """A case that the student does worse than something else does.

    Attributes:
        dataset: Id.
        case: Id.
        structure: Name.
        dice: By what is compared.
    """

    dataset: str
    case: str
    structure: str
    dice: Mapping[str, float]

    def against(self, model: str) -> float:
        """The student's Dice less that of `model`; NaN where one is missing."""
        return self.dice.get(STUDENT, np.nan) - self.dice.get(model, np.nan)


@dataclass(frozen=True)
class Tally:
    """Pseudo-labels of one structure in one round.

    Attributes:
        round: Name of the round.
        structure: Name.
        asked: Objects that the teacher was asked about, each slice for itself.
        accepted: Those that were to be trusted.
        reasons: How many each rule rejected; an object may be rejected by several.
    """

    round: str
    structure: str
    asked: int
    accepted: int
    reasons: Counter[str]


@dataclass(frozen=True, eq=False)
class DistillResults:
    """What a finished run found.

    Attributes:
        folder: Of the run.
        run: Its record.
        rows: Of the benchmark, of test patients; `model` says what is judged.
        objects: For each round the table of its pseudo-labels (`distill.pseudo.table`); the trial first.
    """

    folder: Path
    run: Mapping[str, Any]
    rows: Sequence[Row]
    objects: Mapping[str, Sequence[Row]]

    @classmethod
    def read(cls, folder: Path) -> DistillResults:
        """The results in a folder.

        Raises:
            OptionError: If it holds no distillation, or one that is not done, or a file cannot be read.
        """
        run = record.read(folder, SCHEMA)
        if run is None:
            raise OptionError(f"{folder} is no folder of a distillation: it has no {record.FILE}")
        if not run.get("finished"):
            raise OptionError(f"the run in {folder} is not done", hint="the same command goes on with it")
        rows: list[Row] = []
        for name in NAMES:
            path = folder / TEST / f"{name}.parquet"
            rows += [{**row, "model": name} for row in read_rows(path)] if path.is_file() else []
        tables = (folder / PSEUDO).glob(f"*/{OBJECTS}")
        order = sorted(tables, key=lambda path: (path.parent.name != TRIAL, path.parent.name))
        return cls(folder, run, rows, {path.parent.name: read_rows(path) for path in order})

    @property
    def seed(self) -> int:
        """Of the run, and of the bootstrap."""
        return int(self.run["config"]["seed"])

    @property
    def labels(self) -> int:
        """How many labelled cases it has seen, those that chose the best step among them."""
        group = self.run["cohort"]
        return len(group["labelled"]) + len(group["validate"])

    @cached_property
    def models(self) -> tuple[str, ...]:
        """What was judged."""
        there = {row["model"] for row in self.rows}
        return tuple(name for name in NAMES if name in there)

    @cached_property
    def boxed(self) -> bool:
        """Whether the teacher was judged with perfect boxes; one with classes gets none."""
        return any(row["prompt"] != WITHOUT_PROMPT for row in self.rows_of(TEACHER))

    @cached_property
    def names(self) -> dict[str, str]:
        """What is compared, by its name in tables."""
        return NAMES if self.boxed else {**NAMES, TEACHER: "teacher, no prompt"}

    def rows_of(self, model: str) -> list[Row]:
        """Rows of what is judged."""
        return [row for row in self.rows if row["model"] == model]

    @cached_property
    def against(self) -> dict[str, list[Change]]:
        """By what it is compared with: for each structure, and for their mean, how the student differs."""
        student = self.rows_of(STUDENT)
        others = [name for name in self.models if name != STUDENT]
        return {name: changes(self.rows_of(name), student, seed=self.seed) for name in others}

    @cached_property
    def means(self) -> dict[str, dict[tuple[str, str], Interval]]:
        """Mean Dice of patients of what is judged, by data set and structure.

        The structure of the mean over structures is `ALL` of `tuning.evaluate`.
        """
        return {
            name: {(c.dataset, c.structure): c.after for c in changes([], self.rows_of(name), seed=self.seed)}
            for name in self.models
        }

    def patients(self, model: str) -> dict[tuple[str, str], dict[str, float]]:
        """Dice of each patient by data set and structure."""
        return {(d, s): values for (d, _, s), values in by_patient(self.rows_of(model)).items()}

    @property
    def speed_gained(self) -> float:
        """How many times faster the student is than the teacher's encoder; NaN where not measured."""
        speed = self.run.get("speed") or {}
        if speed.get("masks_of_the_teacher"):
            return float("nan")  # it waits for its teacher on every slice
        if not speed.get("student_ms") or not speed.get("teacher_encoder_ms"):
            return float("nan")
        return float(speed["teacher_encoder_ms"] / speed["student_ms"])

    def losses(self, model: str, most: int) -> list[Loss]:
        """The cases in which the student does worse than something else, the worst first."""
        held: defaultdict[tuple[str, str, str], dict[str, list[tuple[str, float]]]] = defaultdict(dict)
        for row in measured(self.rows):
            key = (row["dataset"], row["case"], row["structure"])
            value = np.nan if row["dice"] is None else row["dice"]
            held[key].setdefault(row["model"], []).append(("", value))
        found = [
            Loss(*key, {name: patient_means(values).get("", np.nan) for name, values in each.items()})
            for key, each in sorted(held.items())
        ]
        lost = [loss for loss in found if loss.against(model) < -_LOSS]
        return sorted(lost, key=lambda loss: loss.against(model))[:most]

    @property
    def last_round(self) -> str:
        """The round that taught the student; where none did, the last that was asked."""
        taught = str(self.run["result"]["taught"])
        return taught if taught in self.objects else list(self.objects)[-1]

    def tallies(self) -> list[Tally]:
        """Pseudo-labels by round and structure."""
        groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for round_, rows in self.objects.items():
            for row in rows:
                groups[round_, row["structure"]].append(row)
        return [
            Tally(
                round_,
                structure,
                len(rows),
                sum(bool(row["accepted"]) for row in rows),
                Counter(name for row in rows for name in rules_broken(row["reason"])),
            )
            for (round_, structure), rows in groups.items()
        ]


def rules_broken(reason: str) -> list[str]:
    """The names of the rules in a reason of the table: `student`, `box`, ..."""
    return [part.split(":")[0] for part in re.split(r"; (?=[a-z ]+: )", reason) if part]


def curve(results: DistillResults) -> list[DistillResults]:
    """A run and those in its folder `curve`: one for each number of labels, ascending.

    Raises:
        OptionError: If they differ in more than their labels: data, network, recipe or test cases.
    """
    runs = [
        results,
        *(DistillResults.read(path.parent) for path in results.folder.glob(f"curve/*/{record.FILE}")),
    ]
    for other in runs[1:]:
        alike = all(results.run["config"][name] == other.run["config"][name] for name in ("data", "recipe"))
        if not alike or results.run["network"] != other.run["network"]:
            raise OptionError(
                f"{other.folder} is of other data, another recipe or network than {results.folder}"
            )
        if sorted(other.run["cohort"]["test"]) != sorted(results.run["cohort"]["test"]):
            raise OptionError(f"{results.folder} and {other.folder} were tested on different cases")
    by_labels = {run.labels: run for run in reversed(runs)}
    return [by_labels[count] for count in sorted(by_labels)]
