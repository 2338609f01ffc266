"""Plain values as the text of a TOML file: `toml_text` (the standard library only reads TOML)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Any]) -> str:
    """A mapping as TOML: plain values first, then tables and arrays of tables.

    Args:
        values: Strings, finite numbers, booleans, lists of these, mappings, and lists of mappings.
    """
    return "\n".join(_lines(values, "")).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    plain = {n: v for n, v in table.items() if not isinstance(v, Mapping) and not _is_tables(v)}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in plain.items()]
    for name, below in table.items():
        if name in plain:
            continue
        dotted = prefix + _key(name)
        if isinstance(below, Mapping):
            lines += ["", f"[{dotted}]", *_lines(below, dotted + ".")]
        else:
            for item in below:
                lines += ["", f"[[{dotted}]]", *_lines(item, dotted + ".")]
    return lines


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    # JSON's strings, numbers and lists of them are TOML's, but for the one control character that JSON
    # leaves as it is.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")
