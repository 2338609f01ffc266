"""Which reader is asked, and what a user is told when none can help."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest

import anytomy
from anytomy.core.errors import AnytomyWarning, ImageReadError
from anytomy.core.image import Image
from anytomy.io import detect
from anytomy.io import read as read_module

if TYPE_CHECKING:
    from pathlib import Path


def message(path: Path) -> str:
    with pytest.raises(ImageReadError) as caught:
        anytomy.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_missing(tmp_path: Path) -> None:
    assert "does not exist" in message(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", ["a.nii.gz", "a.png", "a"])
def test_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert "is empty (0 bytes)" in message(tmp_path / name)


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "folder without a DICOM image" in message(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.nii.gz", "NIfTI"), ("a.nii", "NIfTI"), ("a.nrrd", "NRRD"), ("a.mha", "MetaImage"), ("a.png", "PNG")],
)
def test_text_with_the_ending_of_an_image(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("404: not found\n" * 100)
    text = message(tmp_path / name)
    assert f"is not a {kind} file" in text
    assert "it is text" in text


def test_unknown_type(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(bytes(range(256)) * 4)
    text = message(tmp_path / "a.exe")
    assert "no image of a known kind" in text
    assert "NIfTI" in text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(b"x")
    (tmp_path / "a.nii").chmod(0)
    assert "Permission denied" in message(tmp_path / "a.nii")


def test_content_goes_before_ending(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").rename(tmp_path / "a.png")
    assert anytomy.read(tmp_path / "a.png").format == "nifti"


def test_a_path_may_be_text(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4)), tmp_path / "a.nii")
    assert anytomy.read(str(tmp_path / "a.nii")).path == tmp_path / "a.nii"


class Broken:
    """A reader whose library fails in its own way."""

    @staticmethod
    def matches(path: Path, head: bytes) -> bool:
        return head.startswith(b"MINE")

    @staticmethod
    def read(path: Path, **options: Any) -> Image:
        if path.name == "broken":
            raise RuntimeError("\n\nlibrary says\nmany things" + "!" * 500)
        return Image.from_array(np.full((2, 2), len(path.name), np.uint8))


class TestThirdParties:
    def install(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        point = EntryPoint(name="mine", value=value, group=read_module.GROUP)
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])

    def test_its_reader_is_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.install(monkeypatch, f"{__name__}:Broken")
        (tmp_path / "file").write_bytes(b"MINE")
        assert anytomy.read(tmp_path / "file").array[0, 0] == 4

    def test_whatever_it_raises_becomes_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, f"{__name__}:Broken")
        (tmp_path / "broken").write_bytes(b"MINE")
        assert "cannot be read: library says" in message(tmp_path / "broken")

    def test_one_that_cannot_be_loaded_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(monkeypatch, "no_such_package:reader")
        (tmp_path / "file").write_bytes(b"MINE")
        with pytest.warns(AnytomyWarning, match="mine .no_such_package:reader. cannot be loaded"):
            message(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "ending", "stem"),
    [
        ("a.nii.gz", ".nii.gz", "a"),
        ("A.NII.GZ", ".nii.gz", "A"),
        ("1.2.840.seg.nrrd", ".seg.nrrd", "1.2.840"),
        ("a.b.png", ".png", "a.b"),
        ("scan", "", "scan"),
    ],
)
def test_endings(tmp_path: Path, name: str, ending: str, stem: str) -> None:
    assert (detect.ending(tmp_path / name), detect.stem(tmp_path / name)) == (ending, stem)


def test_what_is_an_image_is_told_before_it_is_read(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "scan.nii.gz")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "empty.png").touch()
    found = {path.name for path in tmp_path.iterdir() if read_module.is_image(path)}
    assert found == {"scan.nii.gz"}
