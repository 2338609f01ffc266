"""What commands print: one JSON envelope for machines, text for people, warnings on stderr."""

from __future__ import annotations

import errno
import io
import json
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

from anytomy import __version__
from anytomy.core.errors import AnytomyError, AnytomyWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

SCHEMA = "anytomy/1"
_collected: list[str] = []
_debug = False


def emit(
    command: str,
    data: dict[str, Any],
    *,
    as_json: bool,
    render: Callable[[Console], None] | None = None,
    ok: bool = True,
) -> None:
    """Print the result of a command on stdout.

    Args:
        command: Its name, `segment` or `models list`.
        data: JSON-able values.
        as_json: Print the envelope `{"schema", "command", "version", "ok", "data", "warnings"}`.
        render: Draws the text for people.
        ok: Whether all of it worked.
    """
    if as_json:
        _print({**_head(command), "ok": ok, "data": data, "warnings": list(_collected)})
    elif render is not None:
        from rich.console import Console

        render(Console(highlight=False))


def emit_error(command: str, kind: str, message: str, hint: str | None, *, as_json: bool) -> None:
    """Print an error: one line on stderr, or the envelope with `error` on stdout."""
    if as_json:
        error = {"kind": kind, "message": message, "hint": hint}
        _print({**_head(command), "ok": False, "error": error, "warnings": list(_collected)})
    else:
        print_line(f"error: {message}" + (f"; {hint}" if hint else ""))


def describe(error: Exception) -> tuple[str, str | None]:
    """An error as one line and what to do about it."""
    if isinstance(error, AnytomyError):
        return error.message, error.hint
    if isinstance(error, MemoryError):
        return "there is not enough memory for this", "use a smaller image or crop it"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f": {error.filename}" if error.filename else ""
        return f"the disk is full{where}", "free some space or write elsewhere"
    return f"{type(error).__name__}: {error}", "this is a bug of ours; --debug shows where"


def plain_number(value: float) -> float | None:
    """A number as `--json` prints it; None where there is none."""
    return round(value, 6) if value == value else None


def print_traceback(error: Exception) -> None:
    """Where an error came from, with `--debug`; nothing without."""
    if _debug:
        traceback.print_exception(error)


def print_line(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(" ".join(text.split()) + "\n")


def begin(*, debug: bool) -> None:
    """Prepare for a command: streams that can take any text, warnings as lines, tracebacks or not.

    Anytomy's own warnings are shown and kept for the envelope, those of other libraries are hidden.
    """
    global _debug
    _debug = debug
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name need not be valid text, and a terminal need not know all letters.
            stream.reconfigure(errors="backslashreplace")

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        text = str(message)
        if text not in _collected:
            _collected.append(text)
            print_line(f"warning: {text}")

    _collected.clear()
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", AnytomyWarning)
    warnings.showwarning = show


def _head(command: str) -> dict[str, Any]:
    return {"schema": SCHEMA, "command": command, "version": __version__}


def _print(envelope: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(envelope, indent=2, default=str) + "\n")
