"""Opening a distillation: grid, pictures, networks, and what it will cost, measured; `opened`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anytomy.distill.gridding import Sight, chosen_sight
from anytomy.distill.measuring import planned
from anytomy.distill.plan import DistillPlan
from anytomy.distill.samples import Stock
from anytomy.distill.session import Session
from anytomy.distill.training import Trainer
from anytomy.models.students.registry import build, multiple
from anytomy.predict.student.grid import StudentGrid
from anytomy.tuning.augment import Augmentation, allowed_flips
from anytomy.tuning.plan import Plan
from anytomy.tuning.prepared import PREPARED
from anytomy.tuning.session import accelerator_for, chosen_device

if TYPE_CHECKING:
    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.recipes.recipe import Recipe
    from anytomy.predict.model import Model
    from anytomy.tuning.run import Progress, Runtime
    from anytomy.zoo.card import ModelCard

# Pixels or voxels of a batch: as many as four pictures of 256 x 256.
_PIXELS = 4 * 256 * 256
# Answers to one object: the box itself and its jitters.
_ANSWERS = 5


def opened(
    config: DistillConfig,
    group: DistillCohort,
    way: Recipe,
    cards: Mapping[str, ModelCard],
    folder: Path,
    runtime: Runtime,
    *,
    network: str,
    teacher: Model | None,
    held: Mapping[str, Any] | None,
    progress: Progress | None,
) -> tuple[Session, DistillPlan]:
    """The session of a run and its plan: those of an earlier start, else chosen and measured here.

    Args:
        config: What is asked.
        group: Who trains and who is tested.
        way: The recipe.
        cards: Of the `teacher`, and of the `guide` where there is one.
        folder: Of the run.
        runtime: Device, threads, memory.
        network: Name of the student's network.
        teacher: Where it is no reference.
        held: The record of an earlier start.
        progress: Told how far it is.

    Raises:
        OptionError: No grid suits the images, or nothing fits into the memory.
    """
    card = cards["teacher"]
    device = chosen_device(runtime.device)
    torch.set_num_threads(runtime.threads or 1)
    if held is not None:
        sight = _sight(held["sight"])
    else:
        sight = chosen_sight(config, group.seen, card.intensity, multiple(network))
        way.check(replace(config, dims=str(sight.grid.dims)), card)  # where `auto` chose what it refuses
    extra = way.extra(card, len(group.classes))
    guide = None if config.guide is None else _opener(config.guide, runtime)
    open_teacher = cache(_opener(config.teacher, runtime) if teacher is None else lambda: teacher)
    pictures = folder / PREPARED / "pictures"
    stock = Stock(pictures, sight.grid, group.classes, config.axis, sight.intensity)

    def fresh(extra: int) -> torch.nn.Module:
        torch.manual_seed(config.seed)  # weights begin by chance, the same for all students of a run
        channels = sight.grid.colours + extra
        return build(network, dims=sight.grid.dims, channels=channels, classes=len(group.classes))

    flip_x, flip_y = allowed_flips(config.flips, group.classes, placed=sight.volumes)
    policy = Augmentation.named(config.augment, flip_x=flip_x, flip_y=flip_y)
    plan = None if held is None else DistillPlan.from_dict(held["plan"])
    if plan is not None:
        plan.training.check_memory(runtime.memory, folder)

    def trainer(training: Plan, samples: Any) -> Trainer:
        batch = training.micro * training.accumulation
        asked = config.training(steps=training.steps, every=training.every, batch=batch)
        return Trainer(
            network=lambda: fresh(0),
            grid=sight.grid,
            config=asked,
            plan=training,
            augmentation=policy,
            share=config.labelled_share,
            held=samples,
            accelerator=accelerator_for(device, training),
            folder=folder / "students",
        )

    session = Session(
        config=config,
        group=group,
        sight=sight,
        network=network,
        extra=extra,
        fresh=fresh,
        open_teacher=open_teacher,
        open_guide=guide,
        teacher_facts=_facts(card),
        cards=cards,
        folder=folder,
        runtime=runtime,
        stock=stock,
        trainer=trainer(_unmeasured(config, sight.grid), None),
        progress=progress,
    )
    validating = session.with_labels(group.validate, "reading labels") if group.validate else None
    if plan is None:
        session.trainer = trainer(_unmeasured(config, sight.grid), validating)
        plan = planned(session, way, device)
    session.trainer = trainer(plan.training, validating)
    work = way.work(config, group)
    session.most = plan.teacher.cases if work.spare else None if work.unlabelled else 0
    return session, plan


def _unmeasured(config: DistillConfig, grid: StudentGrid) -> Plan:
    """What stands for a plan until one is made."""
    batch = config.batch or min(max(round(_PIXELS / math.prod(grid.patch)), 2), 16)
    return Plan(batch, 1, "f32", False, 0, 1, 1, 0.0, 0.0, 0.0, 0, 0)


def _opener(reference: str, runtime: Runtime) -> Callable[[], Model]:
    def open_model() -> Model:
        from anytomy.engine.cache import EmbeddingCache
        from anytomy.predict.model import load

        cache = EmbeddingCache(disk_bytes=runtime.disk)
        return load(reference, device=runtime.device, threads=runtime.threads, cache=cache)

    return open_model


def _facts(card: ModelCard) -> dict[str, Any]:
    """What a bundle says of its teacher."""
    held = card.adapter.card if card.adapter is not None else None
    return {
        "id": card.id,
        "title": card.title,
        "licence": card.licence,
        "weights_sha256": card.weights.sha256,
        "adapter_sha256": "" if held is None else held.weights_sha256,
        "trained_on": list(card.training.datasets),
        "trained_on_complete": bool(card.training.datasets) and "training.datasets" not in card.unverified,
    }


def _sight(values: Mapping[str, Any]) -> Sight:
    """The inverse of `asdict` after JSON."""
    grid: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values["grid"].items()}
    return Sight(**{**values, "grid": StudentGrid(**grid)})
