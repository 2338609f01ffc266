"""Fetch a data set: download its files, unpack them, and have the whole of it appear at once.

Everything is made in `.NAME.getting` beside the data set's folder, in a folder for each file: the download,
which goes on where a killed run stopped, and what was unpacked from it. The data set's own folder appears in
the last step, so that nobody opens a half.
"""

from __future__ import annotations

import filecmp
import fnmatch
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anytomy import __version__
from anytomy.core.errors import ChecksumError, DatasetError, OptionError, OutputError
from anytomy.datasets.card import DatasetCard, Download
from anytomy.datasets.fetched import ARCHIVES, RECORD, read_record, staging_dir
from anytomy.datasets.registry import download_dir
from anytomy.datasets.tree import Tree
from anytomy.datasets.unpacking import UnsoundArchiveError, refuse_kind, unpack
from anytomy.io.atomic import output_error, write_text
from anytomy.zoo import checksum
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.disk import need_space
from anytomy.zoo.home import offline, writable
from anytomy.zoo.store import fetch, locked

__all__ = ["Fetched", "Plan", "fetch_dataset", "plan_fetch", "why_by_hand"]

_SCHEMA = "anytomy.fetched/1"
_ELSEWHERE = "free some space, or choose a folder on another disk by --to"


@dataclass(frozen=True)
class Plan:
    """What there is to fetch.

    Attributes:
        card: Of which data set.
        root: The folder that will hold it.
        wanted: The files that were asked for.
        missing: Those of them that are not in the folder yet.
    """

    card: DatasetCard
    root: Path
    wanted: tuple[Download, ...]
    missing: tuple[Download, ...]

    def sizes(self) -> list[int]:
        """Bytes of each missing file, where need be asked from its server; 0 for what nobody says."""
        from anytomy.zoo.download import remote_size

        return [d.bytes or (0 if offline() else remote_size(d.url)) for d in self.missing]


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        root: The data set's folder.
        files: Names of the files that came now.
        recorded: Those whose hash nobody published: the one they had is held against later fetches.
    """

    root: Path
    files: tuple[str, ...]
    recorded: tuple[str, ...]


def why_by_hand(card: DatasetCard) -> str:
    """Why nothing can be fetched, in a clause; empty where it can."""
    if card.access.how == "local":
        return "it is a folder of yours"
    if card.access.how == "registration":
        return "it is given only to people who register or sign for it"
    if card.access.how == "unavailable":
        return "the place where it was is gone"
    return "" if card.access.downloads else "no address of its files is known that needs no person"


def plan_fetch(card: DatasetCard, *, to: Path | None = None, only: Sequence[str] = ()) -> Plan:
    """Find out what there is to fetch.

    Args:
        card: The data set.
        to: The folder that will hold it: a new or empty one, or one that an earlier fetch filled; one under
            `ANYTOMY_HOME` by default.
        only: Names of files, in which `*` stands for anything; all files if empty.

    Raises:
        DatasetError: It has to be fetched by hand, or one of its files to be unpacked by hand.
        OptionError: `only` fits none of its files.
        OutputError: The folder holds something else.
    """
    if reason := why_by_hand(card):
        raise DatasetError(f"expected a data set that can be fetched, but {card.id} cannot: {reason}")
    root = Path(os.path.realpath(download_dir(card) if to is None else to.expanduser()))
    downloads = card.access.downloads
    wanted = tuple(d for d in downloads if not only or any(fnmatch.fnmatchcase(d.file, o) for o in only))
    if not wanted:
        raise OptionError(
            f"expected files of {card.id}, but none fits {', '.join(only)}",
            hint=f"it has {', '.join(d.file for d in downloads)}",
        )
    for download in wanted:
        if download.file.startswith("."):
            raise DatasetError(f"expected names of files in {card.source}, but got {download.file!r}")
        if download.extract:
            refuse_kind(download.file)
    return Plan(card, root, wanted, _missing(card, root, wanted))


def fetch_dataset(plan: Plan, *, keep_archives: bool = False, progress: bool = True) -> Fetched:
    """Fetch what is missing, going on with what a killed run left.

    Args:
        plan: What `plan_fetch` found.
        keep_archives: Keep the archives, in a hidden folder of the data set's.
        progress: Whether to draw progress on stderr, if that is a terminal.

    Raises:
        ChecksumError: A file is not the one that the card names, or not the one that came before.
        OfflineError: `ANYTOMY_OFFLINE` is set and no mirror folder has the files.
        FetchError: No source works.
        DatasetError: An archive is unsafe, damaged, or of a kind that is not unpacked here.
        OutputError: The disk is full or the folder cannot be written.
    """
    card, root = plan.card, plan.root
    if os.path.ismount(root):
        raise OutputError(
            f"expected a folder for {card.id}, but {root} is a disk of its own",
            hint=f"name a folder on it, as {root / card.id}",
        )
    home = writable(download_dir(card).parent, variable="ANYTOMY_HOME")
    with locked(home / card.id, card.id, progress=progress):
        # Another process may have fetched it while this one waited.
        plan = replace(plan, missing=_missing(card, root, plan.wanted))
        if plan.missing:
            _fetch_missing(plan, keep=keep_archives, progress=progress)
        _clear(staging_dir(root), plan.wanted)
    recorded = tuple(d.file for d in plan.missing if not d.sha256)
    return Fetched(root, tuple(d.file for d in plan.missing), recorded)


def _missing(card: DatasetCard, root: Path, wanted: Sequence[Download]) -> tuple[Download, ...]:
    had = {entry["url"] for entry in _record(card, root).get("files", [])}
    return tuple(d for d in wanted if d.url not in had)


def _fetch_missing(plan: Plan, *, keep: bool, progress: bool) -> None:
    """Do what the plan says; the lock is held."""
    staging = staging_dir(plan.root)
    try:
        writable(plan.root.parent, variable="ANYTOMY_HOME")
        to_come = [d.bytes for d in plan.missing if not _folder(staging, d).exists()]
        need_space(plan.root.parent, sum(to_come))
        for download in plan.missing:
            _fetch_one(plan, download, _folder(staging, download), keep=keep, progress=progress)
        _remember_hashes(plan, staging)
        _finish(plan, staging, keep=keep)
    except OutputError as error:
        raise OutputError(error.message, hint=_ELSEWHERE) from error
    except OSError as error:
        raise output_error(plan.root, error) from error


def _folder(staging: Path, download: Download) -> Path:
    """The folder of one download; another one if the card comes to name another file or hash."""
    key = hashlib.sha256(f"{download.url} {download.sha256} {download.file}".encode()).hexdigest()
    return staging / key[:16]


def _fetch_one(plan: Plan, download: Download, folder: Path, *, keep: bool, progress: bool) -> None:
    """Download one file and unpack it to `content`, which is there when both are done."""
    content = folder / "content"
    if content.is_dir():
        return
    card = plan.card
    remembered = "" if download.sha256 else _hashes(card).get(download.url, "")
    artifact = Artifact(
        title=f"{download.file} of {card.id}",
        kind=f"data/{card.id}",
        file=download.file,
        sha256=download.sha256 or remembered,
        bytes=download.bytes,
        url=download.url,
        by_hand=f"fetch {download.url}, unpack it and run: anytomy datasets add {card.id} FOLDER",
        folder=folder,
        variable="ANYTOMY_HOME",
    )
    try:
        path = fetch(artifact, progress=progress)
    except ChecksumError as error:
        if not remembered:
            raise
        raise ChecksumError(
            f"{error.message} (the hash is that of an earlier fetch; nobody published one)",
            hint=f"remove {_hashes_path(card)} to accept another file",
        ) from error
    if not download.extract:
        content.mkdir()
        return
    try:
        unpack(path, content, progress=progress)
    except UnsoundArchiveError as error:
        path.unlink()
        checksum.record_path(path).unlink(missing_ok=True)
        raise UnsoundArchiveError(error.message, hint="it was removed; run again to fetch it anew") from error
    except DatasetError as error:
        by_hand = (
            f"it lies at {path}; unpack it by other means and run: anytomy datasets add {card.id} FOLDER"
        )
        raise DatasetError(error.message, hint=error.hint or by_hand) from error
    if not keep:
        path.unlink()


def _finish(plan: Plan, staging: Path, *, keep: bool) -> None:
    """Bring together what was unpacked, write down what it is, and have it appear under its name."""
    root = plan.root
    adding = (root / RECORD).is_file()
    merged = root if adding else staging / "merged"
    merged.mkdir(exist_ok=True)
    for download in plan.missing:
        folder = _folder(staging, download)
        _merge(folder / "content", merged, spare=merged / _stem(download.file))
        file = folder / download.file
        if file.is_file() and not download.extract:
            file.replace(merged / download.file)
        elif file.is_file() and keep:
            (merged / ARCHIVES).mkdir(exist_ok=True)
            file.replace(merged / ARCHIVES / download.file)
    write_text(merged / RECORD, json.dumps(_new_record(plan, merged, staging), indent=1) + "\n")
    if not adding:
        if root.exists():
            root.rmdir()
        merged.rename(root)


def _clear(staging: Path, done: Sequence[Download]) -> None:
    """Remove what is no longer needed; half a download of another file stays."""
    for download in done:
        shutil.rmtree(_folder(staging, download), ignore_errors=True)
    with suppress(OSError):
        staging.rmdir()


def _merge(source: Path, target: Path, *, spare: Path) -> None:
    """Move all below a folder into another one; what is there already with other contents goes to `spare`.

    It may be cut off and run again.
    """
    for entry in sorted(source.iterdir()):
        there = target / entry.name
        if entry.is_dir() and there.is_dir():
            _merge(entry, there, spare=spare / entry.name)
        elif not there.exists():
            entry.replace(there)
        elif entry.is_file() and there.is_file() and filecmp.cmp(entry, there, shallow=False):
            entry.unlink()
        else:
            # Two archives with the same name for different things: none of both may be lost.
            spare.mkdir(parents=True, exist_ok=True)
            entry.replace(spare / entry.name)


def _stem(name: str) -> str:
    """The name of an archive without its endings."""
    for ending in (".zip", ".tgz", ".txz", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return f"{name}.content"


# -- what is written down ------------------------------------------------------------------------


def _record(card: DatasetCard, root: Path) -> Mapping[str, Any]:
    """What the folder says of itself; empty for a new or empty one.

    Raises:
        OutputError: It holds something else.
    """
    record = read_record(root)
    if record.get("id") == card.id:
        return record
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        held = f"holds {record['id']}" if record else "holds other files" if root.is_dir() else "is a file"
        raise OutputError(
            f"expected a new or empty folder for {card.id}, but {root} {held}",
            hint=f"name another by --to; if it is the data set, run: anytomy datasets add {card.id} {root}",
        )
    return {}


def _new_record(plan: Plan, merged: Path, staging: Path) -> dict[str, Any]:
    earlier = read_record(merged)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    files = [
        {
            "file": download.file,
            "url": download.url,
            "sha256": _hash_of(download, staging),
            "published": bool(download.sha256),
            "fetched": now,
        }
        for download in plan.missing
    ]
    return {
        "schema": _SCHEMA,
        "id": plan.card.id,
        "title": plan.card.title,
        "licence": plan.card.licence,
        "version": __version__,
        "files": [*earlier.get("files", []), *files],
        "sizes": {file: merged.joinpath(*file.split("/")).stat().st_size for file in Tree.of(merged).files},
    }


def _hash_of(download: Download, staging: Path) -> str:
    record = checksum.read_record(checksum.record_path(_folder(staging, download) / download.file))
    return download.sha256 if record is None else record.sha256


def _hashes_path(card: DatasetCard) -> Path:
    """Hashes that nobody published, by address: those of the first fetch."""
    return download_dir(card).with_name(f".{card.id}.hashes.json")


def _hashes(card: DatasetCard) -> dict[str, str]:
    try:
        held = json.loads(_hashes_path(card).read_text(encoding="utf-8"))
        return {str(url): str(digest) for url, digest in held.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember_hashes(plan: Plan, staging: Path) -> None:
    new = {d.url: _hash_of(d, staging) for d in plan.missing if not d.sha256}
    if new:
        held = {**_hashes(plan.card), **new}
        write_text(_hashes_path(plan.card), json.dumps(held, indent=1) + "\n")
