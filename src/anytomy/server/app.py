"""The web application: `create_app`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fastapi import FastAPI

from anytomy import __version__
from anytomy.server import problems
from anytomy.server.desk import Desk
from anytomy.server.guard import API_POLICY, Guard
from anytomy.server.monai_label import about as monai_label
from anytomy.server.monai_label import datastore, infer
from anytomy.server.monai_label.access import Bureau
from anytomy.server.routes import about, actions, cases, jobs, sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anytomy.server.models import Models
    from anytomy.server.page_files import Page
    from anytomy.server.settings import Settings

API = "/api/v1"
_PARK_EVERY_S = 30.0


def create_app(settings: Settings, models: Models, page: Page | None = None) -> Guard:
    """The guarded application; its state is taken when it starts up and given up when it shuts down.

    Another protocol is one more router on `app` before it is guarded.

    Args:
        settings: What is served.
        models: What can be asked.
        page: What is shown at `/`; nothing where None.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk = app.state.desk = Desk(settings, models)
        bureau = app.state.bureau = Bureau(desk)
        parking = asyncio.create_task(_park(desk))
        try:
            yield
        finally:
            parking.cancel()
            await asyncio.to_thread(bureau.close)
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
    for each in (monai_label, datastore, infer):
        app.include_router(each.router)
    if page is None:
        return Guard(app, settings)
    page.serve(app)
    return Guard(app, settings, lambda path: page.policy(path) or API_POLICY)


def holding(guarded: Guard) -> contextlib.AbstractAsyncContextManager[object]:
    """Take the state for as long as this is open, for those that run the application themselves.

    Raises:
        OutputError: If another server works on the same state.
    """
    app: FastAPI = guarded.app
    return app.router.lifespan_context(app)


async def _park(desk: Desk) -> None:
    while True:
        await asyncio.sleep(_PARK_EVERY_S)
        await asyncio.to_thread(desk.sessions.park)
