"""How much memory a piece of work takes, and stopping it before it takes too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.engine.threads import give_back_blocks

if TYPE_CHECKING:
    import torch

_EVERY_S = 0.005
# Of what is free now: others live here too.
_SHARE = 0.9


class TooMuchMemoryError(Exception):
    """Raised inside of a forward pass whose activations would not fit."""


@dataclass
class Peak:
    """What a block took.

    Attributes:
        bytes: Most memory at once: of the process, or on the GPU.
        seconds: How long it ran.
    """

    bytes: int = 0
    seconds: float = 0.0


def available(device: torch.device) -> int:
    """Bytes that can be used: what this process has and most of what is free."""
    if device.type == "cuda":
        import torch

        return int((torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)) * _SHARE)
    import psutil

    return int(psutil.Process().memory_info().rss + psutil.virtual_memory().available * _SHARE)


def used(device: torch.device) -> int:
    """Bytes that this process has, or has on a GPU."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.memory_allocated(device))
    import psutil

    give_back_blocks()
    return int(psutil.Process().memory_info().rss)


@contextmanager
def watched(device: torch.device, *, fresh: bool = True) -> Iterator[Peak]:
    """Measure a block; the result is complete when the block ends.

    Args:
        device: Where it runs.
        fresh: Whether blocks that are free, but still with the process, are given back before.
    """
    peak = Peak()
    if device.type == "cpu" and fresh:
        give_back_blocks()
    started = time.perf_counter()
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        torch.cuda.synchronize(device)
        peak.bytes = int(torch.cuda.max_memory_allocated(device))
    else:
        import psutil

        process, ended = psutil.Process(), threading.Event()

        def watch() -> None:
            while not ended.wait(_EVERY_S):
                peak.bytes = max(peak.bytes, process.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield peak
        finally:
            peak.bytes = max(peak.bytes, process.memory_info().rss)
            ended.set()
            watcher.join()
    peak.seconds = time.perf_counter() - started


@contextmanager
def limited(most: int) -> Iterator[None]:
    """Raise `TooMuchMemoryError` in a forward pass as soon as it keeps more for the backward pass.

    The system would end the whole process instead, or begin to swap.

    Args:
        most: Bytes of activations.
    """
    import torch
    from torch.autograd.graph import saved_tensors_hooks

    seen: set[int] = set()
    held = 0

    def pack(tensor: Any) -> Any:
        nonlocal held
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            held += storage.nbytes()
            if held > most:
                raise TooMuchMemoryError
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise TooMuchMemoryError from error
