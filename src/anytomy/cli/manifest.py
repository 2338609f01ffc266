"""The manifest that `anytomy segment` leaves beside a result, found again: `find_manifest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anytomy.cli.record import MANIFEST_SCHEMA
from anytomy.core.errors import ImageReadError

# Formats that hold their voxels in a second file: no result of its own.
_VOXELS_OF_ANOTHER = (".zraw", ".raw")


def find_manifest(path: Path) -> tuple[Path | None, dict[str, Any]]:
    """The manifest that is or belongs to a result, and where it is; empty where there is none.

    Objects that were kept whole have files of their own, `OUT_1_liver.nii.gz`, and one manifest,
    `OUT.nii.gz.json`.

    Raises:
        ImageReadError: If the result itself is named as JSON and is no manifest.
    """
    if path.suffix.lower() == ".json":
        if not path.exists():
            raise ImageReadError(f"{path} does not exist")
        document = _json(path)
        if not document and (own := _json(path.with_name(path.name + ".json"))):
            return path.with_name(path.name + ".json"), own  # masks as COCO JSON, and their manifest
        if not document and "annotations" in _read(path):
            return None, {}
        if not document:
            raise ImageReadError(
                f"{path} is no manifest of anytomy segment",
                hint="give the label map, or the manifest beside it",
            )
        return path, document
    beside = path.with_name(path.name + ".json")
    if found := _json(beside):
        return beside, found
    for other in sorted(path.parent.glob("*.json")):
        from anytomy.io.detect import stem

        if path.name.startswith(f"{stem(Path(other.stem))}_"):
            found = _json(other)
            if path.name in {Path(str(output)).name for output in found.get("outputs") or ()}:
                return other, found
    return None, {}


def _json(path: Path) -> dict[str, Any]:
    """A manifest; empty where the file is not there or is something else."""
    document = _read(path)
    return document if document.get("schema") == MANIFEST_SCHEMA else {}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is not there or holds something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def outputs_of(where: Path | None, manifest: dict[str, Any]) -> list[Path]:
    """The files with masks that a manifest names; they lie beside it."""
    names = [Path(str(output)).name for output in manifest.get("outputs") or ()]
    found = [Path(where or ".").with_name(name) for name in names if not name.endswith(_VOXELS_OF_ANOTHER)]
    if not found:
        raise ImageReadError(f"{where} names no output")
    return found


def image_of(path: Path, where: Path | None, manifest: dict[str, Any]) -> Path | None:
    """The image that a manifest names: as it was typed, or beside it. None without a manifest.

    Raises:
        ImageReadError: If it is not there.
    """
    if where is None or not manifest.get("input"):
        return None
    named = Path(str(manifest["input"]))
    for candidate in (named, where.parent / named, where.parent / named.name):
        if candidate.exists():
            return candidate
    raise ImageReadError(
        f"{named}, the image of {path}, is not there",
        hint="say where it is with --image, or show the masks alone with --no-image",
    )
