"""How well do two boxes make a ring? The myocardium as the epicardium's disc without the endocardium's.

Each frame of acdc is prompted on key slices with the boxes around the myocardium's outside and around the
cavity, and with the z range of both; the result is judged on the one key slice in the middle, and in 3D.

    python benchmarks/rings.py
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.datasets.dataset import open_dataset
from anytomy.evaluation.metrics import measure
from data import DATA, arguments
from ledger import Ledger, code_version, progress, publish, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

RING = "myocardium = epicardium - endocardium"
# Zoom, and whether masks are widened until they fill their boxes (`--fit-box`).
SETTINGS = [(zoom, fit) for zoom in ("off", "3") for fit in (False, True)]
KEYS = ("case", "zoom", "fit", "keys", "code")
COUNTS = (0, 1, 3)


def version() -> str:
    """The version of the code that decides the figures."""
    modules = ("level", "fitted", "propagate", "apart", "slices")
    return code_version(*(f"volumes/{each}.py" for each in modules), "predict/zoom.py", "predict/combine.py")


def prompts(ring: NDArray[np.bool_], hole: NDArray[np.bool_], keys: list[int], *, whole: bool) -> list[Any]:
    """The two boxes on each key slice."""
    made = []
    for name, mask in (("epicardium", ring | hole), ("endocardium", hole)):
        boxes = {}
        for key in keys:
            rows, columns = np.nonzero(mask[key])
            boxes[key] = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        there = np.flatnonzero(mask.any(axis=(1, 2)))
        range_ = (int(there[0]), int(there[-1]) + 1) if whole else None
        made.append(anytomy.Prompt(boxes=boxes, z=range_, name=name))
    return made


def measured(model: Any, image: Any, labels: Any, zoom: str, fit: bool, count: int) -> dict[str, Any]:
    """Dice and NSD of the ring with boxes on so many slices; 0: on one, and only that one is judged."""
    ring, hole = labels["myocardium"] > 0, labels["left ventricle"] > 0
    both = np.flatnonzero(ring.any(axis=(1, 2)) & hole.any(axis=(1, 2)))
    middle = int(both[0] + (both[-1] - both[0]) // 2)
    keys = [middle] if count < 2 else [int(both[round(i)]) for i in np.linspace(0, both.size - 1, count)]
    asked = prompts(ring, hole, keys, whole=count > 0)
    result = model.segment(image, asked, zoom=zoom, fit_box=fit, combine=[RING])
    found = np.asarray(result.masks[2])
    spacing = image.geometry.spacing_zyx_mm
    if count == 0:
        found, ring, spacing = found[middle], ring[middle], spacing[1:]
    return measure(found, ring, metrics=("dice", "nsd"), spacing=spacing, unit="mm", tolerance=2.0)


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__, sets=["acdc"]).parse_args()
    if not (options.data / "index.csv").exists():
        print(f"no development data at {options.data}: nothing to measure")
        return
    os.environ.setdefault("ANYTOMY_DATA", str(DATA))
    kept, code = Ledger("rings", KEYS), version()
    model = anytomy.load("litemedsam")
    cases = list(open_dataset("acdc"))
    with warnings.catch_warnings(), progress("acdc", len(cases)) as step:
        warnings.simplefilter("ignore")
        for case in cases:
            image, labels = case.load()
            for zoom, fit in SETTINGS:
                for count in COUNTS:
                    where = {"case": case.id, "zoom": zoom, "fit": fit, "keys": count, "code": code}
                    if kept.get(**where) is None:
                        kept.add(**where, **measured(model, image, labels, zoom, fit, count))
            step(case.id)
    lines = []
    for zoom, fit in SETTINGS:
        figures = []
        for count in COUNTS:
            rows = [
                r for r in kept if (r["zoom"], r["fit"], r.get("keys"), r["code"]) == (zoom, fit, count, code)
            ]
            figures += [float(np.mean([r[m] for r in rows])) for m in ("dice", "nsd")]
        lines.append((zoom, "yes" if fit else "no", *figures))
    judged = ("key slice", "volume, 1 key slice", "volume, 3 key slices")
    heads = ("zoom", "fit box", *(f"{metric}, {where}" for where in judged for metric in ("Dice", "NSD")))
    publish("rings", table(heads, lines), lines)


if __name__ == "__main__":
    main()
