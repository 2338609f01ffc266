"""Requests as the plug-ins of 3D Slicer and OHIF send them, to the byte, and answers as they read them."""

from __future__ import annotations

import contextlib
import email.parser
import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import numpy as np
import SimpleITK
from fastapi.testclient import TestClient

from anytomy.predict.model import Model
from anytomy.server.app import create_app
from anytomy.zoo.card import ModelCard
from tests.predict.test_classes import Levels
from tests.predict.test_classes import model as levels_of_pictures
from tests.server.serving import FakeModels, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LIMIT = "----------lImIt_of_THE_fIle_eW_$"


def levels_model() -> Model:
    """Classes by brightness, also where values are no grey levels."""
    intensity = {"default": "percentile:0,100", "CT": "percentile:0,100"}
    card = replace(levels_of_pictures().card, intensity=intensity)
    return Model(card, Levels(), weights_sha256="0" * 64)


class ModelsWithClasses(FakeModels):
    """Beside the others `levels`, which finds its classes without prompts."""

    def __init__(self) -> None:
        super().__init__()
        plain_card, plain_load = self._card, self._load

        def card(reference: str) -> ModelCard:
            return levels_model().card if reference == "levels" else plain_card(reference)

        def load(reference: str) -> Model:
            return levels_model() if reference == "levels" else plain_load(reference)

        self._card, self._load = card, load
        self.add("levels", "levels")


@contextlib.contextmanager
def serving(folder: Path, **changes: Any) -> Iterator[TestClient]:
    """A client of a server with a model of each kind."""
    app = create_app(settings_for(folder, **changes), ModelsWithClasses())
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


class Slicer:
    """3D Slicer's module: `http.client`, query strings by `quote_plus`, one fixed boundary, whole paths."""

    def __init__(self, client: TestClient, **headers: str) -> None:
        self.client = client
        self.headers = headers

    def get(self, selector: str) -> Any:
        return self._sent("GET", selector)

    def post(self, selector: str, body: dict[str, Any]) -> Any:
        text = json.dumps(body)
        return self._sent("POST", selector, text.encode(), "application/json")

    def delete(self, selector: str) -> Any:
        return self._sent("DELETE", selector)

    def multipart(self, method: str, selector: str, fields: dict[str, str], files: dict[str, Path]) -> Any:
        body = bytearray()
        for key, value in fields.items():
            body += f'--{_LIMIT}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, path in files.items():
            head = f'Content-Disposition: form-data; name="{key}"; filename="{path}"'
            body += f"--{_LIMIT}\r\n{head}\r\nContent-Type: application/x-gzip\r\n\r\n".encode()
            body += path.read_bytes() + b"\r\n"
        body += f"--{_LIMIT}--\r\n\r\n".encode()
        return self._sent(method, selector, bytes(body), f"multipart/form-data; boundary={_LIMIT}")

    def infer(self, model: str, image: str, params: dict[str, Any], session: str = "") -> Any:
        selector = f"/infer/{quote_plus(model)}?image={quote_plus(image)}"
        selector += f"&session_id={quote_plus(session)}" if session else ""
        said = {"client_id": "user-xyz", **params}
        return self.multipart("POST", selector, {"params": json.dumps(said)}, {})

    def save_label(self, image: str, label: Path, params: dict[str, Any], tag: str = "") -> Any:
        selector = f"/datastore/label?image={quote_plus(image)}" + (f"&tag={quote_plus(tag)}" if tag else "")
        said = {"client_id": "user-xyz", **params}
        return self.multipart("PUT", selector, {"params": json.dumps(said)}, {"label": label})

    def upload(self, path: Path, name: str) -> Any:
        selector = f"/datastore/?image={quote_plus(name)}"
        return self.multipart("PUT", selector, {"params": '{"client_id": "user-xyz"}'}, {"file": path})

    def _sent(self, method: str, selector: str, body: bytes = b"", kind: str = "") -> Any:
        headers = {"accept-encoding": "identity", **self.headers}
        if body:
            headers |= {"content-type": kind, "content-length": str(len(body))}
        return self.client.request(method, selector, content=body, headers=headers)


class Ohif:
    """OHIF's extension: axios in a browser, form data with a boundary of the browser's own."""

    def __init__(self, client: TestClient, origin: str) -> None:
        self.client = client
        self.headers = {"origin": origin, "accept": "application/json,multipart/form-data"}

    def infer(self, model: str, series: str, params: dict[str, Any], output: str = "all") -> Any:
        address = f"/infer/{quote(model, safe='')}?image={quote(series, safe='')}&output={output}"
        extra = {"result_extension": ".nrrd", "result_dtype": "uint16", "result_compress": False}
        said = {**params, **extra, "restore_label_idx": False}
        return self._form("POST", address, {"params": json.dumps(said)})

    def save_label(self, series: str, values: bytes, params: dict[str, Any]) -> Any:
        address = f"/datastore/label?image={quote(series, safe='')}"
        return self._form("PUT", address, {"params": json.dumps(params)}, ("label", "label.bin", values))

    def _form(
        self, method: str, address: str, fields: dict[str, str], file: tuple[str, str, bytes] | None = None
    ) -> Any:
        boundary = "----WebKitFormBoundaryq8FVvWcxBgGSWQ0e"
        body = b""
        for key, value in fields.items():
            body += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            )
        if file is not None:
            key, name, data = file
            head = f'Content-Disposition: form-data; name="{key}"; filename="{name}"\r\n'
            body += (
                f"--{boundary}\r\n{head}Content-Type: application/octet-stream\r\n\r\n".encode()
                + data
                + b"\r\n"
            )
        body += f"--{boundary}--\r\n".encode()
        headers = {**self.headers, "content-type": f"multipart/form-data; boundary={boundary}"}
        return self.client.request(method, address, content=body, headers=headers)


def parts(answer: Any) -> tuple[dict[str, Any], str, bytes]:
    """Parameters, file name and file of an answer, as the mail parser that Slicer uses sees them."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser().parsebytes(head + answer.content)
    found = {
        str(part.get_param("name", header="content-disposition")): part for part in message.get_payload()
    }
    params = json.loads(found["params"].get_payload(decode=True))
    return params, found["image"].get_filename(), found["image"].get_payload(decode=True)


def as_ohif_reads(answer: Any) -> tuple[dict[str, Any], NDArray[np.uint16]]:
    """Parameters and voxels, x fastest, as OHIF cuts them out of the text of the body."""
    boundary = re.search("boundary=([^;]+)", answer.headers["content-type"])[1]
    pieces = answer.content.decode("latin-1").split(f"--{boundary}")
    said = next(each for each in pieces if "Content-Type: application/json" in each)
    file = next(each for each in pieces if "Content-Type: application/octet-stream" in each)
    params = json.loads(said[said.index("{") : said.rindex("}") + 1])
    nrrd = file.split("\r\n\r\n", 1)[1]
    nrrd = nrrd[: nrrd.rindex("\r\n")].encode("latin-1")
    header, _, voxels = nrrd.partition(b"\n\n")
    assert b"encoding: raw" in header
    assert b"type: unsigned short" in header or b"type: uint16" in header
    return params, np.frombuffer(voxels, dtype="<u2")


def label_map(name: str, data: bytes) -> SimpleITK.Image:
    """A label file as ITK reads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return SimpleITK.ReadImage(str(path))
