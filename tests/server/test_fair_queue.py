from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from anytomy.engine.protocol import EncodingInterruptedError
from anytomy.server.fair_queue import FairQueue, Rank
from anytomy.server.problems import BusyError


@pytest.fixture
def queue() -> Iterator[FairQueue]:
    made = FairQueue(most=4)
    yield made
    made.close()


@pytest.fixture
def gate(queue: FairQueue) -> threading.Event:
    """While it is closed, the worker is busy with somebody else."""
    closed, begun = threading.Event(), threading.Event()
    queue.submit("gate", Rank.WAITED_FOR, lambda: (begun.set(), closed.wait(20)))
    begun.wait(20)
    return closed


def test_sessions_take_turns_however_much_one_asks_for(queue: FairQueue, gate: threading.Event) -> None:
    done: list[str] = []
    futures = [queue.submit("a", Rank.WAITED_FOR, lambda n=n: done.append(f"a{n}")) for n in range(3)]
    futures += [queue.submit("b", Rank.WAITED_FOR, lambda: done.append("b"))]
    gate.set()
    for future in futures:
        future.result(20)
    assert done == ["a0", "b", "a1", "a2"]


def test_what_is_waited_for_goes_first(queue: FairQueue, gate: threading.Event) -> None:
    done: list[str] = []
    futures = [queue.submit("a", rank, lambda rank=rank: done.append(rank.name)) for rank in reversed(Rank)]
    gate.set()
    for future in futures:
        future.result(20)
    assert done == ["WAITED_FOR", "LONG", "AHEAD"]


def test_long_work_of_two_goes_step_by_step(queue: FairQueue, gate: threading.Event) -> None:
    done: list[str] = []
    over = threading.Event()

    def steps(name: str, count: int) -> Iterator[None]:
        for number in range(count):
            done.append(f"{name}{number}")
            yield
        if name == "a":
            over.set()

    queue.steps("a", Rank.LONG, steps("a", 3))
    queue.steps("b", Rank.LONG, steps("b", 2))
    gate.set()
    assert over.wait(20)
    assert done == ["a0", "b0", "a1", "b1", "a2"]


def test_new_guesses_take_the_place_of_old_ones(queue: FairQueue, gate: threading.Event) -> None:
    done: list[str] = []
    queue.replace("a", Rank.AHEAD, {1: lambda: done.append("old")})
    queue.replace("a", Rank.AHEAD, {2: lambda: done.append("new")})
    last = queue.submit("z", Rank.AHEAD, lambda: None)
    gate.set()
    last.result(20)
    assert done == ["new"]


def test_a_session_may_have_only_so_much_waiting(queue: FairQueue, gate: threading.Event) -> None:
    for _ in range(4):
        queue.submit("a", Rank.WAITED_FOR, lambda: None)
    with pytest.raises(BusyError):
        queue.submit("a", Rank.WAITED_FOR, lambda: None)
    queue.submit("b", Rank.WAITED_FOR, lambda: None)
    gate.set()


def test_an_error_is_the_askers(queue: FairQueue) -> None:
    future = queue.submit("a", Rank.WAITED_FOR, lambda: 1 / 0)
    assert isinstance(future.exception(20), ZeroDivisionError)
    assert queue.submit("a", Rank.WAITED_FOR, lambda: 7).result(20) == 7


class Guess:
    """A guess that goes on until it is interrupted, or let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.done: list[str] = []
        self.interruptions = 0
        self._interrupted = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self._interrupted.clear()
        self.begun.release()
        while not self.let_go.wait(0.002):
            if self._interrupted.is_set():
                raise EncodingInterruptedError
        self.done.append("guess")

    def interrupt(self) -> None:
        self.interruptions += 1
        self._interrupted.set()


class TestInterruption:
    @pytest.fixture
    def guess(self) -> Guess:
        return Guess()

    @pytest.fixture
    def queue(self, guess: Guess) -> Iterator[FairQueue]:
        made = FairQueue(4, guess.interrupt)
        yield made
        guess.let_go.set()
        made.close()

    def test_a_guess_makes_room_for_what_is_waited_for_and_is_made_later(
        self, queue: FairQueue, guess: Guess
    ) -> None:
        queue.replace("a", Rank.AHEAD, {"slice 5": guess})
        assert guess.begun.acquire(timeout=20)
        queue.submit("b", Rank.WAITED_FOR, lambda: guess.done.append("waited for"), "slice 9").result(20)
        assert guess.begun.acquire(timeout=20)
        guess.let_go.set()
        queue.submit("b", Rank.AHEAD, lambda: None).result(20)
        assert guess.done == ["waited for", "guess"]

    def test_a_guess_about_the_same_is_a_part_of_it(self, queue: FairQueue, guess: Guess) -> None:
        queue.replace("a", Rank.AHEAD, {"slice 5": guess})
        assert guess.begun.acquire(timeout=20)
        queue.submit("a", Rank.WAITED_FOR, lambda: guess.done.append("waited for"), "slice 5")
        other = queue.submit("b", Rank.WAITED_FOR, lambda: guess.done.append("other"), "slice 9")
        guess.let_go.set()
        other.result(20)
        assert guess.interruptions == 0
        assert guess.done == ["guess", "waited for", "other"]

    def test_what_is_not_wished_any_more_is_not_made_again(self, queue: FairQueue, guess: Guess) -> None:
        queue.replace("a", Rank.AHEAD, {"slice 5": guess})
        assert guess.begun.acquire(timeout=20)
        queue.replace("a", Rank.AHEAD, {"slice 7": lambda: guess.done.append("other guess")})
        queue.submit("b", Rank.WAITED_FOR, lambda: None).result(20)
        queue.submit("b", Rank.AHEAD, lambda: None).result(20)
        assert guess.done == ["other guess"]

    def test_long_work_is_not_interrupted(self, queue: FairQueue, guess: Guess) -> None:
        future = queue.submit("a", Rank.LONG, guess)
        assert guess.begun.acquire(timeout=20)
        queue.submit("b", Rank.WAITED_FOR, lambda: None)
        guess.let_go.set()
        future.result(20)
        assert guess.interruptions == 0
