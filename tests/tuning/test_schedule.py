from __future__ import annotations

import pytest
import torch

from anytomy.tuning.schedule import Average, rate_factor


@pytest.mark.parametrize("schedule", ["cosine", "poly", "constant"])
def test_rates_rise_and_then_fall(schedule: str) -> None:
    factors = [rate_factor(p / 100, schedule=schedule, warmup=0.1) for p in range(101)]
    assert factors[0] == 0
    assert factors[:11] == sorted(factors[:11])
    assert factors[10] == pytest.approx(1)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == pytest.approx(1 if schedule == "constant" else 0)


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert rate_factor(0, schedule="cosine", warmup=0) == 1
    assert rate_factor(1.5, schedule="cosine", warmup=0) == 0


def test_the_average_follows_the_weights() -> None:
    weights = {"w": torch.zeros(2)}
    average = Average(weights, 0.9)
    weights["w"] += 1
    for step in range(1, 200):
        average.update(weights, step)
    assert torch.allclose(average.state["w"], torch.ones(2), atol=1e-3)
    latest = Average({"w": torch.zeros(2)}, 0)
    latest.update(weights, 1)
    assert torch.equal(latest.state["w"], weights["w"])


def test_the_average_is_a_copy() -> None:
    weights = {"w": torch.zeros(2)}
    average = Average(weights, 0.9)
    weights["w"] += 5
    assert not average.state["w"].any()
