"""DICOM in, DICOM segmentation out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy import read, read_segments
from tests.io import dicom_phantom

from .conftest import left_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import BoxEngine, Outcome

    Run = Callable[..., Outcome]

BOX = ("--box", "4,5,1,20,15,4", "--name", "left kidney")


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A folder with a series whose files are called `.dcm`."""
    grid = dicom_phantom.grid((32, 24, 6), direction=dicom_phantom.oblique())
    dicom_phantom.write_series(tmp_path / "ct", grid, name="IM{:03}.dcm")
    return tmp_path / "ct"


@pytest.mark.parametrize("name", ["m.seg.dcm", "m.dcm"])
def test_a_folder_gives_a_segmentation_on_it(
    run: Run, engine: BoxEngine, ct: Path, tmp_path: Path, name: str
) -> None:
    done = run("segment", ct, *BOX, "-o", tmp_path / name)
    assert done.code == 0, done.err
    run("segment", ct, *BOX, "-o", tmp_path / "m.nii.gz")
    segments = read_segments(tmp_path / name)
    assert segments.segments[0].algorithm == "litemedsam"
    assert segments.segments[0].type is not None
    assert segments.segments[0].type.meaning == "Kidney"
    expected = read(tmp_path / "m.nii.gz").array
    assert expected.any()
    np.testing.assert_array_equal(segments.on(read(ct).geometry).label_map(), expected)


def test_a_segmentation_among_its_slices_may_be_written_again(run: Run, engine: BoxEngine, ct: Path) -> None:
    before = left_in(ct)
    for _ in range(2):
        assert run("segment", ct, *BOX, "-o", ct / "m.seg.dcm").code == 0
    assert left_in(ct) == before | {"m.seg.dcm", "m.seg.dcm.json"}


@pytest.mark.usefixtures("no_model")
def test_no_slice_is_written_over(run: Run, ct: Path) -> None:
    before = (ct / "IM003.dcm").read_bytes()
    assert "is the input" in run("segment", ct, *BOX, "-o", ct / "IM003.dcm").error
    assert (ct / "IM003.dcm").read_bytes() == before


@pytest.mark.usefixtures("no_model")
def test_what_is_not_dicom_is_refused_before_any_work(run: Run, scan: Path, tmp_path: Path) -> None:
    said = run("segment", scan, *BOX, "-o", tmp_path / "m.seg.dcm").error
    assert "not DICOM" in said
    assert "choose .seg.nrrd" in said
    assert not (tmp_path / "m.seg.dcm").exists()


def test_many_slices_give_nifti_unless_asked_otherwise(
    run: Run, engine: BoxEngine, ct: Path, tmp_path: Path
) -> None:
    slices = (ct / "IM001.dcm", ct / "IM002.dcm")
    box = ("--box", "4,5,20,15", "--slice", "0")
    assert run("segment", *slices, *box, "-o", f"{tmp_path}/out/").code == 0
    assert "IM001.nii.gz" in left_in(tmp_path / "out")
    assert run("segment", *slices, *box, "-o", f"{tmp_path}/seg/", "--format", "seg.dcm").code == 0
    names = {f"IM00{n}.seg.dcm{more}" for n in (1, 2) for more in ("", ".json")}
    assert left_in(tmp_path / "seg") == names


def test_info_lists_the_segments(run: Run, engine: BoxEngine, ct: Path, tmp_path: Path) -> None:
    run("segment", ct, *BOX, "-o", tmp_path / "m.seg.dcm")
    voxels = read_segments(tmp_path / "m.seg.dcm").masks.objects[0].voxels
    assert f"1: left kidney ({voxels} voxels, Left Kidney)" in run("info", tmp_path / "m.seg.dcm").out
    (segment,) = run("info", tmp_path / "m.seg.dcm", "--json").json["data"]["segments"]
    assert (segment["number"], segment["code"]) == (1, "64033007 SCT")
