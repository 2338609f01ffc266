"""A small file server on the loopback address that can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Server:
    """A file server, and what it shall do wrong."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    etag: str = '"one"'
    modified: str = ""
    cut_after: int = 0  # bytes of each answer, while `cuts` lasts
    cuts: int = 0
    status: int = 0  # instead of the file, while `failures` lasts
    failures: int = 0
    content_type: str = "application/octet-stream"
    redirect: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range


class _Handler(BaseHTTPRequestHandler):
    state: Server

    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        # A client that hung up is part of the tests.
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def do_HEAD(self) -> None:
        body = self.state.files.get(self.path.lstrip("/"))
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()

    def do_GET(self) -> None:
        state = self.state
        wanted = self.headers.get("Range", "")
        state.asked.append((self.path, wanted))
        if state.failures:
            state.failures -= 1
            self.send_error(state.status)
            return
        if state.redirect:
            self.send_response(302)
            self.send_header("Location", state.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = state.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start, total = 0, len(body)
        same = self.headers.get("If-Range", "") in (state.etag, state.modified)
        if wanted and state.ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", state.content_type)
        self.send_header("Content-Length", str(total - start))
        for name, value in (("ETag", state.etag), ("Last-Modified", state.modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        end = total
        if state.cuts:
            state.cuts -= 1
            end = min(total, start + state.cut_after)
        self.wfile.write(body[start:end])
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("Handler", (_Handler,), {"state": state})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()
