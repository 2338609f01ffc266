"""All benchmarks one after the other, and one table of bars and figures in `runs/table.md`.

Each goes on where an earlier run stopped; without the development data only speed and memory are measured.

    python benchmarks/run_all.py                 # hours on two cores the first time
    python benchmarks/run_all.py --only speed memory
    python benchmarks/run_all.py --only none     # the table of what is there
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ledger import RUNS, publish, table

HERE = Path(__file__).resolve().parent
BENCHMARKS = (
    "zero_shot",
    "authors_reference",
    "zoom",
    "invariance",
    "clicks",
    "volumes",
    "rings",
    "memory",
    "volume_cost",
    "speed",
    "student",
    "serving",
)
_NO_DATA = ("memory", "volume_cost", "speed", "student", "serving")
Row = tuple[str, str, str, str]


def zero_shot(facts: list[dict[str, Any]]) -> list[Row]:
    """How many structures are within 0.01 of the authors' code, and those that are not.

    The bars were measured in the stored view, so only that is judged.
    """
    barred = [f for f in facts if f["bar"] is not None]
    rows = []
    for number, view in enumerate(("canonical", "stored")):
        there = [f for f in barred if f["gaps"][number] is not None]
        off = [f for f in there if abs(f["gaps"][number]) > 0.01]
        names = ", ".join(f"{f['dataset']} {f['structure']} {f['gaps'][number]:+.3f}" for f in off)
        if there:
            count = f"{len(there) - len(off)} of {len(there)}" + (f" (not {names})" if names else "")
            name = f"zero-shot, {view}: structures within 0.01"
            judged = view == "stored"
            bar, verdict = (f"{len(there)} of {len(there)}", _verdict(not off)) if judged else ("", "")
            rows.append((name, bar, count, verdict))
    return rows


def authors_reference(facts: list[list[Any]]) -> list[Row]:
    """How close a second implementation of the authors' steps is."""
    everything = next(f for f in facts if f[0] == "all")
    close = float(everything[5]) < 0.001 and everything[6] > 0.999
    figure = f"{everything[5]}, {everything[6]:.4f}"
    name, bar = "authors' steps, second implementation: mean |dDice|, mean IoU", "< 0.001, > 0.999"
    return [(name, bar, figure, _verdict(close))]


def zoom(facts: dict[str, Any]) -> list[Row]:
    """What `auto` gains and costs."""
    return [(c["name"], c["bar"], c["figure"], c["verdict"]) for c in facts["checks"]]


def volumes(facts: dict[str, list[list[Any]]]) -> list[Row]:
    """What the default strategy gains over the authors' rule, and what is left of it without a range."""
    mean = {(line[0], line[1]): line[-1] for line in facts["dice"]}
    theirs, ours = (mean["key-slice-box-z", name] for name in ("authors", "propagate"))
    alone = mean["key-slice-box", "propagate"]
    if None in (theirs, ours, alone):
        return []
    gain, left = ours - theirs, alone / theirs
    return [
        (
            "volumes: Dice over the authors' rule, range known",
            ">= 0.04",
            f"{gain:.4f}",
            _verdict(gain >= 0.04),
        ),
        ("volumes: share of it without the range", ">= 0.95", f"{left:.3f}", _verdict(left >= 0.95)),
    ]


def rings(facts: list[list[Any]]) -> list[Row]:
    """The best that two boxes make of the myocardium in the slice that they are drawn on."""
    best = max(float(line[2]) for line in facts)
    return [("rings: Dice of the myocardium, key slice", ">= 0.65", f"{best:.3f}", _verdict(best >= 0.65))]


def plain(facts: list[dict[str, Any]]) -> list[Row]:
    """Benchmarks that state bar and verdict themselves."""
    return [(f["name"], str(f["bar"]), f"{f['figure']:.4g}", f["verdict"]) for f in facts if f["verdict"]]


def _verdict(met: bool) -> str:
    return "pass" if met else "short"


def main() -> None:
    """Run and tabulate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", default=BENCHMARKS, choices=[*BENCHMARKS, "none"])
    parser.add_argument("--data", type=Path, default=None, help="folder with index.csv")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    for name in (n for n in options.only if n in BENCHMARKS):
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py")]
        command += ["--threads", str(options.threads)] if options.threads and name != "serving" else []
        command += ["--data", str(options.data)] if options.data and name not in _NO_DATA else []
        if subprocess.run(command).returncode:
            print(f"{name} failed: its rows are those of an earlier run", file=sys.stderr)
    rows: list[Row] = []
    for name in BENCHMARKS:
        path = RUNS / f"{name}.json"
        if path.exists():
            collect = globals().get(name, plain)
            rows += collect(json.loads(path.read_text()))
    publish("table", table(("what", "bar", "figure", ""), rows), rows)


if __name__ == "__main__":
    main()
