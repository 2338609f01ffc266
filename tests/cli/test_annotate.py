from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anytomy.server import page_files, running
from tests.cli.conftest import Outcome, write_photo
from tests.server.made_page import write_page

Run = Callable[..., Outcome]


class Started:
    """What a command would have started; it is said to be ready at once."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.options: dict[str, Any] = {}

    def __call__(self, settings: Any, *, ready: Callable[[Any], None], **options: Any) -> None:
        self.settings, self.options = settings, options
        ready(settings)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    made = Started()
    monkeypatch.setattr(running, "run", made)
    monkeypatch.setattr("anytomy.zoo.store.ensure", lambda _: Path())
    monkeypatch.setattr(page_files, "BUILT", write_page(tmp_path / "page"))
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was asked to open, on a machine with a screen."""
    found: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", found.append)
    return found


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "scans" / "photo.png").parent


class TestAnnotate:
    def test_it_shows_the_page_and_opens_it(
        self, run: Run, started: Started, opened: list[str], scans: Path
    ) -> None:
        outcome = run("annotate", scans)
        assert outcome.code == 0
        assert "http://127.0.0.1:8719/" in outcome.err
        assert "not a medical device" in outcome.err
        for _ in range(1000):  # a thread of its own does it
            if opened:
                break
            time.sleep(0.01)
        assert opened == ["http://127.0.0.1:8719/"]
        assert set(started.options["page"].files) >= {"index.html"}

    def test_no_browser_is_opened_where_none_is_wanted(
        self, run: Run, started: Started, opened: list[str], scans: Path
    ) -> None:
        assert "http://127.0.0.1:8719/" in run("annotate", scans, "--no-browser").err
        assert opened == []

    def test_nor_where_the_address_has_a_secret_which_is_printed(
        self, run: Run, started: Started, opened: list[str], scans: Path
    ) -> None:
        outcome = run("annotate", scans, "--host", "10.0.0.7")
        assert f"http://10.0.0.7:8719/?token={started.settings.token} " in outcome.err
        assert "without encryption" in outcome.err
        assert opened == []

    def test_a_port_that_was_asked_for_is_that_port(
        self, run: Run, started: Started, opened: list[str], scans: Path
    ) -> None:
        run("annotate", scans)
        assert started.options["ports"] > 1
        run("annotate", scans, "--port", "9000")
        assert (started.settings.port, started.options["ports"]) == (9000, 1)

    def test_a_page_that_was_not_built_is_an_error_with_the_way_out(
        self, run: Run, started: Started, scans: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(page_files, "BUILT", tmp_path / "nowhere")
        assert "make page" in run("annotate", scans).error


class TestServe:
    def test_it_is_the_api_alone_and_opens_nothing(
        self, run: Run, started: Started, opened: list[str], scans: Path
    ) -> None:
        outcome = run("serve", scans)
        assert "http://127.0.0.1:8719/api/v1/health" in outcome.err
        assert started.options.get("page") is None
        assert opened == []

    def test_its_token_is_printed_apart_from_the_address(
        self, run: Run, started: Started, scans: Path
    ) -> None:
        outcome = run("serve", scans, "--host", "10.0.0.7")
        assert f"token: {started.settings.token}\n" in outcome.err
        assert "?token=" not in outcome.err


@pytest.mark.parametrize("command", ["annotate", "serve"])
def test_both_take_the_same_options_and_ask_the_same_model(
    run: Run, started: Started, scans: Path, tmp_path: Path, command: str
) -> None:
    run(command, scans, "--no-browser" if command == "annotate" else "--port=8719")
    assert started.settings.model == "litemedsam-click"
    given = ["--output", tmp_path / "out", "--model", "litemedsam", "--allow-origin", "https://a.example.org"]
    run(command, scans, "--port", "9000", *given)
    expected = {"port": 9000, "output": tmp_path / "out", "model": "litemedsam"}
    assert expected.items() <= dataclasses.asdict(started.settings).items()
    assert started.settings.origins == {"https://a.example.org"}
