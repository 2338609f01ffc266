"""What was measured already: one line of JSON per result, so that a killed run goes on where it stopped."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

RUNS = Path(__file__).resolve().parents[1] / "runs"
PACKAGE = Path(__file__).resolve().parents[1] / "src" / "anytomy"


class Ledger:
    """Results by key, in `runs/NAME.jsonl`.

    Args:
        name: Of the benchmark.
        keys: Fields that make a result unique; all settings that change it are among them.
    """

    def __init__(self, name: str, keys: Sequence[str]) -> None:
        self.path = RUNS / f"{name}.jsonl"
        self._keys = tuple(keys)
        self._rows: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last line of a killed run
                    row = json.loads(line)
                    self._rows[self._key(row)] = row

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows.values())

    def get(self, **fields: Any) -> dict[str, Any] | None:
        """The result of these settings, or None."""
        return self._rows.get(self._key(fields))

    def add(self, **row: Any) -> dict[str, Any]:
        """Keep a result; it is on disk when this returns."""
        RUNS.mkdir(exist_ok=True)
        broken = self.path.exists() and self.path.read_bytes()[-1:] != b"\n" and self.path.stat().st_size
        with self.path.open("a") as file:
            file.write(("\n" if broken else "") + json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._rows[self._key(row)] = row
        return row

    def remember(self, measure: Callable[[], dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """The result of these settings, measured where it is not there yet."""
        return self.get(**fields) or self.add(**fields, **measure())

    def _key(self, row: dict[str, Any]) -> str:
        return json.dumps([row.get(k) for k in self._keys])


def code_version(*modules: str) -> str:
    """A short hash of what modules compute, so that results of other code are not taken for theirs.

    Comments, docstrings and layout do not count.

    Args:
        modules: Paths below the package, `engine/frame.py`.
    """
    digest = hashlib.sha256()
    for module in modules:
        tree = ast.parse((PACKAGE / module).read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                body[:] = [n for n in body if not _is_text(n)]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; numbers with three digits, None as nothing."""
    lines = ["| " + " | ".join(headers) + " |", "|" + "|".join(" --- " for _ in headers) + "|"]
    lines += ["| " + " | ".join(_cell(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def publish(name: str, text: str, facts: Any) -> None:
    """Print a report and keep it as `runs/NAME.md` and `runs/NAME.json`."""
    RUNS.mkdir(exist_ok=True)
    (RUNS / f"{name}.md").write_text(text + "\n")
    (RUNS / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(text)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, otherwise a line now and then; call what it gives once for each step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda name: bar.update(task, advance=1, description=f"{what} {name}")
        return
    done = 0

    def step(name: str) -> None:
        nonlocal done
        done += 1
        if done % max(total // 20, 1) == 0 or done == total:
            print(f"{what}: {done} of {total} ({name})", file=sys.stderr, flush=True)

    yield step


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
