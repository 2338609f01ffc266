"""What decides the result of a distillation: `DistillConfig`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from anytomy.core.errors import OptionError
from anytomy.predict.zoom import Zoom
from anytomy.tuning.checks import TRAINING_RANGES, check_choice, check_fold, check_range, check_ranges
from anytomy.tuning.config import AUGMENTATIONS, FLIPS, SCHEDULES, TuneConfig
from anytomy.tuning.record import as_json

DIMS = ("auto", "2", "3")
BASELINES = ("few", "all", "teacher")
DEFAULT_STEPS = 1000
ASKS = ("student", "automatic")
NNUNET = "nnunet"
"""In place of a student: write the pseudo-labelled set as nnU-Net reads it."""

_RANGES = {
    "labels": ("labelled cases", 1, 1e9),
    "unlabelled": ("unlabelled cases", 1, 1e9),
    "size": ("a long side", 32, 4096),
    "rounds": ("rounds", 1, 20),
    **TRAINING_RANGES,
    "labelled_share": ("a labelled share", 0, 1),
    "views": ("views", 1, 100),
}


@dataclass(frozen=True)
class DistillConfig:
    """All that decides the result; threads, memory and the place of the output do not.

    Attributes:
        teacher: Reference of any model: `ID`, or `ID+DIR` with an adapter.
        data: Ids of data sets.
        recipe: See `recipes.registry`.
        student: A network of `models.students.registry`, or `nnunet`.
        labels: Labelled cases that it may see, patient by patient; all of the training split where None. The
            rest of the training split counts as unlabelled, but for other cases of patients that validate.
        unlabelled: Most unlabelled cases that the teacher is asked about, evenly spread; all, or as many as
            time allows, where None.
        images: Folder of images without labels, which count as unlabelled too: files, or folders with a DICOM
            series. None of them may be of a test patient; nobody can check that here.
        prompts_dir: Folder with prompts that somebody drew for unlabelled images, named by those; the teacher
            is asked by them in place of the boxes of a student. All objects of the classes have one. With
            `boxes` such images join the labelled cases.
        ask: How the teacher is asked about objects: `student` (a box around what a student finds) or
            `automatic` (a grid of points where a student finds something, the masks matched with that).
        zoom: How close the teacher looks at what it is asked about by boxes, as in `segment`.
        guide: Reference of a model with the classes, tuned on the same labels, that prompts and judges the
            teacher in the first round in place of the student of the labelled cases; none where None.
        boxes: Labels that are trained on are only seen as the boxes of their objects; those that choose the
            best step (`validate`), and those of the baselines, are seen in full.
        classes: Structures to learn, in the order of channels; all that are labelled where empty.
        dims: `2` (pictures and slices), `3` (volumes) or `auto`.
        size: Long side of a picture on the student's grid; slices and volumes keep their spacing.
        rounds: Rounds of pseudo-labels, each with the student of the round before (`self-prompt`).
        baselines: Of `few` (the student on the labelled cases alone), `all` (on the labels of all training
            cases) and `teacher` (with perfect boxes). `few` is always trained where a recipe needs it.
        curve: Also teach with so many labelled cases each, and the same steps, for the learning curve.
        validate: Share of the labelled patients that choose the best step, rounded down.
        test: Most test cases; all where None, none where 0.
        fold: `(number, of)`: a fold by patient in place of the stored split; None for the split.
        steps: Optimiser steps of each student; as many as time allows where None.
        max_minutes: Time for the whole run; turned into steps before it starts, so that a run that was
            stopped goes on to the same result.
        batch: Pictures, slices or patches of a step; by their size where None.
        lr: Peak learning rate.
        weight_decay: Of AdamW.
        warmup: Share of a training in which the rate rises.
        schedule: `cosine`, `poly` (power 0.9) or `constant`.
        ema: Decay of the moving average of the weights that is kept; 0 for none.
        clip: Largest norm of the gradients.
        labelled_share: Share of a batch that is drawn from the labelled cases where others join them.
        views: Variants of a case that a student is asked about for a pseudo-label.
        augment: `none`, `flips`, `light` or `strong`.
        flips: Axes that may be flipped: `auto` does not mix up left and right, or head and foot.
        empty: Share of the slices without any object.
        axis: The file's axis that slices run along.
        intensity: As in `segment`.
        seed: Of all randomness.
    """

    teacher: str
    data: tuple[str, ...]
    recipe: str = "self-prompt"
    student: str = "unet-16"
    labels: int | None = None
    unlabelled: int | None = None
    images: str | None = None
    prompts_dir: str | None = None
    ask: str = ASKS[0]
    zoom: str = "off"
    guide: str | None = None
    boxes: bool = False
    classes: tuple[str, ...] = ()
    dims: str = "auto"
    size: int = 256
    rounds: int = 2
    baselines: tuple[str, ...] = BASELINES
    curve: tuple[int, ...] = ()
    validate: float = 0.2
    test: int | None = None
    fold: tuple[int, int] | None = None
    steps: int | None = None
    max_minutes: float | None = None
    batch: int | None = None
    lr: float = 2e-3
    weight_decay: float = 1e-4
    warmup: float = 0.05
    schedule: str = "cosine"
    ema: float = 0.99
    clip: float = 1.0
    labelled_share: float = 0.5
    views: int = 6
    augment: str = "strong"
    flips: str = "auto"
    empty: float = 0.15
    axis: str = "z"
    intensity: str = "auto"
    seed: int = 0

    @property
    def asked(self) -> TuneConfig:
        """The same cases as `anytomy tune --mode semantic --train LABELS` with this seed."""
        return TuneConfig(
            model=self.teacher,
            data=self.data,
            mode="semantic",
            classes=self.classes,
            train=self.labels,
            validate=0.0,
            test=self.test,
            fold=self.fold,
            axis=self.axis,
            intensity=self.intensity,
            least=1,
            seed=self.seed,
        )

    def training(self, *, steps: int, every: int, batch: int) -> TuneConfig:
        """How a student is trained, as `tuning` reads it."""
        return replace(
            self.asked,
            steps=steps,
            every=every,
            batch=batch,
            lr=self.lr,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            schedule=self.schedule,
            ema=self.ema,
            clip=self.clip,
            empty=self.empty,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = as_json(asdict(self))
        return plain

    def check(self) -> None:
        """Find what is wrong with the values alone.

        Raises:
            OptionError: With the values that there are.
        """
        check_choice("dims", self.dims, DIMS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("augmentation", self.augment, AUGMENTATIONS)
        check_choice("flips", self.flips, FLIPS)
        check_choice("ask", self.ask, ASKS)
        Zoom.parse(self.zoom)
        for each in self.baselines:
            check_choice("baseline", each, BASELINES)
        if not self.data:
            raise OptionError("expected at least one data set, got none")
        check_fold(self.fold)
        check_ranges(self, _RANGES)
        for count in self.curve:
            check_range("labelled cases of the curve", count, 1, 1e9)
