"""`anytomy`: the command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from anytomy import __version__
from anytomy.cli import bench, cache, datasets, models
from anytomy.cli.annotate import annotate
from anytomy.cli.demo import demo
from anytomy.cli.distill import distill
from anytomy.cli.doctor import doctor
from anytomy.cli.info import info
from anytomy.cli.measure import measure
from anytomy.cli.output import begin, describe, emit_error, print_line, print_traceback
from anytomy.cli.segment import segment
from anytomy.cli.serve import serve
from anytomy.cli.tune import tune
from anytomy.cli.view import view
from anytomy.core.errors import StoppedError

app = typer.Typer(
    name="anytomy",
    help="Segment-Anything models made usable for biomedical images. For research, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_INTERRUPTED = 130
app.command()(segment)
app.command()(measure)
app.command()(tune)
app.command()(distill)
app.command()(info)
app.command()(view)
app.command()(doctor)
app.command()(demo)
app.command()(annotate)
app.command()(serve)
app.add_typer(models.app)
app.add_typer(datasets.app)
app.add_typer(bench.app)
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
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    with suppress(ValueError):  # only the main thread may
        # Ends through all `finally`, so that no temporary file stays where a batch system stops a job.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(_flushed(_run(given, debug=debug)))


def _run(given: list[str], *, debug: bool) -> int:
    as_json = "--json" in given
    root = typer.main.get_command(app)
    command = _command(root, given)
    begin(debug=debug)

    def fail(kind: str, message: str, hint: str | None, code: int) -> int:
        try:
            emit_error(command, kind, message, hint, as_json=as_json)
        except BrokenPipeError:
            pass
        except OSError:  # stdout takes nothing: stderr may
            emit_error(command, kind, message, hint, as_json=False)
        return code

    try:
        result = root.main(given, prog_name="anytomy", standalone_mode=False)
        if result == _INTERRUPTED:  # typer turns the exception into a number
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return fail("Interrupted", "interrupted", None, _INTERRUPTED)
    except StoppedError as error:
        return fail("Interrupted", *describe(error), _INTERRUPTED)
    except BrokenPipeError:
        return 1
    except Exception as error:
        # typer brings its own copy of click, older versions the package: told apart by what they can do.
        if type(error).__name__ == "NoArgsIsHelpError":
            return 0
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            where = "anytomy" if command == "anytomy" else f"anytomy {command}"
            return fail("UsageError", error.format_message(), f"see {where} --help", 2)
        print_traceback(error)
        return fail(type(error).__name__, *describe(error), 1)


def _command(root: Any, given: list[str]) -> str:
    """The command's name, `models list` say; `anytomy` where none is recognised."""
    names: list[str] = []
    for word in given:
        root = getattr(root, "commands", {}).get(word)
        if root is None:
            break
        names.append(word)
    return " ".join(names) or "anytomy"


def _flushed(code: int) -> int:
    """The exit code, once what was printed has left; a reader that went away is no reason for noise."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes again when it ends, and would print a traceback then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print_line(f"error: cannot print the result: {error.strerror or error}")
        return code or 1
    return code


if __name__ == "__main__":
    main()
