"""`anytomy bench`: how good is a model on data like mine, and a page that says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anytomy.evaluation.bench.runner import BenchRun

app = typer.Typer(
    name="bench",
    help="Benchmark models on data sets with simulated prompts, and report.",
    invoke_without_command=True,
)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.callback()
def bench(
    context: typer.Context,
    models: Annotated[
        str, typer.Option("--models", metavar="IDS", help="Models, separated by commas.")
    ] = "litemedsam",
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="IDS", help="Data sets, separated by commas; `all` for those on this machine."
        ),
    ] = None,
    prompts: Annotated[
        str,
        typer.Option(
            "--prompts",
            metavar="NAMES",
            help="Prompt simulators, separated by commas; `everything` finds objects without prompts.",
        ),
    ] = "box",
    volume: Annotated[
        str | None,
        typer.Option(
            "--volume",
            metavar="STRATEGY",
            help="Carry prompts through volumes; without it each object is judged in its largest slice.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Most cases of a data set.")] = None,
    structures: Annotated[
        str, typer.Option("--structures", metavar="NAMES", help="Only these, separated by commas.")
    ] = "",
    split: Annotated[
        str, typer.Option("--split", help="Only this part of the stored split: train, val or test.")
    ] = "",
    metrics: Annotated[
        str, typer.Option("--metrics", metavar="NAMES", help="Metrics, separated by commas.")
    ] = "",
    zoom: Annotated[str, typer.Option("--zoom", help="off, auto or a factor, as in `segment`.")] = "off",
    intensity: Annotated[str, typer.Option("--intensity", help="As in `segment`.")] = "auto",
    axis: Annotated[str, typer.Option("--axis", help="The file's axis that slices run along.")] = "z",
    seed: Annotated[int, typer.Option("--seed", help="Of all randomness.")] = 0,
    most: Annotated[int, typer.Option("--objects", help="Most objects of a structure in an image.")] = 12,
    least: Annotated[int, typer.Option("--least", help="Smallest object, in pixels.")] = 20,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; the number of cores by default.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of each worker.")] = 1,
    no_masks: Annotated[
        bool, typer.Option("--no-masks", help="Keep no found masks: smaller, no pictures in the report.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Benchmark models on data sets, with prompts simulated from the labels.

    A run that was stopped goes on where it was when the same command is given again.

    Example: anytomy bench --models litemedsam --data kvasir_seg,acdc --prompts box,box-jitter -o runs/first
    """
    if context.invoked_subcommand is not None:
        return
    from anytomy.cli.output import emit
    from anytomy.cli.progress import units_bar
    from anytomy.core.errors import OptionError
    from anytomy.evaluation.bench.config import METRICS, BenchConfig
    from anytomy.evaluation.bench.runner import run_bench

    if data is None or output is None:
        missing = "--data" if data is None else "-o"
        raise OptionError(
            f"expected {missing}",
            hint="for example: anytomy bench --data kvasir_seg --prompts box -o runs/first",
        )
    config = BenchConfig(
        models=_names(models),
        data=_available() if data.strip() == "all" else _names(data),
        prompts=_names(prompts),
        volume=volume,
        zoom=zoom,
        intensity=intensity,
        metrics=_names(metrics) or METRICS,
        seed=seed,
        limit=limit,
        most=most,
        least=least,
        structures=tuple(s.strip() for s in structures.split(",") if s.strip()),
        split=split,
        axis=axis,
    )
    with units_bar("cases", shown=not as_json) as progress:
        run = run_bench(
            config,
            output,
            workers=workers,
            threads=threads,
            keep_masks=not no_masks,
            progress=progress,
        )
    ok = any(row["status"] == "measured" for row in run.rows)
    emit("bench", _summary(run), as_json=as_json, render=lambda console: _render(console, run), ok=ok)
    if not ok:
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The page; DIR/report.html if not given."),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=0, help="Best, median and worst pictures of each; 0 for none.")
    ] = 3,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the main tables as Markdown instead of making a page.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make one page of a run: tables with intervals, weak structures, plots, pictures of the worst cases.

    Example: anytomy bench report runs/first -o report.html
    """
    from anytomy.cli.output import emit
    from anytomy.cli.progress import units_bar
    from anytomy.report.bench_page import write_bench_page
    from anytomy.report.bench_results import BenchResults
    from anytomy.report.bench_text import as_markdown

    results = BenchResults.read(folder)
    data: dict[str, Any] = {"weak": [_cell(cell) for cell in results.weak()]}
    if markdown:
        text = as_markdown(results)
        emit(
            "bench report",
            {**data, "markdown": text},
            as_json=as_json,
            render=lambda console: console.print(text, markup=False, soft_wrap=True),
        )
        return
    path = output or folder / "report.html"
    with units_bar("pictures", shown=not as_json) as progress:
        write_bench_page(folder, path, pictures=pictures, progress=progress)
    data = {"report": str(path), **data}
    emit(
        "bench report", data, as_json=as_json, render=lambda console: console.print(str(path), soft_wrap=True)
    )


def _names(text: str) -> tuple[str, ...]:
    """Names separated by commas; the numbers of `box-jitter:5,10` belong to the name."""
    return tuple(name.strip() for name in re.split(r",(?!\s*\d)", text) if name.strip())


def _available() -> tuple[str, ...]:
    """The data sets that are on this machine."""
    from anytomy.core.errors import OptionError
    from anytomy.datasets.registry import cards, locate

    found = tuple(card.id for card in cards() if locate(card) is not None)
    if not found:
        raise OptionError(
            "expected data sets on this machine, but there are none",
            hint="`anytomy datasets add NAME FOLDER`, or set ANYTOMY_DATA to a folder of them",
        )
    return found


def _summary(run: BenchRun) -> dict[str, Any]:
    from anytomy.evaluation.bench.summary import cells, counts

    left = {
        f"{dataset}: {structure}": dict(count) for (dataset, structure), count in counts(run.rows).items()
    }
    return {
        "folder": str(run.folder),
        "results": str(run.folder / "results.parquet"),
        "done": run.done,
        "kept": run.kept,
        "failures": [vars(failure) for failure in run.failures],
        "objects": left,
        "dice": [_cell(cell) for cell in cells(run.rows)],
        "ap50": [_cell(cell) for cell in cells(run.rows, "ap50", level="case")],
    }


def _cell(cell: Any) -> dict[str, Any]:
    from anytomy.cli.output import plain_number

    interval = cell.interval
    return {
        "dataset": cell.dataset,
        "structure": cell.structure,
        **vars(cell.setting),
        "objects": cell.objects,
        "patients": interval.patients,
        "mean": plain_number(interval.mean),
        "low": plain_number(interval.low),
        "high": plain_number(interval.high),
        "object_mean": plain_number(cell.object_mean),
    }


def _render(console: Any, run: BenchRun) -> None:
    from anytomy.report.bench_results import BenchResults
    from anytomy.report.bench_text import main_table, weak_table

    results = BenchResults.read(run.folder)
    if results.settings:
        console.print(main_table(results))
    for cell in results.instances("ap50"):
        where = f"{cell.dataset}, {cell.structure}, {cell.setting.model}, {cell.setting.prompt}"
        text = f"{where}: AP at IoU 0.5 {cell.interval.mean:.3f} over {cell.objects} images"
        console.print(text, markup=False, soft_wrap=True)
    weak = weak_table(results)
    if weak is not None:
        console.print(weak)
    if not any(row["status"] == "measured" for row in run.rows):
        console.print(f"nothing was measured: {_why(run)}")
    if run.failures:
        console.print(f"{len(run.failures)} cases could not be measured: {run.folder / 'failures.json'}")
    console.print(
        f"{run.folder / 'results.parquet'}; a page: anytomy bench report {run.folder}", soft_wrap=True
    )


def _why(run: BenchRun) -> str:
    """Why nothing was measured."""
    from collections import Counter

    from anytomy.evaluation.bench.summary import counts

    left = sum((count for count in counts(run.rows).values()), Counter[str]())
    reasons = [f"{number} objects are {status}" for status, number in left.items()]
    return ", ".join(reasons) or ("no case worked" if run.failures else "no model finds these structures")
