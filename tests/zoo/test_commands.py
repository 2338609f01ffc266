from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anytomy.cli import cache, models
from anytomy.core.errors import AnytomyError, ChecksumError, OptionError
from anytomy.zoo.artifact import weights_artifact
from anytomy.zoo.registry import card

from .conftest import PAYLOAD

pytest.importorskip("anytomy.cli.output")


def run(app: Any, *arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    if isinstance(result.exception, AnytomyError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(app: Any, *arguments: str) -> Any:
    return json.loads(run(app, *arguments, "--json"))


def found_in(envelope: Any, key: str) -> Any:
    """A value of the data, wherever the envelope keeps it."""
    if isinstance(envelope, dict):
        if key in envelope:
            return envelope[key]
        for value in envelope.values():
            if isinstance(value, dict) and (found := found_in(value, key)) is not None:
                return found
    return None


def test_list() -> None:
    assert "litemedsam" in run(models.app, "list")
    rows = {row["id"]: row for row in found_in(run_json(models.app, "list"), "models")}
    assert rows["litemedsam"]["prompts"] == ["box"]
    assert rows["litemedsam"]["cached"] is False


def test_info_shows_all() -> None:
    text = run(models.app, "info", "litemedsam")
    for fact in ("ct:soft", "percentile:0.5,99.5", "79d8c9dca6db", "unverified", "minmax", "area"):
        assert fact in text
    assert "(unverified)" in run(models.app, "info", "medsam")
    assert found_in(run_json(models.app, "info", "litemedsam"), "intensity")["CT"] == "ct:soft"


def test_an_unknown_id() -> None:
    with pytest.raises(AnytomyError, match="did you mean litemedsam"):
        run(models.app, "info", "litmedsam")


def test_fetch_and_verify(tmp_path: Path) -> None:
    path = weights_artifact(card("medsam")).path
    path.parent.mkdir(parents=True)
    path.write_bytes(PAYLOAD)
    assert str(path) in run(models.app, "fetch", "medsam")
    assert found_in(run_json(models.app, "fetch", "medsam"), "hash") == "recorded"
    assert "recorded" in run(models.app, "verify")
    path.write_bytes(b"rotten")
    with pytest.raises(ChecksumError, match="medsam"):
        run(models.app, "verify", "medsam")
    assert found_in(run_json(models.app, "verify", "medsam"), "models")[0]["state"] == "absent"


def test_add(tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    file.write_bytes(PAYLOAD)
    assert "mine" in run(models.app, "add", str(file), "--arch", "sam_vit_b")
    assert "mine" in run(models.app, "list")
    assert str(file) in run(models.app, "fetch", "mine")


def test_cache_info_and_clear(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "embeddings" / "x.npy"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"12345")
    assert "embeddings" in run(cache.app, "info")
    assert found_in(run_json(cache.app, "info"), "bytes") == 5
    with pytest.raises(OptionError, match="--all"):
        run(cache.app, "clear")
    with pytest.raises(OptionError, match="--yes"):
        run_json(cache.app, "clear", "--all")
    assert CliRunner().invoke(cache.app, ["clear", "--all"], input="n\n").exit_code == 1
    assert file.exists()
    assert "1 files" in run(cache.app, "clear", "--embeddings", "--yes")
    assert not file.exists()


@pytest.mark.parametrize("app", [models.app, cache.app])
def test_every_command_has_an_example_and_json(app: Any) -> None:
    for command in app.registered_commands:
        assert "Example: anytomy " in (command.callback.__doc__ or "")
        assert "as_json" in command.callback.__annotations__


def test_the_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, anytomy.cli.models, anytomy.cli.cache, anytomy.zoo\n"
        "heavy = {'numpy', 'torch', 'rich.table', 'urllib.request', 'filelock'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
