from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from anytomy.core.errors import AnytomyError, OutputError
from anytomy.tuning import checkpoint

if TYPE_CHECKING:
    from pathlib import Path

STATE: dict[str, Any] = {
    "step": 3,
    "trained": {"w": torch.arange(4.0)},
    "losses": [{"loss": 0.5}],
    "best": float("nan"),
}


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    checkpoint.save(tmp_path, STATE)
    held = checkpoint.load(tmp_path)
    assert held is not None
    assert torch.equal(held["trained"]["w"], STATE["trained"]["w"])
    assert (held["step"], held["losses"]) == (3, [{"loss": 0.5}])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("write failed")])
def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    checkpoint.save(tmp_path, STATE)

    def fail(_: object, file: Any) -> None:
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(OutputError, match="the last checkpoint is kept") as caught:
        checkpoint.save(tmp_path, {**STATE, "step": 4})
    assert "No space left" in str(caught.value)
    held = checkpoint.load(tmp_path)
    assert held is not None
    assert held["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.FILE]


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / checkpoint.FILE).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(AnytomyError, match="cannot be read"):
        checkpoint.load(tmp_path)
