"""What `anytomy tune` gains on open data with LiteMedSAM, without prompts, and what a step costs.

- `hippocampus`: 20 training volumes, at most 75 minutes; mean 3D Dice of both classes on the test part, and
  with `--others N` on so many of all volumes that it was not tuned on, evenly spread.
- `acdc`: three folds by patient, 300 steps each; mean of the three classes.
- `steps`: seconds and memory of a step of four samples, by method, as `--estimate` says them.

Runs lie in `runs/tune`, can be killed and started again, and are not repeated when they are done.

    python benchmarks/tuning.py hippocampus acdc steps
    python benchmarks/tuning.py hippocampus --others 80
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from data import DATA
from ledger import RUNS, Ledger, progress, publish, table

BASE = "litemedsam"
BARS = {"hippocampus": 0.75, "acdc": 0.70}
SET = "msd_hippocampus"
METHODS = ("decoder", "lora:4", "full")
KEYS = ("weights", "case")
Row = tuple[str, float, float | None]


def mean_dice(changes: Any) -> float:
    """The mean over the structures of a run, after it."""
    return float(np.mean([change.after.mean for change in changes if change.structure]))


def hippocampus(asked: argparse.Namespace) -> list[Row]:
    """Tune on 20 volumes; the test part, and others that it was not tuned on."""
    from anytomy.tuning import TuneConfig, tune
    from anytomy.tuning.run import Runtime

    config = TuneConfig(BASE, data=(SET,), mode="semantic", train=20, max_minutes=75.0)
    folder = asked.out / "hippocampus"
    done = tune(config, folder, runtime=Runtime(threads=asked.threads), say=print)
    rows: list[Row] = [("hippocampus, test part", mean_dice(done.changes), BARS["hippocampus"])]
    if asked.others:
        values = others(folder, asked.others, asked.threads)
        rows.append((f"hippocampus, {len(values)} of the other volumes", float(np.mean(values)), None))
    return rows


def others(folder: Path, most: int, threads: int | None) -> list[float]:
    """Mean Dice of both classes in volumes that an adapter was not tuned on."""
    import anytomy
    from anytomy.datasets.dataset import open_dataset
    from anytomy.evaluation.metrics import dice
    from anytomy.models.adapters.folder import read_adapter
    from anytomy.tuning.prepared import spread

    card = read_adapter(folder)
    seen = {case for part in ("train", "validate") for case in card.data[SET][part]}
    cases = spread([case for case in open_dataset(SET) if case.id not in seen], most)
    model = anytomy.load(f"{BASE}+{folder}", threads=threads)
    kept, values = Ledger("tuning", KEYS), []
    with progress("volumes", len(cases)) as step:
        for case in cases:

            def measured(case: Any = case) -> dict[str, Any]:
                image, labels = case.load()
                found = model.segment(image).label_map
                names = enumerate(card.classes, start=1)
                return {"dice": [float(dice(found == number, labels[name] > 0)) for number, name in names]}

            row = kept.remember(measured, weights=card.weights_sha256, case=case.id)
            values.append(float(np.mean(row["dice"])))
            step(case.id)
    return values


def acdc(asked: argparse.Namespace) -> list[Row]:
    """Three folds with a fixed number of steps."""
    from anytomy.tuning import TuneConfig, tune
    from anytomy.tuning.run import Runtime

    found = []
    for fold in (1, 2, 3):
        config = TuneConfig(BASE, data=("acdc",), mode="semantic", fold=(fold, 3), steps=300)
        runtime = Runtime(threads=asked.threads)
        done = tune(config, asked.out / f"acdc-{fold}", runtime=runtime, say=print)
        found.append(mean_dice(done.changes))
    rows: list[Row] = [(f"acdc, fold {fold}", value, None) for fold, value in enumerate(found, start=1)]
    return [*rows, ("acdc, mean of the folds", float(np.mean(found)), BARS["acdc"])]


def steps(asked: argparse.Namespace) -> list[Row]:
    """What a step of four costs, measured before a run would start."""
    from anytomy.tuning import TuneConfig, tune
    from anytomy.tuning.run import Runtime

    rows: list[Row] = []
    for method in METHODS:
        config = TuneConfig(BASE, data=("kvasir_seg",), method=method, train=4, test=0, steps=100)
        with tempfile.TemporaryDirectory() as folder:
            plan = tune(config, folder, runtime=Runtime(threads=asked.threads), estimate=True)
        rows.append((f"{method}, a step of 4, s", plan.step_s, None))
        rows.append((f"{method}, memory, GB", plan.memory_bytes / 1e9, None))
    return rows


def main() -> None:
    """Measure what is asked for, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", nargs="+", choices=[*_MEASURES])
    parser.add_argument("--out", type=Path, default=RUNS / "tune", help="folder of the runs")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--others", type=int, default=0, help="volumes beside the test part, for hippocampus")
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()
    os.environ.setdefault("ANYTOMY_DATA", str(asked.data))
    rows = [row for name in asked.what for row in _MEASURES[name](asked)]
    verdicts = ["" if bar is None else ("pass" if value >= bar else "short") for _, value, bar in rows]
    text = table(("what", "figure", "bar", ""), [(*r, v) for r, v in zip(rows, verdicts, strict=True)])
    text += f"\n\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    facts = [
        {"name": n, "figure": f, "bar": b, "verdict": v} for (n, f, b), v in zip(rows, verdicts, strict=True)
    ]
    publish("tuning", text, json.loads(json.dumps(facts)))


_MEASURES = {"hippocampus": hippocampus, "acdc": acdc, "steps": steps}

if __name__ == "__main__":
    main()
