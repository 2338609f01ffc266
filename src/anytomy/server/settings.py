"""What a server serves and what it refuses: `Settings`, `Limits`."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anytomy.core.errors import InputError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_MODEL = "litemedsam-click"
DEFAULT_PORT = 8719


@dataclass(frozen=True)
class Limits:
    """Bounds of what a client can make the server do.

    Attributes:
        body_bytes: Of a request other than an upload.
        upload_bytes: Of one upload.
        uploads: How many are kept.
        decode_bytes: Address space of the process that decodes an upload.
        decode_seconds: Processor time, and twice that of the clock, of that process.
        cases: How many are listed.
        labels: In a session.
        queued: Model requests of one session that wait at a time.
        live_sessions: Held in memory; the others are parked on disk.
        idle_seconds: After which a session is parked.
        image_bytes: Of all images held in memory; the one in use stays in any case.
    """

    body_bytes: int = 8 * 2**20
    upload_bytes: int = 512 * 2**20
    uploads: int = 100
    decode_bytes: int = 2 * 2**30
    decode_seconds: int = 30
    cases: int = 20_000
    labels: int = 255
    queued: int = 64
    live_sessions: int = 16
    idle_seconds: float = 600.0
    image_bytes: int = 3 * 2**30


@dataclass(frozen=True)
class Settings:
    """What is served, where results go, and to whom.

    Attributes:
        roots: Files and folders, resolved; nothing outside of them is read.
        state: Folder of the work in progress.
        output: Folder of the label maps; beside the images where None.
        host: Address to listen on.
        port: Port to listen on.
        token: What a client must know; None on a loopback address.
        origins: Of other pages that may call the API, as a browser sends them.
        model: The default model.
        limits: See `Limits`.
    """

    roots: tuple[Path, ...]
    state: Path
    output: Path | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    origins: frozenset[str] = frozenset()
    model: str = DEFAULT_MODEL
    limits: Limits = field(default_factory=Limits)

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it."""
        return not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address is that of the machine itself, unreachable for others."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def resolved_roots(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files and folders to serve, links resolved.

    Raises:
        InputError: If one does not exist, or there is none.
    """
    found = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist", hint="name images, or folders with images")
        found.append(Path(os.path.realpath(path)))
    if not found:
        raise InputError("there is nothing to serve", hint="name images, or folders with images")
    return tuple(dict.fromkeys(found))


def state_folder(roots: Iterable[Path], output: Path | None) -> Path:
    """Where work in progress is kept: in the output folder, else under `ANYTOMY_HOME` by the set of roots."""
    if output is not None:
        return output / ".anytomy"
    from anytomy.zoo.home import home_dir

    named = "\0".join(sorted(str(root) for root in roots))
    return home_dir() / "annotations" / hashlib.sha256(named.encode()).hexdigest()[:16]


def checked_origin(text: str) -> str:
    """The origin of an address, as a browser sends it: `https://viewer.example.org:8443`.

    Raises:
        OptionError: If it is no such address; wildcards are none.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = (
        parts.scheme in ("http", "https")
        and parts.hostname
        and not parts.username
        and parts.path in ("", "/")
    )
    if not plain or "*" in text or parts.query or parts.fragment:
        raise OptionError(
            f"expected an --allow-origin like https://viewer.example.org, got {text!r}",
            hint="scheme, host and port only; no wildcards",
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")
