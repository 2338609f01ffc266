"""What a distillation will cost, measured on the machine before it starts: `planned`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from anytomy.core.errors import OptionError
from anytomy.core.intensity import choose_policy
from anytomy.distill.curve import points
from anytomy.distill.plan import VALIDATIONS, DistillPlan, Questions, steps_for
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.proposals import parts
from anytomy.distill.samples import labels_of
from anytomy.distill.session import ALL, FEW
from anytomy.distill.training import validated
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.automatic.settings import AutomaticSettings
from anytomy.predict.automatic.windows import grid_points
from anytomy.predict.zoom import Zoom
from anytomy.tuning.memory import available, used
from anytomy.tuning.plan import Plan, fitted
from anytomy.tuning.prepared import quietly_read
from anytomy.volumes.slices import Slices
from anytomy.zoo.disk import megabytes

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.case import Case
    from anytomy.distill.recipes.recipe import Recipe, Work
    from anytomy.distill.session import Session
    from anytomy.zoo.card import ModelCard

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
    asking = _asking_bytes(session, work, device)
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
        memory_bytes=max(chosen.memory_bytes, asking) if device.type != "cuda" else chosen.memory_bytes,
        disk_bytes=5 * sum(p.numel() * p.element_size() for p in task.parameters()),
    )
    return DistillPlan(training, students, asked, round(test_s, 3))


def _questions(session: Session, work: Work, answer_s: float) -> tuple[Questions, float]:
    """What the teacher is asked, and the seconds of the test; a student answers in `answer_s`."""
    config, tested = session.config, session.group.test
    # Of a point of the curve two students are tested: the one alone and the one that the teacher helped.
    students = 1 + len({FEW, ALL} & set(config.baselines)) + 2 * len(points(config))
    test_s = students * answer_s * sum(_samples(session, case) for case in tested)
    times = work.rounds * (1 + len(points(config))) if work.cases else 0
    if not times and "teacher" not in config.baselines:
        return Questions(work.cases, times, 0.0, 0.0), test_s
    encode_s, answers_s = _case_seconds(session)
    if "teacher" in config.baselines:  # with perfect boxes and no jitters
        test_s += len(tested) * (encode_s + answers_s / _ANSWERS)
    again_s = answers_s + config.views * answer_s * _samples(session, session.group.labelled[0])
    return Questions(work.cases, times, round(encode_s + again_s, 3), round(again_s, 3)), test_s


def _asking_bytes(session: Session, work: Work, device: torch.device) -> int:
    """Most memory of the process while the largest case is asked about; 0 where none is.

    Raises:
        OptionError: There is less.
    """
    group, grid, axis = session.group, session.sight.grid, session.config.axis
    cases = (*group.labelled, *group.unlabelled) if work.spare else ()
    if session.extra:
        cases = (*group.labelled, *group.validate, *group.test)
    if not cases:
        return 0
    case = max(cases, key=lambda each: _file_bytes(each.image.path))  # larger grids have larger files
    image = quietly_read(case)
    view = grid.view(image, axis if image.is_volume else "z")
    shape = (view.size[2], view.size[1], view.size[0])
    on_grid = math.prod(grid.shape(shape, grid.spacing(image, view)))
    held = shares_bytes(math.prod(shape), on_grid, len(group.classes), soft=work.soft, extra=session.extra)
    host = torch.device("cpu")
    needed = used(host) + held
    room = available(host) if device.type == "cuda" else session.runtime.memory or available(host)
    if needed > room:
        size = " x ".join(str(n) for n in image.geometry.size_xyz[: 3 if image.is_volume else 2])
        raise OptionError(
            f"expected a distillation that fits into {megabytes(room)} of memory, but the probabilities of"
            f" {len(group.classes)} classes in {case.id} ({size}) take it to {megabytes(needed)}",
            hint="give more --memory, name fewer --classes, or leave such large images out",
        )
    return needed


def shares_bytes(voxels: int, on_grid: int, classes: int, *, soft: bool, extra: int) -> int:
    """About how much the probabilities of a case take at once, by the copies that there are at most.

    Args:
        voxels: Of the file.
        on_grid: Of the case on the student's grid.
        classes: How many, without the background.
        soft: Whether those of the teacher are kept, too.
        extra: Masks of the teacher that a student gets.
    """
    if extra:
        return 3 * 4 * extra * voxels
    each = 4 * (classes + 1)
    # On the grid while views are averaged; then on the file's, beside labels, weights and what is drawn.
    return max(7 * each * on_grid, round((2 if soft else 1.5) * each * voxels) + 12 * voxels)


def _file_bytes(path: Path) -> int:
    """Of a file, or of the slices in a folder."""
    files = path.iterdir() if path.is_dir() else (path,)
    return sum(each.stat().st_size for each in files if each.is_file())


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
    objects = list(parts(seen, Asking()))
    full = len({part.slice for part in objects})
    if config.ask == "automatic":
        points = grid_points(slices.shape, AutomaticSettings().points)
        some = points[: max(teacher.batch, 1)]
        propose = partial(teacher.propose, teacher.encode(middle), some)
        return full * encode_s, full * len(points) / len(some) * _seconds(propose, warm=propose)
    decode = partial(teacher.decode, teacher.encode(middle), _middle_prompt(teacher.card, slices.shape))
    answer_s = _seconds(decode, warm=decode)
    windows = [Zoom.parse(config.zoom).windows(part.box, slices.shape) for part in objects]
    # A box that moves has another crop, which nobody has encoded.
    crops = sum(window is not None for each in windows for window in each)
    return full * encode_s, _ANSWERS * (sum(map(len, windows)) * answer_s + crops * encode_s)


def _middle_prompt(card: ModelCard, shape: tuple[int, int]) -> PlanePrompt:
    """A prompt that the teacher understands."""
    height, width = shape
    if "box" not in card.prompts:
        return PlanePrompt(points=((width / 2, height / 2),))
    return PlanePrompt(box=(width / 4, height / 4, width * 0.75, height * 0.75))


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
