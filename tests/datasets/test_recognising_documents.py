"""Folders that a file describes: nnU-Net, the Decathlon, challenge npz, tables, lists of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anytomy.core.errors import DatasetError

from .made import SIZE, ball, disc, meanings, noise, pairs, picture, recognised, said, text, volume


def nnunet(
    root: Path, document: dict[str, Any] | None, *, channels: int = 1, ending: str = ".nii.gz"
) -> None:
    for part, cases in (("Tr", ("p_001", "p_002", "q_001")), ("Ts", ("z_009",))):
        for case in cases:
            for channel in range(channels):
                image = root / f"images{part}" / f"{case}_{channel:04}{ending}"
                (volume if "nii" in ending else picture)(image)
            if part == "Tr":
                label = root / "labelsTr" / f"{case}{ending}"
                volume(label, ball(2)) if "nii" in ending else picture(label, disc(2))
    if document is not None:
        text(root / "dataset.json", document)


class TestNnunet:
    def test_version_2(self, tmp_path: Path) -> None:
        labels = {"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3], "ignore": 4}
        channels = {"0": "FLAIR", "1": "T1w"}
        nnunet(tmp_path, {"channel_names": channels, "labels": labels, "file_ending": ".nii.gz"}, channels=2)
        found = recognised(tmp_path)
        assert (found.kind, found.modality, found.dimension) == ("nnunet", "MR", "3D")
        assert meanings(found) == [("whole tumour", (1, 2, 3)), ("core", (2, 3))]
        assert pairs(tmp_path, found)["imagesTr/p_001_0000.nii.gz"] == ["labelsTr/p_001.nii.gz"]
        assert len(pairs(tmp_path, found)) == 3
        assert "2 channels (FLAIR, T1w): channel 0 (FLAIR) is the image" in said(found)
        assert "value 4 is to be ignored" in said(found)

    def test_version_1(self, tmp_path: Path) -> None:
        nnunet(tmp_path, {"modality": {"0": "CT"}, "labels": {"0": "background", "2": "Liver"}})
        found = recognised(tmp_path)
        assert (found.kind, found.modality) == ("nnunet", "CT")
        assert meanings(found) == [("liver", (2,))]

    def test_pictures(self, tmp_path: Path) -> None:
        nnunet(tmp_path, {"channel_names": {"0": "R"}, "labels": {"background": 0, "x": 2}}, ending=".png")
        found = recognised(tmp_path)
        assert (found.kind, found.dimension, len(pairs(tmp_path, found))) == ("nnunet", "2D", 3)

    def test_without_a_description(self, tmp_path: Path) -> None:
        nnunet(tmp_path, None, channels=2)
        found = recognised(tmp_path)
        assert found.kind == "nnunet"
        assert meanings(found) == [("foreground", ">0")]
        assert "several channels" in said(found)

    def test_cases_named_as_patients(self, tmp_path: Path) -> None:
        nnunet(tmp_path, {"channel_names": {"0": "CT"}, "labels": {"background": 0, "x": 2}})
        assert [layout.split for layout in recognised(tmp_path).layouts] == ["train"]

    def test_values_that_the_description_does_not_name(self, tmp_path: Path) -> None:
        nnunet(tmp_path, {"channel_names": {"0": "CT"}, "labels": {"background": 0, "x": 1}})
        assert "does not name: 2" in said(recognised(tmp_path))

    def test_a_broken_description_is_named(self, tmp_path: Path) -> None:
        nnunet(tmp_path, None)
        text(tmp_path / "dataset.json", "{broken")
        with pytest.raises(DatasetError, match=r"dataset\.json"):
            recognised(tmp_path)


class TestDecathlon:
    def lay(self, root: Path, frames: int = 1) -> None:
        shape = (frames, 4, 5, 6) if frames > 1 else (4, 5, 6)
        for n in range(3):
            volume(root / f"imagesTr/la_{n}.nii.gz", np.ones(shape, np.int16))
            volume(root / f"labelsTr/la_{n}.nii.gz", np.ones((4, 5, 6), np.uint8))
        entry = "./imagesTr/la_{0}.nii.gz", "./labelsTr/la_{0}.nii.gz"
        listed = [{"image": entry[0].format(n), "label": entry[1].format(n)} for n in range(4)]
        text(
            root / "dataset.json",
            {
                "name": "x",
                "modality": {"0": "FLAIR", "1": "T1w"} if frames > 1 else {"0": "MRI"},
                "labels": {"0": "background", "1": "left atrium"},
                "training": listed,
                "test": ["./imagesTs/la_9.nii.gz"],
            },
        )

    def test_lists_are_patterns(self, tmp_path: Path) -> None:
        self.lay(tmp_path)
        found = recognised(tmp_path)
        assert (found.kind, found.modality) == ("decathlon", "MR")
        assert found.layouts[0].image == "imagesTr/{case}.nii.gz"
        assert meanings(found) == [("left atrium", (1,))]
        assert len(pairs(tmp_path, found)) == 3
        assert "lists 1 pairs whose files are not there" in said(found)

    def test_channels_are_a_choice_of_volume(self, tmp_path: Path) -> None:
        self.lay(tmp_path, frames=2)
        found = recognised(tmp_path)
        assert found.layouts[0].time == 0
        assert "number 0 (FLAIR of FLAIR, T1w) is taken" in said(found)

    def test_a_list_without_a_pattern_is_read_as_it_is(self, tmp_path: Path) -> None:
        volume(tmp_path / "a/x.nii.gz")
        volume(tmp_path / "b/other.nii.gz", ball())
        listed = [{"image": "a/x.nii.gz", "label": "b/other.nii.gz"}]
        text(tmp_path / "dataset.json", {"labels": {"0": "background", "1": "liver"}, "training": listed})
        found = recognised(tmp_path)
        assert pairs(tmp_path, found) == {"a/x.nii.gz": ["b/other.nii.gz"]}
        assert meanings(found) == [("liver", (1,))]


class TestNpz:
    @pytest.mark.parametrize(("image", "mask"), [("imgs", "gts"), ("image", "mask")])
    def test_image_and_label_in_one_file(self, tmp_path: Path, image: str, mask: str) -> None:
        for n in range(3):
            arrays: dict[str, Any] = {
                image: noise(n, (4, SIZE, SIZE)),
                mask: ball(1, 4),
                "spacing": np.ones(3),
            }
            np.savez_compressed(tmp_path / f"3D_{n}.npz", **arrays)
        found = recognised(tmp_path)
        assert (found.kind, found.dimension) == ("npz", "3D")
        assert found.layouts[0].image == f"{{case}}.npz::{image}"
        assert pairs(tmp_path, found)["3D_0.npz"] == ["3D_0.npz"]

    def test_a_broken_one_is_said(self, tmp_path: Path) -> None:
        np.savez_compressed(tmp_path / "a.npz", imgs=noise(), gts=disc(1))
        (tmp_path / "b.npz").write_bytes(b"PK\x03\x04broken")
        assert "1 of the npz files" in said(recognised(tmp_path))

    def test_other_arrays_are_nothing(self, tmp_path: Path) -> None:
        np.savez_compressed(tmp_path / "a.npz", weights=noise())
        with pytest.raises(DatasetError):
            recognised(tmp_path)


class TestTables:
    def test_a_table_lists_images_and_masks(self, tmp_path: Path) -> None:
        rows = ["Image Path;Mask Path;Patient ID;set"]
        for n in range(3):
            picture(tmp_path / f"here/x{n}.png")
            picture(tmp_path / f"there/y{n}.png", disc(1))
            rows.append(f"here/x{n}.png;there/y{n}.png;P{n // 2};training")
        text(tmp_path / "list.csv", "\n".join(rows))
        found = recognised(tmp_path)
        assert found.kind == "manifest"
        assert pairs(tmp_path, found)["here/x0.png"] == ["there/y0.png"]
        assert meanings(found) == [("foreground", ">0")]
        assert "Image Path (image)" in said(found)

    def test_a_table_of_other_things_is_left_alone(self, tmp_path: Path) -> None:
        for n in range(3):
            picture(tmp_path / f"images/{n}.png")
            picture(tmp_path / f"masks/{n}.png", disc())
        text(tmp_path / "meta.csv", "image,label\n0.png,benign\n1.png,malignant\n")
        assert recognised(tmp_path).kind == "folders"


LISTS: dict[str, Any] = {
    "labels.json": {"background": 0, "liver": 1, "spleen": 2},
    "classes.json": {"0": "background", "1": "liver", "2": "spleen"},
    "label_map.json": [{"id": 1, "name": "liver"}, {"id": 2, "name": "spleen"}],
    "labels.txt": "0 background\n1 liver\n2 spleen\n",
    "classes.txt": "background\nliver\nspleen\n",
    "my_labels.txt": '0 0 0 0 0 0 0 "Clear Label"\n1 255 0 0 1 1 1 "liver"\n2 0 255 0 1 1 1 "spleen"\n',
    "labels.csv": "value,name\n0,background\n1,liver\n2,spleen\n",
    "sub_dseg.tsv": "index\tname\n1\tliver\n2\tspleen\n",
}


@pytest.mark.parametrize("file", LISTS)
def test_names_of_values_come_from_a_list(tmp_path: Path, file: str) -> None:
    labels = disc(1, radius=16) + disc(1, radius=6)
    for n in range(3):
        picture(tmp_path / f"images/{n}.png")
        picture(tmp_path / f"masks/{n}.png", labels)
    text(tmp_path / file, LISTS[file])
    found = recognised(tmp_path)
    assert meanings(found) == [("liver", (1,)), ("spleen", (2,))]
    assert f"names of labels are those in {file}" in said(found)


def test_names_of_colours_come_from_a_list(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"images/{n}.png")
        colours = np.zeros((SIZE, SIZE, 3), np.uint8)
        colours[5:20, 5:20] = (255, 0, 0)
        colours[25:40, 5:40] = (0, 0, 255)
        picture(tmp_path / f"masks/{n}.png", colours)
    text(tmp_path / "class_dict.csv", "name,r,g,b\nvoid,0,0,0\ntumour,255,0,0\nkidney,0,0,255\n")
    assert dict(meanings(recognised(tmp_path))) == {"tumour": (255, 0, 0), "kidney": (0, 0, 255)}


def test_a_list_of_images_is_no_list_of_labels(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"images/{n}.png")
        picture(tmp_path / f"masks/{n}.png", disc(1, radius=16) + disc(1, radius=6))
    text(tmp_path / "labels.csv", "id,label\n1,benign\n2,malignant\n3,benign\n")
    assert [name for name, _ in meanings(recognised(tmp_path))] == ["label 1", "label 2"]
