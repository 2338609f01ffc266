"""Sessions in memory, and those that are parked on disk: `Sessions`."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from typing import TYPE_CHECKING

from anytomy.server.problems import ConflictError, NotFoundError
from anytomy.server.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.server.cases import Case, Cases
    from anytomy.server.opening import OpenCase, Opened
    from anytomy.server.settings import Limits
    from anytomy.server.store import SessionRow, Store

_ID = re.compile(r"[0-9a-f]{32}")


class Sessions:
    """Gives out sessions; a parked one is rebuilt from the store when somebody asks for it.

    Args:
        store: Where actions are.
        cases: What there is.
        opened: Opens cases.
        limits: How many are kept in memory, and for how long.
    """

    def __init__(self, store: Store, cases: Cases, opened: Opened, limits: Limits) -> None:
        self._store = store
        self._cases = cases
        self._opened = opened
        self._limits = limits
        self._lock = threading.Lock()
        self._live: dict[str, Session] = {}
        self._users: dict[str, int] = {}
        self._used: dict[str, float] = {}
        self._waking: dict[str, threading.Lock] = {}

    def create(self, case: Case, *, who: str, model: str, overlap: str) -> SessionRow:
        """Begin to annotate a case."""
        found = self._opened.open(case)
        return self._store.create(case.id, content=_content(found), who=who, model=model, overlap=overlap)

    @contextlib.contextmanager
    def using(self, session_id: str) -> Iterator[Session]:
        """A session, which is not parked while the block runs."""
        session = self.take(session_id)
        try:
            yield session
        finally:
            self.give_back(session)

    def take(self, session_id: str) -> Session:
        """A session, which is not parked until it is given back.

        Raises:
            NotFoundError: If there is none.
            ConflictError: If its image is another one now.
        """
        row = self._store.session(session_id) if _ID.fullmatch(session_id) else None
        if row is None:
            raise NotFoundError("there is no such session", hint="begin one with POST /api/v1/sessions")
        with self._lock:
            self._users[row.id] = self._users.get(row.id, 0) + 1
            waking = self._waking.setdefault(row.id, threading.Lock())
        try:
            with waking:
                with self._lock:
                    session = self._live.get(row.id)
                if session is None:
                    session = self._wake(row)
                    with self._lock:
                        self._live[row.id] = session
        except BaseException:
            self._leave(row.id)
            raise
        return session

    def give_back(self, session: Session) -> None:
        """Somebody needs the session no longer."""
        self._leave(session.row.id)
        self.park()

    def _leave(self, session_id: str) -> None:
        with self._lock:
            self._users[session_id] -= 1
            self._used[session_id] = time.monotonic()

    def park(self) -> list[str]:
        """Forget what is idle, or too much; it is all on disk. Returns what was parked."""
        with self._lock:
            free = [key for key in self._live if not self._users.get(key)]
            free.sort(key=lambda key: self._used[key])
            parked = []
            for key in free:
                idle = time.monotonic() - self._used[key] >= self._limits.idle_seconds
                if idle or len(self._live) > self._limits.live_sessions:
                    del self._live[key]
                    parked.append(key)
            return parked

    @property
    def live(self) -> int:
        """How many are in memory."""
        return len(self._live)

    def _wake(self, row: SessionRow) -> Session:
        found = self._opened.open(self._cases.get(row.case_id))
        if _content(found) != row.content:
            raise ConflictError(
                "the image is another one than when this session began", hint="begin a new session"
            )
        return Session(row, found.image.geometry, found.views, self._store, self._limits.labels)


def _content(found: OpenCase) -> str:
    """Hash of what masks depend on: the grid."""
    image = found.image
    text = repr((image.geometry, image.is_volume, image.array.shape))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
