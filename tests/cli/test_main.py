"""What all commands share: help, version, envelopes, streams, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import anytomy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

COMMANDS = (
    "segment",
    "info",
    "view",
    "doctor",
    "demo",
    "models list",
    "models info",
    "models fetch",
    "models verify",
    "models add",
    "datasets list",
    "datasets info",
    "datasets get",
    "datasets add",
    "datasets verify",
    "datasets show",
    "datasets split",
    "datasets remove",
    "cache info",
    "tune",
    "cache clear",
)


def shell(*arguments: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "anytomy.cli.main", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run(command, text=True, timeout=60, check=False, **streams)  # type: ignore[call-overload]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run: Run, command: str) -> None:
    for option in ("--help", "-h"):
        shown = run(*command.split(), option)
        assert (shown.code, shown.err) == (0, "")
        assert f"anytomy {command}" in shown.out.partition("Example")[2]


@pytest.mark.parametrize("group", ["", "models", "datasets", "cache"])
def test_alone_it_shows_help(run: Run, group: str) -> None:
    shown = run(*group.split())
    assert (shown.code, shown.err) == (0, "")
    assert "Usage" in shown.out


def test_version(run: Run) -> None:
    assert run("--version").out == f"anytomy {anytomy.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("bogus",), "anytomy"),
        (("segment",), "segment"),
        (("segment", "photo", "--bogus"), "segment"),
        (("segment", "photo", "--slice", "x"), "segment"),
        (("models", "bogus"), "models"),
        (("models", "info"), "models info"),
        (("cache", "clear", "--bogus"), "cache clear"),
        (("--bogus",), "anytomy"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], command: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "--help" in outcome.error
    outcome = run(*arguments, "--json")
    assert outcome.code == 2
    assert outcome.json["command"] == command
    assert outcome.json["error"]["kind"] == "UsageError"


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "info", "nope"),
        ("models", "fetch", "nope"),
        ("models", "verify", "nope"),
        ("models", "add", "nope.pth"),
        ("cache", "clear"),
        ("info", "nope.png"),
        ("demo", "--model", "nope"),
    ],
)
def test_errors_of_all_commands(run: Run, arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.code == 1
    envelope = run(*arguments, "--json").json
    assert envelope["ok"] is False
    assert envelope["error"]["message"] in said.error
    assert envelope["command"] == " ".join(a for a in arguments[:2] if "." not in a and a[0] != "-")


@pytest.mark.parametrize(
    "command", ["models list", "models info litemedsam", "models verify", "cache info", "doctor"]
)
def test_each_command_has_an_envelope(run: Run, command: str) -> None:
    envelope = run(*command.split(), "--json").json
    assert envelope["command"] in command
    assert envelope["data"]
    assert run(*command.split()).out


def test_offline_without_weights(
    run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    command = ("segment", photo, "--box", "4,6,20,16", "-o", tmp_path / "m.png")
    assert "ANYTOMY_OFFLINE" in run(*command).error
    assert run(*command, "--json").json["error"]["kind"] == "OfflineError"
    assert not (tmp_path / "m.png").exists()


def test_damaged_weights(run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    weights = tmp_path / "cache" / "weights" / "lite_medsam.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"not the weights")
    monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "cache"))
    assert "sha256" in run("segment", photo, "--box", "4,6,20,16", "-o", tmp_path / "m.png").error


@pytest.mark.parametrize("where", [0, 1, 3])
def test_debug_shows_where_an_error_came_from(run: Run, where: int) -> None:
    arguments = ["models", "info", "nope"]
    arguments.insert(where, "--debug")
    outcome = run(*arguments)
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert run(*arguments, "--json").json["ok"] is False


def test_no_is_an_answer(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    outcome = run("cache", "clear", "--embeddings")
    assert outcome.code == 1
    assert "nothing was removed" in outcome.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [("models", "list"), ("models", "list", "--json"), ("info", "x", "--json")]
)
def test_output_that_cannot_be_printed(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        outcome = shell(*arguments, stdout=full)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes differ")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_reader_that_went_away(more: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outcome = shell("models", "list", *more, stdout=writer)
    os.close(writer)
    assert (outcome.returncode, outcome.stderr) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_streams_that_are_closed() -> None:
    line = f'"{sys.executable}" -m anytomy.cli.main models list'
    assert subprocess.run(f"{line} >&-", shell=True, stderr=subprocess.PIPE, check=False).stderr == b""  # noqa: S602
    assert subprocess.run(f"{line} >&- 2>&-", shell=True, check=False).returncode == 0  # noqa: S602


def test_a_terminal_of_few_letters(photo: Path, tmp_path: Path) -> None:
    odd = photo.rename(tmp_path / "肝臓.png")
    outcome = shell("info", odd, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_nothing_behind(photo: Path, tmp_path: Path, number: int, code: int) -> None:
    """A real process that is stopped while it works."""
    script = """
import sys, time
from anytomy.cli import main, work
from anytomy.predict.model import Model
from anytomy.zoo.registry import card
from tests.cli.conftest import BoxEngine
engine = BoxEngine()
def hook():
    print("working", file=sys.stderr, flush=True)
    time.sleep(30)
engine.hook = hook
work._load = lambda options: Model(card("litemedsam"), engine)
main.main(sys.argv[1:])
"""
    out = tmp_path / "out"
    arguments = ("segment", str(photo), "--box", "4,6,20,16", "-o", str(out / "m.png"), "--json")
    root = str(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert not out.exists() or not any(out.iterdir())
    if number == signal.SIGINT:
        assert json.loads(said)["error"]["message"] == "interrupted"
