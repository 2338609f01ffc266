"""`anytomy tune`: adapt a model with few labels, and say whether it helped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.evaluate import Change
    from anytomy.tuning.run import TuneResult


def tune(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The base: an id, or ID+DIR to go on from an adapter."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="IDS", help="Data sets, separated by commas.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The adapter's folder.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="TOML with the fields of a run; options change them."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", help="Methods joined by +: decoder, prompt-decoder, lora:4+decoder, full ..."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", help="promptable, or semantic: no prompt, a channel for each class."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="NAMES", help="Structures to learn, by commas; all by default."),
    ] = None,
    train: Annotated[int | None, typer.Option("--train", min=1, help="Training cases.")] = None,
    validate: Annotated[
        float | None,
        typer.Option("--validate", help="Share of the training patients that choose the best step."),
    ] = None,
    test: Annotated[int | None, typer.Option("--test", min=0, help="Most test cases; 0 for no test.")] = None,
    fold: Annotated[
        str | None,
        typer.Option("--fold", metavar="I/N", help="Test a fold of patients, not the stored split."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Steps; 2000 if no time is given.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="Time for embeddings and steps, over all starts.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Samples of a step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")] = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", help="box, points, clicks, box-clicks, with weights: box=2,clicks=1."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Prompts of an object in a step.")
    ] = None,
    loss: Annotated[str | None, typer.Option("--loss", help="dice-ce or dice-focal.")] = None,
    augment: Annotated[str | None, typer.Option("--augment", help="none, flips, light or strong.")] = None,
    flips: Annotated[str | None, typer.Option("--flips", help="auto, none, x, y or xy.")] = None,
    copies: Annotated[
        int | None, typer.Option("--copies", min=1, help="Cached variants of each picture.")
    ] = None,
    most_slices: Annotated[
        int | None,
        typer.Option(
            "--most-slices", min=1, help="Slices of a volume to train on, evenly spread; all by default."
        ),
    ] = None,
    axis: Annotated[str | None, typer.Option("--axis", help="The file's axis that slices run along.")] = None,
    intensity: Annotated[str | None, typer.Option("--intensity", help="As in `segment`.")] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", min=0, help="End after so many validations without a better one."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of all randomness.")] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", help="GB that training may use; most of what is free by default."),
    ] = None,
    disk: Annotated[float, typer.Option("--disk", help="GB for cached embeddings.")] = 12,
    precision: Annotated[str, typer.Option("--precision", help="auto, f32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it will cost in time, memory and disk, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Adapt a model to labelled data; the result is a small folder that `segment` and `bench` load by name.

    Costs are said before anything starts. A run that was stopped goes on where it was when the same command
    is given again.

    Example: anytomy tune litemedsam --data acdc --mode semantic --train 20 --max-minutes 60 -o heart
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.core.errors import OptionError
    from anytomy.engine.threads import keep_big_blocks
    from anytomy.report.tune_page import write_tune_page
    from anytomy.tuning.config import parse_fold, parse_prompts
    from anytomy.tuning.plan import PRECISIONS, Plan
    from anytomy.tuning.run import Runtime, tune

    given: dict[str, Any] = {
        "model": model,
        "data": names_in(data),
        "method": method,
        "mode": mode,
        "classes": names_in(classes),
        "train": train,
        "validate": validate,
        "test": test,
        "fold": None if fold is None else parse_fold(fold),
        "steps": steps,
        "max_minutes": max_minutes,
        "batch": batch,
        "lr": lr,
        "prompts": None if prompts is None else parse_prompts(prompts),
        "rounds": rounds,
        "loss": loss,
        "augment": augment,
        "flips": flips,
        "copies": copies,
        "most_slices": most_slices,
        "axis": axis,
        "intensity": intensity,
        "patience": patience,
        "seed": seed,
    }
    config = _config(recipe, {name: value for name, value in given.items() if value is not None})
    if output is None:
        raise OptionError("expected a folder for the adapter", hint="give -o DIR")
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
        done = tune(config, output, runtime=runtime, say=print_line, progress=progress, estimate=estimate)
    if isinstance(done, Plan):
        emit("tune", {"plan": done.to_dict()}, as_json=as_json)
        return
    page = write_tune_page(output)
    emit(
        "tune",
        _summary(done, page),
        as_json=as_json,
        render=lambda console: _render(console, done, page),
    )


def _config(recipe: Path | None, given: dict[str, Any]) -> TuneConfig:
    """The recipe, changed by what was typed."""
    from anytomy.core.errors import OptionError
    from anytomy.tuning.config import from_dict, read_recipe

    if recipe is None:
        missing = [what for name, what in (("model", "MODEL"), ("data", "--data")) if name not in given]
        if missing:
            raise OptionError(
                f"expected {missing[0]}", hint="for example: anytomy tune litemedsam --data acdc -o heart"
            )
        return from_dict(given)
    try:
        text = recipe.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"the recipe {recipe} cannot be read: {error}") from error
    return from_dict({**read_recipe(text), **given})


def names_in(text: str | None) -> tuple[str, ...] | None:
    """Names of an option, separated by commas; None where it was not given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


@contextmanager
def bars(*, shown: bool) -> Iterator[Callable[[str, int, int, str], None] | None]:
    """A bar for each thing that is done, one after the other; nothing where nobody looks."""
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[now]}"), console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def step(what: str, done: int, total: int, now: str) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[what] = bars.add_task(what, total=total, now="")
            bars.update(tasks[what], completed=done, total=total, now=now)

        yield step


def _summary(result: TuneResult, page: Path) -> dict[str, Any]:
    return {
        "adapter": str(result.folder),
        "report": str(page),
        "best": _plain(result.best),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "changes": [change_row(change) for change in result.changes],
    }


def change_row(change: Change) -> dict[str, Any]:
    """A change as `--json` prints it."""
    difference = change.result.difference
    return {
        "dataset": change.dataset,
        "structure": change.structure or "mean",
        "prompt_before": change.prompts[0],
        "prompt_after": change.prompts[1],
        "before": _plain(change.before.mean),
        "after": _plain(change.after.mean),
        "difference": _plain(difference.mean),
        "low": _plain(difference.low),
        "high": _plain(difference.high),
        "patients": change.after.patients,
        "p": _plain(change.result.p),
    }


def _plain(value: float) -> float | None:
    return round(value, 6) if value == value else None


def _render(console: Any, result: TuneResult, page: Path) -> None:
    from rich.table import Table

    if result.changes:
        table = Table(title="Mean Dice of test patients", title_justify="left")
        table.add_column("structure")
        for name in ("before", "after", "change"):
            table.add_column(name, justify="right")
        table.add_column("95 %", justify="right")
        for change in result.changes:
            difference = change.result.difference
            table.add_row(
                f"{change.dataset}: {change.structure or 'mean'}",
                number_text(change.before.mean),
                number_text(change.after.mean),
                number_text(difference.mean, "+"),
                f"{number_text(difference.low, '+')} to {number_text(difference.high, '+')}",
            )
        console.print(table)
    console.print(f"{result.folder} holds the adapter; report: {page}", soft_wrap=True)


def number_text(value: float, sign: str = "") -> str:
    """A number of a table; `-` where there is none."""
    return f"{value:{sign}.3f}" if value == value else "-"
