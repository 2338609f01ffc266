"""`anytomy info`: the facts of a file, for people and for machines."""

from __future__ import annotations

import json
import warnings

import nibabel
import numpy as np
import pytest
import typer
from PIL import Image as Pillow
from typer.testing import CliRunner

from anytomy.cli.info import info
from anytomy.core.errors import AnytomyError

app = typer.Typer()
app.command()(info)


@pytest.fixture
def run():
    """The output of `info` with these arguments."""

    def run_(*arguments) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run_


@pytest.fixture
def scan(tmp_path):
    """A CT, turned by 10 degrees about z, with one NaN."""
    values = np.linspace(-1000, 1500, 20 * 16 * 12).reshape(20, 16, 12).round()
    values[3, 3, 3] = np.nan
    angle = np.radians(10)
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, 3] = [-10, -20, 30]
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)
    return path


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader says that there is a NaN; not our subject
        yield


def test_facts_for_machines(run, scan):
    data = json.loads(run(scan, "--json"))["data"]
    geometry = data["geometry"]
    assert geometry["size_xyz"] == [20, 16, 12]
    np.testing.assert_allclose(geometry["spacing_xyz_mm"], [1, 1, 5], rtol=1e-6)
    np.testing.assert_allclose(geometry["extent_xyz_mm"], [20, 16, 60], rtol=1e-6)
    np.testing.assert_allclose(geometry["origin_lps_mm"], [10, 20, 30], rtol=1e-6)
    assert geometry["orientation"] == "RAS"
    assert geometry["slices"] == "axial"
    assert geometry["tilt_degrees"] == pytest.approx(10, abs=0.02)
    assert data["values"] == {
        "type": "float32",
        "channels": 1,
        "lowest": -1000,
        "highest": 1500,
        "not_finite": 1,
    }
    assert data["intensity"]["modality"] == "CT"
    assert data["intensity"]["guessed"] is True
    assert (data["intensity"]["black"], data["intensity"]["white"]) == (-160, 240)


def test_facts_for_people(run, scan):
    text = run(scan)
    for expected in (
        "20 x 16 x 12 voxels",
        "1 x 1 x 5 mm",
        "run to R, A, S (axial slices), oblique by 10",
        "CT (a guess: whole numbers from -1000 to 1500",
        "-160 becomes black, 240 white (ct:soft",
        "1 values are NaN",
    ):
        assert expected in text


def test_percentiles_are_fitted(run, scan):
    intensity = json.loads(run(scan, "--json", "--intensity", "percentile:0,100"))["data"]["intensity"]
    assert (intensity["policy"], intensity["guessed"]) == ("percentile:0,100", False)
    assert (intensity["black"], intensity["white"]) == (-1000, 1500)


def test_nothing_is_invented_for_pictures(run, tmp_path):
    Pillow.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "a.png")
    text = run(tmp_path / "a.png")
    assert "40 x 30 pixels" in text
    assert "not stated" in text
    assert "orientation" not in text
    assert "as stored" in text


def test_preview(run, scan, tmp_path):
    assert "p.png" in run(scan, "--preview", tmp_path / "p.png", "--axis", "x")
    with Pillow.open(tmp_path / "p.png") as picture:
        assert picture.width > 500


def test_wrong_input_is_one_of_our_errors(run, tmp_path):
    for arguments in ([tmp_path / "gone.png"], [tmp_path / "gone.png", "--model", "nothing"]):
        with pytest.raises(AnytomyError):
            run(*arguments)
