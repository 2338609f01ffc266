"""How long people wait for the server, and what a kill leaves.

A real server process, asked over the loopback address as the page asks it, with phantoms of 512 x 512 pixels
that are new in each run, so that no cache answers. All loops end after a number of requests or seconds.

- A prompt on a slice that is encoded: from the request to the bits of the mask.
- The first mask on a new slice: the page says which slice it shows and asks for its picture, then the user
  clicks.
- Pictures and masks of slices while the model is carrying prompts through a volume.
- Eight users, each with an own volume: a click every 3 s, a new slice every 10 s. Then the server is killed
  (SIGKILL), and the one that comes after it must have each acknowledged mask to the bit.

Waits are only worth something on a quiet machine; the report states the load, and the server's processor
seconds, which depend on it less.

    python benchmarks/serving.py --seconds 60
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from ledger import publish, table

API = "/api/v1"
SIDE, SLICES, USERS = 512, 40, 8
CLICK_EVERY_S, SLICE_EVERY_S = 3.0, 10.0
BARS = {
    "prompt to mask, median, s": 0.15,
    "prompt to mask, p95, s": 0.3,
    "first mask on a new slice, median, s": 1.2,
    "picture of a slice meanwhile, p95, s": 0.15,
    "8 users: longest wait, s": 5.0,
}


class Server:
    """`anytomy serve` on a folder, with weights and graphs of the user's cache and no embedding of it."""

    def __init__(self, folder: Path, model: str) -> None:
        from anytomy.zoo.home import cache_dir

        self._folder, self._model = folder, model
        cache = folder / "cache"
        cache.mkdir()
        for kind in ("weights", "graphs"):
            (cache / kind).symlink_to(cache_dir(kind), target_is_directory=True)
        self._environment = {**os.environ, "ANYTOMY_CACHE": str(cache), "ANYTOMY_HOME": str(folder / "home")}
        self.start()

    def start(self) -> None:
        """Start it, on a free port, and wait until it answers."""
        with tempfile.TemporaryFile("w+") as said:
            command = [str(Path(sys.executable).with_name("anytomy")), "serve", str(self._folder / "scans")]
            command += ["--port", str(_free_port()), "--model", self._model]
            self._process = subprocess.Popen(command, stderr=said, env=self._environment)
            while True:
                said.seek(0)
                text = said.read()
                found = re.search(r"http://127\.0\.0\.1:(\d+)/", text)
                if found:
                    break
                if self._process.poll() is not None:
                    raise RuntimeError(text)
                time.sleep(0.05)
        self.port = int(found[1])

    def kill(self) -> None:
        """As a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def processor_s(self) -> float:
        """Processor seconds so far (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class User:
    """A person at a page: a session on a volume, and the masks as the answers had them."""

    port: int
    name: str
    session: str = ""
    acknowledged: int = 0
    masks: dict[int, np.ndarray] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=lambda: {"click": [], "new slice": []})

    def __post_init__(self) -> None:
        self._used = 0.0
        self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        cases = {case["name"]: case["id"] for case in self.ask("GET", "/cases")}
        self.case = cases[self.name]
        if not self.session:
            self.session = self.ask("POST", "/sessions", {"case": self.case})["id"]
            self.act("labels", name="object")
            self.acknowledged = 1

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer; what is refused is an error."""
        content = None if body is None else json.dumps(body)
        if time.monotonic() - self._used > 10:  # the server hangs up on who is idle
            self._line.close()
        self._used = time.monotonic()
        self._line.request(method, API + path, content, {"Content-Type": "application/json"})
        answer = self._line.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if answer.headers["Content-Type"] == "application/json" else data

    def act(self, what: str, **body: Any) -> Any:
        """An action in the session."""
        return self.ask("POST", f"/sessions/{self.session}/{what}", body)

    def look(self, slice_: int) -> None:
        """What the page does when a slice comes into sight."""
        self.act("look", axis="z", slice=slice_)
        self.ask("GET", f"/cases/{self.case}/slices/z/{slice_}?values=true")
        self.masks[slice_] = self.mask(slice_)

    def mask(self, slice_: int) -> np.ndarray:
        """The mask of a slice as the server has it."""
        answer = self.ask("GET", f"/sessions/{self.session}/masks/z/{slice_}")
        return _drawn(np.zeros((SIDE, SIDE), dtype=bool), answer["patches"])

    def click(self, slice_: int, x: float, y: float, *, begin: bool = False) -> float:
        """Seconds from a click to the mask."""
        start = time.perf_counter()
        shown = {"axis": "z", "slice": slice_}
        reply = self.act("prompts", label=1, slice=slice_, points=[[x, y, 1]], begin=begin, show=shown)
        _drawn(self.masks[slice_], reply["shown"]["patches"])
        self.acknowledged += 1
        return time.perf_counter() - start


def _drawn(mask: np.ndarray, patches: list[dict[str, Any]]) -> np.ndarray:
    for patch in patches:
        x0, y0, x1, y1 = patch["box"]
        bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(patch["data"])), dtype=np.uint8))
        mask[y0:y1, x0:x1] = bits[: (y1 - y0) * (x1 - x0)].reshape(y1 - y0, x1 - x0)
    return mask


def write_scans(folder: Path, count: int) -> None:
    """Volumes with a bright ellipsoid that wanders through them, on a noisy ground."""
    folder.mkdir(parents=True)
    random = np.random.default_rng()
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for number in range(count):
        volume = np.empty((SLICES, SIDE, SIDE), dtype=np.int16)
        for z in range(SLICES):
            inside = ((x - 0.4 - z / 200) / 0.15) ** 2 + ((y - 0.5) / 0.13) ** 2 < 1
            volume[z] = 60 + 90 * inside + random.normal(0, 8, (SIDE, SIDE))
        scan = nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.diag([-0.7, -0.7, 3, 1]))
        nibabel.save(scan, folder / f"scan{number}.nii")


def inside(random: np.random.Generator, slice_: int) -> tuple[float, float]:
    """A point in the ellipsoid."""
    return (
        (0.4 + slice_ / 200 + random.uniform(-0.08, 0.08)) * SIDE,
        (0.5 + random.uniform(-0.07, 0.07)) * SIDE,
    )


def settle(server: Server) -> None:
    """Wait until the server has nothing to do any more, two minutes at most."""
    for _ in range(240):
        before = server.processor_s()
        time.sleep(0.5)
        if server.processor_s() - before <= 0.02:
            return


def prompts(server: Server, user: User, count: int) -> tuple[list[float], float]:
    """Waits for prompts on a slice that is encoded, each a new one, and processor seconds of one."""
    random = np.random.default_rng(0)
    user.look(2)
    user.click(2, *inside(random, 2))
    settle(server)
    before = server.processor_s()
    waits = [user.click(2, *inside(random, 2), begin=n % 5 == 0) for n in range(count)]
    return waits, (server.processor_s() - before) / count


def new_slices(server: Server, user: User, count: int) -> tuple[list[float], float]:
    """Waits for the first mask on slices that nobody looked at; the user scrolls there and clicks at once."""
    random = np.random.default_rng(1)
    waits, processor_s = [], 0.0
    for slice_ in [(7 * n + 9) % SLICES for n in range(count)]:  # beyond what is encoded ahead
        settle(server)
        start, before = time.perf_counter(), server.processor_s()
        user.look(slice_)
        user.click(slice_, *inside(random, slice_))
        waits.append(time.perf_counter() - start)
        processor_s += server.processor_s() - before
    return waits, processor_s / count


def scrolling(user: User) -> tuple[list[float], None]:
    """Waits for the picture and the masks of slices while prompts are carried through the volume."""
    job = user.act("propagate", labels=[1], range=[0, SLICES])["id"]
    waits, state = [], "waiting"
    while state in ("waiting", "running") and len(waits) < 2000:
        for slice_ in np.random.default_rng(len(waits)).permutation(SLICES)[:10]:
            start = time.perf_counter()
            user.ask("GET", f"/cases/{user.case}/slices/z/{slice_}?values=true")
            user.mask(int(slice_))
            waits.append(time.perf_counter() - start)
            time.sleep(0.03)
        state = user.ask("GET", f"/jobs/{job}")["state"]
    if state != "done":
        raise RuntimeError(f"the propagation ended as {state}")
    return waits, None


def work(user: User, seconds: float, number: int) -> None:
    """What one of several users does: clicks and slices at their times, or after the answer before."""
    random = np.random.default_rng(number)
    begun = time.monotonic() + random.uniform(0, SLICE_EVERY_S)  # people do not move in step
    slices = iter(range(3 + number, SLICES, 4))
    clicks, seen, slice_ = 0, -1, 0
    while (at := clicks * CLICK_EVERY_S) < seconds:
        time.sleep(max(begun + at - time.monotonic(), 0))
        new = at // SLICE_EVERY_S > seen
        start = time.perf_counter()
        if new:
            seen, slice_ = at // SLICE_EVERY_S, next(slices, slice_)
            user.look(slice_)
        user.click(slice_, *inside(random, slice_))
        user.waits["new slice" if new else "click"].append(time.perf_counter() - start)
        clicks += 1


def many_users(port: int, seconds: float) -> list[User]:
    """Users at work at once."""
    users = [User(port, f"scan{number}.nii") for number in range(USERS)]
    threads = [
        threading.Thread(target=work, args=(user, seconds, number)) for number, user in enumerate(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return users


def lost(server: Server, users: list[User]) -> int:
    """Masks and actions that were acknowledged, but are not there after a kill and a new start."""
    server.kill()
    server.start()
    missing = 0
    for user in users:
        again = User(server.port, user.name, session=user.session)
        missing += sum(not np.array_equal(mask, again.mask(slice_)) for slice_, mask in user.masks.items())
        history = again.ask("GET", f"/sessions/{user.session}/history?most=1000")
        missing += len(history["actions"]) != user.acknowledged
    return missing


def measure(seconds: float, repeats: int, model: str) -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="anytomy-serving-") as name:
        folder = Path(name)
        write_scans(folder / "scans", USERS)
        server = Server(folder, model)
        facts: dict[str, Any] = {"load before": os.getloadavg()[0], "cores": os.cpu_count(), "model": model}
        try:
            alone = User(server.port, "scan0.nii")
            for what, (waits, processor_s) in (
                ("prompt to mask", prompts(server, alone, 4 * repeats)),
                ("first mask on a new slice", new_slices(server, alone, repeats)),
                ("picture of a slice meanwhile", scrolling(alone)),
            ):
                facts[f"{what}, median, s"] = statistics.median(waits)
                facts[f"{what}, p95, s"] = float(np.quantile(waits, 0.95))
                facts[f"{what}, processor, s"] = processor_s
            settle(server)
            before = server.processor_s()
            users = many_users(server.port, seconds)
            facts["8 users: processor, s"] = server.processor_s() - before
            for kind in ("click", "new slice"):
                waits = [wait for user in users for wait in user.waits[kind]]
                facts[f"8 users: {kind}, median, s"] = statistics.median(waits)
            everyone = [wait for user in users for waits in user.waits.values() for wait in waits]
            facts["8 users: answers"] = len(everyone)
            facts["8 users: longest wait, s"] = max(everyone)
            facts["lost after a kill"] = lost(server, users)
            facts["load after"] = os.getloadavg()[0]
        finally:
            server.kill()
    return facts


def report(facts: dict[str, Any]) -> None:
    """Print and keep the figures."""
    lines = []
    for name, value in facts.items():
        bar = BARS.get(name, 0 if name == "lost after a kill" else None)
        verdict = "" if bar is None else "pass" if value <= bar else "short"
        lines.append((name, value, "" if bar is None else f"<= {bar}", verdict))
    rows = [{"name": n, "figure": v, "bar": b, "verdict": w} for n, v, b, w in lines]
    publish("serving", table(("what", "figure", "bar", ""), lines), rows)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the eight users, 120 at most")
    parser.add_argument("--repeats", type=int, default=10, help="new slices; prompts are four times as many")
    parser.add_argument("--model", default="litemedsam-click")
    options = parser.parse_args()
    report(measure(min(options.seconds, 120.0), min(options.repeats, 40), options.model))


if __name__ == "__main__":
    main()
