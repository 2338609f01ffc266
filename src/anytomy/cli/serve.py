"""`anytomy serve`: the HTTP API, for pages and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Images, or folders with images.", show_default=False),
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8719,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; any but a loopback one needs the token that is printed."),
    ] = "127.0.0.1",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for label maps and work in progress; beside the images.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Model (anytomy models list).")] = "litemedsam",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A viewer served elsewhere that may call the API; repeatable."),
    ] = None,
) -> None:
    """Serve images for annotation: prompts, masks, propagation, undo, export over HTTP (docs/server.md).

    Example: anytomy serve scans/ --output labels/
    """
    from anytomy.cli.output import print_line
    from anytomy.server.running import prepared, run

    settings = prepared(paths, port=port, host=host, output=output, model=model, origins=allow_origin or [])
    shown = f"[{host}]" if ":" in host else host
    print_line(f"serving at http://{shown}:{port}/api/v1/health; for research, not a medical device")
    if settings.token is not None:
        print_line(f"token: {settings.token}")
        print_line("other machines can reach this server, without encryption: use it in a network you trust")
    run(settings)
