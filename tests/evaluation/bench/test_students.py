"""A student in a benchmark: no simulator prompts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anytomy.datasets.dataset import Dataset
from anytomy.evaluation.bench.config import BenchConfig
from anytomy.evaluation.bench.runner import run_bench
from tests.evaluation.bench.phantoms import pictures, volumes
from tests.models.students.tiny import register, tiny_student


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    register(monkeypatch)
    tiny_student(tmp_path / "student", size=None)
    return str(tmp_path / "student")


@pytest.mark.parametrize("make", [pictures, volumes])
def test_its_classes_are_judged_by_name(
    tmp_path: Path, student: str, make: Callable[[Path], Dataset]
) -> None:
    name = make(tmp_path / "data").card.id
    config = BenchConfig(models=(student,), data=(name,), prompts=("box",))
    run = run_bench(config, tmp_path / "run", workers=1)
    assert not run.failures
    mine = [row for row in run.rows if row["status"] == "measured"]
    assert mine
    assert {row["prompt"] for row in mine} == {"none"}
    assert {row["structure"] for row in mine} <= {"liver", "pancreas"}
    assert all(0 <= row["dice"] <= 1 and row["seconds"] > 0 for row in mine)
