"""The main table and the weak structures of a benchmark as text: for the terminal, as Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from anytomy.evaluation.bench.summary import FAILED, MIXED, WEAK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from anytomy.evaluation.bench.summary import Cell, Setting
    from anytomy.evaluation.statistics import Interval
    from anytomy.report.bench_results import BenchResults

NONE = "–"
# Kept in one piece: "95 %".
CENT = "95\u00a0%"
FAILURES = f"Dice\u00a0<\u00a0{FAILED}"
NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "nsd": "NSD",
    "hd95": "HD95",
    "volume_error": "volume error",
    "volume_error_ml": "volume error",
    "fp_slices": "slices with false positives",
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "pq": "PQ",
    "sq": "SQ",
    "dq": "DQ",
}
_DIGITS = {"mm": 1, "px": 1, "ml": 1, "slices": 1}
# What stands in the main table beside Dice.
BESIDE = ("nsd", "hd95")


class Estimate(NamedTuple):
    """A mean as people read it.

    Attributes:
        mean: With its unit.
        beside: Its interval in brackets, or why there is none.
    """

    mean: str
    beside: str

    def __str__(self) -> str:
        """Both in one line."""
        return f"{self.mean} {self.beside}".rstrip()


def number(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """A number with so many digits after the point; a dash for NaN.

    Example:
        >>> number(0.98765), number(float("nan")), number(0.5, 1, signed=True)
        ('0.988', '–', '+0.5')
    """
    return f"{value:{'+' if signed else ''}.{digits}f}" if math.isfinite(value) else NONE


def estimate(interval: Interval, digits: int = 3, *, unit: str = "", signed: bool = False) -> Estimate:
    """Mean and interval; of one patient there is no interval, which is said."""
    if not interval.patients:
        return Estimate(NONE, "")
    mean = number(interval.mean, digits, signed=signed) + (f" {unit}" if unit else "")
    if interval.patients == 1:
        return Estimate(mean, "(one patient)")
    low, high = (number(v, digits, signed=signed) for v in (interval.low, interval.high))
    return Estimate(mean, f"[{low}, {high}]")


def cell_estimate(cell: Cell, *, with_unit: bool = True) -> Estimate:
    """Mean and interval of a cell, with its unit or without."""
    if cell.unit == MIXED:
        return Estimate(NONE, f"({MIXED})")
    signed = cell.metric.startswith("volume_error")
    unit = cell.unit if with_unit else ""
    return estimate(cell.interval, _DIGITS.get(cell.unit, 3), unit=unit, signed=signed)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 image`, `3 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True)
class MainRow:
    """A line of the main table: one structure of one data set under one setting.

    Attributes:
        first: The cell of Dice, or of the run's first metric where Dice was not measured.
        beside: Cells of the metrics beside it, by name.
    """

    first: Cell
    beside: Mapping[str, Cell]

    @property
    def dataset(self) -> str:
        """Id of the data set."""
        return self.first.dataset

    @property
    def structure(self) -> str:
        """Name of the structure."""
        return self.first.structure

    @property
    def setting(self) -> Setting:
        """How it was prompted."""
        return self.first.setting

    def texts(self, *, units: Mapping[str, str] | None = None) -> dict[str, str | Estimate]:
        """What stands in its columns, by title.

        Args:
            units: By metric, units that stand in the title rather than beside each number.
        """
        first, units = self.first, units or {}
        low, median, high = (number(v) for v in first.quartiles)
        texts: dict[str, str | Estimate] = {
            "patients": f"{first.interval.patients:,}",
            "objects": f"{first.objects:,}",
            f"mean {NAMES.get(first.metric, first.metric)} [{CENT}]": cell_estimate(first),
            "object mean": number(first.object_mean),
            "median [quartiles]": Estimate(median, f"[{low}, {high}]"),
            FAILURES: f"{first.failed}" if first.metric == "dice" else NONE,
            "empty": f"{first.empty}",
        }
        for name, cell in self.beside.items():
            unit = units.get(name, "")
            title = NAMES.get(name, name) + (f" ({unit})" if unit else "")
            texts[title] = cell_estimate(cell, with_unit=not unit)
        return texts


def main_table_rows(results: BenchResults) -> list[MainRow]:
    """The main table of a run: data sets and prompts in its order, structures by name."""
    if not results.metrics:
        return []
    first = results.cells("dice" if results.has_dice else results.metrics[0])
    others = {name: results.cells(name) for name in BESIDE if name in results.metrics}
    return [
        MainRow(cell, {name: cells[place] for name, cells in others.items()})
        for place, cell in enumerate(first)
    ]


def weak_texts(cell: Cell) -> dict[str, str | Estimate]:
    """What stands in the columns of the list of weak structures, by title."""
    return {
        "patients": f"{cell.interval.patients:,}",
        "objects": f"{cell.objects:,}",
        f"mean Dice [{CENT}]": cell_estimate(cell),
        FAILURES: f"{cell.failed}",
        "interval": certainty(cell),
    }


def certainty(cell: Cell) -> str:
    """Whether a weak structure's interval leaves a doubt, in words."""
    if cell.interval.patients < 2:
        return "none"
    return f"below {WEAK:.2f}" if cell.is_surely_weak else f"reaches {WEAK:.2f}"


def as_markdown(results: BenchResults, *, level: int = 2) -> str:
    """The main table and the list of weak structures in Markdown.

    Args:
        results: The run.
        level: Of the headings.
    """
    hashes = "#" * level
    rows = main_table_rows(results)
    parts = [f"{hashes} Results", ""]
    if results.common:
        parts += [f"{_escaped(results.common)}.", ""]
    if not rows:
        return "\n".join([*parts, "Nothing was measured.", ""])
    parts += _markdown([{**_names(row.first, results), **row.texts()} for row in rows])
    parts += ["", about_table(rows), "", f"{hashes} Weak structures: mean Dice under {WEAK:.2f}", ""]
    if not results.has_dice:
        return "\n".join([*parts, "Dice was not measured.", ""])
    weak = results.weak()
    if weak:
        parts += _markdown([{**_names(cell, results), **weak_texts(cell)} for cell in weak])
    else:
        parts.append("None.")
    return "\n".join([*parts, ""])


def main_table(results: BenchResults) -> Table:
    """The main table for the terminal: what fits into 80 columns."""
    rows = []
    for row in main_table_rows(results):
        texts = row.texts()
        kept = [title for title in texts if title in ("objects", "patients") or str(CENT) in title]
        rows.append({**_names(row.first, results), **{t: texts[t] for t in kept}})
    return _rich("Results", rows)


def weak_table(results: BenchResults) -> Table | None:
    """The list of weak structures for the terminal; None where there are none."""
    weak = results.weak() if results.has_dice else []
    rows = [{**_names(cell, results), **_without(weak_texts(cell), "objects", FAILURES)} for cell in weak]
    return _rich(f"Weak structures: mean Dice under {WEAK:.2f}", rows) if rows else None


def about_table(rows: Sequence[MainRow]) -> str:
    """What the columns of the main table mean, in a sentence or two."""
    text = (
        f"Means are of patients' means, with a bootstrap interval of {CENT} over patients; object means,"
        f" medians, quartiles and failures ({FAILURES}) are of objects. Empty: objects for which nothing was"
        " found"
    )
    if any(row.first.empty for row in rows) and any("hd95" in row.beside for row in rows):
        text += "; their Dice and NSD are 0, and their HD95 is the diagonal of the image"
    return f"{text}."


def _names(cell: Cell, results: BenchResults) -> dict[str, str | Estimate]:
    label = results.label(cell.setting)
    return {
        "data set": cell.dataset,
        "structure": cell.structure,
        **({"setting": label} if label else {}),
    }


def _markdown(rows: Sequence[Mapping[str, str | Estimate]]) -> list[str]:
    titles = list(dict.fromkeys(title for row in rows for title in row))
    numeric = ["---:" if _is_numeric(title) else "---" for title in titles]
    lines = [titles, numeric]
    for row in rows:
        texts = [(title, str(row.get(title, NONE))) for title in titles]
        lines.append([text if _is_numeric(title) else _escaped(text) for title, text in texts])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _escaped(text: str) -> str:
    """Names of structures and models may hold anything, also what Markdown takes for a sign."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join("\\" + c if c in "\\|`*_[]" else c for c in text)


def _is_numeric(title: str) -> bool:
    return title not in ("data set", "structure", "setting", "interval")


def _without(texts: Mapping[str, str | Estimate], *titles: str) -> dict[str, str | Estimate]:
    return {title: text for title, text in texts.items() if title not in titles}


def _rich(title: str, rows: Sequence[Mapping[str, str | Estimate]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    titles = list(dict.fromkeys(title for row in rows for title in row))
    for each in titles:
        numeric = _is_numeric(each)
        table.add_column(
            each,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="fold",
            min_width=None if numeric else 8,
        )
    for row in rows:
        # As Text: a structure may be called [red].
        table.add_row(*(Text(str(row.get(each, NONE))) for each in titles))
    return table
