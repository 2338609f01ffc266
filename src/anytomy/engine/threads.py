"""How many threads to use, and glibc's allocator."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any


def available_cores() -> int:
    """Cores that this process may use: CPU affinity, and the cgroup's quota where there is one.

    More threads than cores make the others wait at barriers: three to five times slower, measured.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(math.ceil(int(quota) / int(period)), 1))
    except (OSError, ValueError):
        pass
    return cores


def keep_big_blocks() -> bool:
    """Tell glibc to keep freed blocks of up to 1 GiB instead of returning them to the kernel.

    torch allocates and frees tensors of 64 MiB in every layer; each comes back from the kernel as zeroed
    pages (450,000 page faults an image). Keeping them makes eager torch 1.5 times as fast, bit for bit the
    same. Only for programs that we own, such as our own command line: it changes the whole process.

    Returns:
        Whether it was done (Linux with glibc).
    """
    mmap_threshold, trim_threshold = -3, -1  # malloc.h
    libc = _glibc()
    if libc is None:
        return False
    return bool(libc.mallopt(mmap_threshold, 1 << 30) and libc.mallopt(trim_threshold, (1 << 31) - 1))


def give_back_blocks() -> None:
    """Return freed blocks to the kernel, where glibc can, so that what is measured then is what is needed."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library; None where it is another one."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
    except OSError:
        return None
