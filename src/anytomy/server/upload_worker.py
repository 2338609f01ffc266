"""The process that decodes one upload: `python -m anytomy.server.upload_worker FOLDER BYTES SECONDS`.

It takes bounds on itself before it opens anything: address space, processor time, size of files, and no core
dump. What it says is one line of JSON without the file's content. A fourth argument `labels` says what it is.
A zip archive is a DICOM series: its members are unpacked under numbers, whatever they are called, up to a
number and a size of them all.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

_MEMBERS = 20_000
_PIECE = 2**20


def main() -> int:
    """Decode the file in the folder; 0 where that went well."""
    folder, most_bytes, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _bound(most_bytes, seconds)
    try:
        answer = _decode(folder, most_bytes, is_labels=sys.argv[4:] == ["labels"])
    except MemoryError:
        answer = {"error": "the upload takes more memory than is allowed to decode it"}
    sys.stdout.write(json.dumps(answer))
    return 1 if "error" in answer else 0


def _bound(most_bytes: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such bounds; the parent still watches the clock
        return
    for kind, value in (
        (resource.RLIMIT_AS, most_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, most_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


def _decode(folder: Path, most_bytes: int, *, is_labels: bool) -> dict[str, str]:
    import warnings

    import numpy as np

    from anytomy.core.errors import AnytomyError
    from anytomy.io.labels import read_labels
    from anytomy.io.read import read
    from anytomy.server.uploads import ABOUT, PIXELS, RECEIVED

    warnings.simplefilter("ignore")
    received = folder / RECEIVED
    try:
        source = _unpacked(received, most_bytes) if _is_archive(received) else received
        image = read_labels(source) if is_labels else read(source)
    except AnytomyError as error:
        message = error.message.replace(str(received), "the upload")
        return {"error": message.replace(str(folder), "the upload")}
    except (OSError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        return {"error": "the upload is no archive that can be unpacked"}
    geometry = image.geometry
    about = {
        "size_xyz": geometry.size_xyz,
        "spacing_xyz_mm": geometry.spacing_xyz_mm,
        "origin_lps_mm": geometry.origin_lps_mm,
        "direction": geometry.direction,
        "is_volume": image.is_volume,
        "modality": image.modality,
        "format": image.format,
    }
    np.save(folder / PIXELS, np.ascontiguousarray(image.array), allow_pickle=False)
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return {}


def _is_archive(path: Path) -> bool:
    """Whether it is a zip archive, but not an npz, which is an image."""
    if path.is_dir() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return not any(name.endswith(".npy") for name in archive.namelist())


def _unpacked(path: Path, most_bytes: int) -> Path:
    """The members of an archive as numbered files in one folder; the only one, where it holds one.

    Raises:
        ImageReadError: If there are too many, or they are too large.
    """
    from anytomy.core.errors import ImageReadError

    folder = path.with_name("unpacked")
    folder.mkdir()
    left = most_bytes
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if not 0 < len(members) <= _MEMBERS:
            raise ImageReadError(f"expected an archive of 1 to {_MEMBERS} files, got {len(members)}")
        for number, member in enumerate(members):
            # What the archive says of sizes is not trusted: what comes out is counted.
            with archive.open(member) as source, (folder / f"{number:05d}").open("wb") as target:
                while piece := source.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise ImageReadError("the archive is larger than is allowed once it is unpacked")
                    target.write(piece)
    files = list(folder.iterdir())
    return files[0] if len(files) == 1 else folder


def tidy(folder: Path) -> None:
    """Remove what was received and unpacked, once it is decoded."""
    for name in ("received", "unpacked"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
