"""What a run folder says of itself: `run.json`, and whether a run may go on in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.io.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    if not isinstance(held, dict) or held.get("schema") != schema:
        raise OptionError(f"expected a run of schema {schema} in {path}", hint="choose another folder")
    return held


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record.

    Raises:
        OutputError: If it cannot be written.
    """
    write_text(folder / FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def check_same(folder: Path, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with a run of another configuration, or on other data or weights.

    Args:
        folder: Of the run.
        held: Its record.
        wanted: `config` and `facts` of the run to be made.

    Raises:
        OptionError: With what differs.
    """
    different = [
        f"{name} {_short(was)} there, {_short(now)} here"
        for part in ("config", "facts")
        for name, was, now in _differences(held.get(part, {}), wanted[part])
    ]
    if different:
        raise OptionError(
            f"{folder} holds a run of another configuration: {'; '.join(different)}",
            hint="choose another folder with -o, or give the same options to go on with it",
        )


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


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*was, *now])
    return [(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
