"""How many threads to use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anytomy.engine import threads


@pytest.fixture
def cpu_max(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stands for the cgroup's file; eight cores by affinity."""
    path = tmp_path / "cpu.max"
    monkeypatch.setattr(threads, "Path", lambda _: path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return path


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("1000 100000", 1),
        ("9900000 100000", 8),
    ],
)
def test_the_quota_counts(cpu_max: Path, quota: str, cores: int) -> None:
    cpu_max.write_text(quota + "\n")
    assert threads.available_cores() == cores


@pytest.mark.parametrize("text", [None, "", "rubbish", "a b", "100 0 3"])
def test_an_odd_or_absent_quota_is_none(cpu_max: Path, text: str | None) -> None:
    if text is not None:
        cpu_max.write_text(text)
    assert threads.available_cores() == 8


def test_without_affinity_all_cores_count(cpu_max: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.available_cores() == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_big_blocks_are_kept_where_glibc_is() -> None:
    code = "from anytomy.engine.threads import keep_big_blocks; print(keep_big_blocks())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() in ("True", "False")


def test_big_blocks_elsewhere_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert threads.keep_big_blocks() is False
