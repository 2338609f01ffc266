"""Zero-shot LiteMedSAM from tight boxes against the figures of the authors' own code on the same data.

Protocol: the tight ground-truth box, zoom off; objects of 20 pixels or more, at most 12 of an image (the
first ones by id); in a volume the slice of the file's third axis in which the structure is largest. A mask is
one object, except instances, one file each, and connected parts of `lungs`, `lung` and `nuclei`. Mean Dice
over objects.

    python benchmarks/zero_shot.py --sets btcv dsb2018
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import anytomy
from data import arguments, cases
from ledger import publish, table
from objects import current, measure

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the authors' code gave on the same objects: in the orientation of the stored array, with boxes that end
# on the pixel after the last one, and all grey volumes stretched between percentiles.
BARS: dict[tuple[str, str], Any] = {
    ("kvasir_seg", "polyp"): 0.944,
    ("busi", "tumour"): 0.941,
    ("shenzhen_montgomery_cxr", "lungs"): 0.964,
    ("hc18", "head"): 0.955,
    ("ultrasound_nerve", "nerve"): 0.854,
    ("glas", "gland"): 0.942,
    ("dsb2018", "nucleus"): 0.742,
    ("isic2017", "lesion"): 0.866,
    ("btcv", "liver"): 0.975,
    ("btcv", "spleen"): 0.963,
    ("btcv", "right kidney"): 0.934,
    ("btcv", "left kidney"): 0.939,
    ("btcv", "aorta"): 0.950,
    ("btcv", "pancreas"): 0.878,
    ("btcv", "oesophagus"): 0.749,
    ("btcv", "right adrenal gland"): 0.563,
    ("btcv", "left adrenal gland"): 0.596,
    ("btcv", "portal and splenic veins"): 0.398,
    ("acdc", "LV"): 0.963,
    ("acdc", "RV"): 0.960,
    ("acdc", "myocardium"): 0.148,
    ("la2018", "left atrium"): 0.909,
    ("chaos_mr", "liver"): (0.93, 0.96),
    ("chaos_mr", "spleen"): (0.93, 0.96),
    ("chaos_mr", "right kidney"): (0.93, 0.96),
    ("chaos_mr", "left kidney"): (0.93, 0.96),
    ("msd_hippocampus", "anterior"): 0.565,
    ("msd_hippocampus", "posterior"): 0.615,
    ("drive", "vessel"): 0.241,
}
TOLERANCE = 0.01
VIEWS = ("canonical", "stored")
NOTE = (
    "`canonical` is what a user gets (`Model.segment`), `stored` the slice as the file has it, as the bars "
    "were measured; the same figure twice where both show the same."
)


def means(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, float]]:
    """Mean Dice by data set and structure, then by view; and the number of objects."""
    values: dict[Any, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["dataset"], row["structure"]][row["view"]].append(row["dice"])
    return {
        key: {view: sum(v) / len(v) for view, v in views.items()} | {"objects": len(views["canonical"])}
        for key, views in values.items()
    }


def gap(figure: float, bar: float | tuple[float, float]) -> float:
    """How far a figure is above (or below) its bar; 0 inside a range."""
    low, high = bar if isinstance(bar, tuple) else (bar, bar)
    return figure - low if figure < low else max(figure - high, 0.0)


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__).parse_args()
    every = cases(options.data, options.sets)
    model = anytomy.load("litemedsam", threads=options.threads)
    kept = measure(model, every, [(view, "off") for view in VIEWS])
    rows = [r for r in current(kept) if r["zoom"] == "off"]
    lines, facts = [], []
    for (dataset, structure), found in sorted(means(rows).items()):
        bar = BARS.get((dataset, structure))
        found.setdefault("stored", found["canonical"])
        gaps = [None if bar is None else gap(found[v], bar) for v in VIEWS]
        shown = f"{bar[0]} to {bar[1]}" if isinstance(bar, tuple) else bar
        verdict = None if bar is None else ("within" if abs(gaps[-1]) <= TOLERANCE else "off")
        figures = [found.get(v) for v in VIEWS]
        lines.append((dataset, structure, found["objects"], *figures, shown, *map(_signed, gaps), verdict))
        facts.append({"dataset": dataset, "structure": structure, **found, "bar": bar, "gaps": gaps})
    gap_names = [f"{v} - bar" for v in VIEWS]
    head = ("set", "structure", "objects", *VIEWS, "bar", *gap_names, f"within {TOLERANCE}")
    publish("zero_shot", table(head, lines) + "\n\n" + NOTE, facts)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


if __name__ == "__main__":
    main()
