"""A run that ends itself by SIGKILL, at a step or halfway through a checkpoint: `FOLDER step|save NUMBER`."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from anytomy.tuning.run import tune
from tests.tuning.conftest import RUNTIME, quick, tiny_base

folder, what, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
plain, saved = torch.save, 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def save(state: Any, file: Any) -> None:
    global saved
    saved += 1
    if what == "save" and saved == number:
        whole = io.BytesIO()
        plain(state, whole)
        file.write(whole.getvalue()[: whole.tell() // 2])
        file.flush()
        die()
    plain(state, file)


def progress(doing: str, done: int, total: int, now: str) -> None:
    if what == "step" and doing == "training" and done == number:
        die()


torch.save = save
tune(quick(test=0), folder, runtime=RUNTIME, base=tiny_base(), progress=progress)
