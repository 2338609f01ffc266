"""Download over http(s), and go on where an earlier try stopped.

What has come so far lies in `FILE.part`; `FILE.part.json` says of which version of the file, by the
server's own tag or date. A server that does not know ranges, or whose file has changed, starts over.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from anytomy import __version__
from anytomy.core.errors import OutputError
from anytomy.zoo.disk import full_disk, need_space
from anytomy.zoo.failure import SourceError
from anytomy.zoo.progress import Advance, byte_bar

__all__ = ["discard_part", "download", "remote_size"]

_CHUNK = 1 << 18
_TRIES = 4
_TIMEOUT_S = 30.0
_ASKING_S = 10.0
_PAUSE_S = 0.5
_HEADERS = {"User-Agent": f"anytomy/{__version__}", "Accept-Encoding": "identity"}
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class _Version:
    """Which version of a file the server sends; empty fields were not told."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int = 0


class _DroppedError(Exception):
    """The transfer stopped early, and another try may go on."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Never from https to anything less, and never to a file or an ftp server."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self._schemes = schemes

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Any:
        if urlsplit(newurl).scheme not in self._schemes:
            raise SourceError("the server redirects to an address that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, part: Path, *, title: str, progress: bool = True, allow_http: bool = False) -> bool:
    """Download to a `.part` file, going on with what is there already.

    Args:
        url: The address.
        part: The file to write; its folder exists.
        title: For the progress bar.
        progress: Whether a bar may be drawn.
        allow_http: Whether plain http will do (only for a mirror that the user set).

    Returns:
        Whether an earlier part was used, which is then a suspect if the hash is wrong.

    Raises:
        SourceError: The server or the network does not do it; the reason is its text.
        OutputError: The disk is full or cannot be written.
    """
    scheme = urlsplit(url).scheme
    if scheme not in (("https", "http") if allow_http else ("https",)):
        raise SourceError("only https addresses are used")
    # A mirror on https must stay there too: the user chose it.
    opener = urllib.request.build_opener(_Redirects(("https",) if scheme == "https" else ("https", "http")))
    resumed = part.exists() and _read_version(part, url) is not None
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S * 2 ** (attempt - 1))
        try:
            _transfer(opener, url, part, title=title, progress=progress)
        except _DroppedError as error:
            reason = str(error)
        else:
            _version_path(part).unlink(missing_ok=True)
            return resumed
    raise SourceError(f"{reason} ({_TRIES} tries)")


def remote_size(url: str, *, allow_http: bool = False) -> int:
    """The bytes that an address would send; 0 where the server does not say or cannot be asked."""
    schemes = ("https", "http") if allow_http else ("https",)
    if urlsplit(url).scheme not in schemes:
        return 0
    request = urllib.request.Request(url, headers=_HEADERS, method="HEAD")
    try:
        with urllib.request.build_opener(_Redirects(schemes)).open(request, timeout=_ASKING_S) as answer:
            length = answer.headers.get("Content-Length") or ""
            page = (answer.headers.get("Content-Type") or "").startswith("text/html")
    except (OSError, http.client.HTTPException, SourceError):
        return 0
    return int(length) if length.isdecimal() and not page else 0


def discard_part(part: Path) -> None:
    """Forget what has come so far."""
    part.unlink(missing_ok=True)
    _version_path(part).unlink(missing_ok=True)


def _transfer(
    opener: urllib.request.OpenerDirector, url: str, part: Path, *, title: str, progress: bool
) -> None:
    """One try.

    Raises:
        _DroppedError: Another try may help.
        SourceError: It will not.
    """
    known = _read_version(part, url)
    offset = part.stat().st_size if known is not None and part.exists() else 0
    request = urllib.request.Request(url, headers=_HEADERS)
    if offset and known is not None:
        if offset == known.total:
            return
        request.add_header("Range", f"bytes={offset}-")
        request.add_header("If-Range", known.etag or known.modified)
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            start, version = _understand(answer.status, answer.headers, url, offset, known)
            _write_version(part, version)
            if version.total:
                need_space(part.parent, version.total - start)
            with byte_bar(title, version.total or None, progress=progress) as advance:
                _copy(answer, part, start, advance)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            discard_part(part)
            raise _DroppedError("the server refuses to go on") from error
        reason = f"HTTP {error.code} {error.reason}".strip()
        if error.code in _RETRY_STATUS:
            raise _DroppedError(reason) from error
        raise SourceError(reason) from error
    except urllib.error.URLError as error:
        raise _DroppedError(_network_reason(error.reason)) from error
    except (TimeoutError, http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
        raise _DroppedError(_network_reason(error)) from error
    came = part.stat().st_size
    if version.total and came != version.total:
        raise _DroppedError(f"the connection broke off after {came} of {version.total} bytes")


def _understand(
    status: int, headers: Mapping[str, str], url: str, offset: int, known: _Version | None
) -> tuple[int, _Version]:
    """Where the server's bytes start, and of which version they are."""
    if (headers.get("Content-Type") or "").startswith("text/html"):
        # Log-in pages and "are you sure" pages come with status 200.
        raise SourceError("the server sent a web page instead of the file")
    etag = headers.get("ETag") or ""
    length = headers.get("Content-Length") or ""
    version = _Version(
        url=url,
        # A weak tag does not promise equal bytes, so it cannot hold two halves together.
        etag="" if etag.startswith("W/") else etag,
        modified=headers.get("Last-Modified") or "",
        total=int(length) if length.isdecimal() else 0,
    )
    if status != 206:
        return 0, version
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", (headers.get("Content-Range") or "").strip())
    if match is None or int(match[1]) != offset:
        raise SourceError("the server answered with another range than it was asked for")
    total = int(match[3])
    if known is not None and known.total not in (0, total):
        raise SourceError("the file on the server has changed in the middle")
    return offset, _Version(url, version.etag, version.modified, total)


def _copy(answer: IO[bytes], part: Path, start: int, advance: Advance) -> None:
    """Write what comes, from `start` on."""
    try:
        stream = part.open("r+b" if start else "wb")
    except OSError as error:
        raise OutputError(f"expected to write {part}, but: {error.strerror}") from error
    with stream:
        stream.seek(start)
        stream.truncate()
        done = start
        advance(done)
        while chunk := answer.read(_CHUNK):
            try:
                stream.write(chunk)
            except OSError as error:
                if (full := full_disk(error, part.parent)) is not None:
                    raise full from error
                raise OutputError(f"expected to write {part}, but: {error.strerror}") from error
            done += len(chunk)
            advance(done)


def _network_reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    return f"no connection: {error}" if str(error) else f"no connection: {type(error).__name__}"


def _version_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_version(part: Path, url: str) -> _Version | None:
    """The version of a part, if it is of this address and can be asked for again."""
    try:
        values = json.loads(_version_path(part).read_text(encoding="utf-8"))
        version = _Version(
            str(values["url"]), str(values["etag"]), str(values["modified"]), int(values["total"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if version.url == url and (version.etag or version.modified) else None


def _write_version(part: Path, version: _Version) -> None:
    _version_path(part).write_text(json.dumps(vars(version)), encoding="utf-8")
