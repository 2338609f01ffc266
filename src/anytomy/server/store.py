"""Work in progress on disk: `Store`, an SQLite file that is only ever added to.

An action is acknowledged when its row is on the disk (`synchronous=FULL`), so that whatever ends the process,
all that was acknowledged is there at the next start. States are not kept: they follow from the actions.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OutputError
from anytomy.server.patches import Patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA = 1
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, case_id TEXT NOT NULL, content TEXT NOT NULL, created TEXT NOT NULL,
    who TEXT NOT NULL, model TEXT NOT NULL, overlap TEXT NOT NULL, saved INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX sessions_by_case ON sessions (case_id);
CREATE TABLE actions (
    session TEXT NOT NULL REFERENCES sessions (id), seq INTEGER NOT NULL, kind TEXT NOT NULL,
    about TEXT NOT NULL, patches BLOB NOT NULL, PRIMARY KEY (session, seq)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class SessionRow:
    """A session.

    Attributes:
        id: 32 hex digits.
        case_id: What is annotated.
        content: Hash of its grid, so that work is not shown on another image.
        created: When, UTC.
        who: Who began it.
        model: The model that is asked.
        overlap: `exclusive` or `keep`.
        saved: Number of the action that was saved last.
    """

    id: str
    case_id: str
    content: str
    created: str
    who: str
    model: str
    overlap: str
    saved: int = 0


@dataclass(frozen=True)
class ActionRow:
    """An action.

    Attributes:
        seq: From 1.
        kind: What it was.
        about: Who, when, model, prompts; JSON-able.
        patches: Masks with their role (`flip`, `base`, `answer`) and label.
    """

    seq: int
    kind: str
    about: dict[str, Any]
    patches: tuple[tuple[str, int, Patch], ...] = field(default=(), repr=False)


class Store:
    """The file; safe to use from several threads.

    Args:
        path: Where it lies; made if need be.

    Raises:
        OutputError: If it cannot be opened, or a later version of Anytomy wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"cannot keep work in progress in {path}: {error}", hint="choose another folder with --output"
            ) from error

    def _prepare(self, path: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise OutputError(
                f"{path} was written by a later version of Anytomy (schema {version}, known: {SCHEMA})",
                hint="install that version",
            )
        if version == 0:
            # Both or neither: a kill in between must not leave tables without a version.
            self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={SCHEMA}; COMMIT;")

    @property
    def secret(self) -> bytes:
        """A key that only this file has; made when first asked for."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))
            return bytes(self._db.execute("SELECT value FROM meta WHERE key='secret'").fetchone()[0])

    def create(self, case_id: str, *, content: str, who: str, model: str, overlap: str) -> SessionRow:
        """A new session."""
        row = SessionRow(secrets.token_hex(16), case_id, content, now(), who, model, overlap)
        with self._lock:
            self._db.execute(
                "INSERT INTO sessions VALUES (?,?,?,?,?,?,?,0)",
                (row.id, row.case_id, row.content, row.created, row.who, row.model, row.overlap),
            )
        return row

    def session(self, session_id: str) -> SessionRow | None:
        """A session, or None."""
        with self._lock:
            row = self._db.execute(f"{_SESSIONS} WHERE id=?", (session_id,)).fetchone()
        return None if row is None else SessionRow(*row)

    def sessions(self, case_id: str | None = None) -> list[SessionRow]:
        """All sessions, or those of a case, the oldest first."""
        where, values = ("", ()) if case_id is None else (" WHERE case_id=?", (case_id,))
        with self._lock:
            rows = self._db.execute(f"{_SESSIONS}{where} ORDER BY created, id", values).fetchall()
        return [SessionRow(*row) for row in rows]

    def append(self, session_id: str, action: ActionRow) -> None:
        """Add an action; it is on the disk when this returns.

        Raises:
            OutputError: If it cannot be written: nothing has changed then.
        """
        listed = [
            [role, label, patch.start, patch.shape, len(patch.data)] for role, label, patch in action.patches
        ]
        about = json.dumps({"about": action.about, "patches": listed})
        blob = b"".join(patch.data for *_, patch in action.patches)
        with self._lock:
            try:
                self._db.execute(
                    "INSERT INTO actions VALUES (?,?,?,?,?)",
                    (session_id, action.seq, action.kind, about, blob),
                )
            except sqlite3.OperationalError as error:
                raise OutputError(f"cannot keep the action: {error}", hint="free some space") from error

    def actions(self, session_id: str) -> Iterator[ActionRow]:
        """The actions of a session in order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, kind, about, patches FROM actions WHERE session=? ORDER BY seq", (session_id,)
            ).fetchall()
        for seq, kind, text, blob in rows:
            document = json.loads(text)
            yield ActionRow(seq, kind, document["about"], tuple(_patches(document["patches"], blob)))

    def mark_saved(self, session_id: str, seq: int) -> None:
        """Note which action was saved last."""
        with self._lock:
            self._db.execute("UPDATE sessions SET saved=? WHERE id=?", (seq, session_id))

    def last(self, session_id: str) -> int:
        """Number of the last action."""
        with self._lock:
            found = self._db.execute("SELECT max(seq) FROM actions WHERE session=?", (session_id,)).fetchone()
        return int(found[0] or 0)

    def labels(self) -> dict[str, list[dict[str, Any]]]:
        """The labels of each session as they were set last; also those that were taken away since."""
        with self._lock:
            rows = self._db.execute(
                "SELECT session, max(seq), about FROM actions WHERE kind IN ('labels', 'import') "
                "AND instr(about, '\"labels\": [') GROUP BY session"
            ).fetchall()
        return {session: json.loads(text)["about"]["labels"] for session, _, text in rows}

    def latest(self, session_id: str, kinds: Sequence[str]) -> dict[str, Any] | None:
        """What is known of the last action of some kinds, or None."""
        marks = ",".join("?" * len(kinds))
        with self._lock:
            row = self._db.execute(
                f"SELECT about FROM actions WHERE session=? AND kind IN ({marks}) ORDER BY seq DESC LIMIT 1",
                (session_id, *kinds),
            ).fetchone()
        return None if row is None else json.loads(row[0])["about"]

    def note(self, key: str) -> dict[str, Any]:
        """What a client noted under a key."""
        with self._lock:
            row = self._db.execute("SELECT value FROM meta WHERE key=?", (f"note:{key}",)).fetchone()
        return {} if row is None else json.loads(row[0])

    def set_note(self, key: str, values: dict[str, Any]) -> None:
        """Keep what a client notes under a key."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (f"note:{key}", json.dumps(values)))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


_SESSIONS = "SELECT id, case_id, content, created, who, model, overlap, saved FROM sessions"


def now() -> str:
    """The time, UTC, for records."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _patches(listed: Sequence[Any], blob: bytes) -> Iterator[tuple[str, int, Patch]]:
    at = 0
    for role, label, start, shape, size in listed:
        yield role, label, Patch(tuple(start), tuple(shape), blob[at : at + size])
        at += size
