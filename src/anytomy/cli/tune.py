"""`anytomy tune`: adapt a model with few labels, and say whether it helped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytomy.cli import training

if TYPE_CHECKING:
    from anytomy.tuning.config import TuneConfig
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
    classes: training.Classes = None,
    train: Annotated[int | None, typer.Option("--train", min=1, help="Training cases.")] = None,
    validate: Annotated[
        float | None,
        typer.Option("--validate", help="Share of the training patients that choose the best step."),
    ] = None,
    test: training.Test = None,
    fold: training.Fold = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Steps; 2000 if no time is given.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", help="Time for embeddings and steps, over all starts.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Samples of a step.")] = None,
    lr: training.Rate = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", help="box, points, clicks, box-clicks, with weights: box=2,clicks=1."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Prompts of an object in a step.")
    ] = None,
    loss: Annotated[str | None, typer.Option("--loss", help="dice-ce or dice-focal.")] = None,
    augment: training.Augment = None,
    flips: training.Flips = None,
    copies: Annotated[
        int | None, typer.Option("--copies", min=1, help="Cached variants of each picture.")
    ] = None,
    most_slices: Annotated[
        int | None,
        typer.Option(
            "--most-slices", min=1, help="Slices of a volume to train on, evenly spread; all by default."
        ),
    ] = None,
    axis: training.Axis = None,
    intensity: training.Intensity = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", min=0, help="End after so many validations without a better one."),
    ] = None,
    seed: training.Seed = None,
    memory: training.Memory = None,
    disk: Annotated[float, typer.Option("--disk", help="GB for cached embeddings.")] = 12,
    precision: training.Precision = "auto",
    device: training.Device = "auto",
    threads: training.Threads = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it will cost in time, memory and disk, and stop.")
    ] = False,
    as_json: training.Json = False,
) -> None:
    """Adapt a model to labelled data; the result is a small folder that `segment` and `bench` load by name.

    Costs are said before anything starts. A run that was stopped goes on where it was when the same command
    is given again.

    Example: anytomy tune litemedsam --data acdc --mode semantic --train 20 --max-minutes 60 -o heart
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.cli.progress import stage_bars
    from anytomy.core.errors import OptionError
    from anytomy.engine.threads import keep_big_blocks
    from anytomy.report.tune_page import write_tune_page
    from anytomy.tuning import record
    from anytomy.tuning.config import parse_fold, parse_prompts
    from anytomy.tuning.plan import Plan
    from anytomy.tuning.run import tune

    given: dict[str, Any] = {
        "model": model,
        "data": training.names_in(data),
        "method": method,
        "mode": mode,
        "classes": training.names_in(classes),
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
    runtime = training.runtime_of(
        device=device, threads=threads, memory=memory, disk=disk, precision=precision
    )
    keep_big_blocks()
    with stage_bars(shown=not as_json) as progress:
        done = tune(config, output, runtime=runtime, say=print_line, progress=progress, estimate=estimate)
    if not training.is_first_process():  # the first one judges the test cases, and says it all
        return
    if isinstance(done, Plan):
        emit("tune", {"plan": done.to_dict()}, as_json=as_json)
        return
    with record.nothing_is_lost(output):
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


def _summary(result: TuneResult, page: Path) -> dict[str, Any]:
    from anytomy.cli.output import plain_number

    return {
        "adapter": str(result.folder),
        "report": str(page),
        "best": plain_number(result.best),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "changes": [training.change_row(change) for change in result.changes],
    }


def _render(console: Any, result: TuneResult, page: Path) -> None:
    if result.changes:
        console.print(training.changes_table({"": result.changes}, before="before", after="after"))
    console.print(f"{result.folder} holds the adapter; report: {page}", soft_wrap=True)
