"""How fast a student is beside its teacher's image encoder, both in one process on one machine: `speed`."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anytomy.engine.frame import Frame
from anytomy.predict.student.windows import in_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytomy.engine.protocol import Engine
    from anytomy.predict.model import Model
    from anytomy.predict.student.run import StudentModel
    from anytomy.predict.student.windows import Network

SIDE = 256


def speed(student: StudentModel, teacher: Model, *, threads: int, repeats: int = 7) -> dict[str, Any]:
    """Milliseconds for a slice of 256 x 256 pixels on the student's grid, as the run record has it.

    Both are asked by turns, so that whatever else the machine does slows both; medians are given. Of the
    teacher only the image encoder counts, which is what every slice costs before the first prompt. Windows
    overlap. What a student of the recipe `prior` needs of its teacher is not in its time, and a student of
    volumes is timed on one depth of its window and divided by its slices.

    Args:
        student: The student.
        teacher: Its teacher.
        threads: That both run with; told, not set.
        repeats: How often each is asked; once more before that.
    """
    rng = np.random.default_rng(0)
    grid, card = student.grid, teacher.card
    depth = grid.patch[0] if grid.dims == 3 else 1
    size = (SIDE, SIDE) if grid.dims == 2 else (depth, SIDE, SIDE)
    levels = rng.random((grid.colours, *size), dtype=np.float32)
    extra = rng.random((student.student.extra, *size), dtype=np.float32) if student.student.extra else None
    picture = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    pixels = Frame.of((SIDE, SIDE), card.input_size, card.preprocess).pixels(picture, card.preprocess)

    def ask_student() -> None:
        in_windows(cast("Network", student.engine), grid, levels, extra)

    def ask_teacher() -> None:
        cast("Engine", teacher.engine).encode(pixels)

    taken: dict[Callable[[], None], list[float]] = {ask_student: [], ask_teacher: []}
    for _ in range(repeats + 1):
        for ask, times in taken.items():
            started = time.perf_counter()
            ask()
            times.append(1000 * (time.perf_counter() - started))
    # The first time is spent on warming up.
    student_ms, teacher_ms = (statistics.median(times[1:]) for times in taken.values())
    return {
        "picture": [SIDE, SIDE],
        "student_ms": round(student_ms / depth, 3),
        "teacher_encoder_ms": round(teacher_ms, 3),
        "masks_of_the_teacher": student.student.extra,
        "threads": threads,
        "repeats": repeats,
    }
