"""Which objects a teacher is asked about."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.core.errors import PromptError
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.proposals import from_prompts, from_student, parts


def found() -> np.ndarray:
    """Two objects of class 1 in slice 0, one of class 2 in slices 1 and 2, and a speck."""
    classes = np.zeros((3, 64, 64), dtype=np.uint8)
    classes[0, 10:20, 5:25] = 1
    classes[0, 40:50, 30:40] = 1
    classes[1:, 30:50, 20:40] = 2
    classes[2, 0:2, 0:2] = 2
    return classes


def test_a_box_around_each_part_with_its_margin() -> None:
    made = list(from_student(found(), Asking(margin=32)))  # 32 of 1024 are 2 of 64
    said = [(p.index, *p.track.prompts.items()) for p in made]
    assert [(index, slice_, prompt.box) for index, (slice_, prompt) in said] == [
        (1, 0, (3.0, 8.0, 27.0, 22.0)),
        (1, 0, (28.0, 38.0, 42.0, 52.0)),
        (2, 1, (18.0, 28.0, 42.0, 52.0)),
        (2, 2, (18.0, 28.0, 42.0, 52.0)),
    ]
    assert all(p.source == "student" for p in made)


def test_parts_that_touch_at_a_corner_are_one() -> None:
    classes = np.zeros((1, 32, 32), dtype=np.uint8)
    classes[0, 5:10, 5:10] = classes[0, 10:15, 10:15] = 1
    assert [p.box for p in parts(classes, Asking())] == [(5, 5, 15, 15)]


def test_the_thin_end_of_a_large_object_is_no_speck() -> None:
    classes = np.zeros((2, 64, 64), dtype=np.uint8)
    classes[0, 10:50, 10:50] = 1
    classes[1, 20:24, 20:25] = 1
    assert {p.slice for p in parts(classes, Asking(least=16, share=0.1))} == {0, 1}
    classes[0] = np.roll(classes[0], 30, axis=0)
    assert {p.slice for p in parts(classes, Asking(least=16, share=0.1))} == {0}


def test_stored_prompts_go_by_the_names_of_classes() -> None:
    image = Image.from_array(np.zeros((64, 64), np.uint8))
    view = SliceView.canonical(image.geometry)
    prompts = [Prompt(box=(1, 2, 30, 40), name="Liver"), Prompt(box=(5, 5, 9, 9), name="spleen")]
    made = from_prompts(image, prompts, ("spleen", "liver"), view, "z")
    assert [(p.index, p.source) for p in made] == [(2, "stored"), (1, "stored")]
    with pytest.raises(PromptError, match="spleen"):
        from_prompts(image, [Prompt(box=(1, 2, 30, 40), name="heart")], ("spleen", "liver"), view, "z")
