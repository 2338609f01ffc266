"""How good a student is by the number of labelled cases: `draw_curve`.

Each point is a run of its own in `curve/COUNT`, with the same number of steps: the student of so many
labelled cases alone, and the one that the teacher helped. All are tested on the same patients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.plan import DistillPlan
    from anytomy.distill.session import Session

CURVE = "curve"


def points(config: DistillConfig) -> tuple[int, ...]:
    """The numbers of labelled cases that need a run of their own."""
    held = config.labels if "few" in config.baselines else None
    return tuple(count for count in sorted(set(config.curve)) if count != held)


def draw_curve(session: Session, plan: DistillPlan) -> None:
    """Teach with each number of labelled cases; what is done already is kept.

    Args:
        session: The run that it belongs to; its own number of labels is a point of the curve as well.
        plan: Its steps are those of every point.
    """
    from anytomy.distill.run import distill

    config, training = session.config, plan.training
    for count in points(config):
        one = replace(
            config,
            labels=count,
            unlabelled=session.most or None,
            student=session.network,
            curve=(),
            baselines=("few",),
            steps=training.steps,
            max_minutes=None,
            batch=training.micro * training.accumulation,
        )
        folder = session.folder / CURVE / str(count)
        distill(one, folder, runtime=session.runtime, teacher=session.teacher, progress=session.progress)
