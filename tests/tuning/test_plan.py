from __future__ import annotations

import mmap
import time
from typing import Any

import pytest
import torch

from anytomy.core.errors import OptionError
from anytomy.models.adapters.adapted import set_training
from anytomy.models.adapters.registry import parse
from anytomy.tuning import plan
from anytomy.tuning.base import tunable
from anytomy.tuning.batches import Batch
from anytomy.tuning.memory import TooMuchMemoryError, limited, used, watched
from anytomy.tuning.plan import Plan, copies_that_fit, duration, fitted, recompute, steps_of
from anytomy.tuning.tasks import ClassTask
from tests.tuning.conftest import quick, tiny_base

CPU = torch.device("cpu")


def task(method: str = "full") -> ClassTask:
    torch.manual_seed(0)
    model = tunable(tiny_base(), quick(), parse(method), ("a", "b"))
    made = ClassTask(model, quick(), encodes=method != "decoder")  # type: ignore[arg-type]
    set_training(made)
    return made


def batch(count: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(count, 3, 64, 64, generator=generator)
    return Batch(image, torch.randint(0, 3, (count, 64, 64), generator=generator), ["x"] * count)


def gradients(made: ClassTask) -> list[torch.Tensor]:
    made.zero_grad(set_to_none=True)
    made(batch(2)).backward()
    return [p.grad.clone() for p in made.parameters() if p.grad is not None]


def test_recomputing_gives_the_same_gradients_in_less_memory() -> None:
    made = task()
    kept = gradients(made)
    held = []
    for again in (False, True):
        recompute(made, again)
        counted = 0

        def pack(tensor: Any) -> Any:
            nonlocal counted
            counted += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            made(batch(2))
        held.append(counted)
    assert held[1] < 0.7 * held[0]
    for first, second in zip(kept, gradients(made), strict=True):
        assert torch.allclose(first, second, atol=1e-6)
    recompute(made, False)


def test_measuring_changes_nothing() -> None:
    made = task()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    found = fitted(made, batch, quick(), CPU, memory=2**40, precision="f32")
    assert found.micro == quick().batch
    assert found.step_s > 0
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert all(p.grad is None for p in made.parameters())


def test_what_does_not_fit_at_once_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task()

    class Peak:
        def __init__(self, count: int) -> None:
            self.bytes, self.seconds = 100 + 50 * count, 0.1 * count

    monkeypatch.setattr(plan, "_measured", lambda _t, b, _p, _d, _l, fresh=True: Peak(len(b.names)))
    monkeypatch.setattr(plan, "_optimiser_bytes", lambda _: 0)
    monkeypatch.setattr(plan, "used", lambda _: 0)
    found = fitted(made, batch, quick(batch=8), CPU, memory=320, precision="f32")
    assert (found.micro, found.memory_bytes) == (4, 300)
    assert found.step_s == pytest.approx(0.8)


def test_what_grows_faster_than_it_seemed_goes_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peak:
        def __init__(self, count: int) -> None:
            self.bytes, self.seconds = 100 + 20 * count**2, 0.1 * count

    monkeypatch.setattr(plan, "_measured", lambda _t, b, _p, _d, _l, fresh=True: Peak(len(b.names)))
    monkeypatch.setattr(plan, "_optimiser_bytes", lambda _: 0)
    monkeypatch.setattr(plan, "used", lambda _: 0)
    found = fitted(task(), batch, quick(batch=8), CPU, memory=320, precision="f32")
    assert (found.micro, found.memory_bytes) == (2, 180)


def test_what_grows_from_step_to_step_goes_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peak:
        def __init__(self, count: int, fresh: bool) -> None:
            self.bytes, self.seconds = 100 + 50 * count + (0 if fresh else 30), 0.1 * count

    monkeypatch.setattr(plan, "_measured", lambda _t, b, _p, _d, _l, fresh=True: Peak(len(b.names), fresh))
    monkeypatch.setattr(plan, "_optimiser_bytes", lambda _: 0)
    monkeypatch.setattr(plan, "used", lambda _: 0)
    found = fitted(task(), batch, quick(batch=8), CPU, memory=320, precision="f32")
    assert (found.micro, found.memory_bytes) == (2, 230)


def test_activations_are_computed_again_where_they_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task()
    again = []

    class Peak:
        bytes, seconds = 100, 0.1

    def measured(*_: object, **__: object) -> Any:
        if not again[-1]:
            raise TooMuchMemoryError
        return Peak

    monkeypatch.setattr(plan, "recompute", lambda _, wanted: again.append(wanted))
    monkeypatch.setattr(plan, "_measured", measured)
    monkeypatch.setattr(plan, "_optimiser_bytes", lambda _: 0)
    found = fitted(made, batch, quick(), CPU, memory=300, precision="auto")
    assert found.checkpointing
    assert found.precision == "f32"


def test_too_little_memory_for_any_plan_is_said() -> None:
    with pytest.raises(OptionError, match="none does") as caught:
        fitted(task(), batch, quick(), CPU, memory=10**6, precision="auto")
    assert caught.value.hint is not None
    assert "--memory" in caught.value.hint


def test_a_forward_pass_is_stopped_before_it_takes_too_much() -> None:
    made = task()
    with pytest.raises(TooMuchMemoryError), limited(10_000):
        made(batch(1))
    with limited(10**9):
        made(batch(1))


def test_memory_of_a_block_is_seen() -> None:
    before = used(CPU)
    # Pages of the system's own: torch may be given some that this process holds already.
    with watched(CPU) as peak, mmap.mmap(-1, 200_000_000) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        time.sleep(0.1)
    assert peak.bytes - before > 150e6
    assert peak.seconds > 0


def test_copies_follow_disk_and_time() -> None:
    config = quick(copies=6)
    assert copies_that_fit(config, 100, size=10, second_each=1, disk=10**9) == 6
    assert copies_that_fit(config, 100, size=10, second_each=1, disk=2500) == 2
    assert copies_that_fit(config, 100, size=10, second_each=1, disk=5) == 1
    hurried = quick(copies=6, max_minutes=10.0)
    assert copies_that_fit(hurried, 100, size=10, second_each=1, disk=10**9) == 2


def test_steps_follow_time() -> None:
    assert steps_of(quick(steps=100, every=None), step_s=1, validate_s=9, encode_s=9) == (100, 5)
    hurried = quick(steps=None, every=None, max_minutes=2.0)
    assert steps_of(hurried, step_s=0.5, validate_s=0.5, encode_s=40) == (140, 7)
    # Neither embeddings nor validations take all of it, whatever they would need.
    assert steps_of(hurried, step_s=0.5, validate_s=60, encode_s=1000) == (90, 90)


def test_costs_are_said_in_words() -> None:
    made = Plan(2, 2, "f32", True, 4, 1000, 50, 120.0, 0.54, 8.0, 2_100_000_000, 900_000_000)
    text = " ".join(made.text())
    for part in ("4 of each picture", "2 min", "0.54 s", "computed again", "2.1 GB", "900.0 MB"):
        assert part in text
    assert Plan(**made.to_dict()) == made
    assert [duration(s) for s in (3.2, 40, 750, 9000)] == ["3.2 s", "40 s", "12 min", "2.5 h"]
