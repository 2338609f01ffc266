"""The web application: `create_app`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fastapi import FastAPI

from anytomy import __version__
from anytomy.server import problems
from anytomy.server.desk import Desk
from anytomy.server.guard import Guard
from anytomy.server.routes import about, actions, cases, jobs, sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anytomy.server.models import Models
    from anytomy.server.settings import Settings

API = "/api/v1"
_PARK_EVERY_S = 30.0


def create_app(settings: Settings, models: Models) -> Guard:
    """The guarded application; its state is taken when it starts up and given up when it shuts down.

    A page, or another protocol, is one more router on `app` before it is guarded.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk = app.state.desk = Desk(settings, models)
        parking = asyncio.create_task(_park(desk))
        try:
            yield
        finally:
            parking.cancel()
            await asyncio.to_thread(desk.close)

    app = FastAPI(
        title="Anytomy",
        version=__version__,
        summary="Prompt, correct, save and export masks. For research, not a medical device.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    problems.install(app, settings)
    for each in (about, cases, sessions, actions, jobs):
        app.include_router(each.router, prefix=API)
    return Guard(app, settings)


async def _park(desk: Desk) -> None:
    while True:
        await asyncio.sleep(_PARK_EVERY_S)
        await asyncio.to_thread(desk.sessions.park)
