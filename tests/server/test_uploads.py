from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from anytomy.io.read import read
from tests.io import dicom_phantom
from tests.server.serving import API, Annotator, serving, with_limits


def send(client: object, data: bytes) -> tuple[int, dict[str, object]]:
    answer = client.post(f"{API}/uploads", content=data)  # type: ignore[attr-defined]
    return answer.status_code, answer.json()


def bomb(side: int) -> bytes:
    """A NIfTI file of zeros that is a thousand times larger than it looks."""
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, side, side, side, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + bytes(4 + 2 * side**3), 1)


def test_an_image_becomes_a_case_with_its_place(folder: Path) -> None:
    data = (folder / "ball.nii.gz").read_bytes()
    with serving(folder) as client:
        status, answer = send(client, data)
        assert status == 201
        facts = client.get(f"{API}/cases/{answer['case']}").json()
        original = read(folder / "ball.nii.gz").geometry
        assert facts["size_xyz"] == list(original.size_xyz)
        assert np.allclose(facts["spacing_xyz_mm"], original.spacing_xyz_mm)
        name = next(
            case["name"] for case in client.get(f"{API}/cases").json() if case["id"] == answer["case"]
        )
        user = Annotator(client, name)
        user.do("labels", 201)
        user.do("prompts", label=1, slice=6, box=[15, 10, 50, 40])
        assert user.do("save")["files"][0].endswith(".labels.nii.gz")
    with serving(folder) as client:
        assert name in {case["name"] for case in client.get(f"{API}/cases").json()}


def test_a_picture_too_and_the_patients_name_is_not_kept(folder: Path) -> None:
    def named(one: object, z: int) -> None:
        one.PatientName = "Doe^John"  # type: ignore[attr-defined]

    (file, *_) = dicom_phantom.write_series(
        folder.parent / "dicom", dicom_phantom.grid((16, 12, 1)), edit=named
    )
    with serving(folder) as client:
        status, answer = send(client, file.read_bytes())
        assert status == 201
        assert client.get(f"{API}/cases/{answer['case']}").json()["modality"] == "CT"
    for path in (folder.parent / "state" / "uploads").rglob("*"):
        assert "Doe" not in path.name
        assert not path.is_file() or b"Doe" not in path.read_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\nbroken", b"hello", b"\x1f\x8b" + bytes(50), bytes(5000)]
)
def test_malformed_ones_are_refused_and_not_kept(folder: Path, data: bytes) -> None:
    with serving(folder) as client:
        status, answer = send(client, data)
        assert 400 <= status < 500
        assert str(folder.parent) not in str(answer)
    assert not list((folder.parent / "state" / "uploads").iterdir())


def test_a_bomb_meets_the_bound_on_memory(folder: Path) -> None:
    with serving(folder, limits=with_limits(decode_bytes=500 * 2**20)) as client:
        status, answer = send(client, bomb(640))
        assert status == 422, answer
        assert not list((folder.parent / "state" / "uploads").iterdir())
        assert send(client, (folder / "ball.nii.gz").read_bytes())[0] == 201


def test_size_and_number_are_bounded(folder: Path) -> None:
    data = (folder / "bar.png").read_bytes()
    with serving(folder, limits=with_limits(upload_bytes=len(data), uploads=1)) as client:
        assert send(client, data + b"x")[0] == 413
        assert send(client, data)[0] == 201
        assert send(client, data)[0] == 409
