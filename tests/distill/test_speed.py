"""The times of student and teacher, with engines that take as long as they are told."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.distill.speed import speed
from anytomy.predict.student.grid import StudentGrid
from tests.engine.tiny import BrightEngine, bright_model

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Slow(BrightEngine):
    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.04)
        return super().encode(pixels)


def student(dims: int, patch: tuple[int, ...]) -> Any:
    """Takes 4 ms for a window."""

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.004)
        return np.zeros((1, 2, *pixels.shape[2:]), np.float32)

    grid = StudentGrid(dims=dims, colours=1, patch=patch, size=None if dims == 3 else 256, spacing_mm=())
    return SimpleNamespace(grid=grid, engine=network, student=SimpleNamespace(extra=0))


def test_both_are_timed_without_what_the_teacher_remembers() -> None:
    teacher = bright_model(engine=_Slow())
    found = speed(student(2, (256, 256)), teacher, threads=1, repeats=3)
    assert found["teacher_encoder_ms"] >= 40
    assert 4 <= found["student_ms"] < found["teacher_encoder_ms"]
    assert (found["picture"], found["threads"], found["repeats"]) == ([256, 256], 1, 3)


def test_a_student_of_volumes_is_timed_by_the_slice() -> None:
    teacher = bright_model()
    flat = speed(student(2, (256, 256)), teacher, threads=1, repeats=3)["student_ms"]
    solid = speed(student(3, (8, 256, 256)), teacher, threads=1, repeats=3)["student_ms"]
    assert solid < flat
