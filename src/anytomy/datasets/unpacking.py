"""Unpack an archive that a stranger made: all of it into its folder and nowhere else, or nothing.

Paths that leave the folder, device files and links out of it are refused, and so is an archive that grows
beyond reason. A link to a file of the same archive becomes a copy of that file, a link to a folder is
refused: what is unpacked has no links that a later file could be written through.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from anytomy.core.errors import DatasetError, OutputError
from anytomy.zoo.disk import full_disk, need_space
from anytomy.zoo.progress import Advance, byte_bar

__all__ = ["UnsoundArchiveError", "refuse_kind", "unpack"]

_CHUNK = 1 << 20
# Label maps of zeros and ones shrink to a 400th. What shrinks more than this was made to fill a disk.
_MOST_GROWTH = 1000
_SMALL = 10**9
_PADDING = 1 << 26
_LONGEST_LINK = 4096
_BEWARE = "nothing of it was kept; look into it before you unpack it by other means"
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
_DRIVE = re.compile(r"[A-Za-z]:")
_UNKNOWN_KINDS = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\x28\xb5\x2f\xfd": "zstd"}
_UNKNOWN_ENDINGS = {".7z": "7z", ".rar": "RAR", ".zst": "zstd", ".tzst": "zstd"}


class UnsoundArchiveError(DatasetError):
    """An archive is damaged: fetching it anew may help."""


@dataclass(frozen=True)
class _Member:
    """One entry of an archive.

    Attributes:
        name: As the archive has it.
        kind: `file`, `folder` or `link`.
        size: Bytes of a file as the archive says.
        open: Opens a file.
        target: Where a link leads to, from the archive's top.
    """

    name: str
    kind: str
    size: int = 0
    open: Callable[[], IO[bytes] | None] = lambda: None
    target: str = ""


def refuse_kind(name: str) -> None:
    """Find out by its name that an archive will not be unpacked, before it is fetched.

    Raises:
        DatasetError: It is 7z, RAR or zstd.
    """
    kind = _UNKNOWN_ENDINGS.get(Path(name.lower()).suffix)
    if kind is not None:
        raise DatasetError(f"expected a zip or tar archive, but {name} is {kind}, which is not unpacked here")


def unpack(archive: Path, folder: Path, *, progress: bool = True) -> None:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into a new folder.

    It is made under another name beside and renamed when it is whole: a run that was killed leaves no half.

    Args:
        archive: The file.
        folder: The folder to make.
        progress: Whether a bar may be drawn.

    Raises:
        UnsoundArchiveError: It is damaged or no archive.
        DatasetError: It leaves its folder, grows beyond reason, or is of a kind that is not unpacked here.
        OutputError: The folder cannot be written or the disk is full.
    """
    temporary = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        size = archive.stat().st_size
        with (
            archive.open("rb") as stream,
            byte_bar(f"unpacking {archive.name}", size, progress=progress) as bar,
        ):
            _extract(stream, _Target(archive.name, temporary, size), bar)
        temporary.rename(folder)
    except _DAMAGE as error:
        raise _unsound(archive, error) from error
    except OSError as error:
        if error.errno is None:  # gzip and bzip2 say so that what they read makes no sense
            raise _unsound(archive, error) from error
        if (full := full_disk(error, folder.parent)) is not None:
            raise full from error
        raise OutputError(
            f"expected to unpack {archive.name} into {folder}, but: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unsound(archive: Path, error: Exception) -> UnsoundArchiveError:
    reason = str(error) or type(error).__name__
    return UnsoundArchiveError(f"expected a sound archive, but {archive.name} is damaged: {reason}")


class _Target:
    """The folder that is filled, and what came so far.

    Args:
        name: The archive's, for messages.
        root: The folder.
        size: Of the archive in bytes.
    """

    def __init__(self, name: str, root: Path, size: int) -> None:
        self.name = name
        self.root = root
        self._limit = max(_SMALL, _MOST_GROWTH * size)
        self._written = 0

    def expect(self, count: int) -> None:
        """Check that bytes to come are within reason and within the disk.

        Raises:
            DatasetError: They are beyond reason.
            OutputError: The disk has less room.
        """
        if self._written + count > self._limit:
            raise DatasetError(
                f"expected data, but {self.name} grows more than {_MOST_GROWTH}-fold when it is unpacked",
                hint=_BEWARE,
            )
        need_space(self.root, count)

    def path(self, member: str) -> Path:
        """Where a member goes.

        Raises:
            DatasetError: That is outside.
        """
        # Archives made on Windows may have its separators.
        plain = member.replace("\\", "/")
        parts = [part for part in plain.split("/") if part not in ("", ".")]
        if plain.startswith("/") or ".." in parts or _DRIVE.match(plain) or "\0" in plain:
            raise DatasetError(
                f"expected an archive that stays in its folder, but {self.name} has a member {member!r}",
                hint=_BEWARE,
            )
        return self.root.joinpath(*parts)

    def write(self, stream: IO[bytes], path: Path, tell: Callable[[], object]) -> None:
        """Write one file; a later one of the same name takes its place, as in tar."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                self.expect(len(chunk))
                out.write(chunk)
                self._written += len(chunk)
                tell()


def _extract(stream: IO[bytes], target: _Target, bar: Advance) -> None:
    links: list[tuple[Path, Path]] = []
    for member in _members(stream, target):
        path = target.path(member.name)
        if member.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
        elif member.kind == "link":
            links.append((path, target.path(member.target)))
        else:
            target.expect(member.size)
            source = member.open()
            assert source is not None
            with source:
                target.write(source, path, lambda: bar(stream.tell()))
    _copy_links(links, target)


def _copy_links(links: list[tuple[Path, Path]], target: _Target) -> None:
    """Make links copies of the files that they lead to, also by way of each other."""
    while links:
        left = []
        for path, leads_to in links:
            if leads_to.is_file():
                with leads_to.open("rb") as source:
                    target.write(source, path, lambda: None)
            else:
                left.append((path, leads_to))
        if len(left) == len(links):
            path, leads_to = (p.relative_to(target.root) for p in left[0])
            raise DatasetError(
                f"expected files, but {path} in {target.name} is a link to {leads_to}, which is no file of it"
            )
        links = left


def _members(stream: IO[bytes], target: _Target) -> Iterator[_Member]:
    start = stream.read(8)
    stream.seek(0)
    for magic, kind in _UNKNOWN_KINDS.items():
        if start.startswith(magic):
            raise DatasetError(
                f"expected a zip or tar archive, but {target.name} is {kind}, which is not unpacked here"
            )
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _of_zip(stream, target)
    else:
        yield from _of_tar(stream, target)


def _of_zip(stream: IO[bytes], target: _Target) -> Iterator[_Member]:
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        target.expect(sum(entry.file_size for entry in entries))
        for entry in entries:
            if entry.flag_bits & 1:
                raise DatasetError(f"expected an archive without a password, but {target.name} has one")
            mode = entry.external_attr >> 16
            if entry.is_dir() or entry.filename.endswith("\\"):
                yield _Member(entry.filename, "folder")
            elif stat.S_ISLNK(mode):
                with _opened(archive, entry, target) as link:
                    leads_to = link.read(_LONGEST_LINK).decode("utf-8", "replace")
                yield _Member(entry.filename, "link", target=_from_top(entry.filename, leads_to))
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _special(target, entry.filename)
            else:
                opened = partial(_opened, archive, entry, target)
                yield _Member(entry.filename, "file", entry.file_size, opened)


def _opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: _Target) -> IO[bytes]:
    try:
        return archive.open(entry)
    except NotImplementedError as error:  # Deflate64, mostly
        raise DatasetError(
            f"expected a zip of the common kind, but {target.name} is compressed otherwise ({error})"
        ) from error


def _of_tar(stream: IO[bytes], target: _Target) -> Iterator[_Member]:
    with _tar(stream, target) as archive:
        for entry in archive:
            if entry.isdir():
                yield _Member(entry.name, "folder")
            elif entry.islnk():
                yield _Member(entry.name, "link", target=entry.linkname)
            elif entry.issym():
                yield _Member(entry.name, "link", target=_from_top(entry.name, entry.linkname))
            elif entry.isfile():
                yield _Member(entry.name, "file", entry.size, partial(archive.extractfile, entry))
            else:
                raise _special(target, entry.name)
        # A header that makes no sense looks like the end to tarfile; the end is zeros, or nothing.
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("a header in the middle of it cannot be read")
        # The checksum of what was compressed comes after the padding.
        for _ in range(_PADDING // _CHUNK):
            if not archive.fileobj.read(_CHUNK):
                break


def _tar(stream: IO[bytes], target: _Target) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r:*")
    except tarfile.ReadError as error:
        raise UnsoundArchiveError(
            f"expected a zip or tar archive, but {target.name} is neither, or is damaged"
        ) from error


def _from_top(link: str, leads_to: str) -> str:
    """Where a link leads to, from the archive's top; `..` stays where it would leave the top."""
    leads_to = leads_to.replace("\\", "/")
    if leads_to.startswith("/"):
        return leads_to
    parts: list[str] = []
    for part in [*link.replace("\\", "/").split("/")[:-1], *leads_to.split("/")]:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _special(target: _Target, member: str) -> DatasetError:
    return DatasetError(
        f"expected files and folders, but {member!r} in {target.name} is a device or the like",
        hint=_BEWARE,
    )
