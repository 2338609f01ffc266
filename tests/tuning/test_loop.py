"""Runs that time ends, on a clock of their own: what things take decides, not what was estimated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from anytomy.tuning import loop as loops
from anytomy.tuning.batches import Batch
from anytomy.tuning.loop import Loop, NotFiniteError
from anytomy.tuning.plan import Plan
from anytomy.tuning.validate import Validation
from tests.tuning.conftest import quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# An estimate that is as wrong as it can be.
WRONG = Plan(2, 1, "f32", False, 1, 1, 1, 0.0, 3600.0, 0.0, 0, 0)


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Task(nn.Module):
    """A step takes so many seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self._clock, self._seconds = clock, seconds

    def forward(self, batch: Batch) -> torch.Tensor:
        self._clock.now += self._seconds
        return (self.weight * batch.image).sum()


@pytest.fixture
def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Loop, list[tuple[int, int]]]]:
    """A loop over steps and validations of given lengths, and the progress that it tells."""
    from accelerate import Accelerator

    clock = Clock()
    monkeypatch.setattr(loops, "time", clock)
    monkeypatch.setattr(loops, "set_training", lambda _: None)

    def make(
        *, step: float, validation: float, spent: float = 0.0, held: bool = True, **changes: Any
    ) -> tuple[Loop, list[tuple[int, int]]]:
        task, told = Task(clock, step), []

        def validator() -> Validation:
            clock.now += validation
            return Validation(0.5, {"liver": 0.5})

        clock.now += spent
        loop = Loop(
            task,
            {"weight": task.weight},
            SimpleNamespace(batch=lambda *_: Batch(torch.ones(1), torch.zeros(1), ["x"])),  # type: ignore[arg-type]
            quick(**{"steps": None, "every": None, "max_minutes": 10.0, **changes}),
            WRONG,
            Accelerator(cpu=True),
            validator=validator if held else None,
            folder=tmp_path,
            spent=spent,
            progress=lambda done, total, _: told.append((done, total)),
        )
        return loop, told

    return make


def test_a_run_of_minutes_validates_twenty_times_whatever_was_estimated(made: Any) -> None:
    loop, _ = made(step=2, validation=2)
    loop.run()
    assert 19 <= len(loop.state.validations) <= 21
    assert loop.state.elapsed == pytest.approx(600, abs=3)
    assert loop.state.step == pytest.approx((600 - 2 * len(loop.state.validations)) / 2, abs=2)


def test_validations_take_no_more_than_a_quarter(made: Any) -> None:
    loop, _ = made(step=2, validation=60)
    loop.run()
    assert len(loop.state.validations) >= 2
    assert 60 * (len(loop.state.validations) - 1) <= 0.25 * 600
    assert loop.state.step * 2 >= 0.6 * 600
    assert loop.state.elapsed <= 603


def test_the_rate_warms_up_and_falls_to_nothing_whatever_embeddings_took(made: Any) -> None:
    loop, _ = made(step=2, validation=2, spent=240, warmup=0.1)
    loop.run()
    rates = [entry["rate"] for entry in loop.state.losses]
    peak = quick().rate
    assert rates[0] < 0.1 * peak
    assert max(rates) == pytest.approx(peak, rel=0.03)
    assert 0.05 < rates.index(max(rates)) / len(rates) < 0.15
    assert rates[-1] < 0.02 * peak
    assert loop.state.elapsed == pytest.approx(600, abs=3)


def test_losses_are_noted_alike_in_long_and_short_runs(made: Any) -> None:
    loop, _ = made(step=0.1, validation=1, held=False, max_minutes=1.0)
    loop.run()
    assert 190 <= len(loop.state.losses) <= 200


def test_progress_says_about_how_many_steps_there_will_be(made: Any) -> None:
    loop, told = made(step=2, validation=2)
    loop.run()
    steps = loop.state.step
    assert all(total >= done for done, total in told)
    assert all(0.8 * steps < total < 1.3 * steps for _, total in told[10:])
    assert told[-1] == (steps, steps)


def test_of_a_run_of_steps_the_number_is_known(made: Any) -> None:
    loop, told = made(step=2, validation=2, max_minutes=None, steps=30, every=10)
    loop.run()
    assert {total for _, total in told} == {30}


def test_a_later_start_has_what_the_first_has_left(made: Any) -> None:
    first, _ = made(step=2, validation=2, spent=60)
    while first.state.elapsed < 300:
        number = first.state.step + 1
        first._step(number)
        first.state.step, first.state.elapsed = number, first._clock()
    first.save()
    second, _ = made(step=2, validation=2, spent=20)
    assert second.state.elapsed == pytest.approx(320, abs=3)
    assert second.state.encoding == 80
    second.run()
    assert second.state.elapsed == pytest.approx(600, abs=3)


def test_all_processes_count_the_time_of_the_first(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broadcast(held: list[float]) -> None:
        held[0] = 60.0  # what the first one sends

    monkeypatch.setattr("accelerate.utils.broadcast_object_list", broadcast)
    other, _ = made(step=2, validation=2, spent=75)
    assert (other.state.encoding, other.state.elapsed, other._saved) == (60, 60, 60)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_alone_with_a_bad_loss_waits_for_nobody(
    made: Any, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, _ = made(step=2, validation=2)
    saved: list[int] = []
    monkeypatch.setattr(loop, "save", lambda: saved.append(loop.state.step))
    monkeypatch.setattr("accelerate.Accelerator.num_processes", processes)
    with torch.no_grad():
        loop._task.weight.fill_(float("nan"))
    with pytest.raises(NotFiniteError, match="loss of step 1"):
        loop._step(1)
    assert saved == ([0] if processes == 1 else [])
