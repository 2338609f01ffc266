"""A folder with a card in JSON and files whose hashes the card names, as adapters and students are kept.

Needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from anytomy.core.errors import ChecksumError, ModelError

SHA256 = re.compile(r"[0-9a-f]{64}|")
"""A hash in a card; empty until the file is written."""


def read_card(path: Path, *, what: str, version: tuple[str, object], maker: str, anew: str) -> dict[str, Any]:
    """The fields of a card, not checked beyond its version.

    Args:
        path: Of the card.
        what: What the folder holds, for messages: `an adapter`.
        version: Field that tells how cards are written, and the value that is known here.
        maker: Command that writes such folders.
        anew: How to get another one: `train the adapter anew`.

    Raises:
        ModelError: There is none, or it cannot be read or is of another version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"expected {what} in {path.parent}, but there is no {path.name}",
            hint=f"give the folder that `{maker}` wrote",
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"expected {what}'s card at {path}, but it cannot be read: {error}", hint="copy the folder anew"
        ) from error
    if not isinstance(values, dict):
        raise ModelError(f"expected a JSON object in {path}, got a {type(values).__name__}")
    name, known = version
    if values.get(name) != known:
        raise ModelError(
            f"expected {what} of {name} {known} in {path}, got {values.get(name)!r}",
            hint=f"update Anytomy, or {anew}",
        )
    return values


def read_content(path: Path, sha256: str, *, what: str, wrong: str, hint: str) -> bytes:
    """The bytes of a file, if it is the one that the card names.

    Args:
        path: Of the file.
        sha256: Its hash; empty where the card names none.
        what: What the file is, for messages: `the weights of the adapter`.
        wrong: What is said of another file: `is not the file that adapter.json names`.
        hint: What to do then.

    Raises:
        ModelError: It cannot be read.
        ChecksumError: It is another file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"expected {what} at {path}, but: {error.strerror or error}", hint="copy the whole folder"
        ) from error
    actual = hashlib.sha256(content).hexdigest()
    if sha256 and actual != sha256:
        raise ChecksumError(f"{path} {wrong} (sha256 {actual[:12]}… instead of {sha256[:12]}…)", hint=hint)
    return content
