"""Who may ask, and how much at a time: `Guard`, in front of everything else.

- `Host` must name this server: a page whose name was made to point at the loopback address is refused.
- `Origin`, where a browser sends one, must be the server's own or one that was allowed; no wildcards.
- Where others can reach the server, a token: as `Authorization: Bearer`, or as a cookie, which a visit with
  `?token=` sets once. It is compared in constant time.
- No body is larger than it may be, whatever its headers say.
- Every answer has headers that keep a page from loading or leaking anything.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from anytomy.server.problems import body
from anytomy.server.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from anytomy.server.settings import Settings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "anytomy-token"
# What takes files; every other body is small.
_TAKES_FILES = re.compile(r"/api/v1/uploads|/session/|/infer/[^/]+|/datastore/(image|label)?")
# What a client of the MONAI Label protocol asks before it has a token.
_LOGIN = ("/auth/", "/auth/token")
_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class _TooLargeError(Exception):
    """The body is larger than it may be."""


class Guard:
    """Refuses what must not get in.

    Args:
        app: What it guards.
        settings: Host, token, origins, limits.
        policy: The content security policy of an answer, by its path.

    Attributes:
        app: What it guards.
    """

    def __init__(
        self, app: App, settings: Settings, policy: Callable[[str], str] = lambda _: API_POLICY
    ) -> None:
        self.app: Any = app
        self._settings = settings
        self._policy = policy
        self._names = _own_names(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        origin = headers.get("origin")
        extra = {**_HEADERS, "Content-Security-Policy": self._policy(scope["path"])}
        extra |= self._cross_origin(origin)
        reply = _with_headers(send, extra)
        refusal = self._refusal(scope, headers, origin)
        if refusal is not None:
            await _answer(reply, *refusal)
        elif scope["method"] == "OPTIONS":
            await _answer(reply, 204, b"", [])
        elif scope["path"] not in _LOGIN and not self._has_token(headers):
            await self._ask_for_token(scope, reply)
        else:
            await self._bounded(scope, headers, receive, reply)

    def _cross_origin(self, origin: str | None) -> dict[str, str]:
        if origin not in self._settings.origins:
            return {"Cross-Origin-Resource-Policy": "same-origin", "Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }

    def _refusal(self, scope: Scope, headers: dict[str, str], origin: str | None) -> Any:
        host = headers.get("host", "")
        if sum(key.lower() == b"host" for key, _ in scope["headers"]) != 1 or not self._is_own(host):
            return 421, *_json(body("WrongHost", "this server does not have that name"))
        if origin is not None and origin not in self._settings.origins and not _same(origin, host):
            return 403, *_json(
                body("ForeignOrigin", "requests from that page are not allowed", "--allow-origin")
            )
        # Browsers that send no Origin with a POST say where it came from in this way.
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if origin is None and foreign and scope["method"] not in _SAFE:
            return 403, *_json(body("ForeignOrigin", "requests from other pages are not allowed"))
        return None

    def _is_own(self, host: str) -> bool:
        name = _hostname(host)
        if name is None:
            return False
        if name in self._names:
            return True
        # An address cannot be made to point elsewhere as a name can.
        return self._settings.is_open and _is_address(name)

    def _has_token(self, headers: dict[str, str]) -> bool:
        if self._settings.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        offers = [given.strip()] if kind.lower() == "bearer" else []
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        return self._fits(offers + ([cookie.value] if cookie else []))

    def _fits(self, offers: Iterable[str]) -> bool:
        token = (self._settings.token or "").encode()
        return any(hmac.compare_digest(offer.encode(), token) for offer in offers)

    async def _ask_for_token(self, scope: Scope, send: Send) -> None:
        """Take a token from the address, put it into a cookie and out of sight; else refuse."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and self._fits(value for key, value in query if key == "token"):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            cookie = f"{COOKIE}={self._settings.token}; Path=/; HttpOnly; SameSite=Strict{secure}"
            path = "/" + scope["path"].encode("ascii", "ignore").decode().lstrip("/\\")
            safe = "".join(letter for letter in path if letter.isprintable())
            place = safe + (f"?{rest}" if rest else "")
            headers = [(b"set-cookie", cookie.encode()), (b"location", place.encode())]
            await _answer(send, 303, b"", headers)
            return
        refusal = body("TokenNeeded", "this server wants its token", "it was printed when the server started")
        status, content, headers = 401, *_json(refusal)
        await _answer(send, status, content, [*headers, (b"www-authenticate", b"Bearer")])

    async def _bounded(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        limits = self._settings.limits
        most = limits.upload_bytes if _TAKES_FILES.fullmatch(scope["path"]) else limits.body_bytes
        refusal = 413, *_json(body("TooLarge", f"expected a body of at most {most} bytes"))
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > most:
            await _answer(send, *refusal)
            return
        held, begun, over = 0, False, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal held, over
            message = await receive()
            held += len(message.get("body", b""))
            over = held > most
            if over:
                raise _TooLargeError
            return message

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if over and not begun:
                raise _TooLargeError  # instead of what the app makes of a body that was cut off
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except _TooLargeError:
            if begun:
                raise
            await _answer(send, *refusal)


def _own_names(host: str) -> frozenset[str]:
    """Names and addresses under which a server may be asked."""
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def _hostname(host: str) -> str | None:
    """The name in a Host header; None for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(origin: str, host: str) -> bool:
    """Whether a page comes from the server itself."""
    scheme, _, netloc = origin.partition("://")
    return scheme in ("http", "https") and netloc.lower() == host.lower()


def _json(document: dict[str, Any]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    return json.dumps(document).encode(), [(b"content-type", b"application/json")]


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = {key.lower() for key, _ in message.get("headers", [])}
            more = [
                (k.lower().encode(), v.encode()) for k, v in extra.items() if k.lower().encode() not in given
            ]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sent


async def _answer(send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = [] if status == 204 else [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": content})
