"""Images as the protocol names and sends them: `find`, `called`, `image_file`, `Shelf`."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.io.atomic import write_text
from anytomy.io.detect import ending
from anytomy.server.problems import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.server.cases import Case
    from anytomy.server.desk import Desk
    from anytomy.server.store import SessionRow

# Of an upload: a keyed hash of the name that its client gave it.
_CALLED = "called"
_ALONE = re.compile(r"\.(nii|nii\.gz|nrrd|mha|png|jpg|jpeg|bmp|gif|tif|tiff|ome\.tif|ome\.tiff)")


def find(desk: Desk, image: str) -> Case:
    """The case that a client means: by its id, by the UID of its DICOM series, or as it called its upload.

    Raises:
        NotFoundError: If there is none.
    """
    if re.fullmatch(r"[0-9a-f]{16}", image):
        return desk.cases.get(image)
    for case in desk.cases.all():
        if case.series is not None and case.series == image:
            return desk.cases.get(case.id)
    meant = _name_of(desk, image)
    for note in desk.cases.uploads.glob(f"*/{_CALLED}"):
        if note.read_text(encoding="ascii") == meant:
            return desk.cases.get(desk.cases.id_of(note.parent))
    raise NotFoundError("there is no such image", hint="list them at /datastore/?output=all")


def called(desk: Desk, folder: Path, name: str) -> None:
    """Remember what a client calls its upload; a later upload takes the name from an earlier one."""
    meant = _name_of(desk, name)
    for note in desk.cases.uploads.glob(f"*/{_CALLED}"):
        if note.read_text(encoding="ascii") == meant:
            note.unlink(missing_ok=True)
    write_text(folder / _CALLED, meant)


def _name_of(desk: Desk, name: str) -> str:
    """A hash: clients like to call images by their patient's name."""
    return desk.cases.id_of(Path("called"), name)


def remove(desk: Desk, case: Case) -> None:
    """Take an upload away; what was annotated on it stays in the store.

    Raises:
        ConflictError: If it is no upload: a user's own files are never deleted.
    """
    if case.kind != "upload":
        raise ConflictError("this image was not uploaded here, so it is not deleted", hint="delete its file")
    shutil.rmtree(case.path, ignore_errors=True)
    desk.opened.forget(case.id)
    desk.cases.all(fresh=True)


def sent_ending(case: Case) -> str:
    """The ending under which an image is sent: its own, or NRRD for what is no single file."""
    own = ending(case.path)
    return own if case.kind == "file" and _ALONE.fullmatch(own) else ".nrrd"


@contextmanager
def image_file(desk: Desk, case: Case) -> Iterator[Path]:
    """An image as one file: its own as it is, or its voxels in their order as NRRD."""
    if sent_ending(case) != ".nrrd" or ending(case.path) == ".nrrd":
        yield case.path
        return
    image = desk.opened.open(case).image
    place = desk.settings.state / "exports"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / f"{case.id}.nrrd"
        write_nrrd(path, image.volume, image, compress=False)
        yield path


def write_nrrd(path: Path, array: NDArray[Any], image: Image, *, compress: bool) -> None:
    """Write voxels `(z, y, x[, c])` on the grid of an image as NRRD."""
    import SimpleITK

    geometry = image.geometry
    written = SimpleITK.GetImageFromArray(np.ascontiguousarray(array), isVector=array.ndim == 4)
    written.SetSpacing(geometry.spacing_xyz_mm)
    written.SetOrigin(geometry.origin_lps_mm)
    written.SetDirection([value for row in geometry.direction for value in row])
    SimpleITK.WriteImage(written, str(path), useCompression=compress)


@dataclass(frozen=True)
class State:
    """What became of a case.

    Attributes:
        row: Its latest session; None where nobody began.
        begun: Whether something was done in it.
        saved: Whether its label map was saved.
        labels: As they were set last.
    """

    row: SessionRow | None = None
    begun: bool = False
    saved: bool = False
    labels: tuple[dict[str, Any], ...] = ()


class Shelf:
    """All cases and what became of them, at one moment."""

    def __init__(self, desk: Desk) -> None:
        self.cases = desk.cases.all()
        labels = desk.store.labels()
        self._desk = desk
        self._states: dict[str, State] = {}
        for row in desk.store.sessions():  # the latest one of a case comes last
            begun = desk.store.last(row.id) > 0
            state = State(row, begun, row.saved > 0, tuple(labels.get(row.id, ())))
            if begun or row.case_id not in self._states:
                self._states[row.case_id] = state

    def state(self, case: Case) -> State:
        """What became of a case."""
        return self._states.get(case.id, State())

    @property
    def unlabelled(self) -> list[Case]:
        """Cases without a saved label map."""
        return [case for case in self.cases if not self.state(case).saved]

    @property
    def labels(self) -> list[str]:
        """Names of labels in all sessions, the latest ones of each, in the order of the cases."""
        names = [label["name"] for case in self.cases for label in self.state(case).labels]
        return list(dict.fromkeys(names))

    def info(self, case: Case) -> dict[str, Any]:
        """What clients are told of an image: never where it lies."""
        stem = re.sub(r"[^\w.-]+", "_", Path(case.name).name)
        stem = stem.removesuffix(ending(Path(stem)))
        return {
            "name": f"{stem}-{case.id[:8]}{sent_ending(case)}",
            "file": case.name,
            "kind": case.kind,
            **self._desk.store.note(f"{case.id}:image"),
        }
