"""`anytomy distill`: teach a small network that needs no prompts, and say what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anytomy.distill.run import DistillResult


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
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Images without labels that count as unlabelled too."),
    ] = None,
    guide: Annotated[
        str | None,
        typer.Option("--guide", metavar="MODEL", help="Finds the classes; prompts the teacher first."),
    ] = None,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="See labels as the boxes of their objects alone (pseudo).")
    ] = False,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="NAMES", help="Structures to learn, by commas; all by default."),
    ] = None,
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
    test: Annotated[int | None, typer.Option("--test", min=0, help="Most test cases; 0 for no test.")] = None,
    fold: Annotated[
        str | None,
        typer.Option("--fold", metavar="I/N", help="Test a fold of patients, not the stored split."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of each student.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="For all of it; becomes steps before it starts.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Pictures or patches of a step.")
    ] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")] = None,
    augment: Annotated[str | None, typer.Option("--augment", help="none, flips, light or strong.")] = None,
    flips: Annotated[str | None, typer.Option("--flips", help="auto, none, x, y or xy.")] = None,
    axis: Annotated[str | None, typer.Option("--axis", help="The file's axis that slices run along.")] = None,
    intensity: Annotated[str | None, typer.Option("--intensity", help="As in `segment`.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of all randomness.")] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", help="GB that training may use; most of what is free by default."),
    ] = None,
    disk: Annotated[float, typer.Option("--disk", help="GB for what the teacher encodes.")] = 12,
    precision: Annotated[str, typer.Option("--precision", help="auto, f32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it will cost in time and memory, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Teach a small network from a promptable model, a few labels and many images.

    The result is a folder that `segment` and `bench` load by name and that needs no prompts. Test patients
    never enter. A run that was stopped goes on where it was when the same command is given again.

    Example: anytomy distill litemedsam --data kvasir_seg --labels 6 --max-minutes 60 -o polyps
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.cli.tune import bars, names_in
    from anytomy.core.errors import OptionError
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.plan import DistillPlan
    from anytomy.distill.run import distill
    from anytomy.engine.threads import keep_big_blocks
    from anytomy.report.distill_page import write_distill_page
    from anytomy.tuning.config import parse_fold
    from anytomy.tuning.plan import PRECISIONS
    from anytomy.tuning.run import Runtime

    given: dict[str, Any] = {
        "classes": names_in(classes),
        "size": size,
        "rounds": rounds,
        "baselines": () if baselines == "none" else names_in(baselines),
        "curve": _counts(curve),
        "guide": guide,
        "images": None if images is None else str(images),
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
        data=names_in(data) or (),
        recipe=recipe,
        student=student,
        labels=labels,
        boxes=boxes,
        dims=dims,
        **{name: value for name, value in given.items() if value is not None},
    )
    if precision not in PRECISIONS:
        raise OptionError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    keep_big_blocks()
    runtime = Runtime(
        device=device,
        threads=threads,
        memory=None if memory is None else int(memory * 1e9),
        disk=int(disk * 1e9),
        precision=precision,
    )
    with bars(shown=not as_json) as progress:
        done = distill(config, output, runtime=runtime, say=print_line, progress=progress, estimate=estimate)
    if isinstance(done, DistillPlan):
        emit("distill", {"plan": done.to_dict()}, as_json=as_json)
        return
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
    from anytomy.cli.tune import change_row

    return {
        "student": str(result.folder),
        "taught": result.taught,
        "rounds": [dict(each) for each in result.rounds],
        "steps": result.plan.training.steps,
        "seconds": result.seconds,
        "against": {name: [change_row(each) for each in found] for name, found in result.changes.items()},
    }


def _render(console: Any, result: DistillResult, page: Path) -> None:
    from rich.table import Table

    from anytomy.cli.tune import number_text
    from anytomy.distill.run import BASELINE_TITLES

    for each in result.rounds:
        used = "" if each["used"] else "; too few, so nothing of it is learned"
        console.print(f"{each['name']}: {each['accepted']:,} of {each['objects']:,} objects accepted{used}")
    if result.changes:
        table = Table(title="Mean Dice of test patients", title_justify="left")
        table.add_column("structure")
        table.add_column("against")
        for name in ("it", "student", "change"):
            table.add_column(name, justify="right")
        table.add_column("95 %", justify="right")
        for name, found in result.changes.items():
            for change in found:
                difference = change.result.difference
                table.add_row(
                    f"{change.dataset}: {change.structure or 'mean'}",
                    BASELINE_TITLES.get(name, name),
                    number_text(change.before.mean),
                    number_text(change.after.mean),
                    number_text(difference.mean, "+"),
                    f"{number_text(difference.low, '+')} to {number_text(difference.high, '+')}",
                )
        console.print(table)
    if result.taught == "few":
        console.print(
            "the teacher is not to be trusted here: this is the student of the labelled cases alone"
        )
    console.print(f"{result.folder} holds the student; report: {page}", soft_wrap=True)
