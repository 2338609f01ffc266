"""What `anytomy tune` and `anytomy distill` have in common: options, and how changes are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from anytomy.tuning.evaluate import Change
    from anytomy.tuning.run import Runtime

Classes = Annotated[
    str | None,
    typer.Option("--classes", metavar="NAMES", help="Structures to learn, by commas; all by default."),
]
Test = Annotated[int | None, typer.Option("--test", min=0, help="Most test cases; 0 for no test.")]
Fold = Annotated[
    str | None,
    typer.Option("--fold", metavar="I/N", help="Test a fold of patients, not the stored split."),
]
Rate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")]
Augment = Annotated[str | None, typer.Option("--augment", help="none, flips, light or strong.")]
Flips = Annotated[str | None, typer.Option("--flips", help="auto, none, x, y or xy.")]
Axis = Annotated[str | None, typer.Option("--axis", help="The file's axis that slices run along.")]
Intensity = Annotated[str | None, typer.Option("--intensity", help="As in `segment`.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of all randomness.")]
Memory = Annotated[
    float | None,
    typer.Option("--memory", help="GB that training may use; most of what is free by default."),
]
Precision = Annotated[str, typer.Option("--precision", help="auto, f32 or bf16.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def names_in(text: str | None) -> tuple[str, ...] | None:
    """Names of an option, separated by commas; None where it was not given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def runtime_of(
    *, device: str, threads: int | None, memory: float | None, disk: float, precision: str
) -> Runtime:
    """Where and how fast a training runs, as typed: memory and disk in GB.

    Raises:
        OptionError: There is no such precision, or a number is none.
    """
    from anytomy.core.errors import OptionError
    from anytomy.tuning.checks import check_range
    from anytomy.tuning.plan import PRECISIONS
    from anytomy.tuning.run import Runtime

    if precision not in PRECISIONS:
        raise OptionError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    check_range("GB of memory", memory, 0.001, 1e6)
    check_range("GB on disk", disk, 0, 1e6)
    return Runtime(
        device=device,
        threads=threads,
        memory=None if memory is None else int(memory * 1e9),
        disk=int(disk * 1e9),
        precision=precision,
    )


def is_first_process() -> bool:
    """Whether this is the process that speaks, of those that `accelerate launch` started."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def change_row(change: Change) -> dict[str, Any]:
    """A change as `--json` prints it."""
    from anytomy.cli.output import plain_number

    difference = change.result.difference
    return {
        "dataset": change.dataset,
        "structure": change.structure or "mean",
        "prompt_before": change.prompts[0],
        "prompt_after": change.prompts[1],
        "before": plain_number(change.before.mean),
        "after": plain_number(change.after.mean),
        "difference": plain_number(difference.mean),
        "low": plain_number(difference.low),
        "high": plain_number(difference.high),
        "patients": change.after.patients,
        "p": plain_number(change.result.p),
    }


def changes_table(found: Mapping[str, Sequence[Change]], *, before: str, after: str) -> Table:
    """Changes for people.

    Args:
        found: By what they are measured against; nothing is said of it where its name is empty.
        before: Head of the column of `Change.before`.
        after: Head of that of `Change.after`.
    """
    from rich.table import Table

    table = Table(title="Mean Dice of test patients", title_justify="left")
    table.add_column("structure")
    named = any(found)
    if named:
        table.add_column("against")
    for name in (before, after, "change", "95 %"):
        table.add_column(name, justify="right")
    for against, changes in found.items():
        for change in changes:
            difference = change.result.difference
            table.add_row(
                f"{change.dataset}: {change.structure or 'mean'}",
                *([against] if named else []),
                _text(change.before.mean),
                _text(change.after.mean),
                _text(difference.mean, "+"),
                f"{_text(difference.low, '+')} to {_text(difference.high, '+')}",
            )
    return table


def _text(value: float, sign: str = "") -> str:
    """A number of a table; `-` where there is none."""
    return f"{value:{sign}.3f}" if value == value else "-"
