"""Which model answers where none was chosen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from anytomy.cli import work
from anytomy.cli.default_model import default_model
from anytomy.predict.model import Model
from anytomy.zoo.registry import card
from tests.predict.automatic.blobs import BlobEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Outcome

    Run = Callable[..., Outcome]

CLICKS = "litemedsam-click"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ('{"objects": [{"box": [1, 1, 9, 9]}]}', "litemedsam"),
        ('{"objects": [{"box": [1, 1, 9, 9]}, {"points": [[4, 4, 1]]}]}', CLICKS),
        ('{"objects": [{"mask": "guess.png"}]}', CLICKS),
        ('{"objects": [{"points": []}, 5]}', "litemedsam"),
        ('{"objects": 5}', "litemedsam"),
        ("[", "litemedsam"),
    ],
)
def test_prompt_files_decide(tmp_path: Path, text: str, model: str) -> None:
    (tmp_path / "case.json").write_text(text)
    assert default_model(clicked=False, files=tmp_path / "case.json", folder=None) == model
    assert default_model(clicked=False, files=None, folder=tmp_path) == model


def test_typed_clicks_decide(tmp_path: Path) -> None:
    assert default_model(clicked=True, files=None, folder=None) == CLICKS
    assert default_model(clicked=False, files=tmp_path / "absent.json", folder=tmp_path) == "litemedsam"


def test_who_answered_is_said_and_stands_in_the_manifest(
    run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        work, "_load", lambda options: Model(card(options.model), BlobEngine(), weights_sha256="0" * 64)
    )
    done = run("segment", photo, "--point", "10,10", "-o", tmp_path / "mask.png")
    assert done.code == 0
    assert "takes boxes only, so litemedsam-click answered" in done.err
    assert json.loads((tmp_path / "mask.png.json").read_text())["model"]["id"] == CLICKS
    chosen = run("segment", photo, "--point", "10,10", "--model", CLICKS, "-o", tmp_path / "own.png")
    assert (chosen.code, chosen.err) == (0, "")
