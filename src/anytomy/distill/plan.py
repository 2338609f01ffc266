"""What a distillation will cost: `DistillPlan`, made before it starts and kept by a run that goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from anytomy.distill.config import DEFAULT_STEPS
from anytomy.tuning.plan import Plan, duration
from anytomy.zoo.disk import megabytes

# Fewer steps teach nothing, whatever time there is.
LEAST_STEPS = 20
VALIDATIONS = 10


@dataclass(frozen=True)
class DistillPlan:
    """How a run is carried out. Part of the run: a resumed one goes on with it.

    Attributes:
        training: Of each student.
        students: Those that are trained, by name.
        labels: How often a case is labelled by the teacher.
        label_s: About how long that takes for one.
        test_s: About how long the test takes.
    """

    training: Plan
    students: tuple[str, ...]
    labels: int
    label_s: float
    test_s: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DistillPlan:
        """The inverse of `to_dict`."""
        students = tuple(values["students"])
        return cls(**{**values, "training": Plan(**values["training"]), "students": students})

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return len(self.students) * self.training.seconds + self.labelling + self.test_s

    @property
    def labelling(self) -> float:
        """About how long the teacher takes."""
        return self.labels * self.label_s

    def text(self) -> list[str]:
        """The costs, in lines for a person."""
        one = self.training
        return [
            f"about {duration(self.seconds)}: students {', '.join(self.students)} of {one.steps:,} steps of"
            f" {one.step_s:.2f} s each, {self.labels} pseudo-labels in {duration(self.labelling)}, the test"
            f" in {duration(self.test_s)}",
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
