"""Requests that nobody wrote by hand: none makes the server fail, hang or grow.

Schemathesis makes them from the OpenAPI document, which has the native API and the MONAI Label protocol: such
that fit it, and such that do not. Ids in them are those of things that are there as often as not, else nearly
every request would end at "there is no such session".
"""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.server.monai_label.clients import serving
from tests.server.serving import API, Annotator, packed, with_limits, write_cases

MOST_WORK_S = 10.0
LONGEST_S = 60.0  # on the clock; the machine may have other things to do
MOST_GROWTH = 2**30
# What makes or takes away much: tested by hand below.
_LEFT_OUT = ("/batch/infer/{model}",)


class Target:
    """A server with a session in which something was done."""

    def __init__(self, client: Any, folder: Path) -> None:
        self.client = client
        self.user = user = Annotator(client, who="ann")
        user.do("labels", 201, name="liver")
        user.do("prompts", label=1, slice=6, box=[15, 10, 50, 40])
        user.do("drawings", label=1, slice=2, box=[0, 0, 4, 4], data=packed(np.ones((4, 4), dtype=bool)))
        user.do("save")
        job = user.do("propagate", 202, axis="z")
        self.there: dict[str, list[str]] = {
            "case_id": [user.case],
            "session_id": [user.id],
            "label_id": ["1"],
            "job_id": [job["id"]],
            "axis": ["z", "x", "y"],
            "slice_": ["0", "6"],
            "model": ["clicks", "tiny", "levels", "clicks-volume"],
            "strategy": ["first", "unsure"],
            "image": [user.case],
            "label": [user.case],
            "id": [user.case],
            "format": ["nii.gz", "seg.nrrd", "npz"],
        }

    def send(self, **request: Any) -> Any:
        """The answer to a request, which must come in time and be none of a failure."""
        begun, worked = time.monotonic(), _worked()
        answer = self.client.request(**request)
        assert answer.status_code < 500, (request.get("method"), request.get("url"), answer.text[:300])
        assert _worked() - worked < MOST_WORK_S, (request.get("method"), request.get("url"))
        assert time.monotonic() - begun < LONGEST_S, (request.get("method"), request.get("url"))
        return answer


def _worked() -> float:
    """Processor time of this process, where the server is, and of those that it started."""
    return sum(os.times()[:4])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("fuzz") / "scans"
    write_cases(folder)
    with serving(folder, limits=with_limits(uploads=3, decode_bytes=2**29)) as client:
        yield Target(client, folder)


def _made(target: Target, *, examples: int) -> int:
    """Send so many requests of each kind to each address; how many that were."""
    document = target.client.get(f"{API}/openapi.json").json()
    memory, sent = psutil.Process().memory_info().rss, 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if operation.path in _LEFT_OUT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            sent += _of_one(target, operation, mode, examples)
    assert psutil.Process().memory_info().rss - memory < MOST_GROWTH
    return sent


def _of_one(target: Target, operation: Any, mode: GenerationMode, examples: int) -> int:
    sent = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode), choose=st.data())
    def ask(case: Any, choose: Any) -> None:
        nonlocal sent
        for values in (case.path_parameters, case.query):
            for name in list(values or ()):
                known = target.there.get(name)
                if known and choose.draw(st.booleans()):
                    values[name] = choose.draw(st.sampled_from(known))
        wanted = case.as_transport_kwargs(base_url="http://127.0.0.1")
        try:
            ready = requests.Request(**wanted).prepare()
        except (UnicodeError, requests.RequestException):
            return  # no client can send it
        headers = {k: v for k, v in ready.headers.items() if k.lower() in ("content-type", "accept")}
        target.send(method=ready.method, url=ready.url, content=ready.body or b"", headers=headers)
        sent += 1

    try:
        ask()
    except schemathesis.errors.InvalidSchema:
        raise
    except Exception as error:
        if type(error).__name__ != "Unsatisfiable":  # nothing that does not fit can be made for it
            raise
    return sent


def test_a_few_requests_of_each_kind(target: Target) -> None:
    assert _made(target, examples=3) > 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_requests_of_each_kind(target: Target) -> None:
    assert _made(target, examples=150) > 10_000


# -- images ------------------------------------------------------------------------------------------


def _png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _nested(levels: int) -> bytes:
    data = bytes(2**20)
    for level in range(levels):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{level}", data)
        data = packed.getvalue()
    return data


def _many_members() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(25_000):
            archive.writestr(str(number), b"")
    return packed.getvalue()


def _npz_bomb() -> bytes:
    packed = io.BytesIO()
    head = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (40000, 40000, 9), }"
    )
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("imgs.npy", head.ljust(127) + b"\n" + bytes(50 * 2**20))
    return packed.getvalue()


MALFORMED = {
    "png cut off": lambda folder: (folder / "bar.png").read_bytes()[:60],
    "png bomb": lambda folder: _png(60_000, 60_000, zlib.compress(bytes(10**7), 9)),
    "nifti cut off": lambda folder: (folder / "ball.nii.gz").read_bytes()[:200],
    "nifti header only": lambda folder: struct.pack("<i", 348) + bytes(340) + b"n+1\0",
    "dicom without anything": lambda folder: bytes(128) + b"DICM",
    "dicom cut off": lambda folder: bytes(128) + b"DICM\x02\0\0\0UL\x04\0\xff\xff\xff\xff",
    "wrong magic": lambda folder: b"GIF89a" + bytes(100),
    "nrrd of a foreign file": lambda folder: (
        b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 2\nencoding: raw\ndata file: /etc/passwd\n\n"
    ),
    "nrrd of negative sizes": lambda folder: (
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: -2 99999999 99999999\nencoding: raw\n\n"
    ),
    "mha of a foreign file": lambda folder: (
        b"NDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = /etc/passwd\n"
    ),
    "nested archives": lambda folder: _nested(3),
    "too many members": lambda folder: _many_members(),
    "npz bomb": lambda folder: _npz_bomb(),
    "empty archive": lambda folder: b"PK\x05\x06" + bytes(18),
    "pickle": lambda folder: (
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    ),
}


# The others are alike, and each takes three processes.
_QUICK = ("png cut off", "nifti cut off", "nrrd of a foreign file", "npz bomb")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in _QUICK else pytest.mark.slow) for kind in MALFORMED]
)
def test_malformed_images_are_refused_by_both_protocols(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "scans"
    write_cases(folder)
    data = MALFORMED[kind](folder)
    with serving(folder, limits=with_limits(decode_bytes=2**29)) as client:
        before = psutil.Process().memory_info().rss
        case = Annotator(client).case
        answers = [
            client.post(f"{API}/uploads", content=data),
            client.put("/session/", files=[("files", ("image", data))]),
            client.put(f"/datastore/label?image={case}", files={"label": ("a.nii.gz", data)}),
        ]
        assert [answer.status_code for answer in answers] == [422] * 3, [a.text[:200] for a in answers]
        assert all("root:" not in answer.text for answer in answers)
        assert psutil.Process().memory_info().rss - before < 2**28
    assert not list((tmp_path / "state" / "uploads").iterdir())


# -- paths -------------------------------------------------------------------------------------------

PATHS = (
    "../secret.nii.gz",
    "..%2Fsecret.nii.gz",
    "%2e%2e/secret.nii.gz",
    "%252e%252e%252fsecret.nii.gz",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "....//secret.nii.gz",
    "scans\\..\\secret.nii.gz",
    "secret.nii.gz%00",
    "link.nii.gz",
    "file:///etc/passwd",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_of_a_client_leads_out_of_the_roots(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "scans"
    write_cases(folder)
    (tmp_path / "secret.nii.gz").write_bytes((folder / "ball.nii.gz").read_bytes())
    (folder / "link.nii.gz").symlink_to(tmp_path / "secret.nii.gz")
    with serving(folder) as client:
        assert "link.nii.gz" not in {case["name"] for case in client.get(f"{API}/cases").json()}
        for address in (
            f"{API}/cases/{path}",
            f"{API}/cases/{path}/thumbnail",
            f"{API}/sessions/{path}",
            f"/session/{path}",
            f"/datastore/image?image={path}",
            f"/datastore/label?label={path}&tag=final",
            f"/logs/?logfile={path}&lines=-1",
            f"/{path}",
        ):
            answer = client.get(address)
            assert 400 <= answer.status_code < 500, address
            assert "root:" not in answer.text
        answer = client.post(f"/infer/levels?image={path}", data={"params": "{}"})
        assert 400 <= answer.status_code < 500


# -- much --------------------------------------------------------------------------------------------


class TestMuch:
    def test_a_hundred_thousand_points(self, target: Target) -> None:
        points = [[1.0, 2.0, 1]] * 10**5
        url = f"{API}/sessions/{target.user.id}/prompts"
        answer = target.send(method="POST", url=url, json={"label": 1, "points": points})
        assert answer.status_code == 422
        params = json.dumps({"foreground": [[1, 2, 3]] * 10**5})
        url = f"/infer/clicks?image={target.user.case}"
        answer = target.send(method="POST", url=url, data={"params": params})
        assert answer.status_code in (400, 413)
        params = json.dumps({"foreground": [[1, 2, 3]] * 10**5}, separators=(",", ":"))
        answer = target.send(method="POST", url=url, files={"params": (None, params)})
        assert answer.status_code in (400, 413)

    def test_a_body_larger_than_may_be(self, target: Target) -> None:
        body = b'{"label": 1, "data": "' + b"A" * (9 * 2**20) + b'"}'
        url = f"{API}/sessions/{target.user.id}/drawings"
        head = {"content-type": "application/json"}
        assert target.send(method="POST", url=url, content=body, headers=head).status_code == 413
        assert (
            target.send(method="POST", url="/activelearning/first", content=body, headers=head).status_code
            == 413
        )

    def test_deeply_nested_json(self, target: Target) -> None:
        head = {"content-type": "application/json"}
        for url in (f"{API}/sessions", "/activelearning/first", "/train/clicks"):
            for body in (b"[" * 10**5, b'{"a":' * 10**5):
                answer = target.send(method="POST", url=url, content=body, headers=head)
                assert 400 <= answer.status_code < 500

    def test_more_parts_than_anybody_sends(self, target: Target) -> None:
        files = [("files", (str(number), b"x")) for number in range(2000)]
        answer = target.send(method="PUT", url="/session/", files=files)
        assert 400 <= answer.status_code < 500

    def test_a_multipart_body_that_never_ends_its_part(self, target: Target) -> None:
        head = {"content-type": "multipart/form-data; boundary=x"}
        for body in (
            b"--x\r\n",
            b"--x\r\nContent-Disposition: form-data; name=params\r\n\r\n{",
            b"--y--",
            b"",
        ):
            url = f"/infer/clicks?image={target.user.case}"
            answer = target.send(method="POST", url=url, content=body, headers=head)
            assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", f"{API}/uploads"),
        ("POST", "/infer/levels?image=x"),
        ("PUT", "/datastore/label?image=x"),
        ("PUT", "/session/"),
        ("POST", "/train/"),
        ("DELETE", "/datastore/image?id=x"),
        ("POST", "/auth/token"),
    ],
)
def test_a_foreign_page_may_change_nothing(target: Target, method: str, address: str) -> None:
    for origin in ("https://evil.example.org", "null", "http://127.0.0.1:9"):
        answer = target.send(method=method, url=address, headers={"origin": origin})
        assert answer.status_code == 403
