"""From a command line to a server that runs: `prepared`, `run`."""

from __future__ import annotations

import errno
import logging
import secrets
import socket
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
    from collections.abc import Iterable
    from pathlib import Path


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


def run(settings: Settings) -> None:
    """Serve until somebody stops it.

    Raises:
        OptionError: If nothing can listen there.
        OutputError: If another server works on the same state.
    """
    import uvicorn

    from anytomy.server.app import create_app
    from anytomy.server.models import zoo_models

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    listening = _listening(settings)
    # No access log: nothing of what people look at is kept.
    config = uvicorn.Config(
        create_app(settings, zoo_models(settings.model)),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=512,
        ws="none",
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        raise OptionError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}",
            hint="choose another --port" if taken else "choose another --host",
        ) from error
    listening.set_inheritable(False)
    return listening
