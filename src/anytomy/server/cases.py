"""What there is to annotate: `Cases` below the declared roots, with ids that say nothing about a patient."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.errors import AnytomyError
from anytomy.io.detect import ending, read_head
from anytomy.server.problems import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.server.settings import Settings

# The name of what is saved beside an image has it, so that it is not taken for an image.
LABELS = ".labels"
_SINGLE = re.compile(
    r"\.(nii|nii\.gz|hdr|nrrd|nhdr|mha|mhd|png|jpg|jpeg|bmp|gif|tif|tiff|ome\.tif|ome\.tiff|npz)"
)
_DICOM = (".dcm", ".dicom", "")
_FRESH_S = 10.0


@dataclass(frozen=True)
class Case:
    """One image or volume.

    Attributes:
        id: 16 hex digits, the same at every start; tells neither name nor path.
        path: File or DICOM folder, links resolved.
        root: The declared root that it lies in; the folder of uploads for an upload.
        name: For people, from the root on. It stands in bodies of answers only, never in logs or addresses.
        kind: `file`, `dicom` or `upload`.
        series: UID of the series, in a DICOM folder.
    """

    id: str
    path: Path
    root: Path
    name: str
    kind: str
    series: str | None = None


class Cases:
    """The cases below the roots; looked for anew when the last look is some seconds old.

    Args:
        settings: Roots, and where we write ourselves.
        secret: Key of the ids, so that nobody can test a guessed path against one.
    """

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._settings = settings
        self._secret = secret
        self._lock = threading.Lock()
        self._found: dict[str, Case] = {}
        self._looked = -_FRESH_S
        self._series: dict[tuple[Path, int], list[tuple[str, str]]] = {}

    @property
    def uploads(self) -> Path:
        """Where uploads are kept, a folder each."""
        return self._settings.state / "uploads"

    def all(self, *, fresh: bool = False) -> list[Case]:
        """All cases in the order of their roots and names.

        Args:
            fresh: Look anew in any case.
        """
        with self._lock:
            if fresh or time.monotonic() - self._looked >= _FRESH_S:
                self._found = {}
                for case in self._scan():
                    self._found.setdefault(case.id, case)
                    if len(self._found) >= self._settings.limits.cases:
                        break
                self._looked = time.monotonic()
            return list(self._found.values())

    def get(self, case_id: str) -> Case:
        """A case whose file still lies in its root.

        Raises:
            NotFoundError: If there is none.
        """
        known = self._found.get(case_id)
        if known is None:
            known = next((case for case in self.all(fresh=True) if case.id == case_id), None)
        if known is None or not known.path.exists() or not inside(known.path, known.root):
            raise NotFoundError("there is no such case", hint="list them at /api/v1/cases")
        return known

    def id_of(self, path: Path, series: str = "") -> str:
        """The id of a path."""
        text = f"{path}\0{series}".encode(errors="surrogateescape")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:16]

    def _scan(self) -> Iterator[Case]:
        for root in self._settings.roots:
            if root.is_file():
                yield self._case(root, root, root.name, "file")
            else:
                yield from self._below(root)
        for folder in sorted(self.uploads.glob("*/about.json")):
            path = folder.parent
            yield self._case(path, self.uploads, f"upload {path.name[:8]}", "upload")

    def _below(self, root: Path) -> Iterator[Case]:
        ours = {self._settings.state, self._settings.output} - {root}
        for parent, folders, names in os.walk(root):  # follows no links
            folder = Path(parent)
            folders[:] = sorted(f for f in folders if not f.startswith(".") and folder / f not in ours)
            slices = []
            for name in sorted(names):
                path = Path(os.path.realpath(folder / name))
                if name.startswith(".") or LABELS in name or not inside(path, root) or not path.is_file():
                    continue
                if _SINGLE.fullmatch(ending(path)):
                    yield self._case(path, root, (folder / name).relative_to(root).as_posix(), "file")
                elif ending(path) in _DICOM and _is_dicom(path):
                    slices.append(path)
            if slices:
                yield from self._dicom(folder, root, slices)

    def _dicom(self, folder: Path, root: Path, slices: list[Path]) -> Iterator[Case]:
        relative = folder.relative_to(root).as_posix()
        for uid, title in self._series_of(folder):
            yield self._case(folder, root, f"{relative} ({title})", "dicom", uid)

    def _series_of(self, folder: Path) -> list[tuple[str, str]]:
        """UID and title of the image series in a folder; read again when the folder has changed."""
        from anytomy.io import dicom_series

        key = folder, folder.stat().st_mtime_ns
        if key not in self._series:
            try:
                found = dicom_series.scan(folder)
            except AnytomyError:
                found = []
            # The description is left out: people write names into it.
            self._series[key] = [
                (each.uid, f"series {each.number or number}, {each.modality or 'no modality'}")
                for number, each in enumerate(found, start=1)
                if each.slices
            ]
        return self._series[key]

    def _case(self, path: Path, root: Path, name: str, kind: str, series: str | None = None) -> Case:
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        return Case(self.id_of(path, series or ""), path, root, shown, kind, series)


def inside(path: Path, root: Path) -> bool:
    """Whether a path lies in a root (or is it) once all links are resolved."""
    real = Path(os.path.realpath(path))
    return real == root or root in real.parents


def _is_dicom(path: Path) -> bool:
    try:
        return read_head(path)[128:132] == b"DICM"
    except OSError:
        return False
