"""Clicks with `litemedsam-click`: after one and five, box and a corrective click, and boxes as before.

Prompts come from the iterative simulator (the deepest point of the largest error), zoom is off, of a volume
each object is judged in the slice where it is largest. None of the sets was trained on. A set counts with
the mean over its objects; the bar is on the mean over sets.

    python benchmarks/clicks.py                # all objects: about an hour on two cores the first time
    python benchmarks/clicks.py --limit 12     # a first look: so many objects of each set, evenly spread
"""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.engine.cache import EmbeddingCache
from anytomy.evaluation.bench.trial import Setting, Stopwatch, run_trial
from anytomy.evaluation.simulators import Truth, simulator
from anytomy.models.adapters.folder import read_adapter
from anytomy.zoo.registry import card
from data import arguments, cases, loaded
from ledger import RUNS, Ledger, code_version, progress, publish, table
from objects import OBJECT, dice

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.predict.model import Model
    from data import Case, Target

SETS = [
    "busi",
    "kvasir_seg",
    "shenzhen_montgomery_cxr",
    "ultrasound_nerve",
    "glas",
    "btcv",
    "chaos_mr",
    "acdc",
]
TUNED, BASE = "litemedsam-click", "litemedsam"
CLICKS = 5
KEYS = (*OBJECT, "weights", "code")
# Required, goal.
BARS = {"1 click": (0.5, 0.6), "5 clicks": (0.72, 0.8)}
LARGEST_CHANGE = 0.005


def version() -> str:
    """The version of the code that decides the figures."""
    return code_version(
        "core/intensity.py",
        "core/view.py",
        "engine/frame.py",
        "engine/model.py",
        "engine/routed.py",
        "evaluation/simulators/interactive.py",
        "evaluation/simulators/regions.py",
    )


def truth_of(image: Image, target: Target) -> Truth:
    """The object in its slice alone."""
    if target.slice is None:
        return Truth(target.mask, is_volume=False)
    mask = np.zeros(image.array.shape[:3], dtype=bool)
    mask[target.slice] = target.mask
    return Truth(mask, is_volume=True, spacing=image.geometry.spacing_zyx_mm)


def measured(tuned: Model, base: Model, image: Image, target: Target) -> dict[str, Any]:
    """Dice after each click, of the box, of the box and a click, and of the base's box."""
    found: dict[str, Any] = {}
    truth = truth_of(image, target)
    asked = (
        ("clicks", tuned, f"clicks-{CLICKS}"),
        ("boxed", tuned, "box-clicks-1"),
        ("base", base, "box"),
    )
    for name, model, who in asked:
        seed = hashlib.sha256(f"{target.structure} {target.number}".encode()).digest()[:4]
        rng = np.random.default_rng(list(seed))
        outcome = run_trial(Stopwatch(model), image, truth, simulator(who), rng, Setting())
        assert outcome is not None
        found[name] = [dice(each, outcome.truth) for each in outcome.rounds]
    return found


def figures(row: dict[str, Any]) -> dict[str, float]:
    """The Dice of an object by what was said; where nothing was left to correct, as it was."""
    clicks, boxed = row["clicks"], row["boxed"]
    said = {f"{n} click{'s' * (n > 1)}": clicks[min(n, len(clicks)) - 1] for n in range(1, CLICKS + 1)}
    return {**said, "box": boxed[0], "box + 1 click": boxed[-1], f"box, {BASE}": row["base"][0]}


def chosen(every: list[Case], limit: int | None) -> list[tuple[Case, Image, Target]]:
    """The objects to measure; at most so many of a set, evenly spread over its images."""
    there = [(case, image, target) for case, image, targets in loaded(every) for target in targets]
    places = np.linspace(0, len(there) - 1, min(limit or len(there), len(there))).round().astype(int)
    return [there[i] for i in places]


def checks(means: dict[str, float]) -> list[dict[str, Any]]:
    """The bars."""
    gain = means["box + 1 click"] - means["box"]
    change = abs(means["box"] - means[f"box, {BASE}"])
    found = [
        (said, f">= {need} ({goal} the goal)", means[said], means[said] >= need)
        for said, (need, goal) in BARS.items()
    ]
    found += [
        ("box + 1 click less box", ">= 0", gain, gain >= 0),
        ("change of boxes", f"<= {LARGEST_CHANGE}", change, change <= LARGEST_CHANGE),
    ]
    return [
        {"name": f"{TUNED}: {said}", "bar": bar, "figure": figure, "verdict": "pass" if met else "short"}
        for said, bar, figure, met in found
    ]


def report(rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """A line for each set and structure and the mean over sets; with the bars."""
    lines, by_set = [], {}
    for name in SETS:
        mine = [(row["structure"], figures(row)) for row in rows if row["dataset"] == name]
        if not mine:
            continue
        by_set[name] = _means([each for _, each in mine])
        lines.append((name, len(mine), *by_set[name].values()))
        structures = dict.fromkeys(structure for structure, _ in mine)
        for structure in structures if len(structures) > 1 else ():
            group = [each for s, each in mine if s == structure]
            lines.append((f"- {structure}", len(group), *_means(group).values()))
    means = _means(list(by_set.values()))
    lines.append((f"mean of {len(by_set)} sets", len(rows), *means.values()))
    verdicts = checks(means)
    listed = [tuple(each.values()) for each in verdicts]
    parts = [
        table(("set", "objects", *means), lines),
        table(("what", "bar", "figure", ""), listed),
    ]
    return "\n\n".join(parts), verdicts


def _means(each: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def main() -> None:
    """Measure and publish."""
    parser = arguments(__doc__, sets=SETS)
    parser.add_argument("--limit", type=int, default=None, help="objects of each set")
    parser.add_argument("--model", default=TUNED, help="another adapter, litemedsam+DIR; is not published")
    options = parser.parse_args()
    found = card(options.model)
    assert found.adapter is not None
    weights = read_adapter(found.adapter.folder).weights_sha256
    kept, code = Ledger("clicks", KEYS), version()
    # Of the same pictures for each version of the adapter, which leaves the encoder alone.
    cache = EmbeddingCache(directory=RUNS / "clicks-embeddings", dtype="float32")
    tuned = anytomy.load(options.model, threads=options.threads, cache=cache)
    base = anytomy.load(BASE, threads=options.threads, cache=cache)
    rows = []
    for name in options.sets:
        objects = chosen(cases(options.data, [name]), options.limit)
        with warnings.catch_warnings(), progress(name, len(objects)) as step:
            warnings.simplefilter("ignore")
            for case, image, target in objects:
                where = {
                    "dataset": name,
                    "image": case.image_path,
                    "structure": target.structure,
                    "number": target.number,
                    "weights": weights,
                    "code": code,
                }
                rows.append(kept.get(**where) or kept.add(**where, **measured(tuned, base, image, target)))
                step(case.image_path)
    text, verdicts = report(rows)
    if options.model == TUNED:
        publish("clicks", text, verdicts)
    else:
        print(text)


if __name__ == "__main__":
    main()
