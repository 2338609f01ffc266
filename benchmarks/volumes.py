"""How well do volume strategies carry LiteMedSAM into 3D? Dice, NSD, leaked and missed slices.

Each object is prompted by a simulator that says a cuboid (`box-3d`), a box on the middle slice and the z
range (`key-slice-box-z`), or that box alone (`key-slice-box`). Results are kept by object and by the code
that they depend on; embeddings are kept on disk in half precision (`runs/embeddings`), which moves a logit
by 0.005.

    python benchmarks/volumes.py --sets acdc chaos_mr
    python benchmarks/volumes.py --only none      # the table of what is there
"""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.core.structures import tolerance_mm
from anytomy.datasets.dataset import open_dataset
from anytomy.engine.cache import EmbeddingCache
from anytomy.evaluation.bench.trial import Setting, Stopwatch, run_trial
from anytomy.evaluation.metrics import measure
from anytomy.evaluation.simulators import Truth, seeded, simulator
from anytomy.evaluation.statistics import bootstrap, patient_means
from anytomy.report.plots import Strip, distribution
from data import DATA, arguments
from ledger import RUNS, Ledger, code_version, progress, publish, table

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.predict.model import Model

SETS: dict[str, tuple[str, ...]] = {
    "acdc": ("left ventricle", "right ventricle"),
    "chaos_mr": (),
    "la2018": (),
    "chaos_ct": (),
    "msd_hippocampus": (),
    "btcv": (),
}
ASKED = (
    ("key-slice-box-z", "authors"),
    ("key-slice-box-z", "propagate"),
    ("key-slice-box-z", "triplanar"),
    ("key-slice-box", "propagate"),
    ("box-3d", "slices"),
    ("box-3d", "authors"),
    ("box-3d", "propagate"),
    ("box-3d", "triplanar"),
)
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
# A page brings its own colours; a picture in the docs stands alone, on light and on dark.
STYLE = (
    "svg{background:#fff}text{font:12px sans-serif;fill:#222}.head{font-weight:600}.small{fill:#666}"
    ".dot{fill:#2a6fb0;fill-opacity:.5}.box{fill:#2a6fb0;fill-opacity:.15}.mean{fill:#b03a2e}"
    ".weak{fill:#b03a2e}path{stroke:#222;fill:none}.grid{stroke:#ddd}.limit{stroke:#b03a2e}"
)
KEYS = ("dataset", "case", "structure", "prompt", "volume", "code")


@cache  # of the code that this process has loaded, whatever happens to the files
def version(volume: str) -> str:
    """The version of the code behind a strategy."""
    shared = ("volumes/strategy.py", "volumes/slices.py", "predict/placing.py", "engine/frame.py")
    own = {
        "authors": ("volumes/authors.py",),
        "slices": ("volumes/apart.py",),
        "propagate": ("volumes/propagate.py", "volumes/level.py", "volumes/patch.py"),
        "triplanar": (
            "volumes/triplanar.py",
            "volumes/votes.py",
            "volumes/propagate.py",
            "volumes/level.py",
            "volumes/patch.py",
        ),
    }
    return code_version(*shared, *own[volume])


def measured(
    model: Model, image: Image, case: Case, structure: str, mask: Any, prompt: str, volume: str
) -> dict[str, Any]:
    """One object under one setting."""
    spacing = image.geometry.spacing_zyx_mm
    truth = Truth(mask, True, "z", spacing)
    outcome = run_trial(
        Stopwatch(model),
        image,
        truth,
        simulator(prompt),
        seeded(0, case.id, structure),
        Setting(volume=volume),
    )
    if outcome is None:
        return {}
    row = measure(
        outcome.found,
        outcome.truth,
        metrics=("dice", "nsd", "fp_slices"),
        spacing=spacing,
        unit="mm",
        tolerance=tolerance_mm(structure),
    )
    there, found = (m.any(axis=(1, 2)) for m in (outcome.truth, outcome.found))
    return {
        "dice": row["dice"],
        "nsd": row["nsd"],
        "leaked": int((found & ~there).sum()),
        "missed": int((there & ~found).sum()),
        "seconds": round(outcome.seconds, 3),
    }


def run(kept: Ledger, names: list[str], asked: list[tuple[str, str]], limit: int | None) -> None:
    """Measure what is not there yet, of each data set the first `limit` cases spread over it."""
    cache = EmbeddingCache(memory_bytes=2**30, directory=RUNS / "embeddings", disk_bytes=60 * 2**30)
    model = anytomy.load("litemedsam", threads=1, cache=cache)
    for name in names:
        cases = list(open_dataset(name))
        if limit is not None and limit < len(cases):
            cases = [cases[round(i)] for i in np.linspace(0, len(cases) - 1, limit)]
        with progress(name, len(cases)) as step:
            for case in cases:
                image, labels = case.load()
                for structure, label in labels.items():
                    if (SETS[name] and structure not in SETS[name]) or int((label > 0).sum()) < 50:
                        continue
                    for prompt, volume in asked:
                        keys = {"dataset": name, "case": case.id, "structure": structure}
                        keys |= {"prompt": prompt, "volume": volume, "code": version(volume)}
                        if kept.get(**keys) is None:
                            facts = measured(model, image, case, structure, label > 0, prompt, volume)
                            kept.add(**keys, **facts)
                step(case.id)


def complete(kept: Ledger) -> list[dict[str, Any]]:
    """Results of today's code, of settings that saw all objects of a data set that any setting saw."""
    rows = [row for row in kept if row["code"] == version(row["volume"]) and row.get("dice") is not None]
    seen = Counter((row["dataset"], row["prompt"], row["volume"]) for row in rows)
    most: Counter[str] = Counter()
    for (name, *_), count in seen.items():
        most[name] = max(most[name], count)
    return [r for r in rows if seen[r["dataset"], r["prompt"], r["volume"]] == most[r["dataset"]]]


def means(rows: list[dict[str, Any]], value: str) -> dict[tuple[str, str], dict[str, float]]:
    """Mean over structures of the mean over cases, by setting and data set."""
    values: Any = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows:
        values[row["prompt"], row["volume"]][row["dataset"]][row["structure"]].append(row[value])
    return {
        setting: {name: float(np.mean([np.mean(v) for v in each.values()])) for name, each in sets.items()}
        for setting, sets in values.items()
    }


def picture(kept: list[dict[str, Any]]) -> None:
    """Draw all objects given a box and the range, by set and strategy, as `docs/images/volumes.svg`."""
    strips = []
    for name in SETS:
        for volume in ("authors", "propagate", "triplanar"):
            wanted = (name, "key-slice-box-z", volume)
            rows = [row for row in kept if (row["dataset"], row["prompt"], row["volume"]) == wanted]
            if rows:
                by_case = patient_means((row["case"], row["dice"]) for row in rows)
                interval = bootstrap(list(by_case.values()))
                strips.append(Strip(volume, [row["dice"] for row in rows], interval, name))
    drawn = str(distribution(strips, "3D Dice of each object by data set and strategy"))
    start = drawn.index(">") + 1
    head = drawn[: start - 1] + ' xmlns="http://www.w3.org/2000/svg">'
    path = IMAGES / "volumes.svg"
    path.write_text(f"{head}<style>{STYLE}</style>{drawn[start:]}\n")


def main() -> None:
    """Measure and publish."""
    parser = arguments(__doc__, sets=list(SETS))
    parser.add_argument("--only", nargs="*", default=None, help="strategies; `none` measures nothing")
    parser.add_argument("--limit", type=int, default=None, help="most cases of a data set")
    options = parser.parse_args()
    if not (options.data / "index.csv").exists():
        print(f"no development data at {options.data}: nothing to measure")
        return
    os.environ.setdefault("ANYTOMY_DATA", str(DATA))
    kept = Ledger("volumes", KEYS)
    asked = [pair for pair in ASKED if options.only is None or pair[1] in options.only]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if asked:
            run(kept, options.sets, asked, options.limit)
    rows = complete(kept)
    parts, facts = [], {}
    for value in ("dice", "nsd", "leaked", "missed"):
        found = means(rows, value)
        lines = []
        for prompt, volume in ASKED:
            each = [found.get((prompt, volume), {}).get(name) for name in SETS]
            # A mean over other sets for each line would compare nothing.
            mean = None if None in each else float(np.mean([v for v in each if v is not None]))
            lines.append((prompt, volume, *each, mean))
        parts.append(f"## {value}\n\n" + table(("prompt", "strategy", *SETS, "mean"), lines))
        facts[value] = lines
    publish("volumes", "\n\n".join(parts), facts)
    picture(rows)


if __name__ == "__main__":
    main()
