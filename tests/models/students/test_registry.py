"""The networks of students: MONAI's, in 2D and 3D."""

from __future__ import annotations

import re

import pytest
import torch

from anytomy.core.errors import OptionError
from anytomy.models.students import registry
from anytomy.models.students.registry import STUDENTS, build, multiple, student


@pytest.mark.parametrize("name", STUDENTS)
def test_networks_give_a_channel_for_each_class_and_the_background(name: str) -> None:
    side = multiple(name)
    flat = build(name, dims=2, channels=3, classes=4)(torch.zeros(2, 3, side * 2, side * 3))
    assert flat.shape == (2, 5, side * 2, side * 3)
    if name != "unet-32":  # for speed: it differs from unet-16 in its width alone
        solid = build(name, dims=3, channels=1, classes=1)(torch.zeros(1, 1, side * 2, side, side))
        assert solid.shape == (1, 2, side * 2, side, side)


def test_the_documented_sizes_are_true() -> None:
    said = dict(re.findall(r"\| `([\w-]+)` \|.* ([\d,]+) \|\n", registry.__doc__ or ""))
    assert set(said) == set(STUDENTS)
    for name, count in said.items():
        network = build(name, dims=2, channels=1, classes=1)
        assert f"{sum(p.numel() for p in network.parameters()):,}" == count


def test_a_third_party_adds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.students.tiny import register

    register(monkeypatch)
    assert build("Tiny", dims=2, channels=1, classes=2)(torch.zeros(1, 1, 8, 8)).shape == (1, 3, 8, 8)
    assert multiple("tiny") == 2


def test_what_is_no_student_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="did you mean unet-16"):
        student("unet16")
    with pytest.raises(OptionError, match="0 classes"):
        build("unet-8", dims=2, channels=1, classes=0)

    class Point:
        name, value = "odd", "odd:THING"

        def load(self) -> object:
            return object()

    monkeypatch.setattr(registry, "_added", lambda: {"odd": Point()})
    with pytest.raises(OptionError, match="expected odd:THING to be a Student"):
        student("odd")
