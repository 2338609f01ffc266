"""The process that decodes one upload: `python -m anytomy.server.upload_worker FOLDER BYTES SECONDS`.

It takes bounds on itself before it opens anything: address space, processor time, size of files, and no core
dump. What it says is one line of JSON without the file's content.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> int:
    """Decode the file in the folder; 0 where that went well."""
    folder, most_bytes, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _bound(most_bytes, seconds)
    try:
        answer = _decode(folder)
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


def _decode(folder: Path) -> dict[str, str]:
    import warnings

    import numpy as np

    from anytomy.core.errors import AnytomyError
    from anytomy.io.read import read
    from anytomy.server.uploads import ABOUT, PIXELS, RECEIVED

    warnings.simplefilter("ignore")
    received = folder / RECEIVED
    try:
        image = read(received)
    except AnytomyError as error:
        return {"error": error.message.replace(str(received), "the upload")}
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


if __name__ == "__main__":
    sys.exit(main())
