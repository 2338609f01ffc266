"""A browser, a server with the built page, and a person who sits in front of it."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.browsers import chromium_here
from tests.browser.person import Person
from tests.server.serving import FakeModels, settings_for, write_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "runs" / "browser"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium; skipped where there is none."""
    with chromium_here() as browser:
        if browser is None:
            pytest.skip("Chromium or Playwright is missing")
        yield browser


class Served:
    """A server in a thread, with a model whose answers can be foretold; it can be stopped and started again.

    Attributes:
        folder: Of the images, with `ball.nii.gz` and `bar.png`.
        port: Where it is.
    """

    def __init__(self, folder: Path, default: str) -> None:
        self.folder = folder
        self.port = 0
        self._default = default
        self.start()

    def start(self) -> None:
        """Take requests, at the same port as before."""
        import uvicorn

        from anytomy.server.app import create_app
        from anytomy.server.page_files import Page

        settings = settings_for(self.folder, model=self._default)
        app = create_app(settings, FakeModels(default=self._default), Page.read())
        config = uvicorn.Config(
            app, port=self.port, log_level="error", access_log=False, ws="none", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.should_exit = True
        self._thread.join(30)

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts a server on a volume and a picture; `serve(default="tiny")` has a model of boxes only."""
    from anytomy.core.errors import MissingDependencyError
    from anytomy.server.page_files import Page

    try:
        Page.read()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    with contextlib.ExitStack() as stack:

        def start(default: str = "clicks") -> Served:
            write_cases(tmp_path / "scans")
            made = Served(tmp_path / "scans", default)
            stack.callback(made.stop)
            return made

        yield start


@pytest.fixture
def sit(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Person]]:
    """Opens a page as somebody would; requests to other hosts, violated policies and errors fail the test."""
    people: list[Person] = []

    def down(address: str, **options: Any) -> Person:
        context = chromium.new_context(viewport={"width": 1280, "height": 720}, **options)
        people.append(Person(context, address, PICTURES / request.node.name))
        return people[-1]

    yield down
    for person in people:
        person.leave()
