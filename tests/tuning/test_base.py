"""What a reference says is tuned: the plain model, or what an adapter made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytomy.tuning.base import Base
from anytomy.tuning.prompts import prompt_mix
from tests.engine.adapted import adapt, add_tiny
from tests.tuning.conftest import quick

if TYPE_CHECKING:
    from pathlib import Path

ASKED = quick(mode="promptable", method="prompt-decoder")


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of the user's."""
    add_tiny(tmp_path, monkeypatch)


def test_an_adapter_goes_on_with_what_it_has_learned(tmp_path: Path) -> None:
    adapt(tmp_path / "boxes", "prompt-decoder", prompts=("box",), intensity={"default": "percentile:1,99"})
    plain, held = (Base.of(name, device="cpu", threads=1) for name in ("tiny", f"tiny+{tmp_path / 'boxes'}"))
    assert set(prompt_mix(ASKED, plain.card)) == {"box", "clicks"}
    assert set(prompt_mix(ASKED, held.card)) == {"box"}
    assert held.card.id == "tiny"
    assert held.card.intensity == {"default": "percentile:1,99"}
    assert held.card.licence == "CC0-1.0"


def test_one_with_classes_leaves_the_prompts_of_its_base(tmp_path: Path) -> None:
    adapt(tmp_path / "classes", "decoder", classes=("liver",))
    held = Base.of(str(tmp_path / "classes"), device="cpu", threads=1)
    assert held.card.prompts == ("box", "points", "mask")
