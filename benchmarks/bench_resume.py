"""Does a killed benchmark come to the same table? `kill -9` of the whole process group, again and again.

Runs `anytomy bench` once undisturbed and once killed at random moments and started again, then compares the
two tables (all columns but seconds), and those of one and of two workers.

    python benchmarks/bench_resume.py --kills 10
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from anytomy.evaluation.bench.table import read_rows
from data import DATA
from ledger import publish, table

SETS = "kvasir_seg,acdc,dsb2018"


def command(folder: Path, workers: int, limit: int) -> list[str]:
    """The benchmark as typed in a shell."""
    return [
        *(
            str(Path(sys.executable).parent / "anytomy"),
            "bench",
            "--data",
            SETS,
            "--prompts",
            "box,box-jitter",
        ),
        *("--limit", str(limit), "--workers", str(workers), "-o", str(folder)),
    ]


def run(folder: Path, *, workers: int, limit: int, after: float | None = None) -> bool:
    """Run it; with `after` kill the group so many seconds later. Returns whether it finished by itself."""
    env = {**os.environ, "ANYTOMY_DATA": str(DATA)}
    process = subprocess.Popen(
        command(folder, workers, limit), env=env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    if process.returncode != 0:
        raise SystemExit(f"anytomy bench ended with {process.returncode}")
    return True


def rows(folder: Path) -> list[dict[str, object]]:
    """The final table without times."""
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_rows(folder / "results.parquet")]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--limit", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started = time.perf_counter()
        run(folder / "whole", workers=2, limit=options.limit)
        seconds = time.perf_counter() - started
        run(folder / "one", workers=1, limit=options.limit)
        kills, parts = 0, []
        while kills < options.kills:
            # Early enough that some work is left for the later ones, late enough that some gets done.
            if run(folder / "killed", workers=2, limit=options.limit, after=draw.uniform(0.5, seconds / 2)):
                (folder / "killed" / "results.parquet").unlink()
                done = sorted((folder / "killed" / "parts").rglob("*.parquet"))
                for part in draw.sample(done, len(done) // 2):
                    part.unlink()
                continue
            kills += 1
            parts.append(len(list((folder / "killed" / "parts").rglob("*.parquet"))))
        run(folder / "killed", workers=2, limit=options.limit)
        whole, one, killed = (rows(folder / name) for name in ("whole", "one", "killed"))
        left = [str(p) for p in (folder / "killed").rglob(".anytomy-*")]
    facts = {
        "rows": len(whole),
        "kills": kills,
        "parts after each kill": parts,
        "killed run equals whole run": killed == whole,
        "one worker equals two": one == whole,
        "temporary files left by kills": len(left),
    }
    publish("bench_resume", table(("what", "found"), list(facts.items())), facts)


if __name__ == "__main__":
    main()
