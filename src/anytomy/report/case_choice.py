"""Which objects of a benchmark are shown as pictures: `chosen_objects`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.evaluation.bench.summary import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytomy.report.bench_results import BenchResults

    Row = Mapping[str, Any]

# Data sets with so few structures have pictures of each of them.
FEW_STRUCTURES = 3


@dataclass(frozen=True, eq=False)
class Chosen:
    """An object that is to be shown.

    Attributes:
        row: Of the table of results.
        place: `best`, `median`, `worst`, or where it stands in between.
    """

    row: Row
    place: str


@dataclass(frozen=True, eq=False)
class Group:
    """Objects that are ranked together.

    Attributes:
        dataset: Id.
        title: The structure, or what structures.
        setting: How they were prompted.
        chosen: From best to worst.
    """

    dataset: str
    title: str
    setting: Setting
    chosen: tuple[Chosen, ...]


def chosen_objects(results: BenchResults, pictures: int = 3) -> list[Group]:
    """Which objects to show, under the first prompt of their data set.

    Of a data set with few structures best to worst of each; of others best to worst of all, and the median
    object of each structure that is weak.

    Args:
        results: The run.
        pictures: How many from best to worst, evenly: 3 are the best, the median and the worst; 0 for none.
    """
    rows: defaultdict[tuple[str, Setting], defaultdict[str, list[Row]]]
    rows = defaultdict(lambda: defaultdict(list))
    for row in results.measured:
        setting = Setting.of(row)
        if results.is_main(row["dataset"], setting) and row.get("dice") is not None:
            rows[row["dataset"], setting][row["structure"]].append(row)
    place = {name: number for number, name in enumerate(results.datasets)}
    weak = {(cell.dataset, cell.setting, cell.structure) for cell in results.weak()} if rows else set()
    groups = []
    for dataset, setting in sorted(rows, key=lambda key: (place[key[0]], results.rank(key[1]))):
        held = rows[dataset, setting]
        if len(held) <= FEW_STRUCTURES:
            for name in sorted(held):
                groups.append(Group(dataset, name, setting, _from_best_to_worst(held[name], pictures)))
            continue
        every = [row for each in held.values() for row in each]
        title = f"all {len(held)} structures"
        groups.append(Group(dataset, title, setting, _from_best_to_worst(every, pictures)))
        medians = [held[name] for name in sorted(held) if (dataset, setting, name) in weak and pictures]
        shown = tuple(Chosen(_ranked(each)[len(each) // 2], "median") for each in medians)
        groups.append(Group(dataset, "median object of each weak structure", setting, shown))
    return [group for group in groups if group.chosen]


def _ranked(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row["dice"])


def _from_best_to_worst(rows: Sequence[Row], pictures: int) -> tuple[Chosen, ...]:
    ranked = _ranked(rows)
    count = min(pictures, len(ranked))
    if count < 1:
        return ()
    if len(ranked) == 1:
        return (Chosen(ranked[0], "only object"),)
    places = [0] if count == 1 else np.linspace(0, len(ranked) - 1, count).round().astype(int).tolist()
    names = {0: "best", len(ranked) - 1: "worst"}
    if count % 2 and count > 1:
        names.setdefault(places[count // 2], "median")
    return tuple(Chosen(ranked[p], names.get(p, f"place {p + 1} of {len(ranked)}")) for p in places)
