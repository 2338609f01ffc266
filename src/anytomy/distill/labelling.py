"""Pseudo-labels of many cases: asked for, judged, and kept as soon as each is there; `Labelling`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.label import PseudoLabel, pseudo_label
from anytomy.distill.pseudo.reliability import Rules
from anytomy.distill.pseudo.table import write_objects
from anytomy.distill.pseudo.trial import LEAST_TRUSTED, TRIAL, trial
from anytomy.distill.samples import Target, labels_of, name_of, quietly_read
from anytomy.distill.session import FEW
from anytomy.distill.stored import read_stored
from anytomy.evaluation.bench.table import read_rows
from anytomy.evaluation.simulators import Truth, seeded, simulator
from anytomy.io.write import write_labels
from anytomy.tuning.prepared import PREPARED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.datasets.case import Case
    from anytomy.distill.samples import Samples
    from anytomy.distill.session import Session, Weights

PSEUDO = "pseudo"
# Dice on labelled cases kept apart from which on a student can judge a teacher with classes: a weaker one is
# more often wrong than a teacher that learned from the same cases.
LEAST_WITNESS = 0.6
RULES = Rules()
OBJECTS = "objects.parquet"
# A teacher of whom less is accepted is wrong for this task, and what is left of it is chance.
LEAST_ACCEPTED = 0.1
# Labelled cases on which a teacher is tried.
_MOST_TRIED = 8

Find = Callable[["Case", "Image"], "NDArray[np.float32]"]
"""Probabilities `(classes + 1, [z,] y, x)` of a case."""
Ask = Callable[["Case", "Image"], PseudoLabel]
Make = Callable[["Case", "Image", PseudoLabel], Target]


@dataclass(frozen=True, eq=False)
class Labelled:
    """What came of asking a teacher about some cases.

    Attributes:
        samples: Cases with at least one accepted object, as a student learns from them.
        objects: Objects that were asked about.
        accepted: Those that are learned from.
    """

    samples: Samples
    objects: int
    accepted: int

    @property
    def usable(self) -> bool:
        """Whether there is enough to learn from; otherwise nothing of it is taken."""
        return len(self.samples) > 0 and self.accepted >= LEAST_ACCEPTED * self.objects

    @property
    def text(self) -> str:
        """What became of it, in a line."""
        share = f"{self.accepted:,} of {self.objects:,} objects accepted"
        return share if self.usable else f"{share}: too few to learn from"


def labelled(
    session: Session,
    name: str,
    cases: Sequence[Case],
    ask: Ask,
    make: Make | None = None,
) -> Labelled:
    """Ask a teacher about some cases; what an earlier start has asked is kept.

    The folder `pseudo/NAME` gets for people to look at a label map of each case (`labels`), how much each
    pixel counts in percent (`weights`), and the table of all objects with why each was accepted or not.

    Args:
        session: The run.
        name: Of this round.
        cases: Their labels are not looked at, unless `ask` does.
        ask: Makes the pseudo-label of a case.
        make: What a student learns of it; label map and weights by default.
    """
    folder = session.folder / PSEUDO / name
    make = make or (lambda case, image, label: Target(label.class_map, label.weight))

    def target(case: Case, image: Image) -> Target | None:
        table = folder / f"{name_of(case)}.parquet"
        if table.is_file() and not any(row["accepted"] for row in read_rows(table, columns=["accepted"])):
            return None  # asked before, and nothing was accepted
        label = ask(case, image)
        name = file_name(session, case, image)
        write_labels(folder / "labels" / name, label.class_map, image)
        write_labels(folder / "weights" / name, _percent(label.weight), image)
        write_objects(table, label.rows(case.dataset))
        return make(case, image, label) if label.accepted else None

    samples = session.stock.samples(
        cases, target, session.folder / PREPARED / name, progress=session.told(f"pseudo-labels {name!r}")
    )
    rows = [row for case in cases for row in read_rows(folder / f"{name_of(case)}.parquet")]
    write_objects(folder / OBJECTS, rows)
    return Labelled(samples, len(rows), sum(row["accepted"] for row in rows))


@dataclass(frozen=True)
class Tried:
    """How a teacher did on cases whose labels are known.

    Attributes:
        objects: Objects that it was asked about.
        accepted: Those that it got right.
        trusted: Whether that is enough to ask it about others.
    """

    objects: int
    accepted: int
    trusted: bool

    @property
    def noted(self) -> dict[str, Any]:
        """As the record has it."""
        counts = {"objects": self.objects, "accepted": self.accepted}
        return {"name": TRIAL, "cases": 0, **counts, "used": self.trusted}


def trial_of(session: Session) -> Tried:
    """Ask a teacher about labelled cases, at most so many, and hold its answers against the labels.

    `pseudo/trial` gets the table of its answers.
    """
    group, folder = session.group, session.folder / PSEUDO / TRIAL
    for case in group.labelled[:_MOST_TRIED]:
        table = folder / f"{name_of(case)}.parquet"
        if not table.is_file():
            image = quietly_read(case)
            truth = labels_of(case, image, group.classes)
            options = {"asking": _asking(session, session.config.ask), **_options(session, case, image)}
            label = trial(image, truth, session.teacher, group.classes, **options)
            write_objects(table, label.rows(case.dataset))
    tables = [read_rows(folder / f"{name_of(case)}.parquet") for case in group.labelled[:_MOST_TRIED]]
    rows = [row for table in tables for row in table]
    write_objects(folder / OBJECTS, rows)
    accepted = sum(row["accepted"] for row in rows)
    return Tried(len(rows), accepted, accepted >= LEAST_TRUSTED * len(rows))


def is_alone(session: Session, name: str) -> bool:
    """Whether a teacher with classes is asked without a student: the one of this name is no judge of it."""
    return bool(session.teacher.card.classes) and not session.trainer.held_dice(name) >= LEAST_WITNESS


def asking_student(session: Session, name: str, weights: Weights, *, soft: bool = False) -> Ask:
    """Ask about what a student predicts; the student also judges the answers.

    Where somebody drew prompts, they take the place of the student's boxes, and nothing else is there.
    A teacher with classes needs nobody to prompt it. Where the student is too weak to judge such a one, or no
    case is kept apart that would tell, agreement with the mirrored picture judges alone.

    Args:
        session: The run.
        name: Of the student.
        weights: Its weights.
        soft: Also keep the teacher's probabilities.
    """
    if is_alone(session, name):
        alone = Asking(flips=int(session.flips[0]))
        return lambda case, image: _ask(session, case, image, alone, soft=soft)
    find = session.first_finder(weights) if name == FEW else session.finder(weights)

    def ask(case: Case, image: Image) -> PseudoLabel:
        drawn = _drawn(session, case, image)
        if drawn:
            return _ask(session, case, image, _asking(session, "stored"), prompts=drawn, soft=soft)
        asking = _asking(session, session.config.ask)
        return _ask(session, case, image, asking, student=find(case, image), soft=soft)

    return ask


def asking_boxes(session: Session) -> Ask:
    """Ask about the boxes of a case's labels, which is all that is seen of them, or about what was drawn."""

    def ask(case: Case, image: Image) -> PseudoLabel:
        drawn = _drawn(session, case, image)
        if drawn:
            return _ask(session, case, image, _asking(session, "stored"), prompts=drawn)
        prompts = boxes_of(case, image, session.group.classes, session.config.axis, session.config.seed)
        if not prompts:
            nothing = np.zeros(image.array.shape[: 3 if image.is_volume else 2], dtype=np.uint8)
            return PseudoLabel(case.id, nothing, nothing.astype(np.float32), ())
        return _ask(session, case, image, _asking(session, "stored", volume="slices"), prompts=prompts)

    return ask


def _drawn(session: Session, case: Case, image: Image) -> list[Prompt]:
    """Prompts that somebody drew for a case; none where nobody did."""
    path = session.prompts.get((case.dataset, case.id))
    return [] if path is None else read_stored(path, image, session.group.classes, session.config.axis)


def boxes_of(case: Case, image: Image, classes: Sequence[str], axis: str, seed: int) -> list[Prompt]:
    """Tight boxes around the objects of a case, named for their classes; in volumes on each slice."""
    who = simulator("box-per-slice" if image.is_volume else "box")
    found: list[Prompt] = []
    for structure, label in case.labels(image).items():
        if structure not in classes:
            continue
        for number in [int(v) for v in np.unique(label) if v]:
            truth = Truth(label == number, image.is_volume, axis, None)
            rng = seeded(seed, "boxes", case.dataset, case.id, structure, number)
            found += [replace(prompt, name=structure, id=None) for prompt in who.start(truth, rng)]
    return found


def _asking(session: Session, how: str, **more: Any) -> Asking:
    return Asking(how, zoom=session.config.zoom, **more)


def _ask(session: Session, case: Case, image: Image, asking: Asking, **more: Any) -> PseudoLabel:
    options = _options(session, case, image)
    return pseudo_label(image, session.teacher, session.group.classes, asking=asking, **options, **more)


def _options(session: Session, case: Case, image: Image) -> dict[str, Any]:
    """What all questions have in common."""
    config = session.config
    return {
        "intensity": config.intensity,
        "axis": config.axis if image.is_volume else "z",
        "rules": RULES,
        "seed": config.seed,
        "case": case.id,
    }


def file_name(session: Session, case: Case, image: Image) -> str:
    """What the maps of a case are called."""
    name = session.group.file_names[case.dataset, case.id]
    return f"{name}.nii.gz" if image.is_volume else f"{name}.png"


def _percent(weight: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(100 * weight), dtype=np.uint8)
