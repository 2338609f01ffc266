"""Teach LiteMedSAM clicks: `python train.py FOLDER`. The same command again goes on.

Writes the made-up scenes to `FOLDER/scenes`, makes them data sets of `ANYTOMY_HOME`, and tunes into
`FOLDER/adapter`. Real pictures come from data sets that must be here, under `ANYTOMY_DATA` or added.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anytomy.datasets.adding import add_dataset
from anytomy.tuning import TuneConfig, tune
from anytomy.tuning.run import Runtime
from scenes import COUNT, THIN, write

REAL = ("dsb2018", "isic2017", "hc18", "msd_hippocampus", "stardist_nuclei", "sct_spinal_cord")
PREFIX = "click_scenes_"


def config(families: list[str], *, steps: int, minutes: float | None, start: str) -> TuneConfig:
    """All that decides the result."""
    return TuneConfig(
        model=start,
        data=(*(PREFIX + family for family in families), *REAL),
        method="prompt-decoder",
        steps=steps,
        max_minutes=minutes,
        validate=0.1,
        test=0,
        batch=4,
        lr=3e-4,
        weight_decay=1e-4,
        ema=0.99,
        every=max(steps // 4, 1),
        prompts={"clicks": 3, "box-clicks": 2},
        rounds=4,
        jitter=10,
        # What is drawn is varied enough, and every variant would be encoded.
        augment="none",
        most_slices=1,
        routes=("box",),
        seed=0,
    )


def main() -> None:
    """Write scenes, add them, tune."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=None, help="end after so long at the latest")
    parser.add_argument(
        "--start", default="litemedsam", help="model, or litemedsam+DIR to go on from an adapter"
    )
    parser.add_argument("--count", type=int, default=COUNT, help="scenes of drawn families")
    parser.add_argument("--thin", type=int, default=THIN, help="scenes of strands")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--precision", default="auto", choices=["auto", "f32", "bf16"])
    options = parser.parse_args()
    places = write(options.folder / "scenes", options.count, thin=options.thin)
    for place in places:
        add_dataset(PREFIX + place.name, place, objects="instances", replace=True, limit=0)
    asked = config(
        [place.name for place in places], steps=options.steps, minutes=options.minutes, start=options.start
    )
    runtime = Runtime(threads=options.threads, precision=options.precision)
    last = [-1]

    def told(what: str, done: int, total: int, line: str) -> None:
        if done * 50 // max(total, 1) != last[0]:
            last[0] = done * 50 // max(total, 1)
            print(f"{what} {done} of {total} {line}", flush=True)

    result = tune(asked, options.folder / "adapter", runtime=runtime, say=print, progress=told)
    print(result)


if __name__ == "__main__":
    main()
