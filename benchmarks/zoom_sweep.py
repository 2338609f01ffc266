"""Where the constants of `--zoom auto` come from: small objects seen through crops of many sides.

Objects whose box is at most 80 of 256 model pixels are segmented in the whole picture and in square crops of
2, 3, 4 and 6 box sides and of 64, 96, 128 and 192 pixels. Rules are then tried on these answers without
running the model again: constants are compared on one half of the images, and the other half tells whether
what was seen there holds.

    python benchmarks/zoom_sweep.py --per-image 6 --precision bf16
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.plane import decode_plane
from anytomy.predict.zoom import AUTO_FACTOR, AUTO_HEAD_START, AUTO_LARGEST_SIDE, AUTO_LEAST_SIDE, Zoom
from data import arguments, cases, loaded
from ledger import Ledger, progress, publish, table
from objects import OBJECT, code_of, dice, stored_slice

if TYPE_CHECKING:
    from data import Case

SETS = ["dsb2018", "btcv", "stardist_nuclei", "monuseg", "recist_lesions", "brats2015", "fuseg_wound"]
SETS += ["drishti_gs", "biomedparse_demo", "busi", "glas", "acdc"]
KEYS = (*OBJECT, "side", "precision", "code")
LARGEST_SEEN = 80
FACTORS, SIDES = (2, 3, 4, 6), (64, 96, 128, 192)


@dataclass(frozen=True)
class Rule:
    """One way to decide: of the whole picture and some crops the answer with the highest score.

    Attributes:
        seen: Largest box side, in model pixels on a scale of 256; larger boxes are left alone.
        factors: Sides of the crops in box sides.
        least: Least side of a crop in the picture's pixels.
        margin: By how much a crop's score must be above the whole picture's; None takes the crop anyway.
    """

    seen: float
    factors: tuple[float, ...]
    least: float
    margin: float | None


# Each constant is varied around the rule that is used (the first), and some other families stand beside it.
USED = Rule(AUTO_LARGEST_SIDE, (AUTO_FACTOR,), AUTO_LEAST_SIDE, AUTO_HEAD_START)
RULES = [
    USED,
    *(replace(USED, seen=v) for v in (24, 40, 64)),
    *(replace(USED, margin=v) for v in (0, 0.05, 0.1)),
    *(replace(USED, factors=v) for v in ((2,), (3,), (4,), (6,), (2, 3, 4, 6))),
    *(replace(USED, least=v) for v in (0, 64, 128)),
    *(replace(USED, factors=(2, 4), least=v) for v in (0, 64, 96, 128)),
    *(replace(USED, factors=(f,), margin=None) for f in (2, 3, 4, 6)),
    *(replace(USED, factors=(4,), least=v, margin=None) for v in (64, 96, 128)),
]


def measure(every: list[Case], per_image: int, threads: int | None, precision: str) -> Ledger:
    """Dice and score of every object through every crop."""
    kept, code = Ledger("zoom_sweep", KEYS), code_of("off")
    model = anytomy.load("litemedsam", threads=threads, precision=precision)
    with progress("sweep", len(every)) as step:
        for case, image, targets in loaded(every):
            taken = targets if image.is_volume else targets[:per_image]
            for target in taken:
                prompt, longer = PlanePrompt(box=target.box), _longer(target.box)
                if longer * 256 / max(target.mask.shape) > LARGEST_SEEN:
                    continue
                picture = None
                for side in _sides(longer, max(target.mask.shape)):
                    named = {"structure": target.structure, "number": target.number, "side": side}
                    fields = {"dataset": case.dataset, "image": case.image_path, **named}
                    if kept.get(**fields, precision=precision, code=code):
                        continue
                    picture = stored_slice(image, model, target.slice) if picture is None else picture
                    zoom = Zoom("fixed", side / longer - 1e-9) if side else Zoom("off")
                    found = decode_plane(model, picture, prompt, zoom)
                    quality = dice(found.logits > 0, target.mask)
                    shown = {
                        "box": target.box,
                        "shape": target.mask.shape,
                        "precision": precision,
                        "code": code,
                    }
                    kept.add(**fields, **shown, dice=quality, score=found.score)
            step(case.dataset)
    return kept


def decide(rule: Rule, sides: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The answer that a rule takes of one object's answers by side (0 is the whole picture)."""
    whole = sides[0]
    longer, size = _longer(whole["box"]), max(whole["shape"])
    crops = [s for s in sides if s]
    if longer * 256 / size > rule.seen or not crops:
        return whole
    wanted = [w for w in (max(f * longer, rule.least) for f in rule.factors) if w < size]
    seen = [sides[min(crops, key=lambda s: abs(math.log(s / w)))] for w in wanted]
    if rule.margin is None:
        return seen[0] if seen else whole
    best = max(seen, key=lambda row: row["score"], default=whole)
    return best if best["score"] > whole["score"] + rule.margin else whole


def gains(rule: Rule, objects: list[dict[int, dict[str, Any]]]) -> dict[str, float]:
    """Mean gain of a rule over the whole picture, by data set."""
    by_set: dict[str, list[float]] = defaultdict(list)
    for sides in objects:
        by_set[sides[0]["dataset"]].append(decide(rule, sides)["dice"] - sides[0]["dice"])
    return {name: float(np.mean(v)) for name, v in by_set.items()}


def half(image: str) -> int:
    """0 or 1: which half of the images this one belongs to."""
    return hashlib.sha256(image.encode()).digest()[0] % 2


def _sides(longer: float, size: int) -> list[int]:
    every = {math.ceil(longer * f) for f in FACTORS} | {s for s in SIDES if s >= 1.5 * longer}
    return [0, *sorted(s for s in every if s < size)]


def _longer(box: Any) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def main() -> None:
    """Measure, try rules, report."""
    parser = arguments(__doc__, sets=SETS)
    parser.add_argument("--per-image", type=int, default=6, help="objects of each 2D image")
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"), help="bf16 is faster")
    options = parser.parse_args()
    kept = measure(cases(options.data, options.sets), options.per_image, options.threads, options.precision)
    found: dict[Any, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in kept:
        if row["precision"] == options.precision and row["code"] == code_of("off"):
            found[row["dataset"], row["image"], row["structure"], row["number"]][row["side"]] = row
    objects = [sides for sides in found.values() if 0 in sides]
    halves = [[o for o in objects if half(o[0]["image"]) == h] for h in (0, 1)]
    names = sorted({o[0]["dataset"] for o in objects})
    lines = []
    for rule in RULES:
        parts, every = [gains(rule, h) for h in halves], gains(rule, objects)
        name = (f"{rule.seen:g}", ", ".join(f"{f:g}" for f in rule.factors), f"{rule.least:g}")
        margin = "any" if rule.margin is None else f"{rule.margin:g}"
        numbers = [float(np.mean(list(p.values()))) for p in parts] + [min(p.values()) for p in parts]
        numbers += [every[n] for n in names]
        lines.append((*name, margin, *(f"{v:+.3f}" for v in numbers)))
    head = ("box at most", "factors", "crop at least", "margin", "mean A", "mean B", "least A", "least B")
    counts = ", ".join(f"{n} {sum(o[0]['dataset'] == n for o in objects)}" for n in names)
    note = f"Mean gain in Dice over the whole picture; halves A and B of the images. Objects: {counts}."
    publish("zoom_sweep", table((*head, *names), lines) + "\n\n" + note, lines)


if __name__ == "__main__":
    main()
