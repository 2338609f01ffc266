"""Label maps that come back from a client: `bring_in`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from anytomy.core.errors import GeometryError, ImageReadError
from anytomy.server import uploads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.server.cases import Case
    from anytomy.server.desk import Desk
    from anytomy.server.store import SessionRow

_SAME_PLACE_VOXELS = 0.1
WHO = "MONAI Label client"


def who(params: dict[str, Any]) -> str:
    """Who asks, as their plug-in says."""
    said = params.get("client_id")
    plain = re.sub(r"[\x00-\x1f\x7f]", "", said)[:64] if isinstance(said, str) else ""
    return plain or WHO


def session_of(desk: Desk, case: Case, person: str) -> SessionRow:
    """The latest session of a case, a new one where there is none."""
    rows = desk.store.sessions(case.id)
    if rows:
        return rows[-1]
    return desk.sessions.create(case, who=person, model=desk.models.default, overlap="exclusive")


def bring_in(
    desk: Desk, case: Case, file: BinaryIO, file_name: str, params: dict[str, Any], *, save: bool
) -> str:
    """Put a label map into the session of its case, as one action that can be undone.

    Args:
        desk: The server.
        case: The image.
        file: A file of any format on the image's grid, or its bare voxels (`.bin`).
        file_name: As the client calls it; only its ending counts.
        params: `label_info` names the values; `client_id` says who.
        save: Write it beside the image as well.

    Returns:
        Id of the session.

    Raises:
        ImageReadError: If it cannot be read, or has values that are no labels.
        GeometryError: If it is on another grid.
    """
    image = desk.opened.open(case).image
    place = uploads.collect([file], desk.cases.uploads, desk.settings.limits)
    if file_name.lower().endswith(".bin"):
        values = _bare(uploads.take_bytes(place), image)
    else:
        values = _on_grid(uploads.decode_labels(place, desk.settings.limits), image)
    masks = _by_name(values, _names(params), desk.settings.limits.labels)
    person = who(params)
    row = session_of(desk, case, person)
    with desk.sessions.using(row.id) as session:
        session.imported(masks, {"from": "file", "labels": list(masks)}, person, alone=True)
        if save:
            desk.save(session, person)
    return row.id


def _bare(data: bytes, image: Image) -> NDArray[Any]:
    """Voxels without a header, x fastest, as OHIF sends them: one or two bytes each."""
    count = int(np.prod(image.geometry.shape_zyx))
    dtype = {count: "<u1", 2 * count: "<u2"}.get(len(data))
    if dtype is None:
        raise GeometryError(
            f"expected one or two bytes for each of {count} voxels, got {len(data)} bytes",
            hint="send the label map of this image",
        )
    return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(image.geometry.shape_zyx)


def _on_grid(labels: Image, image: Image) -> NDArray[Any]:
    """Its values, once it is sure that they are whole numbers on the grid of the image."""
    mine, theirs = image.geometry, labels.geometry
    if labels.is_colour or theirs.size_xyz != mine.size_xyz:
        raise GeometryError(
            f"expected a label map of {mine.size_xyz} voxels, got {theirs.size_xyz}",
            hint="save it on the grid of the image, without cropping or resampling",
        )
    if image.is_volume and image.has_place and labels.is_volume:
        corners = np.array([(0, 0, 0), np.subtract(mine.size_xyz, 1)])
        apart = np.abs(mine.to_index(theirs.to_physical(corners)) - corners).max()
        if apart > _SAME_PLACE_VOXELS:
            raise GeometryError(
                f"the label map lies {apart:.3g} voxels away from the image",
                hint="it belongs to another image, or its axes are stored in another order",
            )
    values = labels.volume
    if not np.issubdtype(values.dtype, np.integer):
        whole = np.round(values)
        if not np.isfinite(values).all() or np.abs(values - whole).max() > 1e-3:
            raise ImageReadError("the label map has values that are no whole numbers")
        values = whole.astype(np.int64)
    return values


def _names(params: dict[str, Any]) -> dict[int, str]:
    """Names by value, from what the plug-ins call `label_info`."""
    listed = params.get("label_info")
    names: dict[int, str] = {}
    for place, entry in enumerate(listed if isinstance(listed, list) else (), start=1):
        if not isinstance(entry, dict):
            continue
        name = next((entry[key] for key in ("name", "SegmentLabel", "label") if entry.get(key)), None)
        value = next((entry[key] for key in ("idx", "id", "labelID", "SegmentNumber") if key in entry), place)
        if isinstance(name, str) and isinstance(value, int) and not isinstance(value, bool):
            names[value] = re.sub(r"[\x00-\x1f\x7f]", "", name)[:64] or f"label {value}"
    return names


def _by_name(values: NDArray[Any], names: dict[int, str], most: int) -> dict[str, NDArray[np.bool_]]:
    """A mask for each value but 0; those of one name together."""
    found = [int(value) for value in np.unique(values) if value != 0]
    if found and found[0] < 0:
        raise ImageReadError("the label map has negative values")
    if len(found) > most:
        raise ImageReadError(f"expected at most {most} labels, got {len(found)} values")
    masks: dict[str, NDArray[np.bool_]] = {}
    for value in found:
        name = names.get(value, f"label {value}")
        mask = values == value
        masks[name] = masks[name] | mask if name in masks else mask
    return masks
