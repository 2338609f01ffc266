from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import PromptError
from anytomy.core.prompt import Prompt, numbered

POINT = {"points": [(1, 2)]}

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "a box, points or a mask"),
    "only a slice": ({"slice": 3}, "a box, points or a mask"),
    "box of three": ({"box": (1, 2, 3)}, "4 or 6 numbers, got 3"),
    "box of five": ({"box": (1, 2, 3, 4, 5)}, "4 or 6 numbers, got 5"),
    "empty box": ({"box": ()}, "4 or 6 numbers, got 0"),
    "box as text": ({"box": "1,2,3,4"}, "got '1,2,3,4'"),
    "box as bytes": ({"box": b"abcd"}, "4 or 6 numbers"),
    "box as a mapping": ({"box": {"x0": 1, "y0": 2, "x1": 3, "y1": 4}}, "4 or 6 numbers"),
    "box as a number": ({"box": 5}, "got 5"),
    "box of texts": ({"box": ("1", "2", "3", "4")}, "got '1'"),
    "box of pairs": ({"box": [[1, 2], [3, 4], [5, 6], [7, 8]]}, "finite numbers"),
    "box of truth values": ({"box": (False, False, True, True)}, "got False"),
    "box with None": ({"box": (1, 2, None, 4)}, "got None"),
    "box with NaN": ({"box": (1, 2, float("nan"), 4)}, "finite numbers, got nan"),
    "box with infinity": ({"box": (1, 2, np.inf, 4)}, "finite numbers, got inf"),
    "box beyond doubles": ({"box": (0, 0, 10**400, 4)}, "finite numbers, got inf"),
    "reversed box": ({"box": (5, 2, 3, 4)}, r"reversed along x \(5 to 3\); give x0,y0,x1,y1"),
    "reversed cuboid": ({"box": (1, 2, 9, 3, 4, 5)}, "reversed along z.*x0,y0,z0,x1,y1,z1"),
    "flat box": ({"box": (1, 2, 3, 2)}, "no extent along y; box ends are exclusive"),
    "points as text": ({"points": "1,2"}, "list of points"),
    "points as a number": ({"points": 5}, "list of points"),
    "points as a 0-d array": ({"points": np.array(5)}, "list of points"),
    "one point, not listed": ({"points": (1, 2)}, "a point of 2 or 3 numbers, got 1"),
    "point of one": ({"points": [(1,)]}, "2 or 3 numbers, got 1"),
    "point of four": ({"points": [(1, 2, 3, 4)]}, "2 or 3 numbers, got 4"),
    "mixed points": ({"points": [(1, 2), (1, 2, 3)]}, "all have two or all have three"),
    "point with NaN": ({"points": [(1, float("nan"))]}, "finite numbers"),
    "point of texts": ({"points": [("1", "2")]}, "got '1'"),
    "labels without points": ({"box": (0, 0, 1, 1), "labels": [1]}, "each of 0 points, got 1"),
    "too few labels": ({"points": [(1, 2), (3, 4)], "labels": [1]}, "each of 2 points, got 1"),
    "label 2": ({**POINT, "labels": [2]}, "1 .object. or 0 .background."),
    "label -1": ({**POINT, "labels": [-1]}, "1 .object. or 0 .background."),
    "label 0.5": ({**POINT, "labels": [0.5]}, "1 .object. or 0 .background."),
    "label as text": ({**POINT, "labels": ["1"]}, "1 .object. or 0 .background."),
    "label as truth value": ({**POINT, "labels": [True]}, "1 .object. or 0 .background."),
    "label as array": ({**POINT, "labels": [np.array([1, 0])]}, "1 .object. or 0 .background."),
    "labels as a number": ({**POINT, "labels": 1}, "list of labels"),
    "labels as text": ({**POINT, "labels": "1"}, "list of labels"),
    "mask of one axis": ({"mask": np.zeros(4)}, "two or three axes, got 1"),
    "mask of four axes": ({"mask": np.zeros((2, 2, 2, 2))}, "two or three axes, got 4"),
    "mask as text": ({"mask": "mask.png"}, "two or three axes"),
    "ragged mask": ({"mask": [[1, 0], [1]]}, "one length"),
    "half a slice": ({**POINT, "slice": 1.5}, "whole number for slice, got 1.5"),
    "slice as text": ({**POINT, "slice": "3"}, "whole number for slice"),
    "slice as truth value": ({**POINT, "slice": True}, "whole number for slice"),
    "infinite slice": ({**POINT, "slice": float("inf")}, "whole number for slice, got inf"),
    "slice NaN": ({**POINT, "slice": float("nan")}, "whole number for slice, got nan"),
    "z of one": ({**POINT, "z": (1,)}, "z range of 2 numbers"),
    "z as a number": ({**POINT, "z": 3}, "z range of 2 numbers"),
    "z reversed": ({**POINT, "z": (5, 2)}, "ascends, got 5,2"),
    "z empty": ({**POINT, "z": (5, 5)}, "the end is exclusive"),
    "z half": ({**POINT, "z": (1.5, 3)}, "whole number for z"),
    "slice outside of z": ({**POINT, "slice": 5, "z": (1, 5)}, "slice 5 is outside of z 1,5"),
    "id 0": ({**POINT, "id": 0}, "1 to 65535, got 0"),
    "id too large": ({**POINT, "id": 65536}, "1 to 65535"),
    "id far too large": ({**POINT, "id": 10**400}, "whole number for id"),
    "id as text": ({**POINT, "id": "1"}, "whole number for id"),
    "name as a number": ({**POINT, "name": 5}, "text for the name"),
}


@pytest.mark.parametrize(("fields", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_prompts_are_refused_in_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        Prompt(**fields)
    assert "\n" not in str(caught.value)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
)
anything = scalars | st.lists(scalars, max_size=6) | st.lists(st.lists(scalars, max_size=4), max_size=3)
fields_of_a_prompt = ["box", "points", "labels", "mask", "slice", "z", "id", "name"]


@given(st.dictionaries(st.sampled_from(fields_of_a_prompt), anything))
def test_whatever_a_file_holds_gives_a_prompt_or_a_prompt_error(fields: dict[str, Any]) -> None:
    with contextlib.suppress(PromptError):
        Prompt(**fields)


class TestPrompt:
    def test_numbers_become_floats_and_labels_default_to_object(self) -> None:
        prompt = Prompt(box=[1, 2, np.int16(3), np.float32(4)], points=np.array([[1, 2, 3], [4, 5, 6]]))  # type: ignore[arg-type]
        assert prompt.box == (1.0, 2.0, 3.0, 4.0)
        assert prompt.points == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
        assert prompt.labels == (1, 1)

    def test_whole_floats_are_whole_numbers(self) -> None:
        prompt = Prompt(points=((1, 2),), labels=(0.0,), slice=3.0, z=(2.0, np.int64(9)), id=np.uint16(7))  # type: ignore[arg-type]
        assert (prompt.labels, prompt.slice, prompt.z, prompt.id) == ((0,), 3, (2, 9), 7)

    def test_kinds(self) -> None:
        assert Prompt(box=(0, 0, 1, 1)).kinds == ("box",)
        assert Prompt(points=((1, 2),), mask=np.ones((2, 2))).kinds == ("points", "mask")

    def test_the_mask_is_bool_and_its_own(self) -> None:
        given_mask = np.array([[0, 255], [1, 0]], np.uint8)
        prompt = Prompt(mask=given_mask)
        given_mask[:] = 0
        assert prompt.mask is not None
        assert prompt.mask.tolist() == [[False, True], [True, False]]

    def test_how_messages_call_it(self) -> None:
        assert Prompt(points=((1, 2),)).label == "the prompt"
        assert Prompt(points=((1, 2),), name="liver").label == "liver"
        assert Prompt(points=((1, 2),), id=3).label == "object 3"
        assert Prompt(points=((1, 2),), id=3, name="liver").label == "object 3 (liver)"


class TestNumbered:
    def test_missing_ids_take_the_lowest_free_ones(self) -> None:
        prompts = [Prompt(points=((1, 2),), id=i) for i in (None, 2, None, 1, None)]
        assert [p.id for p in numbered(prompts)] == [3, 2, 4, 1, 5]

    def test_everything_else_is_kept(self) -> None:
        (one,) = numbered([Prompt(box=(0, 0, 4, 4), slice=2, z=(1, 5), name="liver")])
        assert (one.box, one.slice, one.z, one.name, one.id) == ((0, 0, 4, 4), 2, (1, 5), "liver", 1)

    def test_an_id_stands_once(self) -> None:
        with pytest.raises(PromptError, match="id 4 stands twice"):
            numbered([Prompt(points=((1, 2),), id=4)] * 2)

    def test_ids_run_out(self) -> None:
        with pytest.raises(PromptError, match="at most 65535"):
            numbered([Prompt(points=((1, 2),))] * 65536)
