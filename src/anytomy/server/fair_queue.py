"""One worker for the model, shared fairly: `FairQueue`.

The model runs one thing at a time; two at once would only slow each other down on a CPU. What a person waits
for comes first, then long work slice by slice, then guesses about what will be looked at next; a guess that
runs is interrupted where somebody waits, and made again later. Among equals the sessions take turns, however
much one of them has asked for.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from anytomy.engine.protocol import EncodingInterruptedError
from anytomy.server.problems import BusyError, record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping


class Rank(IntEnum):
    """What goes first."""

    WAITED_FOR = 0
    LONG = 1
    AHEAD = 2


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: Future[Any]
    about: Hashable = None


class FairQueue:
    """Jobs by rank and session, done by one thread.

    Args:
        most: Jobs of a rank that one session may have waiting.
        interrupt: Has a job of rank `AHEAD` that runs raise `EncodingInterruptedError`, if it can.
    """

    def __init__(self, most: int, interrupt: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._interrupt = interrupt
        # The guess that runs, whose it is and among which it stood; None where something else runs.
        self._guess: tuple[_Job, str, deque[_Job]] | None = None
        self._waiting: dict[Rank, OrderedDict[str, deque[_Job]]] = {rank: OrderedDict() for rank in Rank}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="anytomy-model", daemon=True)
        self._thread.start()

    def submit(
        self, session: str, rank: Rank, work: Callable[[], Any], about: Hashable = None
    ) -> Future[Any]:
        """Have something done; the future has what it returns or raises.

        Args:
            session: Whose it is.
            rank: What goes first.
            work: What is done.
            about: A guess about the same is not interrupted for it: it does a part of the work.

        Raises:
            BusyError: If too much of the session waits already.
        """
        job = _Job(work, Future(), about)
        with self._changed:
            jobs = self._waiting[rank].setdefault(session, deque())
            if self._closed or len(jobs) >= self._most:
                raise BusyError("too many requests of this session wait", hint="wait for their answers")
            jobs.append(job)
            if rank is Rank.WAITED_FOR and self._is_in_the_way():
                self._interrupt()  # the worker takes nothing else up before this block is left
            self._changed.notify()
        return job.future

    def steps(self, session: str, rank: Rank, steps: Iterator[Any]) -> None:
        """Have long work done, one step of an iterator at each turn."""

        def step() -> None:
            if next(steps, self) is not self:
                with contextlib.suppress(BusyError):  # closed: nobody waits any more
                    self.submit(session, rank, step)

        self.submit(session, rank, step)

    def replace(self, session: str, rank: Rank, works: Mapping[Any, Callable[[], Any]]) -> None:
        """Have these done, by what they are about, in place of what the session has waiting in a rank."""
        with self._changed:
            for job in self._waiting[rank].pop(session, ()):
                job.future.cancel()
            if not self._closed and works:
                jobs = [_Job(work, Future(), about) for about, work in works.items()]
                self._waiting[rank][session] = deque(jobs[: self._most])
                self._changed.notify()

    def let_through(self) -> None:
        """Do what persons wait for in the midst of long work, which calls this in the worker's thread."""
        while (job := self._next(Rank.WAITED_FOR)) is not None:
            _do(job)

    def close(self) -> None:
        """Finish the job that runs, drop the others."""
        with self._changed:
            self._closed = True
            for sessions in self._waiting.values():
                for jobs in sessions.values():
                    for job in jobs:
                        job.future.cancel()
                sessions.clear()
            self._changed.notify()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(self._waiting.values()))
                if self._closed:
                    return
            job = self._next(Rank.AHEAD)
            if job is None:
                continue
            try:
                _do(job)
            except EncodingInterruptedError:
                self._put_back()

    def _next(self, lowest: Rank) -> _Job | None:
        """The next job down to a rank."""
        with self._changed:
            self._guess = None
            for rank in Rank:
                if rank > lowest:
                    return None
                sessions = self._waiting[rank]
                if sessions:
                    session, jobs = sessions.popitem(last=False)
                    job = jobs.popleft()
                    if jobs:
                        sessions[session] = jobs  # behind all others
                    if rank is Rank.AHEAD:
                        self._guess = job, session, jobs
                    return job
        return None

    def _is_in_the_way(self) -> bool:
        """Whether a guess runs that nobody waits for."""
        if self._guess is None:
            return False
        waiting = self._waiting[Rank.WAITED_FOR].values()
        return not any(job.about == self._guess[0].about for jobs in waiting for job in jobs)

    def _put_back(self) -> None:
        """Make the guess that was interrupted later, unless the session has others by now."""
        with self._changed:
            if self._closed or self._guess is None:
                return
            job, session, jobs = self._guess
            if self._waiting[Rank.AHEAD].setdefault(session, jobs) is jobs:
                jobs.appendleft(job)


def _do(job: _Job) -> None:
    if not job.future.running() and not job.future.set_running_or_notify_cancel():
        return
    try:
        job.future.set_result(job.work())
    except EncodingInterruptedError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception):
            record(error)
        job.future.set_exception(error)
