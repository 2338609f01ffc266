"""One worker for the model, shared fairly: `FairQueue`.

The model runs one thing at a time; two at once would only slow each other down on a CPU. What a person waits
for comes first, then long work slice by slice, then guesses about what will be looked at next. Among equals
the sessions take turns, however much one of them has asked for.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from anytomy.server.problems import BusyError, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Rank(IntEnum):
    """What goes first."""

    WAITED_FOR = 0
    LONG = 1
    AHEAD = 2


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: Future[Any]


class FairQueue:
    """Jobs by rank and session, done by one thread.

    Args:
        most: Jobs of a rank that one session may have waiting.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Rank, OrderedDict[str, deque[_Job]]] = {rank: OrderedDict() for rank in Rank}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="anytomy-model", daemon=True)
        self._thread.start()

    def submit(self, session: str, rank: Rank, work: Callable[[], Any]) -> Future[Any]:
        """Have something done; the future has what it returns or raises.

        Raises:
            BusyError: If too much of the session waits already.
        """
        job = _Job(work, Future())
        with self._changed:
            jobs = self._waiting[rank].setdefault(session, deque())
            if self._closed or len(jobs) >= self._most:
                raise BusyError("too many requests of this session wait", hint="wait for their answers")
            jobs.append(job)
            self._changed.notify()
        return job.future

    def steps(self, session: str, rank: Rank, steps: Iterator[Any]) -> None:
        """Have long work done, one step of an iterator at each turn."""

        def step() -> None:
            if next(steps, self) is not self:
                with contextlib.suppress(BusyError):  # closed: nobody waits any more
                    self.submit(session, rank, step)

        self.submit(session, rank, step)

    def replace(self, session: str, rank: Rank, works: Sequence[Callable[[], Any]]) -> None:
        """Have these done in place of what the session has waiting in a rank."""
        with self._changed:
            for job in self._waiting[rank].pop(session, ()):
                job.future.cancel()
            if not self._closed and works:
                self._waiting[rank][session] = deque(_Job(work, Future()) for work in works[: self._most])
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
            if job is not None:
                _do(job)

    def _next(self, lowest: Rank) -> _Job | None:
        """The next job down to a rank."""
        with self._changed:
            for rank in Rank:
                if rank > lowest:
                    return None
                sessions = self._waiting[rank]
                if sessions:
                    session, jobs = sessions.popitem(last=False)
                    job = jobs.popleft()
                    if jobs:
                        sessions[session] = jobs  # behind all others
                    return job
        return None


def _do(job: _Job) -> None:
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        job.future.set_result(job.work())
    except BaseException as error:
        if not isinstance(error, Exception):
            record(error)
        job.future.set_exception(error)
