"""Tables of images and masks."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anytomy.core.errors import DatasetError
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.layout import Layout, Target
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.tree import Tree

from .made import ball, disc, noise, picture, series, text


def found(root: Path, *targets: Target, file: str = "list.csv") -> Found:
    layout = Layout("manifest", file, reader="manifest", options={"file": file}, targets=targets)
    return find_cases(Tree.of(root), card_of([layout]))


def table(root: Path, rows: list[dict[str, str]], **options: Any) -> None:
    with (root / "list.csv").open("w", newline="", encoding=options.pop("encoding", "utf-8")) as stream:
        writer = csv.DictWriter(stream, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)


def test_columns_by_their_usual_names(tmp_path: Path) -> None:
    picture(tmp_path / "i/a.png")
    picture(tmp_path / "m/a.png", disc(1))
    row = {
        "Image_Path": "i/a.png",
        "GT": "m/a.png",
        "Subject ID": "p7",
        "Case": "c",
        "Set": "Val",
        "Modality": "US",
    }
    table(tmp_path, [row])
    (case,) = found(tmp_path).cases
    assert (case.id, case.patient, case.split, case.modality) == ("c", "p7", "validation", "US")
    image, labels = case.load()
    assert image.array.shape == (48, 48)
    assert np.array_equal(labels["foreground"], disc(1))


@pytest.mark.parametrize(
    "options", [{"delimiter": ";"}, {"delimiter": "\t"}, {"encoding": "utf-8-sig"}, {"encoding": "latin-1"}]
)
def test_separators_and_encodings(tmp_path: Path, options: dict[str, Any]) -> None:
    picture(tmp_path / "ä.png")
    picture(tmp_path / "m.png", disc(1))
    table(tmp_path, [{"image": "ä.png", "mask": "m.png"}], **options)
    assert len(found(tmp_path).cases) == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ('{"a": 1, "b": [2, 3]}', {"a": Target("a", values=(1,)), "b": Target("b", values=(2, 3))}),
        ('{"polyp": ">127"}', {"polyp": Target("polyp", above=127.0)}),
        ('{"gland": "instances"}', {"gland": Target("gland", objects="instances")}),
        ('{"prostate": "channel 0 where 4D"}', {"prostate": Target("prostate", above=0, channel=0)}),
        ('{"x": "255,0,10"}', {"x": Target("x", colour=(255, 0, 10))}),
        ("{}", {"foreground": Target("foreground", above=0)}),
        ("liver", {"liver": Target("liver", above=0)}),
    ],
)  # fmt: skip
def test_labels(tmp_path: Path, labels: str, expected: dict[str, Target]) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "m.png", disc(1))
    table(tmp_path, [{"image": "a.png", "mask": "m.png", "labels": labels}])
    (case,) = found(tmp_path).cases
    assert {ref.target.structure: ref.target for ref in case.masks} == expected


@pytest.mark.parametrize("labels", ['{"a": "what"}', '{"a": null}', "{broken", '{"a": true}'])
def test_labels_that_mean_nothing_are_an_oddity(tmp_path: Path, labels: str) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    picture(tmp_path / "m.png", disc(1))
    rows = [{"image": "a.png", "mask": "m.png", "labels": labels}]
    table(tmp_path, [*rows, {"image": "b.png", "mask": "m.png", "labels": "liver"}])
    result = found(tmp_path)
    assert [case.id for case in result.cases] == ["b"]
    assert result.oddities[0].startswith("list.csv, row 2: ")


def test_several_rows_of_an_image_are_one_case(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for name in ("disc", "cup"):
        picture(tmp_path / f"{name}.png", disc(1))
    table(
        tmp_path, [{"image": "a.png", "mask": f"{n}.png", "structure": f"optic {n}"} for n in ("disc", "cup")]
    )
    (case,) = found(tmp_path).cases
    assert case.structures == ("optic disc", "optic cup")


def test_the_card_says_what_masks_mean_where_the_table_does_not(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "m.png", disc(2))
    table(tmp_path, [{"image": "a.png", "mask": "m.png"}])
    target = Target("liver", values=(2,))
    (case,) = found(tmp_path, target).cases
    assert [ref.target for ref in case.masks] == [target]


def test_arrays_in_a_file(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "s.npz", imgs=noise(1, (4, 48, 48)), gts=ball(1, 4))
    table(tmp_path, [{"image": "s.npz::imgs", "mask": "s.npz::gts", "labels": '{"lesion": 1}'}])
    (case,) = found(tmp_path).cases
    image, labels = case.load()
    assert image.array.shape == (4, 48, 48)
    assert np.array_equal(labels["lesion"], ball(1, 4))


def test_a_folder_of_masks(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for n in (1, 2, 10):
        picture(tmp_path / f"masks/{n}.png", disc(255, centre=(8 + 3 * n, 24), radius=3))
    series(tmp_path / "ct", count=3)
    for n in range(3):
        picture(tmp_path / f"ground/{n}.png", disc(1))
    one = {"image": "a.png", "mask": "masks", "labels": '{"nucleus": "one file each"}'}
    table(tmp_path, [one, {"image": "ct", "mask": "ground", "labels": '{"liver": ">0"}'}])
    cells, liver = found(tmp_path).cases
    assert cells.masks[0].form == "files"
    assert [p.name for p in cells.masks[0].paths] == ["1.png", "2.png", "10.png"]
    assert set(np.unique(cells.load()[1]["nucleus"])) == {0, 1, 2, 3}
    assert liver.masks[0].form == "slices"
    assert liver.load()[1]["liver"].shape == (3, 48, 48)


def test_missing_files_are_oddities(tmp_path: Path) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    picture(tmp_path / "m.png", disc(1))
    (tmp_path / "empty").mkdir()
    masks = {"a": "m.png", "b": "gone.png", "c": "m.png", "": "m.png"}
    rows = [{"image": f"{k}.png" if k else "", "mask": m} for k, m in masks.items()]
    table(tmp_path, [*rows, {"image": "b.png", "mask": "empty"}, {"image": "b.png", "mask": ""}])
    result = found(tmp_path)
    assert [case.id for case in result.cases] == ["a"]
    assert result.lone_images == ("b.png",)
    assert [line.partition(": ")[0] for line in result.oddities] == [
        f"list.csv, row {n}" for n in (3, 4, 5, 6)
    ]
    assert "the mask gone.png is not there" in result.oddities[0]


def test_paths_start_at_the_table(tmp_path: Path) -> None:
    picture(tmp_path / "sub/a.png")
    picture(tmp_path / "sub/m.png", disc(1))
    text(tmp_path / "sub/list.csv", "image,mask\na.png,m.png\n")
    assert len(found(tmp_path, file="sub/list.csv").cases) == 1


def test_a_json_list(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "m.png", disc(1))
    document = {"validation": [{"image": ["a.png", "b.png"], "label": "m.png"}]}
    (tmp_path / "list.json").write_text(json.dumps(document))
    (case,) = found(tmp_path, file="list.json").cases
    assert (case.id, case.split) == ("a", "validation")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "columns image and mask"), ("a,b\n1,2\n", "got a, b"), ("image\nx.png\n", "got image")],
)
def test_a_table_without_the_columns_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    text(tmp_path / "list.csv", content)
    with pytest.raises(DatasetError, match=complaint):
        found(tmp_path)


def test_the_option_is_needed(tmp_path: Path) -> None:
    card = card_of([Layout("manifest", "x", reader="manifest")])
    with pytest.raises(DatasetError, match="the option file"):
        find_cases(Tree.of(tmp_path), replace(card, id="x"))
