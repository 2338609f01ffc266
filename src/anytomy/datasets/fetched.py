"""Folders that `anytomy datasets get` made: what came into them, whether it is still there, removing them.

`.anytomy.json` in such a folder says of which data set it is, where its files came from with which hashes,
and which files of which sizes were unpacked from them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from anytomy.core.errors import OutputError
from anytomy.datasets.card import DatasetCard
from anytomy.datasets.registry import added_dir, download_dir
from anytomy.io.atomic import output_error, write_text
from anytomy.io.toml_write import toml_text
from anytomy.zoo import checksum
from anytomy.zoo.store import locked

__all__ = [
    "ARCHIVES",
    "RECORD",
    "check_fetched",
    "read_record",
    "remember_place",
    "remove_fetched",
    "staging_dir",
]

RECORD = ".anytomy.json"
ARCHIVES = ".archives"


def staging_dir(root: Path) -> Path:
    """Where a data set lies while it is fetched into `root`."""
    return root.with_name(f".{root.name}.getting")


def read_record(root: Path) -> dict[str, Any]:
    """What a folder says of how it was fetched: `id`, `files`, `sizes`; empty for other folders."""
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
        files, sizes = record["files"], record["sizes"]
        sound = all(isinstance(entry[name], str) for entry in files for name in ("file", "url", "sha256"))
        sound = sound and all(isinstance(size, int) for size in sizes.values())
        return record if sound and isinstance(record["id"], str) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def check_fetched(root: Path) -> list[str]:
    """What has changed in a folder since it was fetched, one line each; nothing for other folders.

    Files that are gone or have another size, and kept archives with another hash.
    """
    record = read_record(root)
    lines = []
    for path, size in record.get("sizes", {}).items():
        file = root.joinpath(*path.split("/"))
        if not file.is_file():
            lines.append(f"{path} was fetched and is gone")
        elif file.stat().st_size != size:
            lines.append(f"{path} has {file.stat().st_size} bytes; {size} were fetched")
    for entry in record.get("files", []):
        archive = root / ARCHIVES / entry["file"]
        if archive.is_file() and checksum.sha256_of(archive) != entry["sha256"]:
            lines.append(f"{ARCHIVES}/{entry['file']} is not the file that was fetched")
    return lines


def remember_place(card: DatasetCard, root: Path) -> None:
    """Have a data set of the catalogue looked for where it was fetched to, in the user's own folder or ours.

    Raises:
        OutputError: That cannot be written down.
    """
    place = added_dir(card.id) / "dataset.toml"
    if os.path.realpath(root) != os.path.realpath(download_dir(card)):
        write_text(place, toml_text({"id": card.id, "like": card.id, "root": str(root)}))
        return
    try:
        # Another place, where it no longer is.
        place.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(place, error) from error


def remove_fetched(card: DatasetCard) -> Path | None:
    """Delete the folder that was fetched under `ANYTOMY_HOME`, and what unfinished runs left there.

    Returns:
        The folder, or None if there was nothing.

    Raises:
        OutputError: The folder was not made by a fetch, or cannot be removed.
        FetchError: Another process fetches it.
    """
    root = download_dir(card)
    removing = root.with_name(f".{root.name}.removing")
    if not any(path.exists() for path in (root, removing, staging_dir(root))):
        return None
    if root.is_symlink() or (root.exists() and read_record(root).get("id") != card.id):
        raise OutputError(
            f"expected a folder that `anytomy datasets get` made, but {root} is not one",
            hint="remove it yourself if it may go",
        )
    with locked(root, card.id, progress=True):
        try:
            for path in (removing, staging_dir(root)):
                if path.is_dir():
                    shutil.rmtree(path)
            if root.exists():
                # At once, so that nobody opens a half.
                root.rename(removing)
                shutil.rmtree(removing)
        except OSError as error:
            what = error.filename or root
            raise OutputError(f"expected to remove {what}, but: {error.strerror}") from error
    return root
