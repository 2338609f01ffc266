"""COCO JSON of a picture's instances: what it says, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.errors import ImageReadError, OutputError
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.io import rle
from anytomy.io.objects import read_objects
from tests.engine.tiny import bright_model
from tests.predict.automatic.blobs import blob_model, spread

if TYPE_CHECKING:
    from pathlib import Path


def result() -> Any:
    array = np.zeros((40, 60), np.uint8)
    array[10:30, 20:50] = 250
    prompts = [
        Prompt(box=(15, 5, 40, 25), name="cell"),
        Prompt(box=(30, 15, 55, 35)),
        Prompt(box=(0, 0, 5, 5)),
    ]
    return bright_model().segment(Image.from_array(array), prompts)


def test_says_what_was_found(tmp_path: Path) -> None:
    found = result()
    (path,) = found.save(tmp_path / "masks.json")
    document = json.loads(path.read_text())
    assert document["images"] == [{"id": 1, "file_name": "", "height": 40, "width": 60}]
    assert document["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "object"}]
    for entry, mask, score in zip(document["annotations"], found.masks, found.scores, strict=True):
        assert entry["area"] == mask.sum()
        assert entry["score"] == pytest.approx(score)
        assert entry["image_id"] == 1
        assert entry["iscrowd"] == 0
        assert entry["segmentation"]["size"] == [40, 60]
        runs = rle.from_text(entry["segmentation"]["counts"])
        np.testing.assert_array_equal(rle.decode(runs, (40, 60)), mask)
        if mask.any():
            x, y, width, height = entry["bbox"]
            assert mask[y : y + height, x : x + width].sum() == mask.sum()
            assert mask[y].any()
            assert mask[:, x + width - 1].any()
    assert [entry["category_id"] for entry in document["annotations"]] == [1, 2, 2]
    assert document["annotations"][2]["bbox"] == [0, 0, 0, 0]


def test_objects_that_overlap_come_back_whole(tmp_path: Path) -> None:
    found = result()
    (path,) = found.save(tmp_path / "masks.json")
    image, segments = read_objects(path)
    assert segments.numbers == found.ids
    assert segments.names == ("cell", "", "")
    for mask, expected in zip(segments.masks, found.masks, strict=True):
        np.testing.assert_array_equal(mask, expected)
    assert image.array.shape == (40, 60)
    assert not image.is_volume


def test_automatic_masks_say_where_they_come_from(tmp_path: Path) -> None:
    truth = spread((64, 64), 2, 3, 7)
    found = blob_model().everything(Image.from_array(np.where(truth, 220, 20).astype(np.uint8)))
    (path,) = found.save(tmp_path / "masks.json")
    entries = json.loads(path.read_text())["annotations"]
    assert len(entries) == 6
    for entry, prompt in zip(entries, found.prompts, strict=True):
        assert entry["point_coords"] == [list(prompt.points[0])]
        assert 0.95 <= entry["stability_score"] <= 1


def test_no_object_at_all(tmp_path: Path) -> None:
    found = blob_model().everything(Image.from_array(np.full((20, 30), 9, np.uint8)))
    (path,) = found.save(tmp_path / "masks.json")
    image, segments = read_objects(path)
    assert segments.numbers == ()
    assert image.array.shape == (20, 30)


def test_volumes_are_refused(tmp_path: Path) -> None:
    image = Image.from_array(np.zeros((3, 20, 20), np.uint8))
    found = bright_model().segment(image, [Prompt(box=(2, 2, 0, 9, 9, 3))])
    with pytest.raises(OutputError, match="3 slices"):
        found.save(tmp_path / "masks.json")


PICTURE = {"id": 1, "height": 2, "width": 2}
ENTRY = {"id": 1, "segmentation": {"size": [2, 2], "counts": "04"}}


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "[]",
        json.dumps({"annotations": []}),
        json.dumps({"images": [PICTURE, PICTURE], "annotations": []}),
        json.dumps({"images": [PICTURE], "annotations": [{**ENTRY, "segmentation": [[0, 0, 1, 1]]}]}),
        json.dumps({"images": [PICTURE], "annotations": [{**ENTRY, "segmentation": {"counts": "09"}}]}),
        json.dumps({"images": [{**PICTURE, "height": "tall"}], "annotations": [ENTRY]}),
    ],
)
def test_what_is_none_is_refused_in_a_line(tmp_path: Path, document: str) -> None:
    path = tmp_path / "masks.json"
    path.write_text(document)
    with pytest.raises(ImageReadError, match="COCO JSON of one picture with run lengths") as caught:
        read_objects(path)
    assert "\n" not in str(caught.value)


def test_plain_runs_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    entry = {**ENTRY, "segmentation": {"size": [2, 2], "counts": [1, 2, 1]}}
    path.write_text(json.dumps({"images": [PICTURE], "annotations": [entry]}))
    np.testing.assert_array_equal(read_objects(path).segments.masks[0], [[False, True], [True, False]])
