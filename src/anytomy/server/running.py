"""From a command line to a server that runs: `prepared`, `run`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import secrets
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from anytomy.core.errors import MissingDependencyError, OptionError
from anytomy.server.settings import (
    Settings,
    checked_origin,
    is_loopback,
    resolved_roots,
    state_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from uvicorn import Server

    from anytomy.server.guard import Guard
    from anytomy.server.page_files import Page


def prepared(
    paths: Iterable[Path], *, port: int, host: str, output: Path | None, model: str, origins: Iterable[str]
) -> Settings:
    """Settings that can work: all that is wrong with them is found here, and the model is fetched if need be.

    Raises:
        MissingDependencyError: If the packages of the server are not installed.
        InputError: If a path does not exist.
        OptionError: If an origin is none, or the model takes no prompts.
        ModelError: If there is no such model.
        FetchError: If its weights cannot be had.
    """
    try:
        import fastapi
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"the server needs {error.name}, which is not installed", hint="pip install 'anytomy[server]'"
        ) from error
    del fastapi
    from anytomy.zoo import store
    from anytomy.zoo.registry import card

    roots = resolved_roots(paths)
    allowed = frozenset(checked_origin(each) for each in origins)
    found = card(model)
    if found.classes:
        raise OptionError(
            f"{found.title} takes no prompts", hint="choose another --model (anytomy models list)"
        )
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        output = output.resolve()
    store.ensure(found.base_id)
    return Settings(
        roots=roots,
        state=state_folder(roots, output),
        output=output,
        host=host,
        port=port,
        token=None if is_loopback(host) else secrets.token_urlsafe(32),
        origins=allowed,
        model=model,
    )


def run(
    settings: Settings,
    *,
    page: Page | None = None,
    ports: int = 1,
    ready: Callable[[Settings], None] = lambda settings: None,
) -> None:
    """Serve until somebody stops it.

    Args:
        settings: What is served.
        page: What is shown at `/`; the API alone where None.
        ports: How many are tried where others are taken, from that of the settings on.
        ready: Called with the settings as they came to be, once requests are taken.

    Raises:
        OptionError: If nothing can listen there.
        OutputError: If another server works on the same state.
    """
    import uvicorn

    from anytomy.server.app import create_app
    from anytomy.server.models import zoo_models

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    listening = _listening(settings, ports)
    settings = replace(settings, port=listening.getsockname()[1])
    app = create_app(settings, zoo_models(settings.model), page)
    # No access log: nothing of what people look at is kept.
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,  # a stream of progress would go on until its job is done
        limit_concurrency=512,
        ws="none",
        lifespan="off",
        proxy_headers=False,
    )
    with listening, contextlib.suppress(KeyboardInterrupt):  # that is how a server is stopped
        asyncio.run(_serve(app, uvicorn.Server(config), listening, lambda: ready(settings)))


async def _serve(app: Guard, server: Server, listening: socket.socket, ready: Callable[[], None]) -> None:
    """What goes wrong with the state comes out as it is, which uvicorn would make a traceback of."""
    from anytomy.server.app import holding

    async with holding(app):
        app.app.state.desk.warm_up()
        listening.listen(100)  # who comes now waits for the server, a moment
        ready()
        await server.serve(sockets=[listening])


def address(settings: Settings) -> str:
    """Where a browser finds the server, with the token where one is needed."""
    host = settings.host.strip("[]")
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    token = "" if settings.token is None else f"?token={settings.token}"
    return f"http://{shown}:{settings.port}/{token}"


def _listening(settings: Settings, ports: int) -> socket.socket:
    """A socket that is bound to the first of some ports that is free."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    last = min(settings.port + ports, 65536) - 1
    for port in range(settings.port, last + 1):
        # Only of sockets that name the protocol does asyncio switch off what delays small answers by 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.host.strip("[]"), port))
        except OSError as error:
            listening.close()
            taken = error.errno == errno.EADDRINUSE
            if taken and port < last:
                continue
            which = f"port {port}" if ports == 1 else f"ports {settings.port} to {port}"
            raise OptionError(
                f"cannot listen on {settings.host}, {which}: {error.strerror or error}",
                hint="choose another --port" if taken else "choose another --host",
            ) from error
        listening.set_inheritable(False)
        return listening
    raise AssertionError("there is at least one port")
