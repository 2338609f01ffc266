"""How long things take on this machine, whatever else it does meanwhile.

- The encoder: exported graph against eager torch with glibc's default allocator and with big blocks kept
  (`engine.threads.keep_big_blocks`). One process each, as the allocator belongs to the process; they take
  turns, so that a disturbance hits all of them.
- A whole `anytomy segment` of one 512 x 512 slice with warm graphs and no embedding cache.
- `anytomy --help` and `import anytomy`.
- K objects on S slices cost S encodings.

Timings are only worth something on a quiet machine; the report states the load.

    python benchmarks/speed.py --repeats 15
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ledger import progress, publish, table

ENCODERS = {
    "exported graph": ("auto", False),
    "torch, default allocator": ("torch", False),
    "torch, big blocks kept": ("torch", True),
}
BARS = {
    "torch default / graph": 2.2,
    "torch big blocks / graph": 1.45,
    "segment a slice, s": 2.0,
    "anytomy --help, s": 0.4,
    "import anytomy, s": 0.4,
}


def serve(engine: str, threads: int | None, *, big_blocks: bool) -> None:
    """Time one encoding for each line on stdin; a new picture each time, so that no cache answers.

    The one before it is not timed: it finds the processor's caches full of the other engines' data.
    """
    from anytomy.engine.threads import keep_big_blocks

    if big_blocks:
        keep_big_blocks()
    import anytomy

    model = anytomy.load("litemedsam", engine=engine, device="cpu", threads=threads)
    random = np.random.default_rng(0)
    model.encode(random.integers(0, 255, (512, 512), dtype=np.uint8))
    print("ready", flush=True)
    for _ in sys.stdin:
        model.encode(random.integers(0, 255, (512, 512), dtype=np.uint8))
        picture = random.integers(0, 255, (512, 512), dtype=np.uint8)
        start = time.perf_counter()
        model.encode(picture)
        print(time.perf_counter() - start, flush=True)


def encoders(repeats: int, threads: int | None) -> dict[str, float]:
    """Median seconds of an encoding by variant."""
    servers = {}
    for name, (engine, big) in ENCODERS.items():
        command = [sys.executable, __file__, "--serve", engine, *(["--big-blocks"] if big else [])]
        command += ["--threads", str(threads)] if threads else []
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if _answer(server) != "ready":
            raise RuntimeError(f"{name} did not start")
        servers[name] = server
    taken: dict[str, list[float]] = {name: [] for name in servers}
    with progress("encodings", repeats) as step:
        for _ in range(repeats):
            for name, server in servers.items():
                _stdin(server).write("go\n")
                _stdin(server).flush()
                taken[name].append(float(_answer(server)))
            step("")
    for server in servers.values():
        _stdin(server).close()
        server.wait()
    return {name: statistics.median(values) for name, values in taken.items()}


def whole_process(repeats: int, threads: int | None) -> dict[str, Any]:
    """Seconds of `anytomy segment` of one slice, of `--help` and of the import; encodings of K x S."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(phantom(1)[0].astype(np.uint8)).save(folder / "slice.png")
        one = [*_cli(), "segment", str(folder / "slice.png"), "--box", "180,190,330,320"]
        one += ["-o", str(folder / "mask.png"), *(["--threads", str(threads)] if threads else [])]
        _seconds(one, 1)  # the graphs, once
        slices, objects = 6, 4
        np.save(folder / "volume.npy", phantom(slices).astype(np.uint8))
        many = [*_cli(), "segment", str(folder / "volume.npy"), "-o", str(folder / "mask.nii.gz"), "--json"]
        for i in range(objects):
            many += ["--box", f"{170 + 10 * i},190,0,{320 + 10 * i},320,{slices}"]
        answer = subprocess.run(many, capture_output=True, text=True, check=True)
        return {
            "segment a slice, s": _seconds(one, repeats),
            "anytomy --help, s": _seconds([*_cli(), "--help"], repeats),
            "import anytomy, s": _seconds([sys.executable, "-c", "import anytomy"], repeats),
            "encodings": json.loads(answer.stdout)["data"]["encodings"],
            "slices": slices,
            "objects": objects,
        }


def phantom(slices: int, side: int = 512) -> np.ndarray:
    """A bright ellipse on a noisy ground, `(z, y, x)`, values 0 to 255."""
    y, x = np.mgrid[:side, :side] / side
    inside = ((x - 0.5) / 0.15) ** 2 + ((y - 0.5) / 0.13) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 8, (slices, side, side))
    return np.clip(60 + 90 * inside + noise, 0, 255)


def _cli() -> list[str]:
    return [str(Path(sys.executable).with_name("anytomy"))]


def _seconds(command: list[str], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _stdin(server: subprocess.Popen[str]) -> Any:
    return server.stdin


def _answer(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline().strip()


def report(encoding: dict[str, float], rest: dict[str, Any], load: float) -> None:
    """Print and keep the figures."""
    graph, default, big = (encoding[name] for name in ENCODERS)
    figures = {
        "torch default / graph": default / graph,
        "torch big blocks / graph": big / graph,
        **{name: rest[name] for name in BARS if name in rest},
    }
    lines: list[tuple[Any, ...]] = [
        (f"encoder, {name}, s", value, None, "") for name, value in encoding.items()
    ]
    for name, value in figures.items():
        ratio = " / " in name
        met = value >= BARS[name] if ratio else value <= BARS[name]
        lines.append((name, value, f"{'>=' if ratio else '<='} {BARS[name]}", "pass" if met else "short"))
    share = f"{rest['objects']} objects on {rest['slices']} slices: encodings"
    met = rest["encodings"] == rest["slices"]
    lines.append((share, rest["encodings"], f"= {rest['slices']}", "pass" if met else "short"))
    note = f"Load of the machine before the run: {load:.1f} on {os.cpu_count()} cores (0 is quiet)."
    facts = [{"name": n, "figure": v, "bar": b, "verdict": w} for n, v, b, w in lines]
    publish("speed", table(("what", "figure", "bar", ""), lines) + "\n\n" + note, facts)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--serve", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--big-blocks", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads, big_blocks=options.big_blocks)
        return
    load = os.getloadavg()[0]
    report(encoders(options.repeats, options.threads), whole_process(options.repeats, options.threads), load)


if __name__ == "__main__":
    main()
