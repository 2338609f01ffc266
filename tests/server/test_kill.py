"""`kill -9` at any time loses nothing that was acknowledged."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest

from tests.server.serving import API, Annotator, packed

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "tests.server.fake_server", str(folder), str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        until = time.monotonic() + 60
        while True:
            try:
                self.client.get(f"{API}/health").raise_for_status()
                return
            except httpx.TransportError:
                assert self.process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.client.close()


def scripted(user: Annotator, chance: random.Random, told: list[Any]) -> None:
    """Act without end, and note the state after each acknowledged action."""
    data = packed(np.ones((5, 5), dtype=bool))
    while True:
        slice_, x, y = chance.randrange(12), chance.randrange(55), chance.randrange(40)
        what = chance.choice(
            ["drawings", "drawings", "prompts", "undo", "redo", "restore", "clear", "save", "labels"]
        )
        if not told[-1]["labels"]:
            what = "labels"
        label = chance.choice(told[-1]["labels"])["id"] if told[-1]["labels"] else 1
        body: dict[str, Any] = {
            "drawings": {"label": label, "slice": slice_, "box": [x, y, x + 5, y + 5], "data": data},
            "prompts": {"label": label, "slice": slice_, "box": [x, y, 60, 45]},
            "restore": {"seq": chance.randrange(told[-1]["seq"] + 1)},
            "clear": {"label": label},
        }.get(what, {})
        answer = user.client.post(f"{API}/sessions/{user.id}/{what}", json=body)
        if answer.status_code in (200, 201) and what != "save":
            # Acknowledged from here on, even if asking for the whole state is cut off.
            told.append({"seq": answer.json()["seq"], "labels": told[-1]["labels"]})
            told[-1] = user.state()
        else:
            assert answer.status_code in (200, 409), answer.text


def survive(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    session, told = "", [{"seq": 0, "labels": []}]
    for _ in range(kills):
        server = Server(folder)
        try:
            user = Annotator(server.client, session=session)
            session = user.id
            state = user.state()
            # What was acknowledged is there; at most the one request that was cut off is there as well.
            assert told[-1]["seq"] <= state["seq"] <= told[-1]["seq"] + 1
            if state["seq"] == told[-1]["seq"] and "id" in told[-1]:
                assert state == told[-1]
            told.append(state)
            killer = threading.Timer(chance.uniform(0.05, 0.8), server.kill)
            killer.start()
            with pytest.raises(httpx.TransportError):
                scripted(user, chance, told)
            killer.join()
        finally:
            server.close()
    assert told[-1]["seq"] > kills
    for path in folder.glob("*.labels.nii.gz"):  # never a half
        import nibabel

        assert np.asarray(nibabel.load(path).dataobj).shape == (64, 48, 12)


def test_a_killed_server_has_all_that_it_acknowledged(folder: Path) -> None:
    survive(folder, kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_thirty_points(folder: Path) -> None:
    survive(folder, kills=30, seed=7)
