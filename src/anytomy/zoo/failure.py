"""What a source says when it cannot give a file."""

from __future__ import annotations

import re

__all__ = ["SourceError", "hide_password"]

_PASSWORD = re.compile(r"://[^/@\s]+@")


class SourceError(Exception):
    """One source did not work; the next one is tried. The text is the reason, one line."""


def hide_password(text: str) -> str:
    """A text whose addresses have lost their user and password, for messages."""
    return _PASSWORD.sub("://***@", text)
