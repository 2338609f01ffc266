"""Recipes whose student learns from labels that nobody drew: `pseudo` and `self-prompt`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.distill.labelling import (
    Labelled,
    asking_boxes,
    asking_student,
    is_alone,
    labelled,
    trial_of,
)
from anytomy.distill.recipes.recipe import Taught, Work
from anytomy.distill.session import FEW
from anytomy.distill.stored import prompt_files

if TYPE_CHECKING:
    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.session import Session
    from anytomy.zoo.card import ModelCard


LEAST_JUDGES = 3
"""Patients kept apart from which on they choose among the students, not only among the steps of each."""


@dataclass(frozen=True)
class Pseudo:
    """Reliable pseudo-labels join the labelled cases once, each pixel by its weight.

    With `boxes`, labels are seen as boxes: the teacher cuts out what is in them, and nothing else is learned
    from.
    """

    name: str = "pseudo"
    source: str = "WS-SAM, arXiv 2305.11003; boxes: arXiv 2308.05785, 2409.20253"

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """See `Recipe`."""
        return 0

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """See `Recipe`."""
        if config.boxes and "box" not in teacher.prompts:
            raise OptionError(
                f"boxes are for teachers that take them, and {teacher.title} takes none",
                hint="choose another teacher, or leave --boxes out",
            )
        refuse_unable(teacher, config.ask)

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """See `Recipe`."""
        if config.boxes:
            drawn = prompt_files(config, group)
            cases = {(case.dataset, case.id) for case in group.labelled} | drawn.keys()
            return Work(("boxes",), len(cases), unlabelled=bool(drawn))
        return _work(group, rounds=1)

    def teach(self, session: Session) -> Taught:
        """See `Recipe`."""
        if not session.config.boxes:
            return _taught(session, rounds=1)
        cases = (*session.group.labelled, *session.asked)
        found = labelled(session, "boxes", cases, asking_boxes(session))
        if not found.usable:
            raise OptionError(
                f"the teacher answers the boxes of these objects with nothing to learn from: {found.text}",
                hint="choose another teacher; the folder `pseudo` of the run shows what it said",
            )
        return Taught(session.train("boxes", found.samples), "boxes", (noted("boxes", found),), found)


@dataclass(frozen=True)
class SelfPrompt:
    """The student prompts the teacher, round after round.

    It learns from the labelled few; what it finds in the other cases becomes boxes; the teacher cuts out what
    is in them; what both agree on joins the labelled cases, and a new student learns from all. It prompts in
    the next round.
    """

    name: str = "self-prompt"
    source: str = "SamDSK, arXiv 2308.13759; SemiSAM, arXiv 2312.06316"

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """See `Recipe`."""
        return 0

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """See `Recipe`."""
        refuse_boxes(self.name, config)
        refuse_unable(teacher, config.ask)

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """See `Recipe`."""
        return _work(group, rounds=config.rounds)

    def teach(self, session: Session) -> Taught:
        """See `Recipe`."""
        return _taught(session, rounds=session.config.rounds)


def _work(group: DistillCohort, *, rounds: int) -> Work:
    names = [f"round-{number}" for number in range(1, rounds + 1)]
    return Work((FEW, *names), len(group.unlabelled), rounds, spare=True)


def _taught(session: Session, *, rounds: int) -> Taught:
    """The student of the last round in which the teacher was of use; `few` where it was in none.

    The teacher is first tried on the labelled cases; what is wrong there is not asked elsewhere. Where enough
    patients are kept apart, the student that is best on them is taken: a teacher may well be right and still
    know less than a student of few labels.
    """
    made = [Taught(session.few(), FEW)]
    tried = trial_of(session)
    notes = [tried.noted]
    if not tried.trusted:
        return replace(made[0], rounds=tuple(notes))
    alone = False
    for number in range(1, rounds + 1):
        held = made[-1]
        if alone and is_alone(session, held.name):
            break  # it would say the same again
        alone, name = is_alone(session, held.name), f"round-{number}"
        found = labelled(session, name, session.asked, asking_student(session, held.name, held.weights))
        notes.append(noted(name, found))
        if not found.usable:
            break
        made.append(Taught(session.train(name, session.labelled, found.samples), name, last=found))
    best = made[-1]
    if len({(case.dataset, case.patient) for case in session.group.validate}) >= LEAST_JUDGES:
        best = max(reversed(made), key=lambda each: session.trainer.held_dice(each.name))
    return replace(best, rounds=tuple(notes))


def refuse_boxes(name: str, config: DistillConfig) -> None:
    """Refuse `boxes` for a recipe that has no use for them.

    Raises:
        OptionError: Always, where they are asked for.
    """
    if config.boxes:
        raise OptionError(
            f"the recipe {name} learns from full labels, not from boxes", hint="--boxes goes with pseudo"
        )


def refuse_unable(teacher: ModelCard, ask: str) -> None:
    """Refuse a teacher that cannot be asked as is wanted, nor for its classes.

    Raises:
        OptionError: With the way out.
    """
    if teacher.student is not None:
        raise OptionError(
            f"{teacher.title} is a student, which cannot be asked as a teacher is",
            hint="give it as --guide of a teacher that takes boxes",
        )
    how = {"student": "box", "automatic": "points"}[ask]
    if not teacher.classes and how not in teacher.prompts:
        words = {"box": "boxes", "points": "points"}[how]
        raise OptionError(
            f"a teacher is asked by {words}, and {teacher.title} learned {', '.join(teacher.prompts)} only",
            hint=f"choose one that takes {words}, or one tuned with --mode semantic",
        )


def noted(name: str, found: Labelled) -> dict[str, Any]:
    """A round as the record has it."""
    return {
        "name": name,
        "cases": len({sample.case for sample in found.samples.all}),
        "objects": found.objects,
        "accepted": found.accepted,
        "used": found.usable,
    }
