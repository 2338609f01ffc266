from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from anytomy.core.errors import InputError, ModelError, OptionError, OutputError
from anytomy.server import running
from anytomy.server.settings import Settings, state_folder


@pytest.fixture
def _fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anytomy.zoo.store.ensure", lambda _: Path())


def prepared(folder: Path, **changes: object) -> Settings:
    values = {"port": 8719, "host": "127.0.0.1", "output": None, "model": "litemedsam", "origins": []}
    return running.prepared([folder], **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.usefixtures("_fetched")
class TestPrepared:
    def test_only_a_server_that_others_can_reach_has_a_token(self, folder: Path) -> None:
        assert prepared(folder).token is None
        first, second = (prepared(folder, host="0.0.0.0").token for _ in range(2))
        assert first != second
        assert len(first or "") >= 43

    def test_the_same_paths_have_the_same_state(self, folder: Path, tmp_path: Path) -> None:
        assert prepared(folder).state == prepared(folder).state
        assert prepared(folder).state != state_folder([tmp_path], None)
        assert prepared(folder, output=tmp_path / "out").state == tmp_path / "out" / ".anytomy"

    @pytest.mark.parametrize(
        ("changes", "kind"),
        [({"model": "no-such"}, ModelError), ({"origins": ["*"]}, OptionError)],
    )
    def test_what_is_wrong_is_found_before_anything_runs(
        self, folder: Path, changes: dict[str, object], kind: type[Exception]
    ) -> None:
        with pytest.raises(kind):
            prepared(folder, **changes)

    def test_a_path_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            prepared(tmp_path / "nowhere")


@pytest.mark.usefixtures("_fetched")
class TestRun:
    def test_a_taken_port_is_said_to_be_so(self, folder: Path) -> None:
        with taken_port() as port, pytest.raises(OptionError, match="cannot listen") as caught:
            running.run(prepared(folder, port=port))
        assert "--port" in str(caught.value)

    def test_where_others_may_be_tried_it_takes_the_next_free_one(self, folder: Path) -> None:
        with taken_port() as port:
            assert ran(prepared(folder, port=port), ports=50).port > port

    def test_it_says_that_it_is_ready_when_requests_are_taken(self, folder: Path) -> None:
        assert ran(prepared(folder, port=free_port())).model == "litemedsam"

    def test_small_answers_are_not_held_back(self, folder: Path) -> None:
        """asyncio asks for this before it sets TCP_NODELAY; without, an answer takes 40 ms longer."""
        with running._listening(prepared(folder, port=free_port()), 1) as listening:
            assert listening.proto == socket.IPPROTO_TCP

    def test_a_second_one_on_the_same_state_is_refused_in_one_line(self, folder: Path) -> None:
        settings = prepared(folder, port=free_port())
        held = FileLock(settings.state / "lock")
        settings.state.mkdir(parents=True)
        with held, pytest.raises(OutputError, match="another server"):
            ran(settings)


@pytest.mark.parametrize(
    ("host", "token", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8719/"),
        ("::1", None, "http://[::1]:8719/"),
        ("10.0.0.7", "abc", "http://10.0.0.7:8719/?token=abc"),
        ("0.0.0.0", "abc", f"http://{socket.gethostname()}:8719/?token=abc"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(host: str, token: str | None, expected: str) -> None:
    assert running.address(Settings((Path(),), Path(), host=host, token=token)) == expected


class _StopError(Exception):
    pass


def ran(settings: Settings, **options: int) -> Settings:
    """The settings with which a server became ready; it is asked one thing, and stopped."""
    found: list[Settings] = []

    def ready(made: Settings) -> None:
        found.append(made)
        with socket.create_connection(("127.0.0.1", made.port), timeout=5):
            raise _StopError

    with contextlib.suppress(_StopError):
        running.run(settings, ready=ready, **options)
    return found[0]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])
