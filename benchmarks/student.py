"""How fast students are beside the encoder that a teacher runs on every slice, in one run on one runtime.

- One 256 x 256 slice through the network of each student and through the image encoder of
  LiteMedSAM; they take turns, so that a disturbance hits all of them, and the ratio is that of the medians.
- A 100-slice 256 x 256 volume end to end: the whole `anytomy segment`, from the file to the file.

Weights do not matter to time, so none are trained. The report states the load of the machine.

    python benchmarks/student.py --repeats 15
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ledger import progress, publish, table

SIDE, SLICES = 256, 100
RATIO, SECONDS = "encoder / unet-16", "segment 100 slices, s"
BARS = {RATIO: 15.0, SECONDS: 5.0}


def make(folder: Path, network: str) -> Path:
    """A student with random weights in a folder of its own."""
    import torch

    from anytomy.models.students.folder import StudentCard, write_student
    from anytomy.models.students.registry import build

    torch.manual_seed(0)
    card = StudentCard(
        network=network,
        dims=2,
        classes=("liver",),
        patch=(SIDE, SIDE),
        intensity="percentile:0.5,99.5",
        volumes=True,
    )
    write_student(folder / network, card, build(network, dims=2, channels=1, classes=1).state_dict())
    return folder / network


def slices(folder: Path, names: list[str], repeats: int, threads: int | None) -> dict[str, float]:
    """Median seconds of one slice through the teacher's encoder and through each student."""
    import anytomy

    teacher = anytomy.load("litemedsam", device="cpu", threads=threads)
    pixels = np.random.default_rng(0).random((1, 3, SIDE, SIDE), dtype=np.float32)
    grey = np.ascontiguousarray(pixels[:, :1])
    steps: dict[str, Callable[[], object]] = {"encoder": lambda: teacher.engine.encode(pixels)}
    for name in names:
        student = anytomy.load(str(folder / name), device="cpu", threads=threads)
        steps[name] = lambda engine=student.engine: engine(grey)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    with progress("rounds", repeats) as step:
        for _ in range(repeats):
            for name, run in steps.items():
                run()  # finds the caches full of the others' data
                started = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - started)
            step("")
    return {name: statistics.median(values) for name, values in taken.items()}


def whole(folder: Path, repeats: int, threads: int | None) -> float:
    """Median seconds of `anytomy segment` of a volume with `unet-16`."""
    import nibabel

    noise = np.random.default_rng(0).normal(400, 60, (SIDE, SIDE, SLICES))
    place = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    noise[(place**2).sum(axis=0) > 0.2] = 0  # air around a body
    nibabel.save(nibabel.Nifti1Image(noise.astype(np.int16), np.eye(4)), folder / "scan.nii.gz")
    command = [str(Path(sys.executable).with_name("anytomy")), "segment", str(folder / "scan.nii.gz")]
    command += ["--model", str(folder / "unet-16"), "-o", str(folder / "out.nii.gz"), "--redo"]
    command += ["--device", "cpu", *(["--threads", str(threads)] if threads else [])]
    taken = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def main() -> None:
    """Measure and report."""
    from anytomy.models.students.registry import STUDENTS

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name), list(STUDENTS)
        for each in names:
            make(folder, each)
        seconds = slices(folder, names, options.repeats, options.threads)
        volume = whole(folder, max(options.repeats // 3, 1), options.threads)
    rows = [("encoder of litemedsam, one slice, s", seconds["encoder"], None, "")]
    for each in names:
        ratio, bar = seconds["encoder"] / seconds[each], BARS.get(f"encoder / {each}")
        verdict = "" if bar is None else ("pass" if ratio >= bar else "short")
        rows.append((f"{each}, one slice, s", seconds[each], None, ""))
        rows.append((f"encoder / {each}", ratio, None if bar is None else f">= {bar}", verdict))
    met = "pass" if volume <= BARS[SECONDS] else "short"
    rows.append((SECONDS, volume, f"<= {BARS[SECONDS]}", met))
    note = f"Load of the machine before the run: {load:.1f} on {os.cpu_count()} cores (0 is quiet)."
    facts = [{"name": n, "figure": v, "bar": b, "verdict": w} for n, v, b, w in rows]
    publish("student", table(("what", "figure", "bar", ""), rows) + "\n\n" + note, facts)


if __name__ == "__main__":
    main()
