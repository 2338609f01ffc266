"""The tables of a benchmark's page, each with its caption."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from anytomy.evaluation.bench.everything import EVERYTHING
from anytomy.evaluation.bench.objects import ABSENT, BEYOND, MEASURED, SMALL
from anytomy.evaluation.bench.summary import MIXED, WEAK, Setting, counts
from anytomy.report.bench_results import Extent
from anytomy.report.bench_text import (
    BESIDE,
    CENT,
    NAMES,
    NONE,
    Estimate,
    cell_estimate,
    certainty,
    counted,
    estimate,
    main_table_rows,
    number,
    weak_texts,
)
from anytomy.report.html import Column, Html, details, joined, table, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anytomy.evaluation.bench.curves import Curve
    from anytomy.evaluation.bench.summary import Cell
    from anytomy.evaluation.statistics import Interval
    from anytomy.report.bench_results import BenchResults
    from anytomy.report.bench_text import MainRow

JUDGED = {
    "picture": "the picture",
    "slice": "in volumes one slice, where the object is largest",
    "volume": "in volumes all slices",
}
# Metrics whose title in a table says more than their name.
_TITLES = {
    "volume_error": "volume error (relative)",
    "volume_error_ml": "volume error (ml)",
    "fp_slices": "slices with false positives",
}
# Where the mean stands among the columns of the main table.
_MEAN = 2
INSTANCES = ("ap", "ap50", "ap75", "pq", "sq", "dq")


def shown(value: object, *, is_weak: bool = False) -> object:
    """A cell as HTML: an estimate keeps each of its two halves in one piece."""
    if not isinstance(value, Estimate):
        return value
    parts = [tag("span", value.mean, class_="mean alarm" if is_weak else "mean")]
    if value.beside:
        parts.append(tag("span", value.beside, class_="beside"))
    return joined(parts, " ")


def judged(scopes: Iterable[str]) -> str:
    """What is compared with the label, in words."""
    held = set(scopes)
    return "; ".join(text for scope, text in JUDGED.items() if scope in held)


def overview_table(results: BenchResults) -> Html:
    """What was measured in each data set, and how well each model did it with the first prompt."""
    metric = "dice" if results.has_dice else results.metrics[0]
    several = len({setting.model for setting in results.settings}) > 1
    columns = [Column("data set"), *([Column("model")] if several else [])]
    columns += numbers("images", "patients", "objects", f"mean {NAMES.get(metric, metric)} [{CENT}]")
    columns += [*numbers("weak", "seconds per object"), Column("in the training data")]
    rows = []
    for cell in results.overall(metric):
        dataset, model = cell.dataset, cell.setting.model
        if not results.is_main(dataset, cell.setting):
            continue
        mine = [r for r in results.measured if r["dataset"] == dataset and Setting.of(r) == cell.setting]
        extent = Extent.of(mine)
        weak = sum((c.dataset, c.setting) == (dataset, cell.setting) for c in results.weak())
        seconds = [row["seconds"] for row in mine if row["seconds"] is not None]
        rows.append(
            [
                _link(results, dataset),
                *([model] if several else []),
                *(f"{n:,}" for n in (extent.images, extent.patients, extent.objects)),
                shown(cell_estimate(cell)),
                f"{weak} of {len({row['structure'] for row in mine})}" if results.has_dice else NONE,
                number(float(np.median(seconds)) if seconds else math.nan, 2),
                results.exposures[model, dataset].state,
            ]
        )
    threads = counted(int(results.record.get("threads", 1)), "thread")
    caption = (
        "With the first prompt, all structures of a data set together: each patient's mean over structures,"
        " then the mean over patients with a bootstrap interval. Weak: structures with a mean Dice under"
        f" {WEAK:.2f}. Seconds: medians on {threads}, encoding included."
    )
    return table(caption, columns, rows, grouped=several)


def _link(results: BenchResults, dataset: str) -> Html:
    """The id of a data set, leading to its table."""
    return tag("a", dataset, href=f"#data-{results.datasets.index(dataset)}")


def setting_label(results: BenchResults, setting: Setting) -> Html:
    """A setting in a few words, each of them in one piece."""
    return joined((tag("span", word, class_="whole") for word in results.words(setting)), ", ")


def weak_table(results: BenchResults, cells: Sequence[Cell], caption: str) -> Html:
    """Weak structures with their intervals."""
    several = len(results.settings) > 1
    columns = [Column("structure"), Column("data set"), *([Column("setting")] if several else [])]
    titles = list(weak_texts(cells[0]))[:-1]
    columns += [*numbers(*titles), Column("interval")]
    rows = [
        [
            cell.structure,
            cell.dataset,
            *([setting_label(results, cell.setting)] if several else []),
            *(shown(text) for text in list(weak_texts(cell).values())[:-1]),
            tag("span", certainty(cell), class_="alarm" if cell.is_surely_weak else None),
        ]
        for cell in cells
    ]
    return table(caption, columns, rows)


def main_tables(results: BenchResults) -> list[tuple[str, Html]]:
    """For each data set its id and its table of structures and settings."""
    rows = main_table_rows(results)
    several = len(results.settings) > 1
    found = []
    for dataset in results.datasets:
        mine = [row for row in rows if row.dataset == dataset]
        units = _common_units(mine)
        titles = list(mine[0].texts(units=units))
        columns = [Column("structure"), *([Column("setting")] if several else []), *numbers(*titles)]
        lines = [
            [
                row.structure,
                *([setting_label(results, row.setting)] if several else []),
                *(
                    shown(text, is_weak=row.first.is_weak and place == _MEAN)
                    for place, text in enumerate(row.texts(units=units).values())
                ),
            ]
            for row in mine
        ]
        structures = counted(len({row.structure for row in mine}), "structure")
        caption = f"{structures} of {dataset}. Judged: {judged(row.setting.scope for row in mine)}."
        found.append((dataset, table(caption, columns, lines, grouped=several, dense=True)))
    return found


def _common_units(rows: Sequence[MainRow]) -> dict[str, str]:
    """The unit of each metric that has the same one in all rows."""
    held = {name: {row.beside[name].unit for row in rows} for name in rows[0].beside}
    return {name: units.pop() for name, units in held.items() if len(units) == 1 and units != {MIXED}}


def other_metrics(results: BenchResults, dataset: str) -> Html:
    """The metrics that do not stand in the main table, folded away; nothing if there are none."""
    first = "dice" if results.has_dice else results.metrics[0]
    names = [name for name in results.metrics if name not in (first, *BESIDE)]
    by_name = {name: [c for c in results.cells(name) if c.dataset == dataset] for name in names}
    # Volumes of pictures, for one, are nowhere defined.
    by_name = {n: held for n, held in by_name.items() if any(c.interval.patients for c in held)}
    if not by_name:
        return Html("")
    several = len(results.settings) > 1
    columns = [Column("structure"), *([Column("setting")] if several else [])]
    columns += numbers(*(_metric_title(name) for name in by_name))
    rows = [
        [
            cells[0].structure,
            *([setting_label(results, cells[0].setting)] if several else []),
            *(shown(cell_estimate(cell, with_unit=cell.metric not in _TITLES)) for cell in cells),
        ]
        for cells in zip(*by_name.values(), strict=True)
    ]
    body = table("Means by patient with bootstrap intervals.", columns, rows, grouped=several, dense=True)
    return details("Other metrics", body)


def _metric_title(name: str) -> str:
    return _TITLES.get(name) or NAMES.get(name, name)


def instance_table(results: BenchResults) -> Html | None:
    """AP and PQ of images with several objects of a structure; None where there are none."""
    cells = {name: results.instances(name) for name in INSTANCES}
    if not cells["ap"]:
        return None
    settings = {cell.setting for cell in cells["ap"]}
    several = len(settings | set(results.settings)) > 1
    columns = [Column("structure"), Column("data set"), *([Column("setting")] if several else [])]
    columns += numbers("patients", "images", *(NAMES[name] for name in INSTANCES))
    rows = [
        [
            first.structure,
            first.dataset,
            *([_instance_label(results, first.setting)] if several else []),
            f"{first.interval.patients:,}",
            f"{first.objects:,}",
            *(shown(cell_estimate(cells[name][place])) for name in INSTANCES),
        ]
        for place, first in enumerate(cells["ap"])
    ]
    caption = (
        "Each true object was prompted on its own, so that these say how well objects are told apart and"
        " outlined, not how well they are found. Means by patient with bootstrap intervals."
    )
    if any(setting.prompt == EVERYTHING for setting in settings):
        caption += (
            " With `everything` nobody prompted and all labelled objects count, so that it says how well they"
            " are found too."
        )
    return table(caption, columns, rows, dense=True)


def _instance_label(results: BenchResults, setting: Setting) -> Html | str:
    """A setting in words; `everything` has no other results by which settings could be told apart."""
    if setting.prompt == EVERYTHING:
        return f"{setting.model}, {EVERYTHING}"
    return setting_label(results, setting) if results.words(setting) else setting.prompt


def curve_table(results: BenchResults, found: Sequence[Curve]) -> Html:
    """What interactive runs came to."""
    several = len(results.settings) > 1
    most = max(len(curve.dice) for curve in found)
    marks = [k for k in range(1, most + 1) if k in (1, 2, 3, 5, 10, 20) or k == most]
    columns = [
        Column("data set"),
        *([Column("setting")] if several else []),
        *numbers("patients", "objects"),
    ]
    columns += numbers(*(f"Dice at {k}" for k in marks), "AUC", "NoC@90", "IoU 0.9 reached")
    rows = [
        [
            curve.dataset,
            *([setting_label(results, curve.setting)] if several else []),
            f"{curve.auc.patients:,}",
            f"{curve.objects:,}",
            *(shown(estimate(curve.dice[k - 1])) if k <= len(curve.dice) else NONE for k in marks),
            shown(estimate(curve.auc)),
            shown(estimate(curve.clicks, 1)),
            f"{curve.reached} of {curve.objects}",
        ]
        for curve in found
    ]
    caption = (
        "Dice after so many prompts (a run that ended keeps its last value), the area under that curve (0 to"
        " 1), and the number of prompts until the IoU is 0.9 (20 where it is not reached)."
    )
    return table(caption, columns, rows, grouped=several)


def shift_table(results: BenchResults, found: Mapping[str, Sequence[tuple[str, Interval]]]) -> Html:
    """What moved boxes cost, in numbers."""
    columns = [
        Column("model"),
        Column("shift (pixels at 1024)"),
        *numbers("patients", f"change of Dice [{CENT}]"),
    ]
    rows = [
        [model, name, f"{interval.patients:,}", shown(estimate(interval, signed=True))]
        for model, bins in found.items()
        for name, interval in bins
    ]
    return table("The same in numbers.", columns, rows, grouped=True)


def exposure_table(results: BenchResults) -> Html:
    """Whether each model saw each data set."""
    rows = [
        [model, dataset, tag("strong", found.state), found.why]
        for (model, dataset), found in results.exposures.items()
    ]
    caption = (
        "By the model's card and the catalogue's table of data sets that share scans. Unknown is not unseen:"
        " results on data that a model was trained on say little about new data."
    )
    columns = [Column(title) for title in ("model", "data set", "in the training data", "why")]
    return table(caption, columns, rows, grouped=True)


def count_parts(results: BenchResults) -> list[Html]:
    """How many labelled objects were measured, and how many were not and why: a sentence and a table."""
    status = (MEASURED, SMALL, BEYOND, ABSENT)
    found = sorted(counts(results.rows).items(), key=lambda item: (place_of(results, item[0][0]), item[0][1]))
    total = Counter[str]()
    for _, each in found:
        total.update(each)
    config = results.config
    labelled = sum(total[each] for each in (MEASURED, SMALL, BEYOND))
    text = (
        f"Of {counted(labelled, 'labelled object')}, {total[MEASURED]:,} were measured; {total[SMALL]:,} were"
        f" too small (fewer than {config['least']} pixels in the picture or in the slice where they are"
        f" largest), and {total[BEYOND]:,} beyond the limit of {config['most']} objects of a structure in one"
        f" image. {total[ABSENT]:,} times a structure was labelled nowhere in an image."
    )
    rows = [[*key, *(f"{each[name]:,}" for name in status)] for key, each in found]
    columns = [Column("data set"), Column("structure"), *numbers(*status)]
    body = table("Objects; absent: images without the structure.", columns, rows, grouped=True)
    return [tag("p", text), details("By structure", body)]


def place_of(results: BenchResults, dataset: str) -> int:
    """Where a data set stands in the order of the run."""
    data = list(results.config["data"])
    return data.index(dataset) if dataset in data else len(data)


def numbers(*titles: str) -> list[Column]:
    """Columns of numbers."""
    return [Column(title, is_number=True) for title in titles]
