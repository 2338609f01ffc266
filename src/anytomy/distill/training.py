"""One student from first to last step: `Trainer`, on the loop of `tuning`.

All students of a run begin with the same weights and get the same number of steps, so that what tells them
apart is what they were shown.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.distill.batches import StudentBatches
from anytomy.distill.task import StudentTask
from anytomy.evaluation.metrics import dice
from anytomy.evaluation.statistics import patient_means
from anytomy.io.atomic import atomic_path
from anytomy.predict.student.windows import as_network, probabilities
from anytomy.tuning import checkpoint, record
from anytomy.tuning.loop import Loop
from anytomy.tuning.validate import Validation

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from accelerate import Accelerator
    from torch import Tensor, nn

    from anytomy.distill.samples import Samples
    from anytomy.predict.student.grid import StudentGrid
    from anytomy.tuning.augment import Augmentation
    from anytomy.tuning.batches import BatchMaker
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.plan import Plan

WEIGHTS, HISTORY = "weights.safetensors", "history.json"
_MODEL = "model."


@dataclass(frozen=True, eq=False)
class Trainer:
    """What all trainings of a run share.

    Attributes:
        network: Makes a student, the same at each call.
        grid: Of the student.
        config: Rates, steps, seed.
        plan: How a step is divided.
        augmentation: Of the pictures.
        share: Share of labelled samples where others join them.
        held: Samples that choose the best step; None where nothing is kept apart.
        accelerator: Device and precision.
        folder: Each student has a folder in it.
    """

    network: Callable[[], nn.Module]
    grid: StudentGrid
    config: TuneConfig
    plan: Plan
    augmentation: Augmentation
    share: float
    held: Samples | None
    accelerator: Accelerator
    folder: Path

    @property
    def device(self) -> torch.device:
        """Where students are trained and asked."""
        found: torch.device = self.accelerator.device
        return found

    def task(self) -> StudentTask:
        """A student with fresh weights, and its loss."""
        return StudentTask(self.network()).to(self.device)

    def batches(self, labelled: Samples, joined: Samples | None = None) -> StudentBatches:
        """What makes batches of some samples."""
        return StudentBatches(labelled, joined, self.share, self.config, self.augmentation, self.grid)

    def train(
        self,
        name: str,
        labelled: Samples,
        joined: Samples | None = None,
        *,
        start: Mapping[str, Tensor] | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> dict[str, Tensor]:
        """Train a student, go on with it, or read what an earlier start has trained.

        Args:
            name: Of the student; its folder.
            labelled: Samples with labels.
            joined: Samples with pseudo-labels.
            start: Weights to begin with in place of fresh ones.
            progress: Called with steps done, steps in all and a line.

        Returns:
            The weights to keep.
        """
        held = self.held

        def made() -> tuple[nn.Module, BatchMaker, Callable[[], Validation] | None]:
            task = self.task()
            if start is not None:
                task.model.load_state_dict(dict(start))
            validator = None if held is None else lambda: validated(task.model, self.grid, held)
            return task, self.batches(labelled, joined), validator

        return self.run(name, made, progress=progress)

    def run(
        self,
        name: str,
        made: Callable[[], tuple[nn.Module, BatchMaker, Callable[[], Validation] | None]],
        *,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> dict[str, Tensor]:
        """Bring a task to its last step, now or by an earlier start; the weights of its `model`.

        Args:
            name: Of what is trained; its folder.
            made: Makes the task, whose `forward` is the loss, its batches and its validation; not called
                where the weights are there.
            progress: Called with steps done, steps in all and a line.
        """
        from safetensors.torch import load_file, save_file

        folder = self.folder / name
        if (folder / WEIGHTS).is_file():
            return load_file(folder / WEIGHTS)
        folder.mkdir(parents=True, exist_ok=True)
        task, batches, validator = made()
        loop = Loop(
            task,
            dict(task.state_dict(keep_vars=True)),
            batches,
            self.config,
            self.plan,
            self.accelerator,
            validator=validator,
            folder=folder,
            progress=progress,
        )
        kept = {
            key.removeprefix(_MODEL): value.detach().cpu().clone().contiguous()
            for key, value in loop.run().items()
            if key.startswith(_MODEL)
        }
        state = loop.state
        history = {"losses": state.losses, "validations": state.validations, "best_step": state.best_step}
        record.write_json(folder / HISTORY, history)
        with atomic_path(folder / WEIGHTS) as temporary:  # the last: they say that both are there
            save_file(kept, temporary)
        (folder / checkpoint.FILE).unlink(missing_ok=True)
        return kept

    def held_dice(self, name: str) -> float:
        """The best Dice of a trained student on the cases that are kept apart; NaN where there are none."""
        history = json.loads((self.folder / name / HISTORY).read_text(encoding="utf-8"))
        return max(
            (each["dice"] for each in history["validations"] if each["dice"] is not None), default=math.nan
        )


def validated(model: nn.Module, grid: StudentGrid, held: Samples) -> Validation:
    """The Dice of a student on its grid, in `eval()` mode: mean over structures of the means of patients."""
    network, classes = as_network(model.eval()), held.stock.classes
    values: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    cases = {sample.file: sample for sample in held.all}
    for sample in cases.values():
        levels, shares = held.case(sample)
        colours = grid.colours
        extra = levels[colours:].astype(np.float32) / np.float32(255) if len(levels) > colours else None
        found = probabilities(network, grid, levels[:colours], extra).argmax(axis=0)
        for number, name in enumerate(classes):
            wanted = shares[number] > 127
            if wanted.any():
                patient = f"{sample.dataset} {sample.patient}"
                values[name].append((patient, dice(found == number + 1, wanted)))
    means = {name: float(np.mean(list(patient_means(each).values()))) for name, each in values.items()}
    return Validation(float(np.mean(list(means.values()))) if means else float("nan"), means)
