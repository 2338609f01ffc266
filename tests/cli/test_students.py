"""Students on the command line: `segment`, `models info`, `models export`, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import onnxruntime
import pytest

from tests.cli.conftest import Outcome
from tests.models.students.tiny import register, tiny_student

Run = Callable[..., Outcome]


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register(monkeypatch)
    tiny_student(tmp_path / "student", volumes=True, spacing_mm=(1.5, 1.5))
    return tmp_path / "student"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(-100, 900, (40, 33, 5)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.2, 1.1, 3.0, 1.0])), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_segment_and_the_exported_graph_give_the_same_label_map(
    run: Run, tmp_path: Path, student: Path, scan: Path
) -> None:
    done = run("segment", scan, "--model", student, "-o", tmp_path / "out.nii.gz", "--json")
    assert done.code == 0, done.err
    assert [each["name"] for each in done.json["data"]["objects"]] == ["liver", "pancreas"]
    manifest = json.loads((tmp_path / "out.nii.gz.json").read_text())
    assert manifest["prompts"] == []
    assert manifest["model"]["id"] == str(student)
    labels = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_allclose(labels.affine, nibabel.load(scan).affine)
    exported = run("models", "export", student, "--onnx", tmp_path / "student.onnx")
    assert exported.code == 0, exported.err
    session = onnxruntime.InferenceSession(str(tmp_path / "student.onnx"))
    turned = nibabel.as_closest_canonical(nibabel.load(scan))  # from here on as docs/students.md has it
    image = np.asarray(turned.dataobj, dtype=np.float32).transpose(2, 1, 0)[:, ::-1, ::-1]
    spacing = np.array(turned.header.get_zooms()[2::-1], dtype=np.float64)
    found = session.run(["labels"], {"image": image, "spacing_mm": spacing})[0]
    found = found[:, ::-1, ::-1].transpose(2, 1, 0)
    expected = np.asarray(nibabel.as_closest_canonical(labels).dataobj)
    assert (found != expected).mean() < 1e-3
    assert len(np.unique(expected)) == 3


def test_info_says_what_it_is(run: Run, student: Path) -> None:
    shown = run("models", "info", student)
    assert shown.code == 0
    for text in (
        "slices along z, 1.5 x 1.5 mm",
        "windows of 32 x 32 pixels",
        "id litemedsam; licence Apache-2.0",
        "pseudo",
        "acdc",
        "dice 0.750",
        "liver, pancreas",
    ):
        assert text in shown.out
    data = run("models", "info", student, "--json").json["data"]
    assert data["student"]["network"] == "tiny"
    assert data["cached"] is True


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--box", "1,1,9,9"), "takes no prompts: it finds liver"),
        (("--everything",), "takes no prompts"),
        (("--axis", "x"), "trained on slices along z"),
        (("--volume", "triplanar"), "takes no prompts"),
    ],
)
def test_what_has_no_meaning_is_refused(
    run: Run, tmp_path: Path, student: Path, scan: Path, options: tuple[str, ...], match: str
) -> None:
    out = tmp_path / "out.nii.gz"
    assert match in run("segment", scan, "--model", student, "-o", out, *options).error
    assert not out.exists()


def test_export_wants_one_place_that_is_free(run: Run, tmp_path: Path, student: Path) -> None:
    assert "expected one place" in run("models", "export", student, "--onnx").error
    assert "expected one place" in run("models", "export", student, "a.onnx", "-o", "b.onnx", "--onnx").error
    before = (student / "student.onnx").read_bytes()
    assert run("models", "export", student, "--onnx", student / "student.onnx").error
    assert (student / "student.onnx").read_bytes() == before
    assert "ends in .onnx" in run("models", "export", student, "--onnx", "-o", tmp_path / "folder").error


def test_a_student_has_nothing_to_merge(run: Run, tmp_path: Path, student: Path) -> None:
    assert "no adapter" in run("models", "merge", student, "-o", tmp_path / "a.safetensors").error


def test_a_truncated_student_is_one_line(run: Run, tmp_path: Path, student: Path, scan: Path) -> None:
    (student / "student.onnx").write_bytes(b"x")
    error = run("segment", scan, "--model", student, "-o", tmp_path / "o.nii.gz").error
    assert "student.onnx is truncated" in error
