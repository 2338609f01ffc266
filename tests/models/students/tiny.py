"""A student small enough for every test, made without MONAI: `tiny_network`, `tiny_student`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from anytomy.models.students import registry
from anytomy.models.students.folder import StudentCard, write_student
from anytomy.models.students.registry import Student

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CLASSES = ("liver", "pancreas")


def tiny_network(dims: int, channels: int, classes: int) -> nn.Module:
    """Halves, normalises and enlarges again, as real ones do."""
    convolution, back, normal = (
        (nn.Conv2d, nn.ConvTranspose2d, nn.InstanceNorm2d)
        if dims == 2
        else (nn.Conv3d, nn.ConvTranspose3d, nn.InstanceNorm3d)
    )
    return nn.Sequential(
        convolution(channels, 6, 3, stride=2, padding=1),
        normal(6, affine=True),
        nn.PReLU(),
        back(6, 6, 2, stride=2),
        convolution(6, classes + 1, 3, padding=1),
    )


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `tiny` a student, as a third party's entry point does."""

    class Point:
        name, value = "tiny", "third:TINY"

        def load(self) -> Any:
            return Student("tiny", 2, tiny_network)

    monkeypatch.setattr(registry, "_added", lambda: {"tiny": Point()})


def tiny_card(**changes: Any) -> StudentCard:
    values: dict[str, Any] = {
        "network": "tiny",
        "dims": 2,
        "classes": CLASSES,
        "patch": (32, 32),
        "size": 32,
        "intensity": "percentile:1,99",
        "teacher": {"id": "litemedsam", "licence": "Apache-2.0"},
        "recipe": "pseudo",
        "licence": "CC0-1.0",
        "data": {"acdc": {"train": ["1"]}},
        "metrics": {"dice": 0.75},
    }
    if changes.get("dims") == 3:
        values |= {"patch": (8, 16, 16), "size": None, "volumes": True}
    if "spacing_mm" in changes:
        values["size"] = None
    return StudentCard(**{**values, **changes})


def tiny_student(folder: Path, *, seed: int = 0, **changes: Any) -> StudentCard:
    """Write a student with random weights; `register` first."""
    card = tiny_card(**changes)
    torch.manual_seed(seed)
    network = tiny_network(card.dims, card.channels, len(card.classes))
    return write_student(folder, card, network.state_dict())
