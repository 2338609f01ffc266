"""A page in three files, as the build of `web/` lays one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INDEX = '<!doctype html><title>Anytomy</title><script type="module" src="./assets/index-1a2b.js"></script>'
SCRIPT = "document.title += ' runs'\n"


def write_page(folder: Path) -> Path:
    """The folder, with a page in it."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "favicon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "assets" / "index-1a2b.js").write_text(SCRIPT)
    (folder / ".sources").write_text("checksum")
    return folder
