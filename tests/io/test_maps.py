"""Maps of numbers keep the grid and the digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anytomy.core.errors import OutputError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io.maps import check_map, map_endings, write_map
from anytomy.io.read import read

GRID = Geometry(size_xyz=(5, 4, 3), spacing_xyz_mm=(0.7, 0.8, 2.5), origin_lps_mm=(-10.5, 3.0, 7.25))
VALUES = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)


@pytest.mark.parametrize("ending", map_endings())
def test_round_trip(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"map{ending}"
    write_map(path, VALUES, Image.from_array(VALUES, is_volume=True, geometry=GRID))
    back = read(path)
    assert back.array.dtype == np.float32
    np.testing.assert_array_equal(back.array, VALUES)
    assert back.geometry.is_close(GRID)


def test_nifti_does_not_call_numbers_labels(tmp_path: Path) -> None:
    import nibabel

    write_map(tmp_path / "a.nii", VALUES, Image.from_array(VALUES, is_volume=True, geometry=GRID))
    assert int(nibabel.load(tmp_path / "a.nii").header["intent_code"]) == 0


@pytest.mark.parametrize("name", ["a.png", "a.seg.nrrd", "a.dcm", "a"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"expected an ending of \.nii\.gz"):
        check_map(tmp_path / name)
