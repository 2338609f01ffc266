"""Boxes on several key slices of one object, from what a person types to the mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anytomy.cli.request import Options, check_options
from anytomy.core.errors import PromptError
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.io.prompts import prompt_to_dict, read_prompts
from anytomy.predict.placing import place
from anytomy.zoo.registry import card
from tests.engine.tiny import bright_model

BOXES = {4: (10.0, 12.0, 30.0, 28.0), 9: (14.0, 12.0, 34.0, 28.0)}


def scan() -> Image:
    volume = np.full((14, 48, 56), 15, np.uint8)
    for z in range(2, 12):
        volume[z, 12:28, 6 + z : 26 + z] = 220
    return Image.from_array(volume)


def test_each_box_prompts_its_own_slice() -> None:
    image = scan()
    view = SliceView.canonical(image.geometry, "z")
    track = place(image, Prompt(boxes=BOXES), view, "z")
    assert {view.slice_to_view(s) for s in BOXES} == set(track.prompts)
    assert (track.start, track.stop - 1) == tuple(sorted(view.slice_to_view(s) for s in BOXES))
    assert not track.solid


def test_the_object_is_carried_from_one_to_the_other() -> None:
    result = bright_model().segment(scan(), [Prompt(boxes=BOXES, name="tube")], intensity="none")
    found = np.flatnonzero(result.masks[0].any(axis=(1, 2)))
    assert found.tolist() == list(range(4, 10))
    truth = scan().volume > 128
    truth[:4] = truth[10:] = False
    both = 2 * (result.masks[0] & truth).sum() / (result.masks[0].sum() + truth.sum())
    assert both > 0.95


def test_a_range_reaches_beyond_them() -> None:
    result = bright_model().segment(scan(), [Prompt(boxes=BOXES, z=(2, 12))], intensity="none")
    assert np.flatnonzero(result.masks[0].any(axis=(1, 2))).tolist() == list(range(2, 12))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"boxes": {4: (1, 1, 5, 5)}, "z": (5, 9)}, "outside of z"),
        ({"boxes": {4: (1, 1, 5, 5)}, "box": (1, 1, 0, 5, 5, 9)}, "3D box and boxes"),
        ({"boxes": {4: (1, 1, 5, 5)}, "box": (1, 1, 6, 5), "slice": 4}, "two boxes that differ"),
        ({"boxes": {4: (5, 1, 1, 5)}}, "reversed"),
        ({"boxes": {4.5: (1, 1, 5, 5)}}, "whole number"),
        ({"boxes": [(1, 1, 5, 5)]}, "boxes by slice"),
        ({"boxes": {}}, "none of them"),
    ],
)
def test_contradictions_are_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        Prompt(**said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [({20: (1, 1, 5, 5)}, "no slice 20"), ({4: (1, 1, 5, 99)}, "outside of")],
)
def test_key_slices_lie_in_the_image(boxes: dict[int, tuple[float, ...]], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        bright_model().segment(scan(), [Prompt(boxes=boxes)])


def test_a_picture_has_no_key_slices() -> None:
    with pytest.raises(PromptError, match="single picture"):
        bright_model().segment(
            Image.from_array(np.zeros((20, 20), np.uint8)), [Prompt(boxes={0: (1, 1, 5, 5)})]
        )


def test_prompt_files_hold_them(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"objects": [prompt_to_dict(Prompt(boxes=BOXES, name="tube"))]}))
    (prompt,) = read_prompts(path, is_volume=True)
    assert prompt.boxes == BOXES
    with pytest.raises(PromptError, match="for volumes"):
        read_prompts(path, is_volume=False)
    path.write_text('{"objects": [{"boxes": {"x": [1, 2, 3, 4]}}]}')
    with pytest.raises(PromptError, match="boxes by slice"):
        read_prompts(path, is_volume=True)


def test_they_are_typed_with_their_slice() -> None:
    from anytomy.cli.request import _typed_prompts

    (prompt,) = _typed_prompts(Options(boxes=("10,12,30,28@4;14,12,34,28@9",)))
    assert prompt.boxes == BOXES
    for text, message in (("1,1,5,5@x", "slice behind @"), ("1,1,5,5@2;1,1,6,5@2", "differ")):
        with pytest.raises(PromptError, match=message):
            check_options(Options(boxes=(text,)), card("litemedsam"))
