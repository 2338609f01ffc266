"""Opening a distillation: grid, pictures, networks, and what it will cost, measured; `opened`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anytomy.core.intensity import choose_policy
from anytomy.distill.curve import points
from anytomy.distill.gridding import Sight, chosen_sight
from anytomy.distill.plan import VALIDATIONS, DistillPlan, steps_for
from anytomy.distill.samples import Stock, quietly_read
from anytomy.distill.session import ALL, FEW, Session
from anytomy.distill.training import Trainer, validated
from anytomy.engine.frame import PlanePrompt
from anytomy.models.students.registry import build, multiple
from anytomy.predict.student.grid import StudentGrid
from anytomy.tuning.augment import Augmentation, allowed_flips
from anytomy.tuning.memory import available
from anytomy.tuning.plan import Plan, fitted
from anytomy.tuning.session import accelerator_for, chosen_device
from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from anytomy.datasets.case import Case
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
    card: ModelCard,
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
        card: Of the teacher.
        folder: Of the run.
        runtime: Device, threads, memory.
        network: Name of the student's network.
        teacher: Where it is no reference.
        held: The record of an earlier start.
        progress: Told how far it is.

    Raises:
        OptionError: No grid suits the images, or nothing fits into the memory.
    """
    device = chosen_device(runtime.device)
    torch.set_num_threads(runtime.threads or 1)
    if held is not None:
        sight = _sight(held["sight"])
    else:
        sight = chosen_sight(config, group.seen, card.intensity, multiple(network))
    extra = way.extra(card, len(group.classes))
    guide = None if config.guide is None else _opener(config.guide, runtime)
    open_teacher = cache(_opener(config.teacher, runtime) if teacher is None else lambda: teacher)
    pictures = folder / "prepared" / "pictures"
    stock = Stock(pictures, sight.grid, group.classes, config.axis, sight.intensity)

    def fresh(extra: int) -> torch.nn.Module:
        torch.manual_seed(config.seed)  # weights begin by chance, the same for all students of a run
        channels = sight.grid.colours + extra
        return build(network, dims=sight.grid.dims, channels=channels, classes=len(group.classes))

    flip_x, flip_y = allowed_flips(config.flips, group.classes, placed=sight.volumes)
    policy = Augmentation.named(config.augment, flip_x=flip_x, flip_y=flip_y)
    plan = None if held is None else DistillPlan.from_dict(held["plan"])

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
        folder=folder,
        runtime=runtime,
        stock=stock,
        trainer=trainer(_unmeasured(config, sight.grid), None),
        progress=progress,
    )
    validating = session.with_labels(group.validate, "reading labels") if group.validate else None
    if plan is None:
        session.trainer = trainer(_unmeasured(config, sight.grid), validating)
        plan = _planned(session, way, device)
    session.trainer = trainer(plan.training, validating)
    return session, plan


def _planned(session: Session, way: Recipe, device: torch.device) -> DistillPlan:
    """Measure a step, a validation, an answer of the teacher and a test."""
    config, runtime, trainer = session.config, session.runtime, session.trainer
    batches, task = trainer.batches(session.labelled), trainer.task()
    chosen = fitted(
        task,
        lambda count: batches.batch(0, list(range(count))),
        trainer.config,
        device,
        memory=runtime.memory or available(device),
        precision=runtime.precision,
    )
    started = time.perf_counter()
    batches.batch(1, list(range(trainer.config.batch)))
    step_s = chosen.step_s + time.perf_counter() - started
    started = time.perf_counter()
    if trainer.held is not None:
        validated(task.model, trainer.grid, trainer.held)
    validate_s = time.perf_counter() - started
    work = way.work(config, session.group)
    students = tuple(dict.fromkeys([*work.students, *(b for b in config.baselines if b in (FEW, ALL))]))
    labels = work.labels
    for count in points(config):
        students += tuple(f"{name} of {count}" for name in dict.fromkeys([FEW, *work.students]))
        labels += work.labels
    # A student answers in a third of the time that it learns in; the teacher is tested without jitters.
    answer_s = step_s / trainer.config.batch / 3
    looked = sum(_slices(session, case) for case in session.group.test)
    test_s = looked * answer_s * (1 + len({FEW, ALL} & set(config.baselines)))
    label_s = 0.0
    if labels or "teacher" in config.baselines:
        label_s = _label_seconds(session)
        test_s += len(session.group.test) * label_s * ("teacher" in config.baselines)
        label_s += config.views * _slices(session, session.group.labelled[0]) * answer_s
    steps = steps_for(
        config.steps,
        config.max_minutes,
        students=len(students),
        step_s=step_s,
        rest_s=labels * label_s + test_s + len(students) * VALIDATIONS * validate_s,
    )
    training = Plan(
        micro=chosen.micro,
        accumulation=-(-trainer.config.batch // chosen.micro),
        precision=chosen.precision,
        checkpointing=False,
        copies=0,
        steps=steps,
        every=max(steps // VALIDATIONS, 1),
        encode_s=0.0,
        step_s=round(step_s, 4),
        validate_s=round(validate_s, 3),
        memory_bytes=chosen.memory_bytes,
        disk_bytes=5 * sum(p.numel() * p.element_size() for p in task.parameters()),
    )
    return DistillPlan(training, students, labels, round(label_s, 3), round(test_s, 3))


def _unmeasured(config: DistillConfig, grid: StudentGrid) -> Plan:
    """What stands for a plan until one is made."""
    batch = config.batch or min(max(round(_PIXELS / math.prod(grid.patch)), 2), 16)
    return Plan(batch, 1, "f32", False, 0, 1, 1, 0.0, 0.0, 0.0, 0, 0)


def _label_seconds(session: Session) -> float:
    """About how long the teacher takes for a case: its slices with objects, and a few answers to each."""
    samples = session.labelled.all
    case = session.group.labelled[0]
    image = quietly_read(case)
    view = session.sight.grid.view(image, session.config.axis)
    grey = choose_policy(image, session.teacher.card.intensity, session.config.intensity).policy.fit(image)
    slices = Slices.of(image, view, grey)
    middle = slices[len(slices) // 2]
    session.teacher.encode(middle)  # the first one warms up
    started = time.perf_counter()
    embedding = session.teacher.encode(255 - middle)
    encode_s = time.perf_counter() - started
    answer_s = 0.0
    if not session.teacher.card.classes:
        started = time.perf_counter()
        height, width = slices.shape
        session.teacher.decode(
            embedding, PlanePrompt(box=(width / 4, height / 4, width * 0.75, height * 0.75))
        )
        answer_s = time.perf_counter() - started
    full = sum(bool(sample.areas) for sample in samples) / len(session.group.labelled)
    if session.sight.grid.dims == 3:
        full = len(slices)
    return full * (encode_s + _ANSWERS * len(session.group.classes) * answer_s)


def _slices(session: Session, case: Case) -> int:
    """How many samples a case is for a student."""
    if session.sight.grid.dims == 3 or not session.sight.volumes:
        return 1
    return int(session.stock.picture(case).shape[1])


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
    }


def _sight(values: Mapping[str, Any]) -> Sight:
    """The inverse of `asdict` after JSON."""
    grid: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values["grid"].items()}
    return Sight(**{**values, "grid": StudentGrid(**grid)})
