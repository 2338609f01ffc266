"""SHA-256 of files, and the record beside a file that spares hashing it at every start.

The record `FILE.json` says which hash a file had when it was last read in full, with its size and
modification time then: while these two stay, the file is taken to be the same. For a file whose
hash nobody published, the record is also what later fetches are held against.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Record", "is_unchanged", "read_record", "record_path", "sha256_of", "write_record"]


@dataclass(frozen=True)
class Record:
    """What is known of a file that was read in full.

    Attributes:
        sha256: 64 hex digits.
        size: Bytes.
        mtime_ns: Modification time in nanoseconds.
        source: Where the file came from.
        published: Whether the hash was known beforehand; if not, it was recorded at first sight.
    """

    sha256: str
    size: int
    mtime_ns: int
    source: str
    published: bool


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 hex digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record_path(path: Path) -> Path:
    """The record beside a file."""
    return path.with_name(path.name + ".json")


def read_record(path: Path) -> Record | None:
    """Read a record; None if there is none or it is not one (it is then written anew)."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            sha256=str(values["sha256"]),
            size=int(values["size"]),
            mtime_ns=int(values["mtime_ns"]),
            source=str(values["source"]),
            published=bool(values["published"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: Path, file: Path, *, sha256: str, source: str, published: bool) -> None:
    """Write the record of a file as it is now. A folder that cannot be written is left alone."""
    status = file.stat()
    record = Record(sha256, status.st_size, status.st_mtime_ns, source, published)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError:
        # A cache that others own and share read-only works too; it only hashes each time.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def is_unchanged(file: Path, record: Record) -> bool:
    """Whether a file still has the size and modification time of its record."""
    status = file.stat()
    return status.st_size == record.size and status.st_mtime_ns == record.mtime_ns
