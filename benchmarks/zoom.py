"""Zoom: what fixed crops do to small objects, and what `--zoom auto` gains and costs everywhere.

Tight boxes through `Model.segment`. Fixed factors are measured on objects whose box is at most 64 of 256
model pixels; `auto` on all, where objects that the rule leaves alone count with the result of the whole
picture. How the rule was found: `zoom_sweep.py` and `docs/zoom.md`.

    python benchmarks/zoom.py                       # auto
    python benchmarks/zoom.py --factors 2 3 4 6     # and fixed factors
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.predict.zoom import Zoom
from data import arguments, cases
from ledger import publish, table
from objects import OBJECT, current, ledger, measure
from zoom_sweep import half

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_SEEN = 64
LEAST_GAIN, LARGEST_LOSS = 0.03, 0.005
INPUT = 256


def small(row: dict[str, Any]) -> bool:
    """Whether fixed factors are measured on this object."""
    x0, y0, x1, y1 = row["box"]
    return max(x1 - x0, y1 - y0) * INPUT / max(row["shape"]) <= LARGEST_SEEN


def closer(row: dict[str, Any]) -> bool:
    """Whether `auto` looks at a crop of this object."""
    return len(Zoom.parse("auto").windows(tuple(row["box"]), tuple(row["shape"]))) > 1


def paired(rows: Iterable[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """For each object its results by zoom; `auto` is `off` where the rule leaves it alone."""
    found: dict[Any, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        if row["view"] == "canonical":
            found[tuple(row[k] for k in OBJECT)][row["zoom"]] = row
    for answers in found.values():
        if "off" in answers and not closer(answers["off"]):
            answers["auto"] = answers["off"]
    return [a for a in found.values() if "off" in a]


def gain(objects: list[dict[str, dict[str, Any]]], zoom: str) -> float | None:
    """Mean gain over `off` on the objects that have both."""
    both = [a[zoom]["dice"] - a["off"]["dice"] for a in objects if zoom in a]
    return float(np.mean(both)) if both else None


def auto_table(objects: list[dict[str, dict[str, Any]]]) -> tuple[str, dict[str, float]]:
    """`auto` against `off` by data set, on all images and on each half of them."""
    by_set: dict[str, list[dict[str, dict[str, Any]]]] = defaultdict(list)
    for answers in (a for a in objects if "auto" in a):
        by_set[answers["off"]["dataset"]].append(answers)
    lines, figures = [], {}
    for name, group in sorted(by_set.items()):
        off, auto = (float(np.mean([a[z]["dice"] for a in group])) for z in ("off", "auto"))
        halves = [gain([a for a in group if half(a["off"]["image"]) == h], "auto") for h in (0, 1)]
        looked = sum(closer(a["off"]) for a in group)
        figures[name] = auto - off
        changed = sum(a["auto"]["dice"] != a["off"]["dice"] for a in group)
        lines.append((name, len(group), looked, changed, off, auto, *map(_signed, (auto - off, *halves))))
    head = (
        "set",
        "objects",
        "looked closer",
        "changed",
        "off",
        "auto",
        "gain",
        "gain, half A",
        "gain, half B",
    )
    return table(head, lines), figures


def factor_table(objects: list[dict[str, dict[str, Any]]], factors: list[str]) -> str:
    """Fixed factors against `off` on small objects, by data set and structure."""
    groups: dict[tuple[str, str], list[dict[str, dict[str, Any]]]] = defaultdict(list)
    for answers in objects:
        if any(f in answers for f in factors):
            groups[answers["off"]["dataset"], answers["off"]["structure"]].append(answers)
    lines = []
    for key, group in sorted(groups.items()):
        off = float(np.mean([a["off"]["dice"] for a in group]))
        lines.append((*key, len(group), off, *(_signed(gain(group, f)) for f in (*factors, "auto"))))
    return table(("set", "structure", "objects", "off", *factors, "auto"), lines)


def checks(objects: list[dict[str, dict[str, Any]]], figures: dict[str, float]) -> list[dict[str, str]]:
    """The bars for `auto`."""
    found = []
    if "dsb2018" in figures:
        found.append(("zoom auto: gain on dsb2018", f">= {LEAST_GAIN}", figures["dsb2018"], LEAST_GAIN))
    adrenals = [a for a in objects if "adrenal" in a["off"]["structure"] and "auto" in a]
    if adrenals:
        found.append(("zoom auto: adrenal glands of btcv", ">= 0", gain(adrenals, "auto") or 0.0, 0.0))
    if figures:
        worst = min(figures, key=lambda name: figures[name])
        title = f"zoom auto: least gain of {len(figures)} sets ({worst})"
        found.append((title, f">= -{LARGEST_LOSS}", figures[worst], -LARGEST_LOSS))
    return [
        {"name": n, "bar": b, "figure": f"{v:+.3f}", "verdict": "pass" if v >= least else "short"}
        for n, b, v, least in found
    ]


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--factors", nargs="*", default=[], help="fixed factors to measure as well")
    parser.add_argument("--report", action="store_true", help="only report what was measured before")
    options = parser.parse_args()
    if not options.report:
        every = cases(options.data, options.sets)
        model = anytomy.load("litemedsam", threads=options.threads)
        measure(model, every, [("canonical", "off")])
        measure(model, every, [("canonical", "auto")], closer)
        for factor in options.factors:
            measure(model, every, [("canonical", factor)], small)
    objects = paired(current(ledger()))
    everywhere, figures = auto_table(objects)
    factors = sorted({z for a in objects for z in a} - {"off", "auto"}, key=float)
    verdicts = checks(objects, figures)
    parts = [everywhere, table(("check", "bar", "figure", ""), [tuple(c.values()) for c in verdicts])]
    if factors:
        parts.append(factor_table(objects, factors))
    publish("zoom", "\n\n".join(parts), {"checks": verdicts, "gains": figures})


if __name__ == "__main__":
    main()
