"""What commands print: one JSON envelope for machines, text for people, warnings on stderr."""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

from anytomy import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

SCHEMA = "anytomy/1"
_collected: list[str] = []


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


def print_line(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(" ".join(text.split()) + "\n")


def collect_warnings() -> None:
    """Show Anytomy's own warnings as single lines and keep them for the envelope; hide other libraries'."""
    from anytomy.core.errors import AnytomyWarning

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
