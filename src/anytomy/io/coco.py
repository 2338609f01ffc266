"""Instances of a picture as COCO JSON with run lengths (`masks.json`), written and read back.

Each object is an annotation: `segmentation` (compressed run lengths, see `rle`), `bbox` (x, y, width,
height), `area`, `category_id` (by name; `object` where it has none), and beyond COCO `score` (the model's own
predicted IoU), `point_coords` (the points that it was prompted with) and, of automatic masks,
`stability_score`, as in the files of Segment Anything's authors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.view import SliceView
from anytomy.io import rle
from anytomy.io.segments import Segment, Segments

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.image import Image
    from anytomy.core.prediction import Prediction

UNNAMED = "object"


def write_prediction(path: Path, prediction: Prediction, image: Image) -> None:
    """Write the objects of a picture.

    Args:
        path: Exactly this file; the caller makes it atomic.
        prediction: What to write.
        image: The image that it belongs to.
    """
    rows, columns = prediction.geometry.size_xyz[1], prediction.geometry.size_xyz[0]
    names = [source.name or UNNAMED for source in prediction.sources]
    categories = {name: number for number, name in enumerate(dict.fromkeys(names), start=1)}
    stable = prediction.details.get("stability") or [None] * len(names)
    annotations = []
    for place, (mask, name) in enumerate(zip(prediction.masks.objects, names, strict=True)):
        (x, y, _), crop = mask.crop()
        flat = crop[0] if crop.size else crop.reshape(0, 0)
        prompt = prediction.prompts[place] if place < len(prediction.prompts) else None
        entry: dict[str, Any] = {
            "id": prediction.ids[place],
            "image_id": 1,
            "category_id": categories[name],
            "segmentation": {
                "size": [rows, columns],
                "counts": rle.to_text(rle.encode(flat, y, x, (rows, columns))),
            },
            "area": mask.voxels,
            "bbox": [x, y, flat.shape[1], flat.shape[0]],
            "iscrowd": 0,
            "score": round(prediction.scores[place], 6),
        }
        if prompt is not None and prompt.points:
            entry["point_coords"] = [list(point) for point in prompt.points]
        if place < len(stable) and stable[place] is not None:
            entry["stability_score"] = stable[place]
        annotations.append(entry)
    document = {
        "info": {"description": "made with anytomy; for research, not a medical device"},
        "images": [
            {"id": 1, "file_name": image.path.name if image.path else "", "height": rows, "width": columns}
        ],
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": annotations,
    }
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def read_segments(path: Path) -> Segments:
    """The objects of the only picture in a file; polygons are not read.

    Raises:
        ImageReadError: If it is not COCO JSON of one picture with run lengths.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        (image,) = document["images"]
        shape = (int(image["height"]), int(image["width"]))
        names = {int(each["id"]): str(each["name"]) for each in document.get("categories") or ()}
        geometry = Geometry(size_xyz=(shape[1], shape[0], 1))
        found = []
        for entry in sorted(document["annotations"], key=lambda each: int(each["id"])):
            mask = ObjectMask(SliceView.stored(geometry))
            mask.set(0, rle.decode(_runs(entry["segmentation"]["counts"]), shape))
            name = names.get(int(entry.get("category_id", 0)), "")
            found.append((int(entry["id"]), "" if name == UNNAMED else name, mask))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ImageReadError(
            f"{path} cannot be read as COCO JSON of one picture with run lengths: {error}"
        ) from error
    return Segments(
        path=path,
        kind="LABELMAP",
        geometry=geometry,
        is_volume=False,
        segments=tuple(Segment(number=number, name=name) for number, name, _ in found),
        masks=MaskStack([mask for *_, mask in found], is_volume=False, shape_zyx=geometry.shape_zyx),
    )


def _runs(counts: str | list[int]) -> list[int]:
    return rle.from_text(counts) if isinstance(counts, str) else [int(run) for run in counts]
