"""`anytomy serve`: the HTTP API, for programs and other viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytomy.cli.serving import (
    DEFAULT_MODEL,
    DEFAULT_PORT,
    Host,
    Model,
    Origins,
    Output,
    Paths,
    warn_of_others,
)

if TYPE_CHECKING:
    from anytomy.server.settings import Settings


def serve(
    paths: Paths,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = DEFAULT_PORT,
    host: Host = "127.0.0.1",
    output: Output = None,
    model: Model = DEFAULT_MODEL,
    allow_origin: Origins = None,
) -> None:
    """Serve images for annotation: prompts, masks, propagation, undo, export over HTTP (docs/server.md).

    Example: anytomy serve scans/ --output labels/
    """
    from anytomy.server.running import prepared, run

    settings = prepared(paths, port=port, host=host, output=output, model=model, origins=allow_origin or [])
    run(settings, ready=_say)


def _say(settings: Settings) -> None:
    from dataclasses import replace

    from anytomy.cli.output import print_line
    from anytomy.server.running import address

    where = address(replace(settings, token=None))
    print_line(f"serving at {where}api/v1/health; for research, not a medical device")
    if settings.token is not None:
        print_line(f"token: {settings.token}")
        warn_of_others()
