"""`anytomy cache`: what is stored to be quick next time, and how to be rid of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from anytomy.zoo.housekeeping import Usage

app = typer.Typer(
    name="cache",
    help="Weights, graphs, embeddings and samples that can be had again.",
    no_args_is_help=True,
)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def info(as_json: _Json = False) -> None:
    """Show where the cache is and what it holds.

    Example: anytomy cache info
    """
    from anytomy.cli.output import emit
    from anytomy.zoo.home import CACHE_KINDS, cache_dir, home_dir, mirror, offline
    from anytomy.zoo.housekeeping import usage

    held = usage(CACHE_KINDS)
    data = {
        "cache": str(cache_dir()),
        "home": str(home_dir()),
        "mirror": _mirror(mirror()),
        "offline": offline(),
        "kinds": _rows(held),
        "bytes": sum(kind.bytes for kind in held),
    }

    def render(console: Console) -> None:
        _print_usage(console, held)
        for name, variable in (
            ("cache", "ANYTOMY_CACHE"),
            ("home", "ANYTOMY_HOME"),
            ("mirror", "ANYTOMY_MIRROR"),
        ):
            console.print(f"{name:7} {data[name] or 'none'} ({variable})", soft_wrap=True)
        console.print(f"offline {'yes' if data['offline'] else 'no'} (ANYTOMY_OFFLINE)")

    emit("cache info", data, as_json=as_json, render=render)


@app.command()
def clear(
    weights: Annotated[bool, typer.Option("--weights", help="Fetched checkpoints.")] = False,
    graphs: Annotated[bool, typer.Option("--graphs", help="Exported models.")] = False,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Encoded images.")] = False,
    samples: Annotated[bool, typer.Option("--samples", help="Sample images.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of these.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _Json = False,
) -> None:
    """Remove what is cached. Models that you added stay.

    Example: anytomy cache clear --embeddings --yes
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.core.errors import OptionError
    from anytomy.zoo.disk import megabytes
    from anytomy.zoo.home import CACHE_KINDS, cache_dir
    from anytomy.zoo.housekeeping import clear as clear_cache
    from anytomy.zoo.housekeeping import usage

    chosen = {"weights": weights, "graphs": graphs, "embeddings": embeddings, "samples": samples}
    kinds = [kind for kind in CACHE_KINDS if everything or chosen[kind]]
    if not kinds:
        raise OptionError(
            "expected what to clear, but got nothing",
            hint="give --weights, --graphs, --embeddings, --samples or --all",
        )
    if not yes:
        size = megabytes(sum(kind.bytes for kind in usage(kinds)))
        if as_json:
            raise OptionError("expected --yes along with --json, but got --json alone")
        if not typer.confirm(f"Remove {size} ({', '.join(kinds)}) from {cache_dir()}?", err=True):
            print_line("nothing was removed")
            raise typer.Exit(1)
    removed = clear_cache(kinds)

    def render(console: Console) -> None:
        for kind in removed:
            if kind.busy:
                console.print(f"{kind.kind}: left alone, another process writes there")
            else:
                console.print(f"{kind.kind}: {kind.files} files, {megabytes(kind.bytes)} removed")

    emit("cache clear", {"removed": _rows(removed)}, as_json=as_json, render=render)


def _mirror(given: str | None) -> str | None:
    from anytomy.zoo.failure import hide_password

    return None if given is None else hide_password(given)


def _rows(held: Sequence[Usage]) -> list[dict[str, object]]:
    return [
        {
            "kind": kind.kind,
            "path": str(kind.path),
            "files": kind.files,
            "bytes": kind.bytes,
            "busy": kind.busy,
        }
        for kind in held
    ]


def _print_usage(console: Console, held: Sequence[Usage]) -> None:
    from rich.table import Table

    from anytomy.zoo.disk import megabytes

    table = Table("kind", "files", "size", box=None, pad_edge=False)
    for kind in held:
        table.add_row(kind.kind, str(kind.files), megabytes(kind.bytes))
    console.print(table)
