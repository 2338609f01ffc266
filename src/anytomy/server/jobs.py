"""Carrying prompts through a volume, in the background: `Job`, `Jobs`."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, OptionError
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track
from anytomy.server.fair_queue import FairQueue, Rank
from anytomy.server.patches import Patch
from anytomy.server.problems import BusyError, NotFoundError, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.core.intensity import GreyScale
    from anytomy.predict.zoom import Zoom
    from anytomy.server.models import Models
    from anytomy.server.opening import OpenCase
    from anytomy.server.scene import Group
    from anytomy.server.session import Session
    from anytomy.server.sessions import Sessions
    from anytomy.volumes.strategy import VolumeStrategy

_KEPT = 200
_RUNNING = 4


class _Cancelled(KeyboardInterrupt):
    """Strategies that hand out results late hand out what they have when they are interrupted."""


@dataclass(frozen=True)
class Task:
    """What is to be carried.

    Attributes:
        axis: Along which slices.
        keys: Prompts by label and slice.
        range: First and last + 1 slice of the view; as far as the strategy goes where None.
        strategy: Of `volumes`.
        zoom: Whether to look at crops.
        model: Reference of the model.
        who: Who asked.
    """

    axis: str
    keys: dict[int, dict[int, Group]]
    range: tuple[int, int] | None
    strategy: VolumeStrategy
    zoom: Zoom
    model: str
    who: str

    def tracks(self, slices: int) -> list[Track]:
        """The prompts in the range, as strategies take them.

        Raises:
            OptionError: If a label has no prompt in the range, or the range is none.
        """
        if self.range is not None and not 0 <= self.range[0] < self.range[1] <= slices:
            raise OptionError(
                f"there is no range {self.range[0]} to {self.range[1]} in {slices} slices along {self.axis}",
                hint="the end is exclusive",
            )
        found = []
        for label, groups in self.keys.items():
            first, last = self.range or (min(groups), max(groups) + 1)
            groups = {slice_: group for slice_, group in groups.items() if first <= slice_ < last}
            if not groups:
                raise OptionError(f"label {label} has no prompt in the slices {first} to {last - 1}")
            prompts = {slice_: plane_prompt(group) for slice_, group in groups.items()}
            found.append(Track(prompts, first, last, self.range or (0, slices)))
        return found


@dataclass(eq=False)
class Job:
    """Work in progress.

    Attributes:
        id: 32 hex digits.
        session: Whose.
        state: `waiting`, `running`, `done`, `cancelled` or `failed`.
        done: Slices done.
        expected: Slices in all, as far as is known.
        error: Why it failed.
        flips: What it changed, once done.
        keep: Whether what is done of a cancelled one is kept.
    """

    id: str
    session: str
    state: str = "waiting"
    done: int = 0
    expected: int = 0
    error: Exception | None = None
    flips: Any = ()
    keep: bool = False
    seq: int | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "cancelled", "failed")

    def cancel(self, *, keep: bool) -> None:
        """Stop before the next slice.

        Args:
            keep: Draw what is done so far.
        """
        self.keep = keep
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody cancelled it."""
        return self._stop.is_set()


class Jobs:
    """All jobs of late, running or over.

    Args:
        queue: Does the work.
        sessions: Gives out sessions.
        models: Gives out models.
    """

    def __init__(self, queue: FairQueue, sessions: Sessions, models: Models) -> None:
        self._queue = queue
        self._sessions = sessions
        self._models = models
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, session: Session, found: OpenCase, grey: GreyScale, task: Task) -> Job:
        """Begin to carry.

        Raises:
            OptionError: If the range does not fit.
            BusyError: If the session has too many that run.
        """
        tracks = task.tracks(session.views[task.axis].size[2])
        job = Job(secrets.token_hex(16), session.row.id)
        job.expected = task.strategy.visits(tracks).total()
        with self._lock:
            running = [
                each for each in self._jobs.values() if each.session == job.session and not each.is_over
            ]
            if len(running) >= _RUNNING:
                raise BusyError("this session has enough propagations that run", hint="wait, or cancel one")
            self._jobs[job.id] = job
            over = [each.id for each in self._jobs.values() if each.is_over]
            for old in over[: max(len(self._jobs) - _KEPT, 0)]:
                del self._jobs[old]
        self._sessions.take(session.row.id)  # it must not be parked meanwhile
        try:
            self._queue.steps(session.row.id, Rank.LONG, self._run(job, session, found, grey, tracks, task))
        except BaseException:
            job.state = "failed"
            self._sessions.give_back(session)
            raise
        return job

    def get(self, job_id: str) -> Job:
        """A job.

        Raises:
            NotFoundError: If there is none.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFoundError("there is no such job", hint="a job is forgotten when the server ends")
        return job

    def _run(
        self, job: Job, session: Session, found: OpenCase, grey: GreyScale, tracks: list[Track], task: Task
    ) -> Iterator[None]:
        """One slice a step, in the worker's thread."""
        masks: dict[int, dict[int, Patch | None]] = {label: {} for label in task.keys}
        try:
            for _ in self._carry(job, found, grey, tracks, task, masks):
                yield
            if job.stopped and not job.keep:
                job.state = "cancelled"
                return
            about = {
                "axis": task.axis,
                "model": task.model,
                "strategy": task.strategy.name,
                "range": task.range,
            }
            job.flips = session.carried(task.axis, masks, about, task.who)
            job.seq = session.history.seq
            job.state = "cancelled" if job.stopped else "done"
        except Exception as error:
            if not isinstance(error, AnytomyError):
                record(error)
            job.error, job.state = error, "failed"
        finally:
            self._sessions.give_back(session)

    def _carry(
        self,
        job: Job,
        found: OpenCase,
        grey: GreyScale,
        tracks: list[Track],
        task: Task,
        masks: dict[int, dict[int, Patch | None]],
    ) -> Iterator[None]:
        from anytomy.volumes.strategy import Slices
        from anytomy.volumes.work import Work

        def progress(done: int, expected: int) -> None:
            job.done, job.expected = done, expected
            self._queue.let_through()
            if job.stopped:
                raise _Cancelled

        labels = list(masks)
        work = Work(job.expected, progress)
        with contextlib.suppress(_Cancelled):
            if job.stopped:
                raise _Cancelled
            job.state = "running"
            model = self._models.open(task.model)
            slices = Slices.of(found.image, found.views[task.axis], grey, work)
            for each in task.strategy.run(model, slices, tracks, task.zoom):
                masks[labels[each.track]][each.slice] = Patch.of(each.decoded.logits > 0)
                yield


def plane_prompt(group: Group) -> PlanePrompt:
    """A group as a model takes it."""
    box = group.box
    return PlanePrompt(
        box=None if box is None else (box[0], box[1], box[2], box[3]),
        points=tuple((x, y) for x, y, _ in group.points),
        labels=tuple(kind for *_, kind in group.points),
    )
