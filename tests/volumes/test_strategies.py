"""All strategies under the contract; what each does of its own is in its own file."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.core.errors import OptionError
from anytomy.core.prompt import Prompt
from anytomy.volumes.apart import Apart
from anytomy.volumes.neighbours import Neighbours
from anytomy.volumes.propagate import Propagate
from anytomy.volumes.registry import strategy, strategy_names
from anytomy.volumes.triplanar import Triplanar
from tests.engine.tiny import bright_model
from tests.volumes.strategy_contract import BOXES, OFF, StrategyContract, placed


class TestApart(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Apart:
        return Apart()


class TestPropagate(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Propagate:
        return Propagate()


class TestNeighbours(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Neighbours:
        return Neighbours()

    # The last one is a slice thick: a mean of three channels, as the model here takes, does not show it.
    boxes = BOXES[:3]

    def test_only_a_few_slices_are_alive(self, strategy: Neighbours) -> None:
        """Its pictures are made of three slices each; how many at a time is `NeighbourSlices`' to say."""


class TestTriplanar(StrategyContract):
    @pytest.fixture(params=["mean", "score", "majority"])
    def strategy(self, request: pytest.FixtureRequest) -> Triplanar:
        return Triplanar(request.param)

    @pytest.mark.parametrize("memory", [2**26, 0])
    def test_a_slice_is_encoded_once_for_all_objects(self, strategy: Triplanar, memory: int) -> None:
        """Each slice of each plane: no more than the volume has slices, rows and columns."""
        counts = []
        for prompts in (self.prompts, self.prompts[:1] * 3):
            slices, tracks, _ = placed(prompts)
            model = bright_model(memory_bytes=memory)
            for _ in strategy.run(model, slices, tracks, OFF):
                pass
            counts.append(model.encodings)
        assert counts[0] <= len(slices) + sum(slices.shape)
        slices, tracks, _ = placed(self.prompts[:1])
        model = bright_model(memory_bytes=memory)
        for _ in strategy.run(model, slices, tracks, OFF):
            pass
        assert model.encodings == counts[1]


def test_names() -> None:
    assert strategy_names()[:5] == ["auto", "authors", "slices", "propagate", "2.5d"]
    for name in strategy_names():
        assert strategy(name).name == name
    assert strategy(" Propagate ").name == "propagate"
    with pytest.raises(OptionError, match=r"propagate.*did you mean"):
        strategy("propagat")
    with pytest.raises(OptionError, match="fusion"):
        Triplanar("loudest")


def test_an_object_that_is_empty_in_its_key_slice_gives_nothing_in_other_planes() -> None:
    slices, tracks, _ = placed([Prompt(box=BOXES[0])], np.zeros((14, 60, 50), np.uint8))
    found = list(Triplanar().run(bright_model(), slices, tracks, OFF))
    assert found
    assert not any((f.decoded.logits > 0).any() for f in found)
