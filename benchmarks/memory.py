"""Memory of `Model.segment` on a long volume: peak beyond the input array and the label map.

The case is 512 x 512 x 600 int16 with a tube that winds through all slices; one box, and three boxes whose
middle slices differ (embeddings are then wanted by both ways through the volume). Each run is a process of
its own.

    python benchmarks/memory.py                         # 40 slices segmented, a few minutes
    python benchmarks/memory.py --full                  # all 600
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ledger import publish, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, DEPTH, RADIUS = 512, 600, 22
BAR_GIB = 2.0


def centre(slice_: int) -> tuple[float, float]:
    """Column and row of the tube in a slice."""
    turn = 2 * np.pi * slice_ / 200
    return 256 + 40 * float(np.cos(turn)), 256 + 30 * float(np.sin(turn))


def volume() -> NDArray[np.int16]:
    """The phantom in HU, made slice by slice."""
    out = np.empty((DEPTH, SIDE, SIDE), dtype=np.int16)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    body = (x - 256) ** 2 / 220**2 + (y - 256) ** 2 / 170**2 < 1
    random = np.random.default_rng(0)
    for slice_, plane in enumerate(out):
        column, row = centre(slice_)
        tube = (x - column) ** 2 + (y - row) ** 2 < RADIUS**2
        values = np.where(tube, 160, np.where(body, 30, -1000)) + random.normal(0, 12, plane.shape)
        plane[:] = values.astype(np.int16)
    return out


def boxes(count: int, segmented: int) -> list[tuple[float, ...]]:
    """Boxes of the tube with different middle slices, which together reach over `segmented` slices."""
    start = (DEPTH - segmented) // 2
    found: list[tuple[float, ...]] = []
    for i in range(count):
        low, high = start + i * segmented // (2 * count), start + segmented - i * segmented // (4 * count)
        column, row = centre(low + (high - 1 - low) // 2)
        left, top, right, bottom = column - RADIUS, row - RADIUS, column + RADIUS, row + RADIUS
        found.append((left, top, float(low), right, bottom, float(high)))
    return found


def run(count: int, segmented: int, threads: int | None) -> None:
    """Segment in this process and print what it took, as JSON."""
    import resource

    import anytomy
    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt

    array = volume()
    model = anytomy.load("litemedsam", threads=threads)
    image = Image.from_array(array, modality="CT")
    result = model.segment(image, [Prompt(box=box) for box in boxes(count, segmented)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    z = np.flatnonzero(result.label_map.any(axis=(1, 2)))
    print(
        json.dumps(
            {
                "peak": peak,
                "input": array.nbytes,
                "labels": result.label_map.nbytes,
                "encodings": result.details["encodings"],
                "reached": [int(z[0]), int(z[-1])] if z.size else [],
                "seconds": result.details["seconds"],
            }
        )
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--slices-segmented", type=int, default=40)
    parser.add_argument("--full", action="store_true", help="all slices")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--run", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    segmented = DEPTH if options.full else min(options.slices_segmented, DEPTH)
    if options.run:
        run(options.run, segmented, options.threads)
        return
    lines, facts = [], []
    for count in (1, 3):
        command = [sys.executable, str(Path(__file__)), "--run", str(count)]
        command += ["--slices-segmented", str(segmented)]
        command += ["--threads", str(options.threads)] if options.threads else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        beyond = (found["peak"] - found["input"] - found["labels"]) / 2**30
        verdict = "pass" if beyond < BAR_GIB else "short"
        name = f"{count} box{'es' if count > 1 else ''}, {segmented} of {DEPTH} slices"
        lines.append((name, beyond, f"< {BAR_GIB}", verdict, found["encodings"], found["seconds"]))
        facts.append({"name": name, "figure": beyond, "bar": f"< {BAR_GIB}", "verdict": verdict, **found})
    head = ("case (512 x 512 x 600 int16)", "GiB beyond input and labels", "bar", "", "encodings", "seconds")
    publish("memory", table(head, lines), facts)


if __name__ == "__main__":
    main()
