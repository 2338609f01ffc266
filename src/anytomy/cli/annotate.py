"""`anytomy annotate`: segment with boxes and clicks in a browser."""

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

_PORTS = 20


def annotate(
    paths: Paths,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port to listen on.",
            show_default=f"{DEFAULT_PORT}, or the next free one",
        ),
    ] = None,
    host: Host = "127.0.0.1",
    output: Output = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, but do not open it.")
    ] = False,
    model: Model = DEFAULT_MODEL,
    allow_origin: Origins = None,
) -> None:
    """Segment images with boxes and clicks in a browser: undo, propagation, export (docs/annotate.md).

    Example: anytomy annotate scans/ --output labels/
    """
    from anytomy.server.page_files import Page
    from anytomy.server.running import prepared, run

    page = Page.read()
    settings = prepared(
        paths, port=port or DEFAULT_PORT, host=host, output=output, model=model, origins=allow_origin or []
    )

    def ready(settings: Settings) -> None:
        _say(settings, open_it=not no_browser)

    run(settings, page=page, ports=1 if port else _PORTS, ready=ready)


def _say(settings: Settings, *, open_it: bool) -> None:
    """Where the page is; it is opened where nothing secret is in its address and there is a screen."""
    from anytomy.cli.output import print_line
    from anytomy.server.running import address

    where = address(settings)
    print_line(f"annotate at {where} (Ctrl-C ends it); for research, not a medical device")
    if settings.token is not None:
        warn_of_others()
    elif open_it and _has_screen():
        import threading
        import webbrowser

        # Some browsers are waited for until they are closed.
        threading.Thread(target=webbrowser.open, args=(where,), daemon=True).start()


def _has_screen() -> bool:
    """Whether a browser would have a window; one in the terminal would only be in the way."""
    import os
    import sys

    anywhere = sys.platform in ("darwin", "win32")
    return anywhere or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
