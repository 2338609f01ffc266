"""Which decoder answers which prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anytomy.engine.routed import RoutedEngine

MASK = np.zeros((1, 1, 4, 4), np.float32)


class Named:
    precision, description, batch = "f32", "named", 3

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, pixels: Any) -> Any:
        return self.name

    def decode(self, *_: Any) -> Any:
        return self.name

    def decode_many(self, *_: Any) -> Any:
        return self.name


@pytest.mark.parametrize(
    ("routes", "labels", "mask", "who"),
    [
        (("box",), [2, 3], None, "base"),
        (("box",), [1, 2, 3], None, "tuned"),
        (("box",), [1, -1], None, "tuned"),
        (("box",), [2, 3], MASK, "tuned"),
        (("box", "mask"), [2, 3], MASK, "base"),
        (("box", "points"), [0, 1, 2, 3], None, "base"),
        (("points",), [0, 1, -1], None, "base"),
        (("points",), [2, 3], None, "tuned"),
        ((), [2, 3], None, "tuned"),
    ],
)
def test_prompts_of_routes_alone_go_to_the_base(routes: Any, labels: Any, mask: Any, who: str) -> None:
    engine: Any = RoutedEngine(Named("tuned"), Named("base"), routes)  # type: ignore[arg-type]
    kinds = np.array([labels], np.float32)
    assert engine.decode(None, None, kinds, mask) == who
    if mask is None:
        assert engine.decode_many(None, None, np.repeat(kinds, 2, axis=0)) == who
    assert engine.encode(None) == "tuned"
    assert engine.batch == 3
