"""The built page: its files as they are served, and what it may load (`Page`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

BUILT = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_INDEX = "index.html"
# The build puts a hash of the content into the names of these: what was loaded once stays right for ever.
_HASHED = "assets/"
_KEPT = "public, max-age=31536000, immutable"
# Said here, as what a system knows of endings may be changed by whatever is installed on it.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}


@dataclass(frozen=True, eq=False)
class Page:
    """The page's files, in memory: nothing that a client asks for ever becomes a path on the disk.

    Attributes:
        files: Content by path below the root of the server, `assets/index-1a2b3c4d.js`.
    """

    files: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Path | None = None) -> Page:
        """The page in a folder; that of this installation where None.

        Raises:
            MissingDependencyError: If none was built there.
        """
        folder = folder or BUILT
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        names = {path.relative_to(folder).as_posix(): path for path in found}
        if _INDEX not in names:
            raise MissingDependencyError(
                "the page was not built into this installation",
                hint="run `make page` in the checkout, or install a wheel (`make wheel`)",
            )
        shown = {name: path for name, path in names.items() if not name.startswith(".")}
        return cls({name: path.read_bytes() for name, path in shown.items()})

    def serve(self, app: FastAPI) -> None:
        """Answer the addresses of its files."""
        for name in self.files:
            address = "/" if name == _INDEX else f"/{name}"
            app.add_route(address, self._answering(name), methods=["GET"], include_in_schema=False)

    def policy(self, path: str) -> str | None:
        """What an answer at a path may load, where it is the page's; else None."""
        return POLICY if (path.removeprefix("/") or _INDEX) in self.files else None

    def _answering(self, name: str) -> Callable[[Request], Response]:
        from starlette.responses import Response

        media = _TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
        headers = {"Cache-Control": _KEPT} if name.startswith(_HASHED) else {}

        def answer(request: Request) -> Response:
            return Response(self.files[name], media_type=media, headers=headers)

        return answer
