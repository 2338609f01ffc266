"""What a distillation will cost: `DistillPlan`, made before it starts and kept by a run that goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from anytomy.distill.config import DEFAULT_STEPS
from anytomy.tuning.plan import Plan, duration
from anytomy.zoo.disk import megabytes

# Fewer steps teach nothing, whatever time there is.
LEAST_STEPS = 20
# Fewer cases than these are not worth a teacher.
LEAST_CASES = 4
# Of the time that tests leave, what the teacher may take at most; students have the rest.
_TEACHER_SHARE = 0.5
VALIDATIONS = 10


@dataclass(frozen=True)
class Questions:
    """What the teacher is asked.

    Attributes:
        cases: Cases that it is asked about.
        times: How often about each: rounds, and points of a learning curve.
        first_s: About how long that takes for a case.
        again_s: The same where its slices are encoded already.
    """

    cases: int
    times: int
    first_s: float
    again_s: float

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return self.cases * self._case_s

    def within(self, minutes: float | None, *, rest_s: float) -> Questions:
        """About as many cases as leave half of the time to the students.

        Args:
            minutes: For the whole run; no limit where None.
            rest_s: Seconds of all but teacher and students.
        """
        if minutes is None or self._case_s <= 0:
            return self
        possible = int(_TEACHER_SHARE * (60 * minutes - rest_s) / self._case_s)
        return replace(self, cases=min(self.cases, max(possible, LEAST_CASES)))

    @property
    def text(self) -> str:
        """In words."""
        often = {1: "", 2: " twice"}.get(self.times, f" {self.times} times")
        return f"the teacher is asked about {self.cases} cases{often} in {duration(self.seconds)}"

    @property
    def _case_s(self) -> float:
        return self.first_s + (self.times - 1) * self.again_s if self.times else 0.0


@dataclass(frozen=True)
class DistillPlan:
    """How a run is carried out. Part of the run: a resumed one goes on with it.

    Attributes:
        training: Of each student.
        students: Those that are trained, by name.
        teacher: What it is asked.
        test_s: About how long the test takes.
    """

    training: Plan
    students: tuple[str, ...]
    teacher: Questions
    test_s: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DistillPlan:
        """The inverse of `to_dict`."""
        training, teacher = Plan(**values["training"]), Questions(**values["teacher"])
        return cls(training, tuple(values["students"]), teacher, values["test_s"])

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return len(self.students) * self.training.seconds + self.teacher.seconds + self.test_s

    def text(self) -> list[str]:
        """The costs, in lines for a person."""
        one = self.training
        asked = f"; {self.teacher.text}" if self.teacher.times else ""
        return [
            f"about {duration(self.seconds)}: students {', '.join(self.students)} of {one.steps:,} steps of"
            f" {one.step_s:.2f} s each{asked}; the test takes {duration(self.test_s)}",
            f"memory {megabytes(one.memory_bytes)}",
        ]


def steps_for(
    steps: int | None, minutes: float | None, *, students: int, step_s: float, rest_s: float
) -> int:
    """Steps of each student: those wanted, as far as time allows.

    Args:
        steps: Wanted; as many as time allows where None.
        minutes: For the whole run; no limit where None.
        students: That are trained.
        step_s: Seconds of a step, its part of the validations included.
        rest_s: Seconds of all else.
    """
    if minutes is None:
        return steps or DEFAULT_STEPS
    possible = max(int((60 * minutes - rest_s) / (students * step_s)), LEAST_STEPS)
    return possible if steps is None else min(steps, possible)
