"""Whose labels are seen, whose images only, and who is tested: `distill_cohort`, always by patient."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.evaluation.exposure import (
    IMAGES_SEEN,
    LABELS_SEEN,
    POSSIBLY,
    SEEN,
    exposure,
    patients_seen,
    training_cases,
)
from anytomy.tuning.cohort import cohort, ranked
from anytomy.tuning.prepared import name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from anytomy.datasets.case import Case
    from anytomy.distill.config import DistillConfig
    from anytomy.zoo.card import ModelCard


IMAGES = "images"
"""In place of a data set, of images that belong to none."""


@dataclass(frozen=True)
class DistillCohort:
    """The cases of a distillation. No patient of the test is in another group.

    Attributes:
        labelled: Cases whose labels are seen and trained on.
        validate: Cases whose labels choose the best step.
        unlabelled: Cases whose images are seen: those of the training split, whose labels only the baseline
            `all` sees, and those that have none.
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
        """All cases with labels that the baseline `all` is trained on."""
        return (*self.labelled, *(case for case in self.unlabelled if case.masks))

    @property
    def seen(self) -> tuple[Case, ...]:
        """All cases whose images are seen in training."""
        return (*self.labelled, *self.unlabelled)

    @cached_property
    def file_names(self) -> dict[tuple[str, str], str]:
        """What the files of a case that people look at are called, without ending, by data set and id.

        Where two would share a name, or would on file systems that take `A` for `a`, a hash tells them apart.
        """
        cases = (*self.labelled, *self.validate, *self.unlabelled, *self.test)
        plain = {_key(case): _plain(f"{case.dataset}_{case.id}") for case in cases}
        often = Counter(name.casefold() for name in plain.values())
        return {
            _key(case): name if often[name.casefold()] == 1 else f"{name}-{name_of(case)}"
            for case, name in zip(cases, plain.values(), strict=True)
        }

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
    alone = () if config.images is None else _images(Path(config.images), config)
    held = _validation(seen.train, config)
    return DistillCohort(
        labelled=tuple(case for case in seen.train if (case.dataset, case.patient) not in held),
        validate=tuple(case for case in seen.train if (case.dataset, case.patient) in held),
        unlabelled=(
            *(
                case
                for case in everything.train
                if _key(case) not in known and (case.dataset, case.patient) not in held
            ),
            *alone,
        ),
        test=seen.test,
        classes=seen.classes,
        splits=seen.splits,
    )


def check_teacher(card: ModelCard, group: DistillCohort) -> list[str]:
    """Refuse a teacher, or a guide, that was trained on test patients; say what else it has seen.

    What taught a student counts as seen by it.

    Returns:
        Lines on what the teacher saw: labels that count as unlabelled here, data sets as a whole.

    Raises:
        OptionError: The training data of its adapter includes test cases.
    """
    data = training_cases(card)
    names = {case.dataset for case in (*group.test, *group.unlabelled)}
    seen = patients_seen(data, LABELS_SEEN, names)
    touched = seen | patients_seen(data, IMAGES_SEEN, names)
    leaked = [case for case in group.test if (case.dataset, case.patient) in touched]
    if leaked:
        shown = ", ".join(case.id for case in leaked[:3]) + (" ..." if len(leaked) > 3 else "")
        raise OptionError(
            f"{card.title} was trained on {len(leaked)} test cases: {shown}",
            hint="tune it with the same --data, --fold and --seed, or choose another teacher",
        )
    lines = _exposed(card, {case.dataset for case in group.test} - set(data)) + _unrecorded(card)
    more = [case for case in group.unlabelled if (case.dataset, case.patient) in seen]
    if more:
        lines.append(
            f"{card.title} has seen labels of {len(more)} cases that count as unlabelled here, or of their"
            " patients: the comparison with the student on the labelled cases alone is not even"
        )
    return lines


def _unrecorded(card: ModelCard) -> list[str]:
    """A line on a student whose card does not say which cases its teacher or its guide learned from."""
    mine = None if card.student is None else card.student.card
    if mine is None or not mine.recipe:  # nobody taught a baseline
        return []
    roles = {"teacher": mine.teacher.get("adapter_sha256"), "guide": mine.training.get("guide")}
    return [
        f"{card.title} does not say which cases its {role} learned from: test patients may be among them"
        for role, tuned in roles.items()
        if tuned and not any(role in parts for parts in mine.data.values())
    ]


def _exposed(card: ModelCard, names: Collection[str]) -> list[str]:
    """Lines on data sets that a published model was trained on, whose cases nobody can tell apart."""
    from anytomy.datasets.registry import card as data_card

    found = {name: exposure(card, data_card(name)) for name in sorted(names)}
    return [
        f"{card.title} may have seen test patients of {name}: {each.why}"
        for name, each in found.items()
        if each.state in (SEEN, POSSIBLY)
    ]


def _images(folder: Path, config: DistillConfig) -> tuple[Case, ...]:
    """The images of a folder as cases without labels, but for those of the data sets, tested or not.

    Prompts may lie beside them.

    Raises:
        OptionError: There is no such folder, or nothing in it.
    """
    from anytomy.datasets.case import Case, ImageRef
    from anytomy.datasets.dataset import open_dataset
    from anytomy.io.read import is_image

    if not folder.is_dir():
        raise OptionError(f"expected a folder with images without labels, got {folder}")
    known = {case.image.path.resolve() for name in dict.fromkeys(config.data) for case in open_dataset(name)}
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if config.prompts_dir is not None:
        shown = [path for path in shown if path.suffix != ".json"]
    new = [path for path in shown if path.resolve() not in known]
    others = [path.name for path in new if not is_image(path)]
    made = tuple(Case(IMAGES, p.name, p.name, ImageRef(p), ()) for p in new if p.name not in others)
    if not made:
        raise OptionError(f"expected images without labels in {folder}, but there are none")
    if others:
        named = ", ".join(others[:3]) + (" ..." if len(others) > 3 else "")
        message = f"{len(others)} in {folder} are no images and are left out: {named}"
        warnings.warn(message, AnytomyWarning, stacklevel=2)
    return made


def _validation(cases: Sequence[Case], config: DistillConfig) -> set[tuple[str, str]]:
    """The labelled patients that validate: their share of each data set, rounded down; the last in rank."""
    held: set[tuple[str, str]] = set()
    for name in dict.fromkeys(case.dataset for case in cases):
        order = ranked((case.patient for case in cases if case.dataset == name), config.seed, name)
        count = min(int(config.validate * len(order)), len(order) - 1)
        held |= {(name, patient) for patient in order[len(order) - count :]}
    return held


def _plain(text: str) -> str:
    """With letters, digits and what no file system minds."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


def _key(case: Case) -> tuple[str, str]:
    return case.dataset, case.id
