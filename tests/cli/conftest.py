"""The command in this process, with a model that answers a box by its inside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.cli import main, work
from anytomy.predict.model import Model
from anytomy.zoo.registry import card

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The envelope; stdout must hold nothing else."""
        envelope = json.loads(self.out)
        assert envelope["schema"] == "anytomy/1"
        assert {"command", "version", "ok", "warnings"} <= set(envelope)
        return envelope

    @property
    def error(self) -> str:
        """The one line on stderr of a command that failed."""
        assert self.code not in (0, None)
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert self.out == ""
        return self.err


class BoxEngine:
    """Says that an object is what lies inside of its box, 1 input pixel around left out.

    Attributes:
        encoded: Pictures encoded so far.
        hook: Called before each decoding.
    """

    description = "boxes cpu f32 x1"
    precision = "f32"

    def __init__(self) -> None:
        self.encoded = 0
        self.hook: Callable[[], None] = lambda: None

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        self.encoded += 1
        return np.zeros((1, 1, 64, 64), np.float32)

    def decode(
        self, embedding: Any, coords: NDArray[np.float32], labels: NDArray[np.float32], mask_input: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.hook()
        (x0, y0), (x1, y1) = coords[0, np.isin(labels[0], (2, 3))]
        place = np.arange(256) + 0.5
        inside = ((place > y0) & (place < y1))[:, None] & ((place > x0) & (place < x1))
        logits = np.where(inside, 5.0, -5.0).astype(np.float32)
        return np.broadcast_to(logits, (4, 256, 256)), np.full(4, 0.9, np.float32)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`run("segment", path, "--box", ...)` as typed in a shell."""

    def call(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main.main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Outcome(int(exit_.value.code or 0), out, err)

    return call


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> BoxEngine:
    """The engine behind `anytomy segment`."""
    made = BoxEngine()
    monkeypatch.setattr(
        work, "_load", lambda options: Model(card("litemedsam"), made, weights_sha256="0" * 64)
    )
    return made


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a model fails the test: what is wrong must be found before."""

    def load(options: Any) -> Any:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(work, "_load", load)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A grey picture of 64 x 48 pixels."""
    return write_photo(tmp_path / "photo.png")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A volume of 32 x 24 x 6 voxels, oblique to nothing."""
    return write_scan(tmp_path / "scan.nii.gz")


def write_photo(path: Path, *, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (48, 64), dtype=np.uint8)
    Picture.fromarray(values).save(path)
    return path


def write_scan(path: Path, values: NDArray[Any] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        values = np.random.default_rng(0).normal(100, 20, (32, 24, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 3.0, 1.0])), path)
    return path


def write_prompts(path: Path, *boxes: Sequence[float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"objects": [{"box": list(box)} for box in boxes]}))
    return path


def left_in(folder: Path) -> set[str]:
    """Names of all files below a folder, hidden ones too."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
