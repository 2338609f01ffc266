"""The folder of an adapter: written, read, and refused when it is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anytomy.core.errors import ChecksumError, ModelError, OutputError
from anytomy.models.adapters.folder import (
    CARD,
    WEIGHTS,
    AdapterCard,
    is_adapter,
    read_adapter,
    read_weights,
    write_adapter,
)
from anytomy.models.thresholds import Thresholds

PROMPTABLE = AdapterCard(
    base="tiny",
    base_sha256="ab" * 32,
    architecture="litemedsam",
    method="decoder",
    prompts=("box", "points"),
    intensity={"default": "none"},
    data={"dsb2018": {"train": ["a", "b"], "val": ["c"]}},
    metrics={"before": 0.5, "after": 0.75},
    versions={"torch": "2.13.0"},
)
SEMANTIC = replace(PROMPTABLE, mode="semantic", prompts=(), classes=("liver", "left kidney"))
STATE = {"mask_decoder.x": torch.arange(6.0).reshape(2, 3).T, "mask_decoder.y": torch.zeros(2).half()}


@pytest.mark.parametrize(
    "card",
    [
        PROMPTABLE,
        SEMANTIC,
        replace(PROMPTABLE, routes=("box",)),
        replace(PROMPTABLE, automatic=Thresholds(0.6, 0.85, "ten pictures")),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, card: AdapterCard) -> None:
    written = write_adapter(tmp_path / "new", card, STATE)
    assert is_adapter(tmp_path / "new")
    assert read_adapter(tmp_path / "new") == written
    assert replace(written, weights_sha256="", touches_encoder=True) == card
    state = read_weights(tmp_path / "new", written)
    assert all(torch.equal(STATE[name], tensor) for name, tensor in state.items())
    assert state["mask_decoder.y"].dtype == torch.float16
    assert {path.name for path in (tmp_path / "new").iterdir()} == {CARD, WEIGHTS}


def test_whether_the_encoder_changes_follows_from_the_weights(tmp_path: Path) -> None:
    assert not write_adapter(tmp_path, PROMPTABLE, STATE).touches_encoder
    assert write_adapter(tmp_path, PROMPTABLE, {"image_encoder.x": torch.zeros(1)}).touches_encoder


def test_a_route_needs_the_encoder_of_the_base(tmp_path: Path) -> None:
    card = replace(PROMPTABLE, routes=("box",))
    with pytest.raises(ModelError, match="understands the base's image encoder only"):
        write_adapter(tmp_path, card, {"image_encoder.x": torch.zeros(1)})
    assert not is_adapter(tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mode": "semantic"}, "neither prompts nor routes"),
        ({"mode": "semantic", "prompts": [], "classes": ["a", "a"]}, "each its own"),
        ({"mode": "other"}, "one of promptable, semantic"),
        ({"prompts": []}, "has prompts and no classes"),
        ({"classes": ["a"]}, "has prompts and no classes"),
        ({"prompts": ["scribble"]}, "prompts are of box, points, mask"),
        ({"routes": ["mask"]}, "routes of the prompts"),
        ({"intensity": {"CT": "none"}}, "and a default"),
        ({"intensity": "none"}, "expected a table as intensity"),
        ({"automatic": {"score": 1.2, "stability": 0.9, "source": "x"}}, "from 0 to 1 as automatic.score"),
        ({"automatic": {"score": 0.7, "source": "x"}}, r"automatic\.stability .* got nothing"),
        ({"automatic": {"score": 0.7, "stability": 0.9}}, r"automatic\.source"),
        ({"automatic": {"score": 0, "stability": 0, "source": "x", "least": 1}}, r"got automatic\.least"),
        ({"base_sha256": "12"}, "base_sha256"),
        ({"method": 3}, "expected a string as method"),
        ({"format": 2}, "format 1"),
        ({"extra": 1}, "only known fields"),
    ],
)
def test_a_wrong_card_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    write_adapter(tmp_path, PROMPTABLE, STATE)
    values = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(values | changes))
    with pytest.raises(ModelError, match=match) as caught:
        read_adapter(tmp_path)
    assert CARD in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_card_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD).write_text(text)
    with pytest.raises(ModelError, match=r"adapter\.json"):
        read_adapter(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no adapter.json; .*anytomy tune"):
        read_adapter(tmp_path / "nowhere")
    card = write_adapter(tmp_path, PROMPTABLE, STATE)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"adapter.safetensors.*copy the whole folder"):
        read_weights(tmp_path, card)


def test_weights_of_another_adapter_are_refused(tmp_path: Path) -> None:
    card = write_adapter(tmp_path / "a", PROMPTABLE, STATE)
    write_adapter(tmp_path / "b", PROMPTABLE, {"mask_decoder.x": torch.zeros(3, 2)})
    (tmp_path / "b" / WEIGHTS).replace(tmp_path / "a" / WEIGHTS)
    with pytest.raises(ChecksumError, match=r"is not the file that adapter\.json names"):
        read_weights(tmp_path / "a", card)
    (tmp_path / "a" / WEIGHTS).write_bytes(b"cut")
    with pytest.raises(ModelError, match="truncated or damaged"):
        read_weights(tmp_path / "a", replace(card, weights_sha256=""))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_adapter(tmp_path / "file", PROMPTABLE, STATE)


def test_reading_a_card_needs_no_torch(tmp_path: Path) -> None:
    write_adapter(tmp_path, PROMPTABLE, STATE)
    code = (
        "import sys; from pathlib import Path; from anytomy.models.adapters.folder import read_adapter;"
        f"read_adapter(Path({str(tmp_path)!r})); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
