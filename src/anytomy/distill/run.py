"""From a configuration to a student's bundle: `distill`.

The folder holds `run.json` (what was asked, on what, how it is carried out, what became of it), `students/`
(one folder for each that was trained), `pseudo/` (label maps of each round and the table of objects), until
the end `prepared/` (pictures and targets on the student's grid), and in the end the bundle itself, `test/`
(rows of the test cases) and `results.json` (the student against each baseline).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError, OutputError
from anytomy.distill.cohort import check_teacher, distill_cohort
from anytomy.distill.config import ASKS, NNUNET
from anytomy.distill.curve import draw_curve
from anytomy.distill.guide import check_guide
from anytomy.distill.pseudo.trial import TRIAL
from anytomy.distill.stored import check_stored, fingerprint, prompt_files
from anytomy.io.atomic import check_place
from anytomy.tuning import record
from anytomy.tuning.checks import check_installed
from anytomy.tuning.cohort import warn_of_unlabelled
from anytomy.tuning.prepared import clear
from anytomy.tuning.run import Progress, Runtime

if TYPE_CHECKING:
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.plan import DistillPlan
    from anytomy.distill.recipes.recipe import Taught, Work
    from anytomy.distill.session import Session
    from anytomy.predict.model import Model
    from anytomy.tuning.evaluate import Change
    from anytomy.zoo.card import ModelCard

SCHEMA = "anytomy.distill/1"
BASELINE_TITLES = {
    "few": "student of the labelled cases",
    "all": "student of all labels",
    "teacher": "teacher with perfect boxes",
}
RESULTS = "results.json"
GUIDE = "unet-16"
"""The network that guides the teacher where the student itself is trained elsewhere."""


@dataclass(frozen=True)
class DistillResult:
    """What a run came to.

    Attributes:
        folder: The bundle; give it to `load` and `segment`.
        plan: How it was carried out.
        taught: Which of the trained students it is: `few` where nothing of the teacher was of use.
        rounds: For each round how many objects were asked about and accepted.
        seconds: Of all starts together.
        changes: The student against each baseline, by structure; empty where nothing was tested.
    """

    folder: Path
    plan: DistillPlan
    taught: str
    rounds: tuple[Mapping[str, Any], ...]
    seconds: float
    changes: Mapping[str, list[Change]]


def why_alone(rounds: Sequence[Mapping[str, Any]]) -> str:
    """Why the student of the labelled cases is the result, in words, by what became of each round."""
    if any(each["used"] for each in rounds if each["name"] != TRIAL):
        return "no student that the teacher taught is better on the patients kept apart"
    if rounds and not any(each["objects"] for each in rounds[1:]) and rounds[0]["used"]:
        return "in unlabelled cases there was nothing that the teacher could be asked about"
    return "too few answers of the teacher were to be trusted, so nothing was learned from them"


def distill(
    config: DistillConfig,
    folder: str | Path,
    *,
    runtime: Runtime | None = None,
    teacher: Model | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    estimate: bool = False,
) -> DistillResult | DistillPlan:
    """Teach a small network, or go on with it: the same call in the same folder continues after a kill.

    Args:
        config: What is asked.
        folder: Where the bundle goes; what a run needs to go on lies there too.
        runtime: Device, threads, memory.
        teacher: For those that are no reference; `config.teacher` names it then.
        say: Told what is going to happen and what it costs, before it starts.
        progress: Told how far it is.
        estimate: Measure and say the costs, and do no more.

    Returns:
        The result; of an estimate the plan.

    Raises:
        OptionError: A wrong value, a teacher that was trained on test patients, too little memory, or a
            folder with another run.
        DatasetError: A data set is not here, a label has no name, one patient is in training and in test.
        ModelError: The teacher is unknown.
        PromptError: Prompts that somebody drew are malformed, for no class, or outside of their image.
        OutputError: The disk is full; what is done is kept.
        MissingDependencyError: What training needs is not installed.

    Example:
        >>> from anytomy.distill import DistillConfig, distill
        >>> config = DistillConfig("litemedsam", data=("kvasir_seg",), labels=6, max_minutes=60)
        >>> distill(config, "polyps").changes  # doctest: +SKIP
    """
    from anytomy.distill.opening import opened
    from anytomy.distill.recipes.registry import recipe
    from anytomy.engine.threads import available_cores
    from anytomy.models.students.registry import student
    from anytomy.zoo.registry import card as card_of

    check_installed("distillation")
    config.check()
    way = recipe(config.recipe)
    network = GUIDE if config.student == NNUNET else config.student
    student(network)
    card = card_of(config.teacher) if teacher is None else teacher.card
    way.check(config, card)
    folder, started = Path(folder), time.monotonic()
    runtime = runtime or Runtime()
    runtime = replace(runtime, threads=runtime.threads or available_cores())
    group = distill_cohort(config)
    work = way.work(config, group)
    _refuse_ignored(config, work, card)
    warn_of_unlabelled((*group.labelled, *group.validate), group.classes)
    if card.classes and (work.spare or way.extra(card, len(group.classes))):
        check_guide(card, group.classes, "teacher")
    warnings = check_teacher(card, group)
    facts = {
        "teacher": card.id,
        "weights_sha256": card.weights.sha256,
        "adapter_sha256": "" if card.adapter is None else card.adapter.card.weights_sha256,
        "cohort_sha256": group.fingerprint,
    }
    cards = {"teacher": card}
    if config.guide is not None:
        cards["guide"] = guide = card_of(config.guide)
        check_guide(guide, group.classes)
        warnings += check_teacher(guide, group)
        facts["guide_sha256"] = "" if guide.adapter is None else guide.adapter.card.weights_sha256
    drawn = prompt_files(config, group)
    if drawn:
        facts["prompts_sha256"] = fingerprint(drawn)
    others = ("student.json", "students", "adapter.json")
    held = record.earlier(folder, config.to_dict(), facts, schema=SCHEMA, others=others)
    if held is not None and held.get("finished"):
        return _finished(folder, held)
    check_place(folder / record.FILE)
    if held is None:
        # What an estimate, or a start that was stopped while it measured, prepared for other options.
        clear(folder)
        check_stored(drawn, config, group, card, progress=progress)
    session, plan = opened(
        config,
        group,
        way,
        cards,
        folder,
        runtime,
        network=network,
        teacher=teacher,
        held=held,
        progress=progress,
    )
    if say is not None:
        for line in _said(session, plan, work, warnings, resumed=held is not None):
            say(line)
    if estimate:
        return plan
    if held is None:
        record.write(folder, _record(config, facts, session, plan, warnings))
    spent = (held or {}).get("seconds", 0.0)
    # The cache of a teacher that was given is its owner's.
    keeping = session.keeping_embeddings() if teacher is None else nullcontext()
    try:
        with record.nothing_is_lost(folder), keeping:
            result = _concluded(session, plan, way.teach(session))
    finally:
        seconds = round(spent + time.monotonic() - started, 1)
        with suppress(OutputError):  # what ended the run is to be said, not that its time cannot be noted
            record.add(folder, SCHEMA, seconds=seconds)
    with suppress(OSError):  # what the cache kept there is gone
        (folder / "embeddings").rmdir()
    return replace(result, seconds=seconds)


def _refuse_ignored(config: DistillConfig, work: Work, teacher: ModelCard) -> None:
    """Refuse options that a recipe, or a teacher, has no use for.

    Raises:
        OptionError: With the option.
    """
    automatic = None if config.ask == ASKS[0] else config.ask
    asks = {
        "--unlabelled": config.unlabelled,
        "--guide": config.guide,
        "--ask": automatic,
        "--prompts-dir": None if config.boxes else config.prompts_dir,
    }
    given = [name for name, value in asks.items() if value is not None and not work.spare]
    if config.images is not None and not work.unlabelled:
        given.append("--images")
    if config.zoom != "off" and not (work.spare or config.boxes):
        given.append("--zoom")
    if given:
        recipe = f"{config.recipe} with --boxes" if config.boxes else config.recipe
        raise OptionError(
            f"{given[0]} has no meaning with the recipe {recipe}", hint="leave it out, or use self-prompt"
        )
    if config.zoom != "off" and (teacher.classes or automatic):
        how = "a grid of points" if automatic else "classes"
        raise OptionError(f"--zoom looks closer at boxes, and this teacher is asked for {how}")
    if config.guide is not None and teacher.classes:
        names = ", ".join(teacher.classes)
        raise OptionError(
            f"--guide is for teachers of boxes, and {teacher.title} finds {names} by itself",
            hint="leave --guide out",
        )


def _concluded(session: Session, plan: DistillPlan, taught: Taught) -> DistillResult:
    """Train the baselines, write the bundles, judge them, write the rest, and tidy up."""
    from anytomy.distill import outcome
    from anytomy.distill.session import ALL, FEW

    config, folder = session.config, session.folder
    students = {outcome.STUDENT: taught.weights}
    if FEW in config.baselines:
        students[FEW] = session.few()
    if ALL in config.baselines:
        students[ALL] = session.everything()
    places = {name: folder / "students" / name / "bundle" for name in students} | {outcome.STUDENT: folder}
    alone = taught.name == FEW
    for name, weights in students.items():
        outcome.write_bundle(
            session, places[name], weights, name, metrics={}, alone=alone and name == outcome.STUDENT
        )
    rows = outcome.tested(session, places)
    found = outcome.compared(rows, config.seed)
    record.write_json(folder / RESULTS, outcome.changes_of(found))
    measured = {"test": outcome.changes_of(found)}
    outcome.write_bundle(session, folder, taught.weights, outcome.STUDENT, metrics=measured, alone=alone)
    if config.student == NNUNET:
        from anytomy.distill.nnunet import write_dataset

        write_dataset(session, taught, folder / "nnunet")
    if config.curve:
        draw_curve(session, plan)
    timed = outcome.timed(session, folder)
    summary = {"taught": taught.name, "rounds": [dict(each) for each in taught.rounds]}
    record.add(folder, SCHEMA, speed=timed, result=summary, finished=record.now())
    clear(folder)
    return DistillResult(folder, plan, taught.name, taught.rounds, 0.0, found)


def _finished(folder: Path, held: dict[str, Any]) -> DistillResult:
    """The result of a run that is done."""
    from anytomy.distill import outcome
    from anytomy.distill.plan import DistillPlan
    from anytomy.evaluation.bench.table import read_rows

    rows = {path.stem: read_rows(path) for path in sorted((folder / outcome.TEST).glob("*.parquet"))}
    return DistillResult(
        folder,
        DistillPlan.from_dict(held["plan"]),
        held["result"]["taught"],
        tuple(held["result"]["rounds"]),
        held["seconds"],
        outcome.compared(rows, held["config"]["seed"]),
    )


def _record(
    config: DistillConfig,
    facts: dict[str, Any],
    session: Session,
    plan: DistillPlan,
    warnings: list[str],
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "config": config.to_dict(),
        "facts": facts,
        "cohort": session.group.to_dict(),
        "asked": len(session.asked),
        "sight": record.as_json(asdict(session.sight)),
        "plan": plan.to_dict(),
        "teacher": dict(session.teacher_facts),
        "warnings": warnings,
        "network": session.network,
        "parameters": sum(p.numel() for p in session.trainer.network().parameters()),
        "device": str(session.trainer.device),
        "threads": session.runtime.threads,
        **record.circumstances(),
    }


def _said(
    session: Session, plan: DistillPlan, work: Work, warnings: list[str], *, resumed: bool
) -> list[str]:
    """What is going to happen, and what it costs, in lines."""
    config, group, sight = session.config, session.group, session.sight
    seen = "boxes" if config.boxes else "labels"
    by = " by their full labels" if config.boxes and group.validate else ""
    labelled = ", ".join(case.id for case in (*group.labelled, *group.validate)[:8])
    more = "" if len(group.labelled) + len(group.validate) <= 8 else ", ..."
    lines = [
        f"{config.teacher} teaches {session.network} in {sight.grid.dims}D ({sight.why}), recipe"
        f" {config.recipe}: {', '.join(group.classes)}",
        f"{seen} of {len(group.labelled) + len(group.validate)} cases are seen ({labelled}{more}),"
        f" {len(group.validate)} of them choose the best step{by}; {len(group.unlabelled)} count as"
        f" unlabelled, {len(group.test)} are for the test",
        *(f"{name}: {where}" for name, where in group.splits.items()),
        *warnings,
    ]
    if not group.validate:
        lines.append("no patient is kept apart to validate: the last weights are taken, not the best")
    if work.spare and not group.unlabelled:
        lines.append("nothing counts as unlabelled: --labels N leaves some, --images DIR adds some")
    if group.unlabelled and not work.unlabelled:
        lines.append(f"the recipe {config.recipe} learns nothing from unlabelled cases")
    elif len(session.asked) < len(group.unlabelled):
        lines.append(
            f"the teacher is asked about {len(session.asked)} of {len(group.unlabelled)} unlabelled cases"
            + ("" if config.unlabelled or config.boxes else ", as time allows")
        )
    if session.prompts:
        lines.append(f"cases with prompts that somebody drew: {len(session.prompts)} ({config.prompts_dir})")
    return [*lines, *(["going on with the run in this folder"] if resumed else plan.text())]
