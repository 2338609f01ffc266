"""What is wrong with the cases of a data set is found and said, and nothing stops at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anytomy.datasets.checking import KINDS, Finding, check_cases, summarise
from anytomy.datasets.dataset import Dataset
from anytomy.datasets.finding import find_cases
from anytomy.datasets.layout import Layout, Target
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.tree import Tree

from .made import SIZE, ball, disc, noise, picture, volume


def opened(root: Path, *targets: Target, ending: str = "png", layouts: tuple[Layout, ...] = ()) -> Dataset:
    layout = Layout("x", f"images/{{case}}.{ending}", {"mask": f"masks/{{case}}.{ending}"}, targets)
    card = card_of(layouts or [layout], name="mine")
    found = find_cases(Tree.of(root), card)
    return Dataset(card, root, found.cases, found.oddities, found.lone_images, found.lone_masks)


def lay(root: Path, count: int = 3) -> None:
    for n in range(count):
        picture(root / f"images/{n}.png", noise(n))
        picture(root / f"masks/{n}.png", disc(1))


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.kind, f.case) for f in findings]


def test_nothing_is_wrong(tmp_path: Path) -> None:
    lay(tmp_path)
    seen: list[tuple[int, int]] = []
    assert check_cases(opened(tmp_path), progress=lambda done, total: seen.append((done, total))) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_broken_files_do_not_stop_the_rest(tmp_path: Path) -> None:
    lay(tmp_path, 5)
    (tmp_path / "images/0.png").write_bytes(b"")
    (tmp_path / "images/1.png").write_bytes((tmp_path / "images/2.png").read_bytes()[:300])
    (tmp_path / "masks/3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    picture(tmp_path / "masks/4.png", disc(0))
    found = check_cases(opened(tmp_path))
    assert kinds(found) == [
        ("unreadable image", "0"),
        ("unreadable image", "1"),
        ("unreadable mask", "3"),
        ("empty", "4"),
    ]
    assert all("\n" not in f.message and f.file.rpartition("/")[2] in f.message for f in found)


def test_another_shape(tmp_path: Path) -> None:
    lay(tmp_path)
    picture(tmp_path / "masks/1.png", np.ones((5, 7), np.uint8))
    (finding,) = check_cases(opened(tmp_path))
    assert (finding.kind, finding.case) == ("shape", "1")
    assert "(5, 7)" in finding.message


def test_another_place(tmp_path: Path) -> None:
    for n, spacing in enumerate((1.0, 2.0, 1.0)):
        volume(tmp_path / f"images/{n}.nii.gz", noise(n, (6, SIZE, SIZE)).astype(np.int16))
        affine = np.diag([1.0, 1.0, spacing, 1.0])
        volume(tmp_path / f"masks/{n}.nii.gz", ball(), affine)
    (finding,) = check_cases(opened(tmp_path, ending="nii.gz"))
    assert (finding.kind, finding.case) == ("position", "1")


def test_values_without_a_name(tmp_path: Path) -> None:
    lay(tmp_path)
    labels = disc(1)
    labels[:3, :3] = 9
    picture(tmp_path / "masks/2.png", labels)
    (finding,) = check_cases(opened(tmp_path, Target("a", values=(1,))))
    assert (finding.kind, finding.case) == ("values", "2")
    assert finding.message.endswith("no label names: 9")


def test_colours_without_a_name(tmp_path: Path) -> None:
    picture(tmp_path / "images/0.png")
    colours = np.zeros((SIZE, SIZE, 3), np.uint8)
    colours[5:9], colours[20:22] = (255, 0, 0), (1, 2, 3)
    picture(tmp_path / "masks/0.png", colours)
    (finding,) = check_cases(opened(tmp_path, Target("a", colour=(255, 0, 0))))
    assert finding.message.endswith("no label names: 1,2,3")


def test_a_background_that_is_not_0(tmp_path: Path) -> None:
    picture(tmp_path / "images/0.png")
    picture(tmp_path / "masks/0.png", 255 - disc(255))
    assert check_cases(opened(tmp_path, Target("a", values=(0,)))) == []


def test_the_same_image_twice(tmp_path: Path) -> None:
    lay(tmp_path)
    picture(tmp_path / "images/2.png", noise(0))
    (finding,) = check_cases(opened(tmp_path))
    assert (finding.kind, finding.case) == ("duplicate", "2")
    assert "0.png" in finding.message
    assert "another patient (2, not 0)" in finding.message


def test_a_patient_in_several_splits(tmp_path: Path) -> None:
    layouts = []
    for seed, split in enumerate(("train", "test")):
        for n in (1, 2):
            picture(tmp_path / split / f"images/{n}_{split}.png", noise(10 * seed + n))
            picture(tmp_path / split / f"masks/{n}_{split}.png", disc(1))
        layouts.append(
            Layout(
                split,
                f"{split}/images/{{patient}}_{{image}}.png",
                {"mask": f"{split}/masks/{{patient}}_{{image}}.png"},
                patient="{patient}",
                split=split,
            )
        )
    found = check_cases(opened(tmp_path, layouts=tuple(layouts)))
    assert kinds(found) == [("split", "1"), ("split", "2")]
    assert found[0].message == "patient 1 is in test and train of the publisher"


def test_lone_files_and_names_that_repeat(tmp_path: Path) -> None:
    lay(tmp_path / "a", 1)
    picture(tmp_path / "b/images/0.png", noise(8))
    picture(tmp_path / "b/masks/0.png", disc(1))
    picture(tmp_path / "b/images/lone.png")
    picture(tmp_path / "b/masks/orphan.png", disc(1))
    data = opened(tmp_path)
    assert kinds(check_cases(data)) == [("lone image", ""), ("lone mask", "")]
    twice = replace(data, cases=(data[0], replace(data[1], id=f"{data[0].id}#2")))
    assert ("name", f"{data[0].id}#2") in kinds(check_cases(twice))


def test_a_limit_opens_some_from_all_over(tmp_path: Path) -> None:
    lay(tmp_path, 9)
    for n in (0, 4, 8):
        (tmp_path / f"images/{n}.png").write_bytes(b"")
    assert [f.case for f in check_cases(opened(tmp_path), limit=3)] == ["0", "4", "8"]
    assert len(check_cases(opened(tmp_path), limit=1)) == 1


def test_summaries_group_what_is_alike() -> None:
    findings = [Finding("empty", str(n), "", f"nothing is labelled in {n}.png") for n in range(5)]
    lines = summarise([*findings, Finding("shape", "x", "", "x.png has shape (1, 2)")])
    assert lines == [
        "x.png has shape (1, 2)",
        "5 masks are empty: 0, 1, 2 ...; the first: nothing is labelled in 0.png",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_summarised(kind: str) -> None:
    assert len(summarise([Finding(kind, "a", "", "one"), Finding(kind, "b", "", "two")])) == 1
