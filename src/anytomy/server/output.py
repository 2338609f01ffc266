"""Label maps that are saved beside the images, and exports: `save`, `export`."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy import __version__
from anytomy.core.errors import OptionError, OutputError
from anytomy.core.prediction import ClassLabel, MaskStack, Prediction
from anytomy.io.atomic import write_text
from anytomy.io.detect import stem
from anytomy.io.write import endings, write_prediction
from anytomy.server.cases import LABELS, inside
from anytomy.server.store import now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prediction import ObjectMask
    from anytomy.server.cases import Case
    from anytomy.server.session import Session
    from anytomy.server.settings import Settings

SCHEMA = "anytomy.annotation/1"
_OWN = {
    "nifti": ".nii.gz",
    "nrrd": ".nrrd",
    "mha": ".mha",
    "mhd": ".mha",
    "metaimage": ".mha",
    "tiff": ".tif",
}
_MEDIA = {".png": "image/png", ".json": "application/json", ".dcm": "application/dicom", ".tif": "image/tiff"}


def save(
    session: Session, case: Case, image: Image, cases: Sequence[Case], settings: Settings, who: str
) -> Any:
    """Write the label map and, beside it, how it came about.

    Returns:
        Names of the files, from the folder that they are in; the number of the saved state.

    Raises:
        OutputError: If they cannot be written; the old ones stay.
    """
    prediction, about, seq = _snapshot(session, image)
    target = target_of(case, image, cases, settings, overlaps=prediction.overlap == "keep")
    folder = settings.output or (settings.state if case.kind == "upload" else case.path.parent)
    if case.path == case.root and case.kind == "dicom":
        folder = case.path
    if not inside(target.parent, folder):
        raise OutputError("the label map would lie outside of the folder that it belongs to")
    written = write_prediction(target, prediction, image)
    document = {
        "schema": SCHEMA,
        "created": now(),
        "saved_by": who or session.row.who,
        "session": session.row.id,
        "state": seq,
        "image": case.name,
        "outputs": [path.name for path in written],
        **about,
        "versions": {"anytomy": __version__},
        "note": "for research, not a medical device",
    }
    manifest = target.with_name(f"{target.name}.json")
    write_text(manifest, json.dumps(document, indent=2) + "\n")
    return {"files": [path.name for path in [*written, manifest]], "seq": seq}


def target_of(
    case: Case, image: Image, cases: Sequence[Case], settings: Settings, *, overlaps: bool = False
) -> Path:
    """Where the label map of a case goes: `STEM.labels.ENDING`, by the user's own file name.

    Where two images would have the same one, each name has the beginning of the case's id as well.
    """
    place = _place(case, settings)
    twins = [each for each in cases if each.id != case.id and _place(each, settings) == place]
    name = f"{place.name}.{case.id[:8]}" if twins else place.name
    ending = ".seg.nrrd" if overlaps else _OWN.get(image.format, "")
    if not ending:
        ending = ".nii.gz" if image.is_volume or image.has_place else ".png"
    return place.with_name(f"{name}{LABELS}{ending}")


def _place(case: Case, settings: Settings) -> Path:
    """Folder and stem."""
    if case.kind == "upload":
        return (settings.output or case.path) / f"upload-{case.id}"
    name = case.path.name if case.kind == "dicom" else stem(case.path)
    if settings.output is not None:
        parent = case.path.parent.relative_to(case.root) if case.path != case.root else Path()
        return settings.output / parent / name
    if case.kind == "dicom" and case.path == case.root:
        return case.path / name  # beside it would be outside of what was declared
    return case.path.parent / name


@contextlib.contextmanager
def export(
    session: Session, case: Case, image: Image, ending: str, folder: Path
) -> Iterator[tuple[Path, str]]:
    """The masks as one temporary file of a format, and its media type.

    The name says nothing of a patient: `case-ID.ENDING`.

    Raises:
        OptionError: If there is no such format.
        OutputError: If the image cannot be written in it.
    """
    if ending not in endings() or ending == ".mhd":
        known = ", ".join(each[1:] for each in endings() if each != ".mhd")
        raise OptionError(f"expected a format of {known}")
    prediction, *_ = _snapshot(session, image)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="export-") as temporary:
        written = write_prediction(Path(temporary) / f"case-{case.id}{ending}", prediction, image)
        if len(written) != 1:
            raise OutputError(
                f"masks that overlap do not fit into one {ending} file",
                hint="choose seg.nrrd, seg.dcm, npz or, for a picture, json",
            )
        yield written[0], _MEDIA.get(written[0].suffix, "application/octet-stream")


def _snapshot(session: Session, image: Image) -> tuple[Prediction, dict[str, Any], int]:
    """Masks, how they came about and the number of the state, all of one moment."""
    with session.lock:
        labels = session.scene.labels
        masks = [session.voxels.packed(label.id) for label in labels]
        scores = {label.id: 0.0 for label in labels}
        for (label_id, *_), group in session.scene.groups.items():
            scores[label_id] = max(scores.get(label_id, 0.0), group.score)
        seq = session.history.seq
        about = {
            "labels": session.scene.labels_to_list(),
            "prompts": session.to_dict()["prompts"],
            "actions": [
                {"seq": node.seq, "kind": node.kind, **_brief(node.about)} for node in session.history.line()
            ],
        }
    found = labelled(
        image,
        {label.id: (label.name, mask, scores[label.id]) for label, mask in zip(labels, masks, strict=True)},
        overlap="keep" if session.row.overlap == "keep" else "last",
    )
    return found, about, seq


def labelled(
    image: Image, labels: Mapping[int, tuple[str, ObjectMask, float]], *, overlap: str = "last"
) -> Prediction:
    """Masks as a prediction that can be written.

    Args:
        image: Whose grid they are on.
        labels: Name, mask and score by value in the label map; of several the last has a voxel.
        overlap: The rule behind that.
    """
    shape = image.geometry.shape_zyx
    label_map: NDArray[Any] = np.zeros(shape, dtype=np.uint8 if max(labels, default=0) < 256 else np.uint16)
    for value, (_, mask, _) in labels.items():
        for z in mask.slices:
            label_map[z][mask.get(z)] = value
    masks = [mask for _, mask, _ in labels.values()]
    return Prediction(
        geometry=image.geometry,
        is_volume=image.is_volume,
        masks=MaskStack(masks, is_volume=image.is_volume, shape_zyx=shape),
        label_map=label_map if image.is_volume else label_map[0],
        prompts=(),
        scores=tuple(score for *_, score in labels.values()),
        overlap=overlap,
        classes=tuple(ClassLabel(name, value) for value, (name, *_) in labels.items()),
    )


def _brief(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key not in ("labels", "forgotten")}
