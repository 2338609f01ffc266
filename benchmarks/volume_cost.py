"""What a volume costs: the time of five objects against one, and memory, for every strategy.

- Time: 100 slices (`--slices`) of 256 x 256 with five tubes that wind around each other, LiteMedSAM, each
  strategy with one object and with five, each run without embeddings from before. CPU seconds of all threads,
  since others may use the machine too; seconds on the clock stand beside them. `triplanar` also looks at the
  rows and columns that objects reach: five that lie apart need more of these than one, whatever the strategy
  does, so that this is measured as well.
- Memory: 512 x 512 x 600 int16, peak of the process beyond input and label map. Encoding 600 slices and those
  of the other planes would take an hour, so that a stand-in answers: its embeddings are as large as
  LiteMedSAM's, its masks are what is bright in the box. Each run is a process of its own. The body is the
  largest object that there can be.

    python benchmarks/volume_cost.py --threads 2
    python benchmarks/volume_cost.py --only memory
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ledger import Ledger, code_version, publish, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from anytomy.core.prompt import Prompt

STRATEGIES = ("slices", "authors", "propagate", "2.5d", "triplanar")
RATIO_BAR, GIB_BAR = 1.5, 2.0
OBJECTS = 5
PARTS = ("apart", "authors", "propagate", "neighbours", "triplanar", "votes", "slices", "patch")
CODE = (
    *(f"volumes/{name}.py" for name in PARTS),
    "predict/segment.py",
    "predict/canvas.py",
    "engine/cache.py",
)
# Objects, how they lie, strategy, whether uncertainty is mapped too.
MEMORY = (
    (1, "tubes", "propagate", False),
    (OBJECTS, "tubes", "propagate", False),
    (1, "tubes", "triplanar", False),
    (OBJECTS, "tubes", "triplanar", False),
    (1, "body", "propagate", False),
    (1, "body", "triplanar", False),
    (1, "body", "triplanar", True),
)


class Phantom:
    """A body with five bright tubes along it.

    Args:
        side: Rows and columns.
        depth: Slices.
        apart: Whether the tubes lie far from each other or around one line.
    """

    def __init__(self, side: int, depth: int, *, apart: bool) -> None:
        self.side, self.depth, self.apart = side, depth, apart
        self.radius = side / 24

    def centre(self, number: int, slice_: int) -> tuple[float, float]:
        """Column and row of a tube in a slice."""
        turn = 2 * np.pi * (number / OBJECTS + slice_ / (2 * self.depth))
        far = self.side * (0.3 if self.apart else 0.13)
        return self.side / 2 + far * float(np.cos(turn)), self.side / 2 + far * float(np.sin(turn)) * 0.8

    def volume(self) -> NDArray[np.int16]:
        """Values in HU, made slice by slice."""
        out = np.empty((self.depth, self.side, self.side), dtype=np.int16)
        y, x = (axis - self.side / 2 for axis in np.mgrid[: self.side, : self.side].astype(np.float32))
        body = (x / 0.43) ** 2 + (y / 0.33) ** 2 < self.side**2
        random = np.random.default_rng(0)
        for slice_, plane in enumerate(out):
            values = np.where(body, 60.0, -1000.0)
            for number in range(OBJECTS):
                column, row = (v - self.side / 2 for v in self.centre(number, slice_))
                values[(x - column) ** 2 + (y - row) ** 2 < self.radius**2] = 160
            plane[:] = (values + random.normal(0, 12, plane.shape)).astype(np.int16)
        return out

    def tubes(self, count: int) -> list[Prompt]:
        """Boxes on slightly different key slices, with the whole range."""
        from anytomy.core.prompt import Prompt

        found = []
        for number in range(count):
            key = int(self.depth * (0.4 + 0.05 * number))
            column, row = self.centre(number, key)
            box = (column - self.radius, row - self.radius, column + self.radius, row + self.radius)
            found.append(Prompt(box=box, slice=key, z=(0, self.depth)))
        return found

    def body(self) -> list[Prompt]:
        """A box around nearly everything."""
        from anytomy.core.prompt import Prompt

        wide, high = 0.43 * self.side, 0.33 * self.side
        middle = self.side / 2
        return [Prompt(box=(middle - wide, middle - high, 0, middle + wide, middle + high, self.depth))]


class StandIn:
    """An engine with embeddings of LiteMedSAM's size that answers what is bright in the box.

    Args:
        threshold: Grey level from 0 to 1.
    """

    precision, description = "f32", "stand-in"

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The picture, every fourth pixel, in the first of 256 channels."""
        out = np.zeros((1, 256, 64, 64), dtype=np.float32)
        out[0, 0] = pixels.mean(axis=1)[0, ::4, ::4]
        return out

    def decode(
        self, embedding: NDArray[np.float32], coords: NDArray[np.float32], labels: Any, mask_input: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Doubtful in the box, sure outside of it, as LiteMedSAM is."""
        (x0, y0), (x1, y1) = coords[0, np.isin(labels[0], (2, 3))]
        place = np.arange(256)
        inside = ((place >= y0) & (place <= y1))[:, None] & ((place >= x0) & (place <= x1))
        bright = embedding[0, 0].repeat(4, axis=0).repeat(4, axis=1)
        logits = np.where(inside, 12 * (bright - self.threshold), -30).astype(np.float32)
        return np.broadcast_to(logits, (4, 256, 256)), np.full(4, 0.9, np.float32)


def timed(strategy: str, count: int, depth: int, *, apart: bool, threads: int | None) -> dict[str, Any]:
    """One run with LiteMedSAM; loading and a first encoding are not counted."""
    import anytomy
    from anytomy.core.image import Image

    phantom = Phantom(256, depth, apart=apart)
    image = Image.from_array(phantom.volume(), is_volume=True, modality="CT")
    model = anytomy.load("litemedsam", threads=threads)
    model.encode(np.zeros((256, 256), np.uint8))
    began, began_cpu = time.perf_counter(), time.process_time()
    result = model.segment(image, phantom.tubes(count), volume=strategy)
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {"cpu": cpu, "seconds": took, "encodings": result.details["encodings"], "voxels": _voxels(result)}


def remembered(count: int, what: str, strategy: str, *, uncertainty: bool) -> dict[str, Any]:
    """One run with the stand-in in this process, and its peak memory in bytes."""
    import resource

    from anytomy.core.image import Image
    from anytomy.predict.model import Model
    from anytomy.zoo.registry import card

    phantom = Phantom(512, 600, apart=True)
    array = phantom.volume()
    prompts = phantom.body() if what == "body" else phantom.tubes(count)
    # The body is at 0.55 in the soft tissue window, tubes at 0.8.
    model = Model(card("litemedsam"), StandIn(0.3 if what == "body" else 0.68), weights_sha256="0" * 64)
    image = Image.from_array(array, is_volume=True, modality="CT")
    result = model.segment(image, prompts, volume=strategy, uncertainty=uncertainty)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "beyond": (peak - array.nbytes - result.label_map.nbytes) / 2**30,
        "encodings": result.details["encodings"],
        "seconds": result.details["seconds"],
        "voxels": _voxels(result),
    }


def _voxels(result: Any) -> int:
    return sum(mask.voxels for mask in result.masks.objects)


def elsewhere(*arguments: str) -> dict[str, Any]:
    """A run of this script in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--run", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(part: str, *case: Any, threads: int | None) -> dict[str, Any]:
    """A run, from the ledger where it is there."""
    kept = Ledger("volume_cost", ("part", "case", "threads", "code"))
    text = " ".join(str(v) for v in case)

    def measure() -> dict[str, Any]:
        print(f"{part}: {text}", file=sys.stderr, flush=True)
        return elsewhere(part, *map(str, case), *([f"--threads={threads}"] if threads else []))

    return kept.remember(measure, part=part, case=text, threads=threads, code=code_version(*CODE))


def time_rows(depth: int, threads: int | None) -> list[dict[str, Any]]:
    """Five objects against one."""
    rows = []
    for strategy in STRATEGIES:
        for apart in (False, True) if strategy == "triplanar" else (False,):
            lie = "apart" if apart else "close"
            one, five = (measured("time", strategy, n, depth, lie, threads=threads) for n in (1, OBJECTS))
            rows.append(
                {
                    "name": f"{strategy}, {OBJECTS} objects {lie} against 1, {depth} slices",
                    "figure": five["cpu"] / one["cpu"],
                    "bar": f"< {RATIO_BAR}",
                    "verdict": "pass" if five["cpu"] < RATIO_BAR * one["cpu"] else "short",
                    "cpu": [round(one["cpu"], 1), round(five["cpu"], 1)],
                    "seconds": [round(one["seconds"], 1), round(five["seconds"], 1)],
                    "encodings": [one["encodings"], five["encodings"]],
                }
            )
    return rows


def memory_rows() -> list[dict[str, Any]]:
    """GiB beyond input and label map."""
    rows = []
    for count, what, strategy, uncertainty in MEMORY:
        found = measured("memory", count, what, strategy, int(uncertainty), threads=None)
        name = f"{strategy}, {f'{count} tube' + 's' * (count > 1) if what == 'tubes' else 'the body'}"
        rows.append(
            {
                "name": name + (", uncertainty" if uncertainty else "") + ": GiB",
                "figure": found["beyond"],
                "bar": f"< {GIB_BAR}",
                "verdict": "pass" if found["beyond"] < GIB_BAR else "short",
                "seconds": found["seconds"],
                "encodings": found["encodings"],
            }
        )
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=("time", "memory"), default=None)
    parser.add_argument("--slices", type=int, default=100, help="of the volume that is timed")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--run", nargs="+", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        part, *case = options.run
        if part == "time":
            done = timed(
                case[0], int(case[1]), int(case[2]), apart=case[3] == "apart", threads=options.threads
            )
        else:
            done = remembered(int(case[0]), case[1], case[2], uncertainty=case[3] == "1")
        print(json.dumps(done))
        return
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "time": lambda: time_rows(options.slices, options.threads),
        "memory": memory_rows,
    }
    rows = [row for name, rows in parts.items() if options.only in (None, name) for row in rows()]
    keys = ("name", "figure", "bar", "verdict", "cpu", "seconds", "encodings")
    publish("volume_cost", table(("what", *keys[1:]), [[row.get(k) for k in keys] for row in rows]), rows)


if __name__ == "__main__":
    main()
