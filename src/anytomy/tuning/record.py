"""What a run folder says of itself: `run.json`, and whether a run may go on in it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError, OutputError
from anytomy.io.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

SCHEMA = "anytomy.tune/1"
FILE = "run.json"
VERSIONED = ("numpy", "torch", "monai", "accelerate", "peft", "openvino", "onnxruntime")


def read(folder: Path, schema: str = SCHEMA) -> dict[str, Any] | None:
    """The record of a run folder; None where there is none.

    Args:
        folder: Of the run.
        schema: Of the kind of run.

    Raises:
        OptionError: If it cannot be read or is of something else.
    """
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OptionError(
            f"expected a folder for the run, but {folder} is none", hint="choose another with -o"
        ) from error
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {error}", hint="choose another folder with -o") from error
    if not isinstance(held, dict) or held.get("schema") != schema:
        raise OptionError(
            f"expected a run of schema {schema} in {path}", hint="choose another folder with -o"
        )
    return held


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record.

    Raises:
        OutputError: If it cannot be written.
    """
    write_text(folder / FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def add(folder: Path, schema: str = SCHEMA, **fields: Any) -> None:
    """Add fields to the record of a run, or change them.

    Raises:
        OptionError: As `read`.
        OutputError: If it cannot be written.
    """
    write(folder, {**(read(folder, schema) or {}), **fields})


def earlier(
    folder: Path,
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    schema: str = SCHEMA,
    others: Iterable[str],
) -> dict[str, Any] | None:
    """The record of an earlier start of the same run; None where there was none.

    Args:
        folder: Of the run.
        config: The configuration of the run to be made.
        facts: Data and weights that it is made with.
        schema: Of the kind of run.
        others: Names of files that say, without a record, that the folder is something else.

    Raises:
        OptionError: The folder is something else, or holds a run of another configuration, or on other data
            or weights; with what differs.
    """
    held = read(folder, schema)
    if held is None:
        if any((folder / name).exists() for name in others):
            raise OptionError(f"{folder} holds something else", hint="choose another folder with -o")
        return None
    wanted = {"config": config, "facts": facts}
    different = [
        f"{name} {_short(was)} there, {_short(now)} here"
        for part, values in wanted.items()
        for name, was, now in _differences(held.get(part, {}), values)
    ]
    if different:
        raise OptionError(
            f"{folder} holds a run of another configuration: {'; '.join(different)}",
            hint="choose another folder with -o, or give the same options to go on with it",
        )
    return held


@contextmanager
def nothing_is_lost(folder: Path) -> Iterator[None]:
    """Say of a file that cannot be written, once a training is over, that the run goes on from there.

    Another folder, which is what helps with other outputs, would begin anew.
    """
    try:
        yield
    except OutputError as error:
        error.hint = (
            f"what was trained is kept in {folder}; when it can be written there, the same command goes on"
        )
        raise


def circumstances() -> dict[str, Any]:
    """What every record says of the start of a run."""
    return {"versions": versions(), "started": now(), "note": "for research, not a medical device"}


def now() -> str:
    """The time, as records have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def versions() -> dict[str, str]:
    """Of what decides the result."""
    import platform
    from importlib import metadata

    from anytomy import __version__

    found = {"anytomy": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def as_json(values: Any) -> Any:
    """Values as JSON has them, None for what is no number."""
    return json.loads(json.dumps(values), parse_constant=lambda _: None)


def write_json(path: Path, values: Any) -> None:
    """Write what a run found, beside its record.

    Raises:
        OutputError: If it cannot be written.
    """
    write_text(path, json.dumps(as_json(values), indent=1) + "\n")


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*was, *now])
    return [(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
