from __future__ import annotations

import socket
from pathlib import Path

import pytest

from anytomy.core.errors import InputError, ModelError, OptionError
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

    def test_a_taken_port_is_said_to_be_so(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = prepared(folder, port=taken.getsockname()[1])
            with pytest.raises(OptionError, match="cannot listen"):
                running.run(settings)
