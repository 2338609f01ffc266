"""What a run reads must survive what it writes: `sources`, `check_targets`."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from anytomy.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Headers that name the file with their voxels: MetaImage and NRRD.
_VOXEL_FILE = re.compile(
    rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*(\S[^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def sources(path: Path, prompts: Path | None = None) -> list[Path]:
    """The files that decide a result: the image with all its parts, the prompt file, its masks.

    Files that do not exist may be among them. What we could have written into a DICOM folder is not, but for
    plain `.dcm`: that is how slices are called.
    """
    from anytomy.io.detect import ending
    from anytomy.io.write import endings

    found = [path]
    if os.path.isdir(path):
        ours = {*endings(), ".json"} - {".dcm"}
        found += sorted(p for p in path.rglob("*") if p.is_file() and ending(p) not in ours)
    elif ending(path) in (".mhd", ".nhdr"):
        found += _voxel_file(path)
    elif ending(path) in (".hdr", ".img"):
        found += [path.with_suffix(".hdr"), path.with_suffix(".img")]
    if prompts is not None:
        found += [prompts, *_mask_files(prompts)]
    return list(dict.fromkeys(found))


def check_targets(targets: Iterable[tuple[str, Path]], kept: Iterable[Path]) -> None:
    """Refuse to write two things to one file, or anything over a file that is read.

    Links and other spellings of a path are seen through.

    Args:
        targets: What is to be written, in words for the message, and where.
        kept: Files that must survive.

    Raises:
        OutputError: Names the file.
    """
    inputs = {key: path for path in kept if (key := _identity(path)) is not None}
    taken: dict[str, str] = {}
    for what, path in targets:
        place = os.path.realpath(path)
        if place in taken:
            raise OutputError(
                f"{taken[place]} and {what} would both be written to {path}",
                hint="rename one, or choose another output",
            )
        taken[place] = what
        key = _identity(path)
        if key is not None and key in inputs:
            own = "it is the input itself" if os.path.realpath(inputs[key]) == place else "it is the input"
            raise OutputError(
                f"cannot write {what} to {path}: {own} ({inputs[key]})", hint="choose another name"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file whatever it is called; None for folders and where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return None if os.path.isdir(path) else (status.st_dev, status.st_ino)


def _voxel_file(header: Path) -> list[Path]:
    try:
        with header.open("rb") as file:
            match = _VOXEL_FILE.search(file.read(65536))
    except OSError:
        return []
    return [header.parent / os.fsdecode(match[1].strip())] if match else []


def _mask_files(prompts: Path) -> list[Path]:
    """Masks that a prompt file names; what is wrong with the file is said when it is read."""
    try:
        objects = json.loads(prompts.read_text(encoding="utf-8-sig"))["objects"]
        return [prompts.parent / entry["mask"] for entry in objects if "mask" in entry]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
