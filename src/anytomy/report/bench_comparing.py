"""Settings of a benchmark beside each other: `comparison_sections`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from anytomy.evaluation.bench.summary import comparisons
from anytomy.evaluation.statistics import LEAST_PAIRS
from anytomy.report.bench_tables import numbers, place_of, setting_label, shown
from anytomy.report.bench_text import CENT, NONE, estimate
from anytomy.report.html import Column, Html, details, table, tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytomy.evaluation.bench.summary import Comparison
    from anytomy.report.bench_results import BenchResults

# A longer list is folded away.
_MOST_OPEN = 30


def comparison_sections(results: BenchResults) -> list[Html]:
    """Paired comparisons of settings: by data set, and folded away by structure; empty if there are none."""
    if not results.has_dice:
        return []
    found = []
    for by_structure in (False, True):
        pairs = comparisons(results.rows, by_structure=by_structure, seed=results.seed)
        pairs.sort(key=lambda pair: (place_of(results, pair.dataset), pair.structure))
        if not pairs:
            continue
        tested = sum(math.isfinite(pair.adjusted) for pair in pairs)
        what = "each structure" if by_structure else "all structures of a data set together"
        caption = (
            f"Difference of Dice, second less first, for {what}; Wilcoxon's signed-rank test on patients,"
            f" two-sided, p adjusted for {tested} tests by Holm. Fewer than {LEAST_PAIRS} patients are not"
            " tested."
        )
        body = _comparison_table(results, pairs, caption, by_structure=by_structure)
        title = "By structure" if by_structure else "By data set"
        found.append(details(title, body, is_open=not by_structure and len(pairs) <= _MOST_OPEN))
    return found


def _comparison_table(
    results: BenchResults, pairs: Iterable[Comparison], caption: str, *, by_structure: bool
) -> Html:
    columns = [Column("data set"), *([Column("structure")] if by_structure else [])]
    columns += [
        Column("first"),
        Column("second"),
        *numbers("patients", f"difference [{CENT}]", "p", "p (Holm)"),
    ]
    rows = []
    for pair in pairs:
        few = pair.result.difference.patients < LEAST_PAIRS
        rows.append(
            [
                pair.dataset,
                *([pair.structure] if by_structure else []),
                setting_label(results, pair.first),
                setting_label(results, pair.second),
                f"{pair.result.difference.patients:,}",
                shown(estimate(pair.result.difference, signed=True)),
                "too few patients" if few else p_value(pair.result.p),
                NONE if few else _adjusted(pair.adjusted),
            ]
        )
    return table(caption, columns, rows, grouped=True)


def _adjusted(p: float) -> object:
    text = p_value(p)
    return tag("strong", f"{text} *") if p < 0.05 else text


def p_value(p: float) -> str:
    """As papers print it: three digits, or below the least of them."""
    return NONE if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
