"""The pseudo-labelled set as nnU-Net reads it: `write_dataset`.

nnU-Net v2's raw format (Isensee et al., Nature Methods 18, 2021): `imagesTr/CASE_0000.ENDING`,
`labelsTr/CASE.ENDING`, `imagesTs` with the test cases, `dataset.json`. What nobody knows, pixels with a
weight below one half, gets nnU-Net's ignore label.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.intensity import IntensityPolicy
from anytomy.distill.labelling import PSEUDO, file_name
from anytomy.distill.samples import labels_of
from anytomy.io.atomic import atomic_path, write_text
from anytomy.io.maps import write_map
from anytomy.io.read import read
from anytomy.io.write import write_labels
from anytomy.tuning.prepared import quietly_read

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.distill.recipes.recipe import Taught
    from anytomy.distill.session import Session

_LEAST_WEIGHT = 50  # percent


def write_dataset(session: Session, taught: Taught, folder: Path) -> None:
    """Write labelled and pseudo-labelled cases, and the images of the test cases.

    Args:
        session: The run.
        taught: What the recipe came to; its last pseudo-labels are written.
        folder: A raw data set; give it a name like `Dataset501_Hippocampus` in `nnUNet_raw`.

    Raises:
        OutputError: There is no room.
    """
    group, classes = session.group, session.group.classes
    joined = set() if taught.last is None else {(s.dataset, s.case) for s in taught.last.samples.all}
    boxed = session.config.boxes
    count, colours = 0, session.sight.grid.colours
    for case in group.seen:
        image = quietly_read(case)
        if case in group.labelled and not boxed:
            labels = labels_of(case, image, classes)
        elif (case.dataset, case.id) in joined:
            labels = _kept(session, taught.name, case, image)
        else:
            continue
        name = file_name(session, case, image)
        _write_image(session, folder / "imagesTr", name, image)
        if image.is_volume:
            write_labels(folder / "labelsTr" / name, labels, image)
        else:
            _write_picture(folder / "labelsTr" / name, labels)
        count += 1
    for case in group.test:
        image = quietly_read(case)
        _write_image(session, folder / "imagesTs", file_name(session, case, image), image)
    channels = ("R", "G", "B") if colours == 3 else (_channel(session),)
    described = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": {
            "background": 0,
            **{name: number for number, name in enumerate(classes, start=1)},
            "ignore": len(classes) + 1,
        },
        "numTraining": count,
        "file_ending": ".nii.gz" if session.sight.volumes else ".png",
        "description": f"labels by {session.config.teacher}, recipe {session.config.recipe}; for research",
    }
    write_text(folder / "dataset.json", json.dumps(described, indent=1) + "\n")


def _kept(session: Session, round_: str, case: Case, image: Image) -> Any:
    """A pseudo-label, with the ignore label where it is not to be learned from."""
    folder, name = session.folder / PSEUDO / round_, file_name(session, case, image)
    labels, weights = (_map(folder / kind / name) for kind in ("labels", "weights"))
    return np.where(weights < _LEAST_WEIGHT, len(session.group.classes) + 1, labels).astype(np.uint8)


def _map(path: Path) -> NDArray[Any]:
    """Values of a label map; those of a picture, not its colours."""
    if path.suffix != ".png":
        return read(path).array
    from PIL import Image as Pillow

    return np.asarray(Pillow.open(path))


def _channel(session: Session) -> str:
    """`CT` makes nnU-Net clip and scale by the whole set; anything else goes image by image."""
    return "CT" if session.sight.intensity.startswith(("ct:", "window:")) else "grey"


def _write_image(session: Session, folder: Path, name: str, image: Image) -> None:
    ending = ".nii.gz" if image.is_volume else ".png"
    path = folder / f"{name.removesuffix(ending)}_0000{ending}"
    if image.is_volume:
        write_map(path, image.array.astype(np.float32), image)
    else:
        grey = IntensityPolicy.parse(session.sight.intensity).fit(image).apply(image.array)
        if session.sight.grid.colours == 3 and not image.is_colour:
            grey = np.stack([grey] * 3, axis=-1)  # all files have the same channels
        _write_picture(path, grey)


def _write_picture(path: Path, values: NDArray[np.uint8]) -> None:
    """Bytes as they are: nnU-Net would read a palette as colours."""
    from PIL import Image as Pillow

    with atomic_path(path) as temporary:
        Pillow.fromarray(np.ascontiguousarray(values)).save(temporary, format="PNG")
