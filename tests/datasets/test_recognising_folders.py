"""Folders of images beside folders of masks, in the many ways in which people have them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anytomy.core.errors import DatasetError

from .made import ball, disc, meanings, pairs, patients, picture, recognised, said, text, volume


def lay(root: Path, files: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Write images and masks; returns what belongs together."""
    expected: dict[str, list[str]] = {}
    for number, (image, mask) in enumerate(files):
        if image not in expected:
            (volume if ".nii" in image else picture)(root / image)
        if ".nii" in mask:
            volume(root / mask, ball())
        else:
            picture(root / mask, disc(centre=(20 + number, 24)))
        expected.setdefault(image, []).append(mask)
    return {image: sorted(masks) for image, masks in expected.items()}


NUMBERS = (1, 2, 3, 10, 11)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([(f"images/{n}.png", f"masks/{n}.png") for n in NUMBERS], id="the same names"),
        pytest.param([(f"Images/{n}.JPG", f"Masks/{n}.png") for n in NUMBERS], id="capitals"),
        pytest.param([(f"img/img{n:04}.nii.gz", f"label/label{n:04}.nii.gz") for n in NUMBERS], id="btcv"),
        pytest.param([(f"scans/ct_{n}.nii.gz", f"gt/gt_{n}.nii") for n in NUMBERS], id="mixed nifti"),
        pytest.param([(f"imgs/x{n}.png", f"segmentations/x{n}_seg.png") for n in NUMBERS], id="a suffix"),
        pytest.param(
            [(f"original/{n}_training.png", f"1st_manual/{n}_manual1.gif") for n in NUMBERS], id="drive"
        ),
        pytest.param([(f"raw/{n}.png", f"ground_truth/{n}_gt.png") for n in NUMBERS], id="ground_truth"),
        pytest.param([(f"raw/a-{n}.tif", f"Ground Truth/a-{n}.png") for n in NUMBERS], id="a space"),
        pytest.param([(f"CXR_png/C_{n}.png", f"masks/C_{n}_mask.png") for n in NUMBERS], id="a strange name"),
        pytest.param([(f"d/images/s/{n}.png", f"d/labels/s/{n}.png") for n in NUMBERS], id="deep"),
        pytest.param([(f"images/a/{n}.png", f"masks/a/{n}.png") for n in NUMBERS], id="the same below"),
        pytest.param(
            [(f"images/{g}/{n}.png", f"masks/{g}/{n}.png") for g in "abc" for n in NUMBERS], id="groups"
        ),
        pytest.param(
            [(f"{g}/images/{n}.png", f"{g}/masks/{n}.png") for g in "abc" for n in NUMBERS], id="groups above"
        ),
        pytest.param([(f"images/{n}.png", f"images/masks/{n}.png") for n in NUMBERS], id="masks inside"),
        pytest.param([(f"{n}.png", f"masks/{n}.png") for n in NUMBERS], id="images at the top"),
        pytest.param(
            [(f"set_GT/images/{n}.png", f"set_GT/labels/{n}.png") for n in NUMBERS], id="everything is GT"
        ),
        pytest.param(
            [(f"data/train_images/{n}.png", f"data/train_masks/{n}.png") for n in NUMBERS]
            + [(f"data/test_images/{n}.png", f"data/test_masks/{n}.png") for n in NUMBERS],
            id="splits in names",
        ),
        pytest.param(
            [(f"imagesTr/p{n}.nii.gz", f"labelsTr/p{n}.nii.gz") for n in NUMBERS], id="nnU-Net folders"
        ),
        pytest.param(
            [(f"JPEGImages/{n}.jpg", f"SegmentationClass/{n}.png") for n in NUMBERS], id="Pascal VOC"
        ),
        pytest.param(
            [(f"img_dir/train/{n}.png", f"ann_dir/train/{n}.png") for n in NUMBERS]
            + [(f"img_dir/val/{n}9.png", f"ann_dir/val/{n}9.png") for n in NUMBERS],
            id="MMSegmentation",
        ),
        pytest.param(
            [(f"fixed_images/{n}.nii.gz", f"fixed_labels/{n}.nii.gz") for n in NUMBERS]
            + [(f"moving_images/{n}.nii.gz", f"moving_labels/{n}.nii.gz") for n in NUMBERS],
            id="two kinds",
        ),
        pytest.param([(f"images/img_{n}.png", f"labels/label_{n:03}.png") for n in NUMBERS], id="noughts"),
        pytest.param([("images/only.png", "masks/only.png")], id="one image"),
        pytest.param([("images/a.png", "masks/a_mask.png"), ("images/b.png", "masks/b_mask.png")], id="two"),
        pytest.param(
            [(f"images/a.b.{n}.png", f"masks/a.b.{n}.mask.png") for n in NUMBERS], id="points in names"
        ),
        pytest.param([(f"images/({n}) x.png", f"masks/({n}) x.png") for n in NUMBERS], id="brackets"),
        pytest.param([(f"images/{{{n}}}.png", f"masks/{{{n}}}.png") for n in NUMBERS], id="braces"),
        pytest.param(
            [(f"Bilder/{n}.png", f"Masken/{n}.png") for n in NUMBERS], id="another language, by content"
        ),
    ],
)
def test_images_and_masks_are_paired(tmp_path: Path, files: Sequence[tuple[str, str]]) -> None:
    expected = lay(tmp_path, files)
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected
    assert not [line for line in found.odd if "without" in line]


def test_mixed_endings_of_images(tmp_path: Path) -> None:
    expected = lay(tmp_path, [("images/1.png", "masks/1.png"), ("images/2.jpg", "masks/2.png")])
    text(tmp_path / "images" / "1.txt")
    assert pairs(tmp_path) == expected


def test_folders_of_splits_become_splits(tmp_path: Path) -> None:
    files = [(f"{s}/images/{n}.png", f"{s}/masks/{n}.png") for s in ("train", "val", "test") for n in (1, 2)]
    expected = lay(tmp_path, files)
    found = recognised(tmp_path)
    assert [layout.split for layout in found.layouts] == ["test", "train", "validation"]
    assert pairs(tmp_path, found) == expected
    # `1` of one split is not `1` of another.
    assert len(set(patients(tmp_path, found).values())) == 6


def test_what_lies_beside_is_left_out_and_said(tmp_path: Path) -> None:
    files = [(f"test/images/{n:02}_test.png", f"test/1st_manual/{n:02}_manual1.png") for n in range(1, 5)]
    expected = lay(tmp_path, files)
    for n in range(1, 5):
        picture(tmp_path / f"test/mask/{n:02}_test_mask.png", disc(radius=22))
        picture(tmp_path / f"test/2nd_manual/{n:02}_manual2.png", disc(radius=9))
    text(tmp_path / "readme.csv", "a,b\n1,2\n")
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected
    assert "4 masks of the field of view are left out" in said(found)
    assert "4 masks of a second observer are left out" in said(found)
    assert "1 .csv" in said(found)


def test_second_observers_by_file_names(tmp_path: Path) -> None:
    files = [(f"images/Image_{n:02}L.jpg", f"manual/Image_{n:02}L_1stHO.png") for n in range(1, 5)]
    expected = lay(tmp_path, files)
    for n in range(1, 5):
        picture(tmp_path / f"manual/Image_{n:02}L_2ndHO.png", disc(radius=9))
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected
    assert "second observer" in said(found)


def test_a_folder_for_each_structure(tmp_path: Path) -> None:
    for n in range(4):
        picture(tmp_path / f"images/{n}.png")
        picture(tmp_path / f"masks/left lung/{n}.png", disc())
        picture(tmp_path / f"masks/heart/{n}.png", disc(radius=5))
    found = recognised(tmp_path)
    assert pairs(tmp_path, found)["images/0.png"] == ["masks/heart/0.png", "masks/left lung/0.png"]
    assert meanings(found) == [("heart", ">127"), ("left lung", ">127")]


def test_masks_named_for_what_they_mark(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"images/a_{n}.png")
        for name in ("liver", "left_kidney"):
            picture(tmp_path / f"masks/a_{n}_{name}.png", disc())
    found = recognised(tmp_path)
    assert meanings(found) == [("left kidney", ">127"), ("liver", ">127")]
    assert names_of(found.layouts[0].masks) == {"left_kidney": "_left_kidney", "liver": "_liver"}


def names_of(masks: object) -> dict[str, str]:
    assert isinstance(masks, dict)
    return {name: text.partition("{case}")[2].removesuffix(".png") for name, text in masks.items()}


def test_many_structures_by_name(tmp_path: Path) -> None:
    for n in range(2):
        volume(tmp_path / f"s{n:04}/ct.nii.gz")
        for name in ("liver", "spleen", "aorta", *(f"rib_left_{k}" for k in range(1, 13))):
            volume(tmp_path / f"s{n:04}/segmentations/{name}.nii.gz", ball())
    found = recognised(tmp_path)
    (layout,) = found.layouts
    assert (layout.image, layout.masks) == (
        "{case}/ct.nii.gz",
        {"mask": "{case}/segmentations/{structure}.nii.gz"},
    )
    assert len(pairs(tmp_path, found)["s0000/ct.nii.gz"]) == 15


def test_a_folder_of_objects_for_each_image(tmp_path: Path) -> None:
    for case in ("abc1", "def2", "012"):
        picture(tmp_path / f"stage1/{case}/images/{case}.png")
        for n in range(3):
            picture(
                tmp_path / f"stage1/{case}/masks/{zlib.crc32(bytes([n, *case.encode()])):08x}q.png", disc()
            )
    found = recognised(tmp_path)
    assert found.kind == "object-folders"
    assert found.layouts[0].image == "{case}/images/{case}.png"
    assert all(len(masks) == 3 for masks in pairs(tmp_path, found).values())
    assert meanings(found) == [("foreground", "instances")]


def test_a_folder_of_objects_named_for_its_image(tmp_path: Path) -> None:
    for case in ("abc1", "def2"):
        picture(tmp_path / f"images/{case}.png")
        for n in range(3):
            picture(tmp_path / f"masks/{case}/{n}.png", disc())
    found = recognised(tmp_path)
    assert found.layouts[0].masks == {"mask": "masks/{case}/*.png"}
    assert all(len(masks) == 3 for masks in pairs(tmp_path, found).values())


def test_several_objects_by_numbers(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"images/x{n}.png")
        for k in range(n + 1):
            picture(tmp_path / f"masks/x{n}_{k}.png", disc())
    found = recognised(tmp_path)
    assert found.layouts[0].masks == {"mask": r"masks/{case}{object:_\d+}.png"}
    assert sorted(map(len, pairs(tmp_path, found).values())) == [1, 2, 3]


def test_images_without_masks_are_said(tmp_path: Path) -> None:
    lay(tmp_path, [(f"images/{n}.png", f"masks/{n}.png") for n in range(5)])
    picture(tmp_path / "images/extra.png")
    picture(tmp_path / "masks/orphan.png", disc())
    odd = "\n".join(recognised(tmp_path).odd)
    assert "1 image without a mask: images/extra.png" in odd
    assert "1 mask without an image: masks/orphan.png" in odd


def test_a_broken_mask_does_not_stop_the_rest(tmp_path: Path) -> None:
    expected = lay(tmp_path, [(f"images/{n}.png", f"masks/{n}.png") for n in range(3)])
    (tmp_path / "masks/1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    found = recognised(tmp_path)
    assert pairs(tmp_path, found) == expected
    assert "1 of 3 opened masks cannot be read" in said(found)


def test_time_points_of_images_and_labels_are_said(tmp_path: Path) -> None:
    for n in range(2):
        volume(tmp_path / f"images/{n}.nii.gz", np.zeros((3, 4, 5, 6), np.int16))
        volume(tmp_path / f"labels/{n}.nii.gz", np.ones((2, 4, 5, 6), np.uint8))
    found = recognised(tmp_path)
    assert found.layouts[0].time == 0
    assert {t.channel for t in found.layouts[0].targets} == {0}
    assert "several volumes" in said(found)


@pytest.mark.parametrize(
    "files",
    [
        ["a.txt", "b/c.csv"],
        ["masks/1.png", "masks/2.png"],
        ["1.png", "2.png"],
        ["scan.h5", "scan2.mat"],
        [],
    ],
)
def test_nothing_to_recognise_says_what_was_seen(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        if name.endswith(".png"):
            picture(tmp_path / name, disc() if "mask" in name else None)
        else:
            text(tmp_path / name)
    with pytest.raises(DatasetError) as caught:
        recognised(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "accepted are nnU-Net" in message
    for name in files:
        assert f".{name.rpartition('.')[2]}" in message
    if not files:
        assert "no files" in message


def test_several_data_sets_are_refused(tmp_path: Path) -> None:
    for name in ("Dataset001_A", "Dataset002_B"):
        text(tmp_path / name / "dataset.json", {"labels": {"background": 0, "x": 1}})
    with pytest.raises(DatasetError, match="one by one"):
        recognised(tmp_path)
