"""Everything that a run holds while it runs: model, samples, embeddings, plan; `Session`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anytomy.models.adapters.adapted import trained
from anytomy.models.adapters.registry import parse
from anytomy.tuning.augment import Augmentation, allowed_flips
from anytomy.tuning.base import Base, tunable
from anytomy.tuning.batches import Batches
from anytomy.tuning.embeddings import EmbeddingBank
from anytomy.tuning.loop import Loop
from anytomy.tuning.measuring import planned
from anytomy.tuning.plan import MOST_ENCODING, Plan, recompute
from anytomy.tuning.prepared import PREPARED
from anytomy.tuning.prompts import prompt_mix
from anytomy.tuning.sampler import Sampler
from anytomy.tuning.samples import Samples, prepare
from anytomy.tuning.tasks import ClassTask, PromptTask
from anytomy.tuning.validate import Validation, chosen_objects, validate

if TYPE_CHECKING:
    from accelerate import Accelerator

    from anytomy.models.adapters.method import Tunable
    from anytomy.tuning.cohort import Cohort
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.run import Progress, Runtime


@dataclass(frozen=True, eq=False)
class Part:
    """The samples of training or of validation, and what makes batches of them."""

    samples: Samples
    sampler: Sampler
    batches: Batches


@dataclass(eq=False)
class Session:
    """A run at work; see `run.tune`.

    Attributes:
        config: What is asked.
        group: Who trains, validates and is tested.
        base: What is tuned.
        folder: Of the run.
        runtime: Device, threads, memory.
        accelerator: Of accelerate.
        task: The model with its methods, and the loss.
        plan: How it is carried out.
        mix: Kinds of prompts and their shares; empty in semantic mode.
        train: What is trained on.
        held: What validates; without samples where too few patients are there.
        bank: Embeddings; None where the encoder is trained.
        progress: Told how far it is.
    """

    config: TuneConfig
    group: Cohort
    base: Base
    folder: Path
    runtime: Runtime
    accelerator: Accelerator
    task: ClassTask | PromptTask
    plan: Plan
    mix: Mapping[str, float]
    train: Part
    held: Part
    bank: EmbeddingBank | None
    progress: Progress | None

    @classmethod
    def open(
        cls,
        config: TuneConfig,
        group: Cohort,
        base: Base,
        folder: Path,
        runtime: Runtime,
        plan: Plan | None,
        *,
        progress: Progress | None,
    ) -> Session:
        """Prepare everything; where there is no plan yet, measure and make one."""
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list

        device = chosen_device(runtime.device)
        torch.set_num_threads(runtime.threads or 1)
        processes = PartialState(cpu=device.type == "cpu")
        methods = parse(config.method)
        model = tunable(base, config, methods, group.classes)
        touches = any(method.touches_encoder for method in methods)
        mix = {} if config.is_semantic else prompt_mix(config, base.card)
        task = _task(model, config, base, encodes=touches).to(device)
        with processes.main_process_first():
            samples = _prepared(config, group, base, folder, progress)
        bank = None if touches else EmbeddingBank.of(base.open(None), runtime.disk)

        def part(of: Samples, augmentation: Augmentation, copies: int | None) -> Part:
            sampler = Sampler(of, config, augmentation, copies)
            side = 4 * model.grid
            return Part(of, sampler, Batches(of, sampler, config, base.card, side=side, mix=mix, bank=bank))

        policy = _policy(config, group, samples[0])
        held = part(samples[1], Augmentation(), None)
        if plan is None:
            made = None
            if processes.is_main_process:
                made = planned(
                    task,
                    config,
                    runtime,
                    device,
                    processes=processes.num_processes,
                    bank=bank,
                    mix=mix,
                    varies=policy.changes,
                    train=lambda copies: part(samples[0], policy, copies),
                    held=held,
                )
            # Several processes would measure each other, and choose differently.
            (plan,) = broadcast_object_list([made])
        assert plan is not None
        recompute(task, plan.checkpointing)
        return cls(
            config=config,
            group=group,
            base=base,
            folder=folder,
            runtime=runtime,
            accelerator=accelerator_for(device, plan),
            task=task,
            plan=plan,
            mix=mix,
            train=part(samples[0], policy, plan.copies if bank is not None else None),
            held=held,
            bank=bank,
            progress=progress,
        )

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return bool(self.accelerator.is_main_process)

    @property
    def trained_parameters(self) -> int:
        """How many parameters change."""
        return sum(p.numel() for p in self.task.parameters() if p.requires_grad)

    @property
    def parameters(self) -> int:
        """How many the model has."""
        return sum(p.numel() for p in self.task.model.parameters())

    def said(self, *, resumed: bool) -> list[str]:
        """What is going to happen, and what it costs, in lines."""
        config, group, slices = self.config, self.group, len(self.train.samples)
        asked = f"{len(group.classes)} classes" if config.is_semantic else f"prompts: {', '.join(self.mix)}"
        lines = [
            f"{self.base.card.id}, {config.method}, {config.mode} ({asked}): {self.trained_parameters:,} of"
            f" {self.parameters:,} parameters are trained on {self.accelerator.device}",
            f"{len(group.train)} cases train ({slices:,} slices or pictures), {len(group.validate)} validate"
            f" ({len(self.held.samples):,}), {len(group.test)} are for the test, whose time comes on top",
            *(f"{name}: {where}" for name, where in group.splits.items()),
        ]
        if not len(self.held.samples):
            lines.append("no labelled patient validates: the last weights are taken, not the best")
        return [*lines, *(["going on with the run in this folder"] if resumed else self.plan.text())]

    def loop(self) -> Loop:
        """Make the embeddings, then the loop that uses them."""
        from accelerate.utils import broadcast_object_list

        started = time.monotonic()
        if self.bank is not None:
            with self.accelerator.main_process_first():
                made = [self._encode(self.bank, started)]
            broadcast_object_list(made)  # whose time it was
            if made[0] < self.plan.copies:
                self.plan = replace(self.plan, copies=made[0])
                self.train.sampler.copies = made[0]
        return Loop(
            self.task,
            trained(self.task.model),
            self.train.batches,
            self.config,
            self.plan,
            self.accelerator,
            validator=self._validate if len(self.held.samples) else None,
            folder=self.folder,
            spent=time.monotonic() - started,
            progress=self.told("training"),
        )

    def told(self, what: str) -> Callable[[int, int, str], None] | None:
        """Progress of one thing."""
        return _told(self.progress, what)

    def _encode(self, bank: EmbeddingBank, started: float) -> int:
        """Encode; returns the variants of each picture, fewer than were planned where time is short."""
        train, held, minutes = self.train, self.held, self.config.max_minutes

        def out_of_time() -> bool:
            return minutes is not None and time.monotonic() - started > MOST_ENCODING * 60 * minutes

        looked_at = list(held.samples)
        if not self.config.is_semantic:
            objects = chosen_objects(held.samples, self.config)
            looked_at = list({sample.key: sample for _, sample, _ in objects}.values())
        bank.fill(held.samples, held.sampler, looked_at, progress=self.told("embeddings to validate"))
        return bank.fill(
            train.samples,
            train.sampler,
            train.samples,
            out_of_time=out_of_time,
            progress=self.told("embeddings"),
        )

    def _validate(self) -> Validation:
        held = self.held
        return validate(self.task, held.samples, held.batches, self.config, self.base.card, self.mix)


def _task(model: Tunable, config: TuneConfig, base: Base, *, encodes: bool) -> Any:
    if config.is_semantic:
        return ClassTask(model, config, encodes=encodes)  # type: ignore[arg-type]
    plain = base.sam() if config.routes else None
    return PromptTask(model, config, base.card.mask_output, encodes=encodes, plain=plain)  # type: ignore[arg-type]


def _prepared(
    config: TuneConfig, group: Cohort, base: Base, folder: Path, progress: Progress | None
) -> tuple[Samples, Samples]:
    """Slices of training and of validation, on disk."""
    told = _told(progress, "reading images")
    place, classes = folder / PREPARED, group.classes
    train = prepare(group.train, config, base.card, classes, place / "train", progress=told)
    folder, cases = place / "validate", group.validate
    # Patients without what is looked for are many in some data sets: without any object nothing validates.
    held = prepare(cases, config, base.card, classes, folder, whole=True, needed=False, progress=told)
    return train, held


def _policy(config: TuneConfig, group: Cohort, samples: Samples) -> Augmentation:
    sided = group.classes if config.is_semantic else ()
    flip_x, flip_y = allowed_flips(config.flips, sided, placed=samples.placed)
    return Augmentation.named(config.augment, flip_x=flip_x, flip_y=flip_y)


def _told(progress: Progress | None, what: str) -> Callable[[int, int, str], None] | None:
    if progress is None:
        return None
    return lambda done, total, name: progress(what, done, total, name)


def chosen_device(wanted: str) -> torch.device:
    """The device of an option; under `accelerate launch` each process has its own."""
    from anytomy.engine.torch_engine import choose_device

    chosen = torch.device(choose_device(wanted))
    if chosen.type == "cuda" and chosen.index is None:
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return chosen


def accelerator_for(device: torch.device, plan: Plan) -> Accelerator:
    """What `Loop` needs of accelerate."""
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # It is shared by the whole process; an earlier run may have had another precision.
    AcceleratorState._reset_state()
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="bf16" if plan.precision == "bf16" else "no",
        gradient_accumulation_steps=plan.accumulation,
        # Masks that no prompt asked for, and the path of fed-back masks, have no part in some steps.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
