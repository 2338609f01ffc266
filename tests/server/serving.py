"""A server with a model whose answers can be foretold, and a client that speaks to it."""

from __future__ import annotations

import base64
import contextlib
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from fastapi.testclient import TestClient
from PIL import Image as Pillow

from anytomy.server.app import create_app
from anytomy.server.models import Models
from anytomy.server.settings import Limits, Settings
from tests.engine.tiny import EVERYTHING, BrightEngine, bright_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.predict.model import Model
    from anytomy.server.page_files import Page

API = "/api/v1"
SHAPE = (12, 48, 64)  # z, y, x
BALL = (6, 24, 30, 5)  # its centre and radius in slices; in the plane it is twice as wide


def ball_volume() -> NDArray[np.int16]:
    """A bright ball on a dark ground."""
    z, y, x = np.indices(SHAPE)
    cz, cy, cx, r = BALL
    inside = (2 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < (2 * r) ** 2
    return np.where(inside, 1000, 20).astype(np.int16)


def write_cases(folder: Path) -> None:
    """A volume and a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-0.8, -0.8, 2.5, 1.0])
    nibabel.save(nibabel.Nifti1Image(ball_volume().transpose(2, 1, 0), affine), folder / "ball.nii.gz")
    picture = np.full((40, 50), 10, dtype=np.uint8)
    picture[10:20, 15:35] = 240
    Pillow.fromarray(picture).save(folder / "bar.png")


class FakeModels(Models):
    """`tiny` knows boxes, `clicks` everything."""

    def __init__(self, engine: BrightEngine | None = None, default: str = "tiny") -> None:
        self.engine = engine or BrightEngine()

        def load(reference: str) -> Model:
            return bright_model(engine=self.engine, **_changes(reference))

        super().__init__(
            default,
            load=load,
            card=lambda reference: bright_model(**_changes(reference)).card,
            ids=lambda: ["tiny", "clicks", "far"],
            has=lambda reference: reference != "far",
        )


def _changes(reference: str) -> dict[str, Any]:
    return {"id": reference, **(EVERYTHING if reference == "clicks" else {})}


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Settings for a folder of images; what the server writes goes beside it."""
    limits = Limits(decode_seconds=20)
    values = {
        "roots": (folder.resolve(),),
        "state": folder.parent / "state",
        "model": "tiny",
        "limits": limits,
    }
    return Settings(**{**values, **changes})


@contextlib.contextmanager
def serving(
    folder: Path, *, engine: BrightEngine | None = None, page: Page | None = None, **changes: Any
) -> Iterator[TestClient]:
    """A client of a server on a folder of images."""
    app = create_app(settings_for(folder, **changes), FakeModels(engine), page)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


class Annotator:
    """A client with a session."""

    def __init__(self, client: Any, name: str = "ball.nii.gz", session: str = "", **begin: Any) -> None:
        self.client = client
        self.cases = {case["name"]: case["id"] for case in self.ok("GET", "/cases")}
        self.case = self.cases[name]
        self.id = session or self.ok("POST", "/sessions", {"case": self.case, **begin}, 201)["id"]

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The answer to a request that must succeed."""
        answer = self.client.request(method, API + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def do(self, what: str, status: int = 200, **body: Any) -> Any:
        """An action in the session."""
        return self.ok("POST", f"/sessions/{self.id}/{what}", body, status)

    def refused(self, what: str, **body: Any) -> tuple[int, str]:
        """Status and message of an action that must not succeed."""
        answer = self.client.post(f"{API}/sessions/{self.id}/{what}", json=body)
        return answer.status_code, answer.json()["error"]["message"]

    def state(self) -> Any:
        """The session."""
        return self.ok("GET", f"/sessions/{self.id}")

    def mask(
        self, label: int, slice_: int, axis: str = "z", shape: Sequence[int] = SHAPE[1:]
    ) -> NDArray[np.bool_]:
        """The mask of a slice as the server has it."""
        answer = self.ok("GET", f"/sessions/{self.id}/masks/{axis}/{slice_}")
        found = [each for each in answer["patches"] if each["label"] == label]
        return unpacked(found[0], shape) if found else np.zeros(shape, dtype=bool)

    def voxels(self) -> dict[int, int]:
        """Voxels of each label."""
        return {label["id"]: label["voxels"] for label in self.state()["labels"]}


def packed(bits: NDArray[np.bool_]) -> str:
    """Bits as a client sends them; written without the server's own code."""
    flat = "".join("1" if bit else "0" for bit in bits.ravel())
    flat += "0" * (-len(flat) % 8)
    raw = bytes(int(flat[i : i + 8], 2) for i in range(0, len(flat), 8))
    return base64.b64encode(zlib.compress(raw)).decode()


def unpacked(patch: dict[str, Any], shape: Sequence[int]) -> NDArray[np.bool_]:
    """A patch of an answer in its slice; read without the server's own code."""
    x0, y0, x1, y1 = patch["box"]
    raw = zlib.decompress(base64.b64decode(patch["data"]))
    bits = [byte >> (7 - place) & 1 for byte in raw for place in range(8)]
    out = np.zeros(shape, dtype=bool)
    out[y0:y1, x0:x1] = np.array(bits[: (y1 - y0) * (x1 - x0)], dtype=bool).reshape(y1 - y0, x1 - x0)
    return out


def with_limits(**changes: Any) -> Limits:
    """Limits of which some are other ones."""
    return replace(Limits(decode_seconds=20), **changes)
