"""Recipes whose student learns more than masks: `logits`, `prior` and `encoder`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.distill.embedding import EmbeddingBatches, EmbeddingTask
from anytomy.distill.labelling import asking_student, labelled, trial_of
from anytomy.distill.prior import prior_channels
from anytomy.distill.recipes.recipe import Taught, Work
from anytomy.distill.recipes.rounds import noted, refuse_boxes, refuse_unable
from anytomy.distill.samples import Target
from anytomy.distill.session import FEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.pseudo.label import PseudoLabel
    from anytomy.distill.session import Session
    from anytomy.distill.training import BatchMaker
    from anytomy.zoo.card import ModelCard

# Pixels so near to a boundary count fully, all others half: there the teacher knows more than a mask says.
_RIM = 2


@dataclass(frozen=True)
class Logits:
    """The student learns the teacher's probabilities, and those near boundaries twice.

    The teacher is asked as in `pseudo`, and what is not to be trusted has no weight.
    """

    name: str = "logits"
    source: str = "Hinton et al., arXiv 1503.02531; boundary term: KD-SAM, arXiv 2501.16740"

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """See `Recipe`."""
        return 0

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """See `Recipe`."""
        refuse_boxes(self.name, config)
        refuse_unable(teacher, config.ask)

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """See `Recipe`."""
        return Work((FEW, self.name), len(group.unlabelled), spare=True, soft=True)

    def teach(self, session: Session) -> Taught:
        """See `Recipe`."""
        few = session.few()
        tried = trial_of(session)
        if not tried.trusted:
            return Taught(few, FEW, (tried.noted,))

        def make(case: Case, image: Image, label: PseudoLabel) -> Target:
            assert label.soft is not None
            axis = session.config.axis if image.is_volume else "z"
            return Target(label.soft, label.weight * (0.5 + 0.5 * near_boundary(label.class_map, axis)))

        ask = asking_student(session, FEW, few, soft=True)
        found = labelled(session, self.name, session.asked, ask, make)
        notes = (tried.noted, noted(self.name, found))
        if not found.usable:
            return Taught(few, FEW, notes)
        return Taught(session.train(self.name, session.labelled, found.samples), self.name, notes, found)


@dataclass(frozen=True)
class Prior:
    """The teacher's masks are further input channels of a student of the labelled cases."""

    name: str = "prior"
    source: str = "SAMAug, Zhang et al., arXiv 2304.11332"

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """See `Recipe`."""
        return prior_channels(teacher, classes)

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """See `Recipe`."""
        refuse_boxes(self.name, config)
        prior_channels(teacher, 1)

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """See `Recipe`."""
        return Work((self.name,), len(group.labelled) + len(group.test), unlabelled=False)

    def teach(self, session: Session) -> Taught:
        """See `Recipe`."""
        guided = session.guided()
        return Taught(guided.train(self.name, guided.labelled), self.name)


@dataclass(frozen=True)
class Encoder:
    """The student's deepest features learn the teacher's embeddings of all images, then it the labels."""

    name: str = "encoder"
    source: str = "MobileSAM, arXiv 2306.14289; LiteMedSAM"

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """See `Recipe`."""
        return 0

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """See `Recipe`."""
        refuse_boxes(self.name, config)
        if teacher.student is not None:
            raise OptionError(
                f"{teacher.title} is a student and has no embeddings", hint="choose a model of the SAM family"
            )
        if config.dims == "3":
            raise OptionError(
                "embeddings are of pictures and slices, so the recipe encoder has no 3D student",
                hint="use --dims 2",
            )

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """See `Recipe`."""
        return Work(("features", self.name), len(group.seen))

    def teach(self, session: Session) -> Taught:
        """See `Recipe`."""
        if session.sight.grid.dims == 3:
            raise OptionError("the recipe encoder needs a 2D student", hint="use --dims 2")
        trainer = session.trainer

        def made() -> tuple[EmbeddingTask, BatchMaker, None]:
            batches = EmbeddingBatches.of(session)
            return EmbeddingTask(trainer.network(), batches).to(trainer.device), batches, None

        start = trainer.run("features", made, progress=session.told("student 'features'"))
        return Taught(session.train(self.name, session.labelled, start=start), self.name)


def near_boundary(labels: NDArray[np.uint8], axis: str = "z") -> NDArray[np.bool_]:
    """Pixels of a label map `([z,] y, x)` within a few pixels of another class, in slices across `axis`."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = [1 if each == axis else 2 * _RIM + 1 for each in "zyx"][3 - labels.ndim :]
    return np.asarray(maximum_filter(labels, size=size) != minimum_filter(labels, size=size))
