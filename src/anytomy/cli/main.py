"""`anytomy`: the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from anytomy import __version__
from anytomy.cli import cache, models
from anytomy.cli.demo import demo
from anytomy.cli.doctor import doctor
from anytomy.cli.info import info
from anytomy.cli.output import collect_warnings, emit_error, print_line
from anytomy.cli.segment import segment
from anytomy.core.errors import AnytomyError

app = typer.Typer(
    name="anytomy",
    help="Segment-Anything models made usable for biomedical images. For research, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(segment)
app.command()(info)
app.command()(doctor)
app.command()(demo)
app.add_typer(models.app)
app.add_typer(cache.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"anytomy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options of all commands (`--debug` is read in `main`, wherever it stands)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 an error, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    sys.exit(_run(given, debug=debug))


def _run(given: list[str], *, debug: bool) -> int:
    as_json = "--json" in given
    command = " ".join(a for a in given[:2] if a.isidentifier()) or "anytomy"
    collect_warnings()
    try:
        result = typer.main.get_command(app).main(given, prog_name="anytomy", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except AnytomyError as error:
        if debug:
            raise
        emit_error(command, type(error).__name__, error.message, error.hint, as_json=as_json)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        print_line("interrupted")
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            raise
        # typer brings its own copy of click, older versions the package: told apart by what they can do.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            emit_error(command, "UsageError", error.format_message(), _help_hint(given), as_json=as_json)
            return 2
        emit_error(command, type(error).__name__, *_unforeseen(error), as_json=as_json)
        return 1


def _help_hint(given: list[str]) -> str:
    words = [a for a in given[:1] if a.isidentifier()]
    return f"see {' '.join(['anytomy', *words, '--help'])}"


def _unforeseen(error: Exception) -> tuple[str, str]:
    if isinstance(error, MemoryError):
        return "there is not enough memory for this", "use a smaller image or crop it"
    if isinstance(error, OSError) and error.errno == 28:
        return f"the disk is full: {error.filename or ''}", "free some space or write elsewhere"
    return f"{type(error).__name__}: {error}", "this is a bug of ours; --debug shows where"


if __name__ == "__main__":
    main()
