"""Whose labels are seen, whose images only, and who is tested: `distill_cohort`, always by patient."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.tuning.cohort import cohort, ranked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from anytomy.datasets.case import Case
    from anytomy.distill.config import DistillConfig
    from anytomy.models.adapters.folder import AdapterCard


@dataclass(frozen=True)
class DistillCohort:
    """The cases of a distillation. No patient of the test is in another group.

    Attributes:
        labelled: Cases whose labels are seen and trained on.
        validate: Cases whose labels choose the best step.
        unlabelled: Cases of the training split whose images are seen; their labels only by the baseline
            `all`.
        test: Cases of patients that no part of the run sees before its end.
        classes: Structures, in the order of channels.
        splits: For each data set where its parts come from, in words.
    """

    labelled: tuple[Case, ...]
    validate: tuple[Case, ...]
    unlabelled: tuple[Case, ...]
    test: tuple[Case, ...]
    classes: tuple[str, ...]
    splits: dict[str, str]

    @property
    def training(self) -> tuple[Case, ...]:
        """All that is trained on by the baseline `all`."""
        return (*self.labelled, *self.unlabelled)

    def to_dict(self) -> dict[str, Any]:
        """Cases and patients by group, as the bundle and the run record have them."""
        groups = {name: getattr(self, name) for name in ("labelled", "validate", "unlabelled", "test")}
        return {
            **{
                name: [[case.dataset, case.id, case.patient] for case in cases]
                for name, cases in groups.items()
            },
            "classes": list(self.classes),
            "splits": dict(self.splits),
        }

    @property
    def fingerprint(self) -> str:
        """A hash of all of it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def distill_cohort(config: DistillConfig) -> DistillCohort:
    """Open the data sets and divide their patients.

    The labelled cases are those that `anytomy tune --mode semantic --train N` trains and validates on with
    the same seed, so that a teacher can be tuned on the very same labels.

    Raises:
        DatasetError: A data set is unknown or not here, or one patient is in training and in test.
        OptionError: A class is not labelled, or too few patients are left.
    """
    seen = cohort(config.asked)
    everything = cohort(replace(config.asked, train=None))
    known = {_key(case) for case in seen.train}
    held = _validation(seen.train, config)
    return DistillCohort(
        labelled=tuple(case for case in seen.train if (case.dataset, case.patient) not in held),
        validate=tuple(case for case in seen.train if (case.dataset, case.patient) in held),
        unlabelled=tuple(case for case in everything.train if _key(case) not in known),
        test=seen.test,
        classes=seen.classes,
        splits=seen.splits,
    )


def check_teacher(adapter: AdapterCard | None, group: DistillCohort) -> list[str]:
    """Refuse a teacher that was trained on test patients; say what else it has seen.

    Returns:
        A line where the teacher saw labels that count as unlabelled here.

    Raises:
        OptionError: The adapter's training data includes test cases.
    """
    if adapter is None:
        return []
    seen = _patients_of(adapter.data, {case.dataset for case in (*group.test, *group.unlabelled)})
    leaked = [case for case in group.test if (case.dataset, case.patient) in seen]
    if leaked:
        shown = ", ".join(case.id for case in leaked[:3]) + (" ..." if len(leaked) > 3 else "")
        raise OptionError(
            f"the teacher was trained on {len(leaked)} test cases: {shown}",
            hint="tune it with the same --data, --fold and --seed, or choose another teacher",
        )
    more = [case for case in group.unlabelled if (case.dataset, case.patient) in seen]
    if not more:
        return []
    return [
        f"the teacher has seen labels of {len(more)} cases that count as unlabelled here: the comparison with"
        " the student on the labelled cases alone is not even"
    ]


def _patients_of(data: Mapping[str, Any], names: Collection[str]) -> set[tuple[str, str]]:
    """Data set and patient of what a model says that it was trained on: it names cases."""
    from anytomy.datasets.dataset import open_dataset

    found: set[tuple[str, str]] = set()
    for name, parts in data.items():
        if name not in names:
            continue
        seen = {case for part in ("train", "validate", "labelled") for case in parts.get(part, ())}
        found |= {(name, case.patient) for case in open_dataset(name) if case.id in seen}
    return found


def _validation(cases: Sequence[Case], config: DistillConfig) -> set[tuple[str, str]]:
    """The labelled patients that validate: their share of each data set, rounded down; the last in rank."""
    held: set[tuple[str, str]] = set()
    for name in dict.fromkeys(case.dataset for case in cases):
        order = ranked((case.patient for case in cases if case.dataset == name), config.seed, name)
        count = min(int(config.validate * len(order)), len(order) - 1)
        held |= {(name, patient) for patient in order[len(order) - count :]}
    return held


def _key(case: Case) -> tuple[str, str]:
    return case.dataset, case.id
