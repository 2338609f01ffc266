"""Everything that a distillation holds while it runs: cases, grid, teacher, students; `Session`.

What takes long is kept in files as soon as it is done: the weights of each student, and for each pseudo-label
its target and the table of its objects. A run that was stopped finds them and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import DatasetError
from anytomy.distill.guide import guide_finder
from anytomy.distill.prior import prior_levels
from anytomy.distill.samples import Samples, Stock, Target, labels_of
from anytomy.distill.stored import prompt_files
from anytomy.distill.training import Trainer
from anytomy.distill.views import averaged
from anytomy.predict.student.windows import as_network, probabilities
from anytomy.tuning.augment import Augmentation, allowed_flips
from anytomy.tuning.prepared import PREPARED, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.gridding import Sight
    from anytomy.predict.model import Model
    from anytomy.tuning.run import Progress, Runtime
    from anytomy.zoo.card import ModelCard

Weights = Mapping[str, "Tensor"]
FEW, ALL = "few", "all"


@dataclass(eq=False)
class Session:
    """A distillation at work; see `run.distill`.

    Attributes:
        config: What is asked.
        group: Whose labels are seen, whose images only, who is tested.
        sight: How the student sees an image.
        network: Name of the student's network.
        extra: Input channels beside those of the picture that the recipe's student has.
        fresh: Makes a student with so many of them; weights begin alike at each call.
        open_teacher: Opens the teacher.
        open_guide: Opens the guide; None where there is none.
        teacher_facts: What a bundle says of it.
        cards: Of the `teacher`, and of the `guide` where there is one.
        folder: Of the run.
        runtime: Device, threads, memory.
        stock: Pictures on the student's grid.
        trainer: Trains students.
        progress: Told how far it is.
        most: Unlabelled cases that the teacher is asked about; all where None.
    """

    config: DistillConfig
    group: DistillCohort
    sight: Sight
    network: str
    extra: int
    fresh: Callable[[int], nn.Module]
    open_teacher: Callable[[], Model]
    open_guide: Callable[[], Model] | None
    teacher_facts: Mapping[str, Any]
    cards: Mapping[str, ModelCard]
    folder: Path
    runtime: Runtime
    stock: Stock
    trainer: Trainer
    progress: Progress | None
    most: int | None = None

    @property
    def asked(self) -> tuple[Case, ...]:
        """The unlabelled cases that the teacher is asked about: evenly spread, with `boxes` the prompted."""
        if self.config.boxes:
            return tuple(case for case in self.group.unlabelled if (case.dataset, case.id) in self.prompts)
        return tuple(spread(self.group.unlabelled, self.most))

    @cached_property
    def prompts(self) -> Mapping[tuple[str, str], Path]:
        """Files with prompts that somebody drew, by data set and id of the case."""
        return prompt_files(self.config, self.group)

    @cached_property
    def teacher(self) -> Model:
        """The teacher, opened when it is first asked."""
        return self.open_teacher()

    @cached_property
    def labelled(self) -> Samples:
        """The labelled cases with their labels.

        Raises:
            DatasetError: There is no object in any of them.
        """
        found = self.with_labels(self.group.labelled, "reading labels")
        if not any(sample.areas for sample in found.all):
            cases = ", ".join(case.id for case in self.group.labelled[:3])
            raise DatasetError(
                f"expected objects of {', '.join(self.group.classes)} in the labelled cases, but there are"
                f" none in {cases}",
                hint="give more --labels, another --seed, or a larger --size where objects are small",
            )
        return found

    def with_labels(self, cases: Sequence[Case], what: str) -> Samples:
        """Cases with their own labels."""
        classes = self.group.classes
        return self.stock.samples(
            cases,
            lambda case, image: Target(labels_of(case, image, classes)),
            self.folder / PREPARED / "labels",
            progress=self.told(what),
        )

    def few(self) -> Weights:
        """The student of the labelled cases alone."""
        return self.train(FEW, self.labelled)

    def everything(self) -> Weights:
        """The student of the labels of all training cases."""
        return self.train(ALL, self.with_labels(self.group.training, "reading all labels"))

    def train(
        self, name: str, labelled: Samples, joined: Samples | None = None, *, start: Weights | None = None
    ) -> Weights:
        """A student by its name; trained where it is not there yet."""
        return self.trainer.train(
            name, labelled, joined, start=start, progress=self.told(f"student {name!r}")
        )

    def guided(self) -> Session:
        """The same run with students that see the teacher's masks beside the picture."""

        def masks(image: Image) -> NDArray[np.uint8]:
            return prior_levels(self.teacher, image, self.sight, self.config, self.group.classes)

        stock = replace(self.stock, folder=self.folder / PREPARED / "guided", masks=masks)
        trainer = replace(self.trainer, network=lambda: self.fresh(self.extra))
        made = replace(self, stock=stock, trainer=trainer)
        if self.group.validate:
            held = made.with_labels(self.group.validate, "reading labels")
            made.trainer = replace(made.trainer, held=held)
        return made

    def finder(self, weights: Weights) -> Callable[[Case, Image], NDArray[np.float32]]:
        """What a student finds in several views of a case: probabilities `(classes + 1, [z,] y, x)`."""
        model = self.trainer.network()
        model.load_state_dict(dict(weights))
        network, grid, config = as_network(model.eval().to(self.trainer.device)), self.sight.grid, self.config

        def find(levels: NDArray[np.float32]) -> NDArray[np.float32]:
            return probabilities(network, grid, levels)

        def guess(case: Case, image: Image) -> NDArray[np.float32]:
            found = averaged(
                find,
                self.stock.picture(case, image),
                self.views,
                views=config.views,
                flat=grid.dims == 2,
                seed=config.seed,
                key=f"{case.dataset}/{case.id}",
            )
            return grid.restore(found, image, config.axis if image.is_volume else "z")

        return guess

    def first_finder(self, few: Weights) -> Callable[[Case, Image], NDArray[np.float32]]:
        """What prompts and judges the teacher first: the guide, or the student of the labelled cases."""
        if self.open_guide is None:
            return self.finder(few)
        config = self.config
        return guide_finder(
            self.open_guide(),
            self.group.classes,
            flips=self.flips,
            intensity=config.intensity,
            axis=config.axis,
        )

    @cached_property
    def views(self) -> Augmentation:
        """How far the views of a case go that a student is asked about: less than training does."""
        flip_x, flip_y = self.flips
        return Augmentation(flip_x, flip_y, angle=10, scale=1.15, shift=0.04, gamma=1.2, contrast=1.1)

    @contextmanager
    def keeping_embeddings(self) -> Iterator[None]:
        """While this is open, what the teacher encodes stays on disk for later rounds and starts."""
        cache = getattr(self.teacher, "cache", None)
        if cache is None:
            yield
            return
        with cache.resuming(self.folder / "embeddings" / "teacher"):
            yield

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether pictures may be flipped along x and y."""
        return allowed_flips(self.config.flips, self.group.classes, placed=self.sight.volumes)

    def told(self, what: str) -> Callable[[int, int, str], None] | None:
        """Progress of one thing."""
        progress = self.progress
        if progress is None:
            return None
        return lambda done, total, name: progress(what, done, total, name)
