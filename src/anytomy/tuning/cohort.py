"""Who trains, who chooses the best step, and who is tested: `cohort`, always by patient."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyWarning, DatasetError, OptionError
from anytomy.core.structures import canonical

if TYPE_CHECKING:
    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset
    from anytomy.tuning.config import TuneConfig


@dataclass(frozen=True)
class Cohort:
    """The cases of a tuning run. No patient is in two of the three groups.

    Attributes:
        train: Cases that are trained on.
        validate: Cases of training patients that are kept apart to choose the best step.
        test: Cases of patients that training never sees.
        classes: Structures that are learned, in order.
        splits: For each data set where its parts come from, in words.
    """

    train: tuple[Case, ...]
    validate: tuple[Case, ...]
    test: tuple[Case, ...]
    classes: tuple[str, ...]
    splits: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Cases and patients by group, as the adapter and the run record have them."""
        return {
            **{
                group: [[case.dataset, case.id, case.patient] for case in getattr(self, group)]
                for group in ("train", "validate", "test")
            },
            "classes": list(self.classes),
            "splits": dict(self.splits),
        }

    @property
    def fingerprint(self) -> str:
        """A hash of all of it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def cohort(config: TuneConfig) -> Cohort:
    """Open the data sets and divide their patients.

    Raises:
        DatasetError: A data set is unknown or not here, or one patient is in training and in test.
        OptionError: A class is not labelled, class lists differ, or too few patients are left.
    """
    from anytomy.datasets.dataset import open_dataset

    sets = [open_dataset(name) for name in dict.fromkeys(config.data)]
    classes = classes_of(sets, config)
    pools, tests, sources = [], [], {}
    for data in sets:
        train, test, sources[data.card.id] = _parts(data, config)
        _refuse_shared(train, test, data.card.id)
        pools.append(_labelled(train, classes))
        tests.append(_labelled(test, classes))
    chosen = _drawn(pools, config.train, config.seed)
    if not chosen:
        raise OptionError("no training case has a label of these classes", hint="check --classes and --data")
    held = _validation(chosen, config)
    return Cohort(
        train=tuple(case for case in chosen if _key(case) not in held),
        validate=tuple(case for case in chosen if _key(case) in held),
        test=tuple(_drawn(tests, config.test, config.seed)) if config.test != 0 else (),
        classes=classes,
        splits=sources,
    )


def refuse_seen(group: Cohort, data: Mapping[str, Any]) -> None:
    """Refuse test patients that the adapter to go on from was trained on.

    Args:
        group: Of the run to be made.
        data: Of the adapter's card: ids of cases by data set and part.

    Raises:
        DatasetError: With the first of them.
    """
    from anytomy.evaluation.exposure import LABELS_SEEN, patients_seen

    seen = patients_seen(data, LABELS_SEEN, {case.dataset for case in group.test})
    leaked = [case.id for case in group.test if _key(case) in seen]
    if leaked:
        shown = ", ".join(leaked[:3]) + (" ..." if len(leaked) > 3 else "")
        raise DatasetError(
            f"the adapter to go on from was trained on {len(leaked)} of the test cases: {shown}",
            hint="give the --fold and --seed that it was tuned with, or --test 0",
        )


def warn_of_unlabelled(cases: Sequence[Case], classes: Sequence[str]) -> None:
    """Say of which classes some cases have no label at all: there they are learned as background."""
    counts = {name: sum(name not in case.structures for case in cases) for name in classes}
    lacking = [f"{name} in {count}" for name, count in counts.items() if count]
    if lacking:
        warnings.warn(
            f"of {len(cases)} cases to learn from some have no label of a class, which counts as background"
            f" there: {', '.join(lacking)}",
            AnytomyWarning,
            stacklevel=2,
        )


def classes_of(sets: Sequence[Dataset], config: TuneConfig) -> tuple[str, ...]:
    """The structures to learn.

    In semantic mode each data set must label all of them: what a set does not label would be learned as
    background.

    Raises:
        OptionError: A structure is not labelled, or sets label different ones.
    """
    labelled = {data.card.id: data.structures for data in sets}
    wanted = tuple(dict.fromkeys(canonical(name) for name in config.classes))
    everything = tuple(dict.fromkeys(name for names in labelled.values() for name in names))
    for name in wanted:
        if name not in everything:
            raise OptionError(
                f"expected a class that is labelled in {' or '.join(labelled)}, but {name!r} is not",
                hint=f"labelled are {', '.join(everything)}",
            )
    classes = wanted or everything
    if config.is_semantic:
        for data, names in labelled.items():
            missing = [name for name in classes if name not in names]
            if missing:
                raise OptionError(
                    f"data sets label different classes: {data} has no {', '.join(missing)}",
                    hint="name the classes that all of them label with --classes",
                )
    return classes


def ranked(patients: Iterable[str], seed: int, dataset: str) -> list[str]:
    """Patients in an order that follows from their keys and the seed alone."""
    return sorted(set(patients), key=lambda p: hashlib.sha256(f"{seed}\0{dataset}\0{p}".encode()).hexdigest())


def _parts(data: Dataset, config: TuneConfig) -> tuple[list[Case], list[Case], str]:
    """Cases for training and for the test, and where the division comes from."""
    if config.fold is not None:
        number, of = config.fold
        order = ranked(data.patients, config.seed, data.card.id)
        if of > len(order):
            raise OptionError(f"expected at most {len(order)} folds of {data.card.id}, got {of}")
        tested = set(order[number - 1 :: of])
        inside = [case for case in data.cases if case.patient not in tested]
        outside = [case for case in data.cases if case.patient in tested]
        return inside, outside, f"fold {number} of {of} by patient, seed {config.seed}"
    splits = _splits(data)
    names = list(splits.cases)
    train = next((name for name in ("train", "training") if name in names), None)
    test = next((name for name in ("test", "testing", "val", "validation") if name in names), None)
    if train is None or test is None:
        raise DatasetError(
            f"expected splits named train and test (or val) in {splits.source}, got {', '.join(names)}",
            hint="rename them, or use --fold 1/5",
        )
    drawn = f" (seed {splits.seed})" if splits.seed is not None else ""
    where = f"parts {train} and {test} of {splits.source.name}{drawn}"
    return list(splits.select(data, train)), list(splits.select(data, test)), where


def _splits(data: Dataset) -> Any:
    """The stored splits, else drawn ones, which are stored: `bench --split test` then means the same."""
    from anytomy.datasets import splits

    in_folder = any((data.root / name).is_file() for name in ("splits_final.json", "splits.json"))
    if in_folder or splits.splits_path(data).is_file():
        return splits.load_splits(data)
    return splits.make_splits(data)


def _refuse_shared(train: Sequence[Case], test: Sequence[Case], name: str) -> None:
    both = sorted({case.patient for case in train} & {case.patient for case in test})
    if both:
        shown = ", ".join(both[:3]) + (" ..." if len(both) > 3 else "")
        raise DatasetError(
            f"{len(both)} patients of {name} are in training and in test: {shown}",
            hint=f"correct its splits, make them by `anytomy datasets split {name}`, or use --fold 1/5",
        )


def _labelled(cases: Sequence[Case], classes: Sequence[str]) -> list[Case]:
    return [case for case in cases if set(case.structures) & set(classes)]


def _drawn(pools: Sequence[Sequence[Case]], most: int | None, seed: int) -> list[Case]:
    """So many cases, patient by patient, from the data sets in turn; in the order of the data sets."""
    total = sum(len(pool) for pool in pools)
    if most is None or most >= total:
        return [case for pool in pools for case in pool]
    queues = []
    for pool in pools:
        order = ranked((case.patient for case in pool), seed, pool[0].dataset) if pool else []
        queues.append([[case for case in pool if case.patient == patient] for patient in order])
    taken: set[tuple[str, str]] = set()
    while len(taken) < most and any(queues):
        for queue in queues:
            if queue and len(taken) < most:
                # Of the last patient only so many cases as there is room for; the others stay unused.
                taken |= {(case.dataset, case.id) for case in queue.pop(0)[: most - len(taken)]}
    return [case for pool in pools for case in pool if (case.dataset, case.id) in taken]


def _validation(chosen: Sequence[Case], config: TuneConfig) -> set[tuple[str, str]]:
    """The patients that validate: their share of each data set, one at least where there are two."""
    held: set[tuple[str, str]] = set()
    for name in dict.fromkeys(case.dataset for case in chosen):
        order = ranked((case.patient for case in chosen if case.dataset == name), config.seed, name)
        if config.validate <= 0 or len(order) < 2:
            continue
        count = min(max(round(config.validate * len(order)), 1), len(order) - 1)
        held |= {(name, patient) for patient in order[-count:]}
    return held


def _key(case: Case) -> tuple[str, str]:
    return case.dataset, case.patient
