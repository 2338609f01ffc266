"""What a distillation will cost, measured on the machine before it starts: `planned`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from anytomy.core.intensity import choose_policy
from anytomy.distill.curve import points
from anytomy.distill.plan import VALIDATIONS, DistillPlan, Questions, steps_for
from anytomy.distill.samples import labels_of
from anytomy.distill.session import ALL, FEW
from anytomy.distill.training import validated
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.automatic.settings import AutomaticSettings
from anytomy.predict.automatic.windows import grid_points
from anytomy.tuning.memory import available
from anytomy.tuning.plan import Plan, fitted
from anytomy.tuning.prepared import quietly_read
from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from anytomy.datasets.case import Case
    from anytomy.distill.recipes.recipe import Recipe, Work
    from anytomy.distill.session import Session

# Answers to one object: the box itself and its jitters.
_ANSWERS = 5


def planned(session: Session, way: Recipe, device: torch.device) -> DistillPlan:
    """Measure a step, a validation, an answer of the teacher and a test, and fit them into the time.

    Raises:
        OptionError: Nothing fits into the memory.
    """
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
    step_s = chosen.step_s + _seconds(lambda: batches.batch(1, list(range(trainer.config.batch))))
    held = trainer.held
    validate_s = 0.0 if held is None else _seconds(lambda: validated(task.model, trainer.grid, held))
    work = way.work(config, session.group)
    students = tuple(dict.fromkeys([*work.students, *(b for b in config.baselines if b in (FEW, ALL))]))
    for count in points(config):
        students += tuple(f"{name} of {count}" for name in dict.fromkeys([FEW, *work.students]))
    # A student answers in a third of the time that it learns in.
    answer_s = step_s / trainer.config.batch / 3
    asked, test_s = _questions(session, work, answer_s)
    rest_s = test_s + len(students) * VALIDATIONS * validate_s
    if work.spare:
        asked = replace(asked, cases=min(asked.cases, config.unlabelled or asked.cases))
        asked = asked.within(config.max_minutes, rest_s=rest_s)
    steps = steps_for(
        config.steps,
        config.max_minutes,
        students=len(students),
        step_s=step_s,
        rest_s=rest_s + asked.seconds,
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
    return DistillPlan(training, students, asked, round(test_s, 3))


def _questions(session: Session, work: Work, answer_s: float) -> tuple[Questions, float]:
    """What the teacher is asked, and the seconds of the test; a student answers in `answer_s`."""
    config, tested = session.config, session.group.test
    test_s = answer_s * sum(_samples(session, case) for case in tested)
    test_s *= 1 + len({FEW, ALL} & set(config.baselines))
    times = work.rounds * (1 + len(points(config))) if work.cases else 0
    if not times and "teacher" not in config.baselines:
        return Questions(work.cases, times, 0.0, 0.0), test_s
    encode_s, answers_s = _case_seconds(session)
    if "teacher" in config.baselines:  # with perfect boxes and no jitters
        test_s += len(tested) * (encode_s + answers_s / _ANSWERS)
    again_s = answers_s + config.views * answer_s * _samples(session, session.group.labelled[0])
    return Questions(work.cases, times, round(encode_s + again_s, 3), round(again_s, 3)), test_s


def _case_seconds(session: Session) -> tuple[float, float]:
    """About how long the teacher takes to encode a case, and to answer: by one of the labelled cases."""
    config, teacher, case = session.config, session.teacher, session.group.labelled[0]
    image = quietly_read(case)
    view = session.sight.grid.view(image, config.axis if image.is_volume else "z")
    grey = choose_policy(image, teacher.card.intensity, config.intensity).policy.fit(image)
    slices = Slices.of(image, view, grey)
    middle = slices[len(slices) // 2]
    encode_s = _seconds(lambda: teacher.encode(255 - middle), warm=lambda: teacher.encode(middle))
    if teacher.card.classes:  # it looks at every slice, and says all in one go
        classify = partial(teacher.classify, teacher.encode(middle))
        looks = len(slices) * (1 + int(session.flips[0]))
        return looks * encode_s, looks * _seconds(classify, warm=classify)
    truth = labels_of(case, image, session.group.classes)
    seen = view.apply(truth if image.is_volume else truth[None])
    objects = [np.count_nonzero(np.unique(labels)) for labels in seen]
    full = np.count_nonzero(objects)
    if config.ask == "automatic":
        points = grid_points(slices.shape, AutomaticSettings().points)
        some = points[: max(teacher.batch, 1)]
        propose = partial(teacher.propose, teacher.encode(middle), some)
        return full * encode_s, full * len(points) / len(some) * _seconds(propose, warm=propose)
    height, width = slices.shape
    prompt = PlanePrompt(box=(width / 4, height / 4, width * 0.75, height * 0.75))
    if "box" not in teacher.card.prompts:
        prompt = PlanePrompt(points=((width / 2, height / 2),))
    decode = partial(teacher.decode, teacher.encode(middle), prompt)
    answer_s = _seconds(decode, warm=decode)
    return full * encode_s, sum(objects) * _ANSWERS * answer_s


def _seconds(call: Callable[[], object], *, warm: Callable[[], object] | None = None) -> float:
    """Seconds of a call, after another one that is not counted."""
    if warm is not None:
        warm()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _samples(session: Session, case: Case) -> int:
    """How many samples a case is for a student."""
    if session.sight.grid.dims == 3 or not session.sight.volumes:
        return 1
    return int(session.stock.picture(case).shape[1])
