from __future__ import annotations

from pathlib import Path

import pytest

from anytomy.core.errors import OptionError, OutputError
from anytomy.zoo import home


def test_the_variables_move_the_folders(tmp_path: Path) -> None:
    assert home.cache_dir("weights") == tmp_path / "cache" / "weights"
    assert home.user_models_dir() == tmp_path / "home" / "models"


def test_without_variables_the_platform_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANYTOMY_CACHE")
    monkeypatch.delenv("ANYTOMY_HOME")
    assert home.cache_dir().is_absolute()
    assert "anytomy" in home.cache_dir().parts
    assert home.home_dir() != home.cache_dir()


def test_a_relative_folder_is_taken_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTOMY_CACHE", "here")
    assert home.cache_dir() == tmp_path / "here"


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False), ("False", False)]
)
def test_offline(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", value)
    assert home.offline() is expected


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="weights, graphs"):
        home.cache_dir("models")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="set ANYTOMY_CACHE"):
        home.writable(tmp_path / "file" / "below", variable="ANYTOMY_CACHE")
