"""Small students taught by a promptable model: what they gain, and that wrong teachers do no harm.

Each bar is a few runs of `anytomy distill` in a folder, which can be killed and started again, and leaves
`BAR.json` beside it. Splits are drawn anew in the folder by patient: 70 + 30 volumes, 40 + 20 pictures.

    python benchmarks/distill.py hippocampus kvasir      # with the labelled few: 0.03 and 0.05 Dice more
    python benchmarks/distill.py boxes                   # box labels only: within 0.03 of full masks
    python benchmarks/distill.py wrong                   # nine tenths rejected, within 0.01 of the few
    python benchmarks/distill.py room --steps 600        # the most that a teacher can bring: labels of all
    python benchmarks/distill.py --quick ...             # a few steps and cases, to see that it works
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import DATA
from ledger import RUNS

if TYPE_CHECKING:
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.run import DistillResult
    from anytomy.predict.model import Model

TEACHER = "litemedsam"
# Set: shares of its patients for training and test, labelled cases.
SETS = {
    "msd_hippocampus": (0.7, 3),
    "kvasir_seg": (2 / 3, 6),
    "hc18": (0.7, None),
    "shenzhen_montgomery_cxr": (0.7, None),
}
BARS = {"hippocampus": 0.03, "kvasir": 0.05, "boxes": -0.03, "wrong": 0.01}
LEAST_REJECTED = 0.9


def main() -> None:
    """Run the bars that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bars", nargs="+", choices=[*_BARS, "all"], metavar="BAR")
    parser.add_argument("--out", type=Path, default=RUNS / "distill", help="folder of the runs")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--teacher", help="of hippocampus and kvasir, in place of those below")
    parser.add_argument("--minutes", type=float, default=60.0, help="for each run")
    parser.add_argument("--steps", type=int, help="of each student, in place of --minutes")
    parser.add_argument("--splits", type=int, default=4, help="of room, beginning with --seed")
    parser.add_argument("--tune-minutes", type=float, default=20.0, help="for a teacher that is tuned")
    for name, default in (("hippocampus", "promptable"), ("kvasir", "plain")):
        parser.add_argument(
            f"--{name}-teacher",
            choices=["plain", "promptable", "semantic"],
            default=default,
            help="the plain model, or one that is tuned on the same labelled cases",
        )
    parser.add_argument("--dims", default="auto")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--student", default="unet-16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    os.environ["ANYTOMY_DATA"] = str(asked.data)
    os.environ["ANYTOMY_HOME"] = str(asked.out / "home")  # splits of our own
    for name in BARS if "all" in asked.bars else asked.bars:
        found = _BARS[name](asked)
        path = asked.out / f"{name}{'-quick' if asked.quick else ''}.json"
        path.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found, indent=1))


def hippocampus(asked: argparse.Namespace) -> dict[str, Any]:
    """`self-prompt` with a teacher that was tuned on the same three volumes."""
    return few_labels(asked, "hippocampus", "msd_hippocampus", asked.hippocampus_teacher)


def kvasir(asked: argparse.Namespace) -> dict[str, Any]:
    """`self-prompt` with the plain teacher."""
    return few_labels(asked, "kvasir", "kvasir_seg", asked.kvasir_teacher)


def few_labels(asked: argparse.Namespace, bar: str, name: str, kind: str) -> dict[str, Any]:
    """`self-prompt` with few labels of a set."""
    teacher = asked.teacher or (TEACHER if kind == "plain" else tuned_teacher(asked, name, kind))
    run = bar if asked.teacher is None and kind == "plain" else f"{bar}-{'given' if asked.teacher else kind}"
    config = configured(asked, name, teacher=teacher)
    return {"bar": BARS[bar], "teacher": teacher, **gained(asked, run, config)}


def boxes(asked: argparse.Namespace) -> dict[str, Any]:
    """Box labels of all training cases against their full masks, by the same student and steps."""
    found: dict[str, Any] = {"bar": BARS["boxes"]}
    for name in ("kvasir_seg", "hc18", "shenzhen_montgomery_cxr"):
        config = replace(
            configured(asked, name),
            recipe="pseudo",
            boxes=True,
            labels=None,
            validate=0.0,
            baselines=("few",),
        )
        found[name] = gained(asked, f"boxes-{name}", config)
    return found


def wrong(asked: argparse.Namespace) -> dict[str, Any]:
    """Teachers whose masks are random blobs, and shifted by a quarter of their size."""
    from anytomy.predict.model import load
    from wrong_teachers import WRONG, made_wrong

    found: dict[str, Any] = {"bar": BARS["wrong"], "least_rejected": LEAST_REJECTED}
    plain = load(TEACHER, threads=asked.threads)
    for name in WRONG:
        config = replace(configured(asked, "kvasir_seg"), baselines=("few",), rounds=1)
        found[name] = gained(asked, f"wrong-{name}", config, made_wrong(name, plain))
        told = found[name]["rounds"][-1]
        found[name]["rejected"] = 1 - told["accepted"] / max(told["objects"], 1)
    return found


def room(asked: argparse.Namespace) -> dict[str, Any]:
    """What labels of all other volumes give the student of three, on some splits: about the most to teach it.

    The teacher is one whose masks are blobs; it is rejected, so the student is that of the labelled few.
    """
    from anytomy.predict.model import load
    from wrong_teachers import made_wrong

    found: dict[str, Any] = {}
    for seed in range(asked.seed, asked.seed + asked.splits):
        config = configured(argparse.Namespace(**{**vars(asked), "seed": seed}), "msd_hippocampus")
        config = replace(config, baselines=("all",), rounds=1)
        teacher = made_wrong("blobs", load(TEACHER, threads=asked.threads))
        whole = gained(asked, f"room-{config.dims}-{seed}", config, teacher)
        found[str(seed)] = {"steps": whole["steps"], "taught": whole["taught"], **whole["all"]}
    return found


def configured(asked: argparse.Namespace, name: str, *, teacher: str = TEACHER) -> DistillConfig:
    """The run of a data set, its split drawn."""
    from anytomy.datasets.dataset import open_dataset
    from anytomy.datasets.splits import make_splits
    from anytomy.distill.config import DistillConfig

    train, labels = SETS[name]
    make_splits(open_dataset(name), seed=asked.seed, fractions={"train": train, "test": 1 - train})
    config = DistillConfig(
        teacher,
        data=(name,),
        labels=labels,
        student=asked.student,
        dims=asked.dims,
        size=asked.size,
        rounds=asked.rounds,
        steps=asked.steps,
        max_minutes=asked.minutes if asked.steps is None else None,
        seed=asked.seed,
    )
    if asked.quick:
        config = replace(config, max_minutes=None, steps=20, size=64, test=4, rounds=1)
    return config


def gained(
    asked: argparse.Namespace, name: str, config: DistillConfig, teacher: Model | None = None
) -> dict[str, Any]:
    """Run, and what the student gained over that of the labelled cases alone."""
    from anytomy.distill.run import distill
    from anytomy.tuning.run import Runtime

    folder = asked.out / f"{name}{'-quick' if asked.quick else ''}"
    done = distill(config, folder, runtime=Runtime(threads=asked.threads), teacher=teacher, say=print)
    return described(done)  # type: ignore[arg-type]  # no estimate


def described(done: DistillResult) -> dict[str, Any]:
    """Steps, rounds, and the mean over structures against each baseline."""
    found: dict[str, Any] = {
        "taught": done.taught,
        "rounds": [dict(each) for each in done.rounds],
        "steps": done.plan.training.steps,
        "minutes": round(done.seconds / 60, 1),
    }
    for name, changes in done.changes.items():
        whole = next((c for c in changes if c.structure == ""), changes[0])
        found[name] = {
            "dice": round(whole.before.mean, 4),
            "student": round(whole.after.mean, 4),
            "gain": round(whole.result.difference.mean, 4),
            "low": round(whole.result.difference.low, 4),
            "high": round(whole.result.difference.high, 4),
            "patients": whole.after.patients,
            "p": whole.result.p if whole.result.p == whole.result.p else None,
        }
    return found


def tuned_teacher(asked: argparse.Namespace, name: str, mode: str) -> str:
    """The plain teacher, tuned on the labelled cases of a set and no others."""
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.run import Runtime, tune

    config = configured(asked, name)
    folder = asked.out / f"teacher-{name}-{mode}{'-quick' if asked.quick else ''}"
    tuning = TuneConfig(
        model=TEACHER,
        data=config.data,
        mode=mode,
        train=config.labels,
        test=0,
        least=1,
        validate=0.0,  # all of the few labels
        seed=asked.seed,
        **({"steps": 10} if asked.quick else {"max_minutes": asked.tune_minutes}),
    )
    if mode == "promptable":  # as it is asked later
        tuning = replace(tuning, prompts={"box": 1.0}, rounds=1)
    tune(tuning, folder, runtime=Runtime(threads=asked.threads), say=print)
    return f"{TEACHER}+{folder}"


_BARS = {"hippocampus": hippocampus, "kvasir": kvasir, "boxes": boxes, "wrong": wrong, "room": room}

if __name__ == "__main__":
    main()
