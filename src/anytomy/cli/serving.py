"""What `anytomy annotate` and `anytomy serve` have in common: their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anytomy.server.settings import DEFAULT_MODEL, DEFAULT_PORT

__all__ = ["DEFAULT_MODEL", "DEFAULT_PORT", "Host", "Model", "Origins", "Output", "Paths", "warn_of_others"]

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Images, or folders with images.", show_default=False),
]
Host = Annotated[
    str,
    typer.Option(help="Address to listen on; any but a loopback one needs the token that is printed."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder for label maps and work in progress; beside the images.",
    ),
]
Model = Annotated[str, typer.Option(help="Model (anytomy models list).")]
Origins = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="A viewer served elsewhere that may call the API; repeatable."),
]


def warn_of_others() -> None:
    """Say what it means that others can reach the server."""
    from anytomy.cli.output import print_line

    print_line("other machines can reach this server, without encryption: use it in a network you trust")
