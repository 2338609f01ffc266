"""Long work that a client starts and asks about later: `Task`, `Tasks`."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError
from anytomy.server.problems import BusyError, NotFoundError, record

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 300


@dataclass(eq=False)
class Task:
    """Work in the background.

    Attributes:
        id: 32 hex digits.
        model: The model that it is for.
        status: `RUNNING`, `DONE`, `ERROR` or `STOPPED`.
        begun: When, seconds since 1970.
        ended: When; None while it runs.
        details: What it says, the latest lines.
    """

    id: str
    model: str
    status: str = "RUNNING"
    begun: float = field(default_factory=time.time)
    ended: float | None = None
    details: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def stopped(self) -> bool:
        """Whether somebody wants it to end."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until somebody wants it to end, at most so long; whether that happened."""
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def to_dict(self) -> dict[str, Any]:
        """As the protocol has it."""
        return {
            "id": self.id,
            "model": self.model,
            "status": self.status,
            "start_ts": _clock(self.begun),
            "end_ts": None if self.ended is None else _clock(self.ended),
            # The plug-ins show the last line, and rely on there being one.
            "details": list(self.details) or ["started"],
        }


class Tasks:
    """Tasks of one kind, one at a time.

    Args:
        kind: What messages call them.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._tasks: deque[Task] = deque(maxlen=20)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, model: str, work: Callable[[Task], None]) -> Task:
        """Begin to work in a thread of its own.

        Raises:
            BusyError: If one runs already.
        """
        with self._lock:
            if self.running is not None:
                raise BusyError(f"a {self._kind} runs already", hint="wait for it, or stop it")
            task = Task(secrets.token_hex(16), model)
            self._tasks.append(task)
            self._thread = threading.Thread(target=self._run, args=(task, work), daemon=True)
            self._thread.start()
        return task

    @property
    def running(self) -> Task | None:
        """The task that runs."""
        return next((task for task in self._tasks if task.status == "RUNNING"), None)

    @property
    def all(self) -> list[Task]:
        """The tasks of late, the latest one last."""
        return list(self._tasks)

    def latest(self, *, running: bool = False) -> Task:
        """The latest task, or the one that runs.

        Raises:
            NotFoundError: If there is none.
        """
        task = self.running if running else (self._tasks[-1] if self._tasks else None)
        if task is None:
            raise NotFoundError(f"no {self._kind} {'runs' if running else 'was started'}")
        return task

    def stop(self) -> Task:
        """Have the one that runs end, and wait for that a while.

        Raises:
            NotFoundError: If there is none.
        """
        task = self.latest(running=True)
        task.stop()
        self.join()
        return task

    def join(self) -> None:
        """Wait for the one that runs, at most half a minute."""
        if self._thread is not None:
            self._thread.join(timeout=30)

    def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.stop()
        self.join()

    def _run(self, task: Task, work: Callable[[Task], None]) -> None:
        status = "ERROR"
        try:
            work(task)
            status = "STOPPED" if task.stopped else "DONE"
        except AnytomyError as error:
            task.details.append(error.message)
        except Exception as error:
            record(error)
            task.details.append("something went wrong that should not")
        finally:
            task.ended = time.time()
            task.status = status


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
