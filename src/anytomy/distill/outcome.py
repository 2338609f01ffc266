"""What a distillation leaves: bundles of students, and the rows of their test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.distill.session import ALL, FEW
from anytomy.evaluation.exposure import IMAGES_SEEN, LABELS_SEEN, cases_seen, training_cases
from anytomy.models.students.folder import StudentCard, write_student
from anytomy.tuning import record
from anytomy.tuning.evaluate import ALL as MEAN
from anytomy.tuning.evaluate import Change, changes, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytomy.distill.session import Session, Weights
    from anytomy.predict.student.run import StudentModel

TEST = "test"
STUDENT, TEACHER = "student", "teacher"
# Who prompts the teacher: perfect boxes, in volumes on each slice.
BOXES = ("box-per-slice", "box")


def write_bundle(
    session: Session,
    folder: Path,
    weights: Weights,
    name: str,
    *,
    metrics: Mapping[str, Any],
    alone: bool = False,
) -> StudentCard:
    """Write a student as it is run.

    Args:
        session: The run.
        folder: Of the bundle.
        weights: Of the student.
        name: `student`, `few` or `all`: what taught it.
        metrics: What was measured.
        alone: Whether nothing of the teacher was of use, so that the student is that of the labelled cases.
    """
    config, group, sight = session.config, session.group, session.sight
    taught = {STUDENT: f"by {config.teacher}, recipe {config.recipe}", FEW: "by the labelled cases alone"}
    how = FEW if alone else name
    title = f"{config.student} for {', '.join(group.classes)}"
    card = StudentCard(
        network=session.network,
        dims=sight.grid.dims,
        classes=group.classes,
        patch=sight.grid.patch,
        intensity=sight.intensity,
        volumes=sight.volumes,
        axis=config.axis if sight.volumes and sight.grid.dims == 2 else "z",
        size=sight.grid.size,
        spacing_mm=sight.grid.spacing_mm,
        colours=sight.grid.colours,
        extra=session.extra if name == STUDENT else 0,
        mean=sight.grid.mean,
        std=sight.grid.std,
        title=title,
        summary=f"{title}, taught {taught.get(how, 'by the labels of all training cases')}",
        teacher=session.teacher_facts,
        recipe=config.recipe if name == STUDENT else "",
        data=_data(session, name),
        metrics=metrics,
        versions=record.versions(),
        training=config.to_dict(),
        licence=_licence(session),
    )
    return write_student(folder, card, weights)


def tested(session: Session, folders: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the test cases for each student, and for the teacher with perfect boxes where it is asked for.

    What an earlier start has judged is kept.
    """
    from anytomy.evaluation.bench.config import METRICS
    from anytomy.evaluation.bench.table import read_rows, write_rows

    group, config = session.group, session.config
    found: dict[str, list[dict[str, Any]]] = {}
    if not group.test:
        return found
    wanted = [*folders, *([TEACHER] if TEACHER in config.baselines else [])]
    for name in wanted:
        path = session.folder / TEST / f"{name}.parquet"
        if not path.is_file():
            model, asked = session.teacher, config.asked
            if name != TEACHER:
                model = student = _opened(session, folders[name], name)
                asked = replace(asked, axis=student.student.axis)  # one of whole volumes has no other
            told = session.told(f"test, {name}")
            zoom = config.zoom if name == TEACHER else "off"
            rows = evaluate(model, group.test, asked, group.classes, BOXES, zoom=zoom, progress=told)
            write_rows(path, [{**row, "model": name} for row in rows], METRICS, masks=True)
        found[name] = read_rows(path)
    return found


def _opened(session: Session, folder: Path, name: str) -> StudentModel:
    """A student as everybody runs it; with its teacher where it needs masks of it."""
    from anytomy.distill.prior import GuidedStudent

    student = _student(session, folder)
    return student if not session.extra or name != STUDENT else GuidedStudent(student, session.teacher)


def timed(session: Session, folder: Path) -> dict[str, Any]:
    """How fast the student of a bundle is beside its teacher."""
    from anytomy.distill.speed import speed

    return speed(_student(session, folder), session.teacher, threads=session.runtime.threads or 1)


def _student(session: Session, folder: Path) -> StudentModel:
    from anytomy.predict.model import load
    from anytomy.predict.student.run import StudentModel

    student = load(str(folder), device=session.runtime.device, threads=session.runtime.threads)
    assert isinstance(student, StudentModel), "a bundle is a student's"
    return student


def compared(rows: Mapping[str, Sequence[dict[str, Any]]], seed: int) -> dict[str, list[Change]]:
    """The student against each baseline, paired by patient: `before` is the baseline, `after` the student."""
    if STUDENT not in rows:
        return {}
    return {name: changes(rows[name], rows[STUDENT], seed=seed) for name in rows if name != STUDENT}


def room(found: Mapping[str, Sequence[Change]]) -> list[str]:
    """What the labels of all training cases are worth, which teaching stands in for, and what it brought.

    A sentence for each data set; none without both baselines, or where no other case has labels. Where labels
    bring little, no teacher can bring much.

    Args:
        found: See `compared`.
    """
    few, everything = (_wholes(found.get(name, ())) for name in (FEW, ALL))
    lines = []
    for dataset in [name for name in few if name in everything]:
        base = few[dataset].before.mean
        labels, taught = everything[dataset].before.mean - base, few[dataset].after.mean - base
        if labels:
            lines.append(
                f"{dataset}: with the labels of all training cases the student of the labelled cases, mean"
                f" Dice {base:.3f}, would change by {labels:+.3f}; teaching changed it by {taught:+.3f}"
            )
    return lines


def _wholes(each: Sequence[Change]) -> dict[str, Change]:
    """The mean over structures of each data set, or its only structure."""
    found: dict[str, Change] = {}
    for change in each:
        if change.structure == MEAN or change.dataset not in found:
            found[change.dataset] = change
    return found


def changes_of(found: Mapping[str, Sequence[Change]]) -> dict[str, list[dict[str, Any]]]:
    """Changes as JSON has them."""
    return {name: record.as_json([asdict(change) for change in each]) for name, each in found.items()}


def _data(session: Session, name: str) -> dict[str, Any]:
    """Which cases taught it, by data set; and those that taught its teacher and its guide."""
    group = session.group
    parts = {"labelled": group.labelled, "validate": group.validate, "test": group.test}
    if name != FEW:
        parts |= {"unlabelled": session.asked} if name == STUDENT else {"train": group.training}
    found: dict[str, Any] = {
        dataset: {
            "split": where,
            **{part: [case.id for case in cases if case.dataset == dataset] for part, cases in parts.items()},
        }
        for dataset, where in group.splits.items()
    }
    if name == STUDENT:
        for role, card in session.cards.items():
            _add(found, role, cases_seen(training_cases(card), LABELS_SEEN))
            _add(found, "images", cases_seen(training_cases(card), IMAGES_SEEN))
    return found


def _add(data: dict[str, Any], part: str, cases: Mapping[str, Sequence[str]]) -> None:
    for dataset, more in cases.items():
        held = data.setdefault(dataset, {})
        held[part] = list(dict.fromkeys([*held.get(part, ()), *more]))


def _licence(session: Session) -> str:
    """The teacher's and those of the data, which may ask for more."""
    from anytomy.datasets.registry import card as data_card

    listed = "; ".join(f"{name}: {data_card(name).licence}" for name in session.group.splits)
    return f"taught by a model under {session.teacher_facts['licence']}, on data under {listed}"
