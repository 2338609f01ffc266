"""The prompt file: what is read, what is refused and what the refusal says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from anytomy.core.combination import Combination
from anytomy.core.errors import PromptError
from anytomy.core.prompt import Prompt
from anytomy.io.prompts import (
    prompt_file_from_dict,
    prompt_to_dict,
    prompts_for,
    prompts_from_dict,
    read_prompt_file,
    read_prompts,
    write_prompts,
)


@pytest.fixture
def load(tmp_path):
    """Read prompts from a document or a text."""

    def load_(document, *, is_volume: bool = False) -> list[Prompt]:
        path = tmp_path / "p.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return read_prompts(path, is_volume=is_volume)

    return load_


def one(load, *, is_volume: bool = False, **entry) -> Prompt:
    return load({"objects": [entry]}, is_volume=is_volume)[0]


def test_the_whole_form(load):
    liver, cyst = load(
        {
            "objects": [
                {"id": 1, "name": "liver", "box": [10, 20, 30, 40.5], "slice": 41, "z": [30, 60]},
                {"id": 2, "name": "cyst", "points": [[5, 6, 41, 1], [7, 8, 41, 0]]},
            ]
        },
        is_volume=True,
    )
    assert (liver.box, liver.slice, liver.z) == ((10, 20, 30, 40.5), 41, (30, 60))
    assert (cyst.points, cyst.labels) == (((5, 6, 41), (7, 8, 41)), (1, 0))
    assert [(p.id, p.name) for p in (liver, cyst)] == [(1, "liver"), (2, "cyst")]


def test_ids_and_names_may_be_left_out(load):
    prompts = load({"objects": [{"box": [0, 0, 1, 1]}, {"box": [0, 0, 1, 1], "name": None}]})
    assert [(p.id, p.name) for p in prompts] == [(None, None)] * 2


def test_points_of_an_image(load):
    prompt = one(load, points=[[5, 6, 1], [7, 8, 0]])
    assert (prompt.points, prompt.labels) == (((5, 6), (7, 8)), (1, 0))


def test_points_of_a_slice_of_a_volume(load):
    assert one(load, is_volume=True, points=[[5, 6, 1]], slice=3).points == ((5, 6),)


def test_three_numbers_are_ambiguous_in_a_volume(load):
    with pytest.raises(PromptError, match=r"\[x, y, z, label\].*add the 'slice'"):
        one(load, is_volume=True, points=[[5, 6, 1]])


@pytest.mark.parametrize(
    ("is_volume", "entry"),
    [
        (False, {"points": [[1, 2, 3, 1]]}),
        (False, {"points": [[1, 2]]}),
        (True, {"points": [[1, 2, 3, 1]], "slice": 3}),
        (True, {"points": [[1, 2, 3, 4, 1]]}),
    ],
)
def test_points_with_too_many_or_few_numbers(load, is_volume, entry):
    with pytest.raises(PromptError, match="expected points"):
        one(load, is_volume=is_volume, **entry)


@pytest.mark.parametrize("where", ["file", "object"])
@pytest.mark.parametrize(
    ("form", "box"),
    [("xyxy", [10, 20, 30, 40]), ("xyxy-inclusive", [10, 20, 29, 39]), ("xywh", [10, 20, 20, 20])],
)
def test_box_formats(load, where, form, box):
    document = {"objects": [{"box": box}]}
    (document if where == "file" else document["objects"][0])["box_format"] = form
    assert load(document)[0].box == (10, 20, 30, 40)


@pytest.mark.parametrize(
    ("form", "box"), [("xyxy-inclusive", [1, 2, 3, 3, 5, 7]), ("xywh", [1, 2, 3, 3, 4, 5])]
)
def test_box_formats_of_six_numbers(load, form, box):
    assert one(load, is_volume=True, box=box, box_format=form).box == (1, 2, 3, 4, 6, 8)


def test_the_objects_own_box_format_counts(load):
    document = {
        "box_format": "xywh",
        "objects": [{"box": [1, 1, 2, 2], "box_format": "xyxy"}, {"box": [1, 1, 2, 2]}],
    }
    assert [p.box for p in load(document)] == [(1, 1, 2, 2), (1, 1, 3, 3)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"objects": [\n  {"box": [1, 2, 3 4]}]}', "line 2, column 20"),
        ("", "line 1, column 1"),
        ("[" * 100_000, "nested|JSON"),
        ('{"objects": [{"box": [1,2,3,4], "box": [5,6,7,8]}]}', "'box' stands twice"),
        ('[{"box": [1, 2, 3, 4]}]', "got a list"),
        ('"box"', "got a str"),
        ("null", "got a NoneType"),
        ('{"boxes": []}', "keys: boxes"),
        ('{"objects": {"box": [1, 2, 3, 4]}}', "list 'objects'"),
        ('{"objects": []}', "empty"),
        ('{"objects": [{"box": [0, 0, 1, 1]}], "box_formt": "xywh"}', "did you mean 'box_format'"),
        ('{"objects": [{"box": [0, 0, 1, 1]}], "box_format": "yxyx"}', "xyxy, xyxy-inclusive, xywh"),
        (f'{{"objects": [{{"box": [0, 0, 1, {"9" * 5000}]}}]}}', "cannot be used"),
        (f'{{"objects": [{{"box": [0, 0, 1, 1{"0" * 400}]}}]}}', "finite"),
        (f'{{"objects": [{{"box": [0, 0, 1{"0" * 400}, 1.5], "box_format": "xywh"}}]}}', "finite"),
        (f'{{"objects": [{{"box": [0.5, 0, 1{"0" * 400}, 1], "box_format": "xywh"}}]}}', "too large"),
    ],
)
def test_broken_documents(load, text, expected):
    with pytest.raises(PromptError, match=expected) as caught:
        load(text)
    assert "p.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ([0, 0, 1, 1], "expected an object with"),
        ({}, "none of them"),
        ({"id": 1, "name": "liver"}, "none of them"),
        ({"bbox": [0, 0, 1, 1]}, "did you mean 'box'"),
        ({"box": [0, 0, 1, 1], "label": "x"}, "unknown key 'label'"),
        ({"box": [0, 0, 1]}, "4 or 6 numbers"),
        ({"box": [0, 0, 1, "1"]}, "finite numbers, got '1'"),
        ({"box": [0, 0, 1, True]}, "finite numbers, got True"),
        ({"box": [0, 0, 1, float("nan")]}, "finite"),
        ({"box": [0, 0, 1, float("inf")]}, "finite"),
        ({"box": [5, 0, 1, 1]}, "reversed along x"),
        ({"box": "0,0,1,1"}, "numbers"),
        ({"box": [0, 0, 1, 1, 2, 2]}, "six numbers is for volumes"),
        ({"box": [0, 0, -5, 5], "box_format": "xywh"}, "positive width"),
        ({"box": [0, 0, 1, 1], "slice": 3}, "'slice' is for volumes"),
        ({"box": [0, 0, 1, 1], "name": 7}, "text for 'name'"),
        ({"box": [0, 0, 1, 1], "id": 0}, "1 to 65535"),
        ({"box": [0, 0, 1, 1], "id": "1"}, "whole number"),
        ({"points": [1, 2, 1]}, "list of lists"),
        ({"points": [[1, 2, 5]]}, "labels 1"),
        ({"points": "1,2"}, "list of points"),
        ({"mask": "gone.png"}, "gone.png"),
        ({"mask": 5}, "path of a file"),
        ({"box": [0, 0, 1, 1], "mask_value": 5}, "without 'mask'"),
    ],
)
def test_broken_objects_are_named(load, entry, expected):
    with pytest.raises(PromptError, match=expected) as caught:
        load({"objects": [{"box": [0, 0, 9, 9]}, entry]})
    assert "p.json, object 2 of 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_duplicate_ids(load):
    boxed = {"box": [0, 0, 1, 1], "id": 3}
    with pytest.raises(PromptError, match="object 3 of 3: id 3 is already that of object 1"):
        load({"objects": [boxed, {"box": [0, 0, 1, 1]}, boxed]})


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(PromptError, match=r"gone\.json"):
        read_prompts(tmp_path / "gone.json", is_volume=False)
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match="UTF-8"):
        read_prompts(tmp_path / "a.json", is_volume=False)


def test_byte_order_mark_of_windows_editors(tmp_path):
    (tmp_path / "a.json").write_text('{"objects": [{"box": [0, 0, 1, 1]}]}', encoding="utf-8-sig")
    assert len(read_prompts(tmp_path / "a.json", is_volume=False)) == 1


# -- masks ---------------------------------------------------------------------------------------


def test_mask_beside_the_file(load, tmp_path):
    labels = np.zeros((6, 8), np.uint8)
    labels[1:3], labels[4:] = 1, 7
    (tmp_path / "masks").mkdir()
    Pillow.fromarray(labels).save(tmp_path / "masks" / "m.png")
    np.testing.assert_array_equal(one(load, mask="masks/m.png").mask, labels > 0)
    np.testing.assert_array_equal(one(load, mask="masks/m.png", mask_value=7).mask, labels == 7)
    with pytest.raises(PromptError, match=r"value 5 .*found: 0, 1, 7"):
        one(load, mask="masks/m.png", mask_value=5)


def test_mask_ids_behind_colours(load, tmp_path):
    from anytomy.core.image import Image
    from anytomy.io import raster

    labels = np.array([[0, 1], [2, 2]], np.uint8)
    raster.write(tmp_path / "m.png", labels, Image.from_array(labels))
    np.testing.assert_array_equal(one(load, mask="m.png", mask_value=2).mask, labels == 2)


def test_no_mask_file_is_opened_for_strangers():
    document = {"objects": [{"mask": "/etc/hostname"}]}
    with pytest.raises(PromptError, match="not allowed"):
        prompts_from_dict(document, is_volume=False)


# -- combinations --------------------------------------------------------------------------------

OBJECTS = [{"box": [0, 0, 9, 9], "name": "disc"}, {"box": [2, 2, 5, 5], "name": "hole"}]


def test_combinations_as_text_and_with_an_id():
    entries = ["ring = disc - hole", {"name": "all", "expression": "disc + hole", "id": 9}]
    found = prompt_file_from_dict({"objects": OBJECTS, "combine": entries}, is_volume=False)
    assert [prompt.name for prompt in found.prompts] == ["disc", "hole"]
    assert found.combine == [Combination("ring", "disc - hole"), Combination("all", "disc + hole", 9)]


@pytest.mark.parametrize("document", [{"objects": OBJECTS}, {"objects": OBJECTS, "combine": None}])
def test_a_file_without_combinations(document):
    assert prompt_file_from_dict(document, is_volume=False).combine == []
    assert len(prompts_from_dict(document, is_volume=False)) == 2


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("ring = disc", "expected a list for 'combine'"),
        (0, "expected a list for 'combine'"),
        ([5], "combination 1 of 1: expected a combination as text, got 5"),
        (["ring = disc", "ring"], "combination 2 of 2: 'ring' has no '='"),
        (["ring = disc -"], "combination 1 of 1: .*got the end"),
        ([{"name": "ring", "expressions": "disc"}], "did you mean 'expression'"),
        ([{"name": "ring"}], "combination 1 of 1: expected what ring is made of"),
        ([{"expression": "disc"}], "combination 1 of 1: expected a name"),
        ([{"name": "ring", "expression": "disc", "id": 1.5}], "1 to 65535"),
    ],
)
def test_broken_combinations_are_named(load, entries, expected):
    with pytest.raises(PromptError, match=expected) as caught:
        load({"objects": OBJECTS, "combine": entries})
    assert "p.json" in str(caught.value)


def test_combinations_are_read_as_they_were_written(tmp_path):
    made = [Combination("ring", "disc - 'the hole'"), Combination('a "b"', "1 & 2", id=7)]
    write_prompts(tmp_path / "p.json", [Prompt(box=(0, 0, 9, 9))], made)
    assert read_prompt_file(tmp_path / "p.json", is_volume=False).combine == made


# -- round trip ----------------------------------------------------------------------------------

numbers = st.one_of(st.integers(0, 4000), st.floats(0, 4000).map(lambda v: round(v, 3)))


@st.composite
def prompts(draw, is_volume: bool) -> Prompt:
    flat = draw(st.booleans()) if is_volume else True
    axes = 2 if flat else 3
    fields = {"name": draw(st.none() | st.text(min_size=1, max_size=8))}
    kinds = draw(st.sets(st.sampled_from(["box", "points", "mask"]), min_size=1))
    if "box" in kinds:
        start = draw(st.tuples(*[numbers] * axes))
        fields["box"] = (*start, *(s + draw(st.integers(1, 50)) for s in start))
    if "points" in kinds:
        fields["points"] = draw(st.lists(st.tuples(*[numbers] * axes), min_size=1, max_size=4))
        fields["labels"] = [draw(st.integers(0, 1)) for _ in fields["points"]]
    if "mask" in kinds:
        shape = (4, 5) if flat else (3, 4, 5)
        mask = np.array(draw(st.lists(st.booleans(), min_size=60, max_size=60))[: int(np.prod(shape))])
        mask[0] = True
        fields["mask"] = mask.reshape(shape)
    if is_volume and flat:
        fields["slice"] = draw(st.integers(0, 99))
    if is_volume and draw(st.booleans()):
        middle = fields.get("slice", 50)
        fields["z"] = (max(middle - draw(st.integers(0, 9)), 0), middle + draw(st.integers(1, 9)))
    return Prompt(**fields)


@given(data=st.data(), is_volume=st.booleans())
def test_what_is_written_is_read(tmp_path_factory, data, is_volume):
    path = tmp_path_factory.mktemp("trip") / "out" / "p.json"
    written = data.draw(st.lists(prompts(is_volume), min_size=1, max_size=3))
    write_prompts(path, written)
    read = read_prompts(path, is_volume=is_volume)
    assert len(read) == len(written)
    for mine, theirs in zip(written, read, strict=True):
        for field in ("box", "points", "labels", "slice", "z", "id", "name"):
            assert getattr(mine, field) == getattr(theirs, field), field
        assert (mine.mask is None) == (theirs.mask is None)
        if mine.mask is not None:
            np.testing.assert_array_equal(mine.mask, theirs.mask)


def test_whole_numbers_are_written_as_such():
    entry = prompt_to_dict(Prompt(box=(1, 2, 3.5, 4), points=((1, 2),), labels=(0,), id=3))
    assert json.dumps(entry) == '{"id": 3, "box": [1, 2, 3.5, 4], "points": [[1, 2, 0]]}'


# -- finding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("scan.nii.gz", "scan.json"),
        ("scan.nii.gz", "scan.nii.gz.json"),
        ("scan.png", "scan.json"),
        ("patient1.2.png", "patient1.2.json"),
        ("stack.ome.tif", "stack.json"),
    ],
)
def test_prompts_of_an_image(tmp_path, image, file):
    (tmp_path / file).write_text("{}")
    assert prompts_for(Path(image), tmp_path) == tmp_path / file


def test_prompts_of_a_dicom_folder(tmp_path):
    (tmp_path / "1.2.840").mkdir()
    (tmp_path / "1.2.840.json").write_text("{}")
    (tmp_path / "1.2.json").write_text("{}")
    assert prompts_for(tmp_path / "1.2.840", tmp_path).name == "1.2.840.json"


def test_prompts_of_another_image_are_not_taken(tmp_path):
    (tmp_path / "patient1.json").write_text("{}")
    with pytest.raises(PromptError, match=r"patient1\.2\.png\.json or patient1\.2\.json"):
        prompts_for(Path("patient1.2.png"), tmp_path)
