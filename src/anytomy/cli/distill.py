"""`anytomy distill`: teach a small network that needs no prompts, and say what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytomy.cli import training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytomy.distill.run import DistillResult
    from anytomy.tuning.evaluate import Change


def distill(
    teacher: Annotated[str, typer.Argument(metavar="TEACHER", help="Any model: an id, or ID+DIR.")],
    data: Annotated[str, typer.Option("--data", metavar="IDS", help="Data sets, separated by commas.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The student's folder.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="pseudo, self-prompt, prior, logits or encoder.")
    ] = "self-prompt",
    student: Annotated[
        str, typer.Option("--student", help="unet-8, unet-16, unet-32, segresnet, dynunet; or nnunet.")
    ] = "unet-16",
    labels: Annotated[
        int | None,
        typer.Option("--labels", min=1, help="Labelled cases that it may see; the rest is unlabelled."),
    ] = None,
    unlabelled: Annotated[
        int | None,
        typer.Option("--unlabelled", min=1, help="Most unlabelled cases that the teacher is asked about."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Images without labels that count as unlabelled too."),
    ] = None,
    prompts_dir: Annotated[
        Path | None,
        typer.Option(
            "--prompts-dir",
            metavar="DIR",
            help="Prompts drawn for unlabelled images, in place of a student's boxes.",
        ),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option("--ask", help="By boxes of a student (student), or a grid of points (automatic)."),
    ] = None,
    zoom: Annotated[
        str | None, typer.Option("--zoom", help="off, auto or a factor, as in segment: look closer at boxes.")
    ] = None,
    guide: Annotated[
        str | None,
        typer.Option("--guide", metavar="MODEL", help="Finds the classes; prompts the teacher first."),
    ] = None,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="See labels as the boxes of their objects alone (pseudo).")
    ] = False,
    classes: training.Classes = None,
    dims: Annotated[str, typer.Option("--dims", help="2, 3 or auto.")] = "auto",
    size: Annotated[int | None, typer.Option("--size", help="Long side of a picture as it sees it.")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Rounds of pseudo-labels.")] = None,
    baselines: Annotated[
        str | None, typer.Option("--baselines", help="Of few, all, teacher; or none. All three by default.")
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option("--curve", metavar="COUNTS", help="Also with so many labelled cases: 1,2,4,8."),
    ] = None,
    validate: Annotated[
        float | None,
        typer.Option("--validate", help="Share of the labelled patients that choose the best step."),
    ] = None,
    test: training.Test = None,
    fold: training.Fold = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of each student.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="For all of it; becomes steps before it starts.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Pictures or patches of a step.")
    ] = None,
    lr: training.Rate = None,
    augment: training.Augment = None,
    flips: training.Flips = None,
    axis: training.Axis = None,
    intensity: training.Intensity = None,
    seed: training.Seed = None,
    memory: training.Memory = None,
    disk: Annotated[float, typer.Option("--disk", help="GB for what the teacher encodes.")] = 12,
    precision: training.Precision = "auto",
    device: training.Device = "auto",
    threads: training.Threads = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it will cost in time and memory, and stop.")
    ] = False,
    as_json: training.Json = False,
) -> None:
    """Teach a small network from a promptable model, a few labels and many images.

    The result is a folder that `segment` and `bench` load by name and that needs no prompts. Test patients
    never enter. A run that was stopped goes on where it was when the same command is given again.

    Example: anytomy distill litemedsam --data kvasir_seg --labels 6 --max-minutes 60 -o polyps
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.cli.progress import stage_bars
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.plan import DistillPlan
    from anytomy.distill.run import distill
    from anytomy.engine.threads import keep_big_blocks
    from anytomy.report.distill_page import write_distill_page
    from anytomy.tuning import record
    from anytomy.tuning.config import parse_fold

    given: dict[str, Any] = {
        "classes": training.names_in(classes),
        "size": size,
        "rounds": rounds,
        "baselines": () if baselines == "none" else training.names_in(baselines),
        "curve": _counts(curve),
        "ask": ask,
        "zoom": zoom,
        "guide": guide,
        "unlabelled": unlabelled,
        "images": None if images is None else str(images),
        "prompts_dir": None if prompts_dir is None else str(prompts_dir),
        "validate": validate,
        "test": test,
        "fold": None if fold is None else parse_fold(fold),
        "steps": steps,
        "max_minutes": max_minutes,
        "batch": batch,
        "lr": lr,
        "augment": augment,
        "flips": flips,
        "axis": axis,
        "intensity": intensity,
        "seed": seed,
    }
    config = DistillConfig(
        teacher,
        data=training.names_in(data) or (),
        recipe=recipe,
        student=student,
        labels=labels,
        boxes=boxes,
        dims=dims,
        **{name: value for name, value in given.items() if value is not None},
    )
    runtime = training.runtime_of(
        device=device, threads=threads, memory=memory, disk=disk, precision=precision
    )
    keep_big_blocks()
    with stage_bars(shown=not as_json) as progress:
        done = distill(config, output, runtime=runtime, say=print_line, progress=progress, estimate=estimate)
    if isinstance(done, DistillPlan):
        emit("distill", {"plan": done.to_dict()}, as_json=as_json)
        return
    with record.nothing_is_lost(output):
        page = write_distill_page(output)
    emit(
        "distill",
        {**_summary(done), "report": str(page)},
        as_json=as_json,
        render=lambda console: _render(console, done, page),
    )


def _counts(text: str | None) -> tuple[int, ...] | None:
    from anytomy.core.errors import OptionError

    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"expected counts of labelled cases like 1,2,4,8, got {text!r}") from None


def _summary(result: DistillResult) -> dict[str, Any]:
    return {
        "student": str(result.folder),
        "taught": result.taught,
        "rounds": [dict(each) for each in result.rounds],
        "steps": result.plan.training.steps,
        "seconds": result.seconds,
        "against": {
            name: [training.change_row(each) for each in found] for name, found in result.changes.items()
        },
    }


def _title(baseline: str, changes: Sequence[Change]) -> str:
    from anytomy.distill.run import BASELINE_TITLES
    from anytomy.evaluation.bench.classes import WITHOUT_PROMPT

    if baseline == "teacher" and all(change.prompts[0] == WITHOUT_PROMPT for change in changes):
        return "teacher, no prompt"  # one with classes gets no boxes
    return BASELINE_TITLES.get(baseline, baseline)


def _render(console: Any, result: DistillResult, page: Path) -> None:
    from anytomy.distill.outcome import room
    from anytomy.distill.run import why_alone

    for each in result.rounds:
        used = "" if each["used"] else "; too few, so nothing of it is learned"
        console.print(f"{each['name']}: {each['accepted']:,} of {each['objects']:,} objects accepted{used}")
    if result.changes:
        titled = {_title(name, each): each for name, each in result.changes.items()}
        console.print(training.changes_table(titled, before="it", after="student"))
        for line in room(result.changes):
            console.print(line)
    if result.taught == "few":
        console.print(f"{why_alone(result.rounds)}: this is the student of the labelled cases alone")
    console.print(f"{result.folder} holds the student; report: {page}", soft_wrap=True)
