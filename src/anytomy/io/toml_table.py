"""A strict reader of TOML tables: every field is typed, and what nobody asked for is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, overload

from anytomy.core.errors import AnytomyError, ModelError

__all__ = ["Table"]


class Table:
    """One table of a card or an index.

    Args:
        values: What the TOML reader gave.
        source: The file, for messages.
        prefix: Dotted name of the table itself, "" at the top.
        error: What a wrong field raises.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        source: Path,
        prefix: str = "",
        *,
        error: type[AnytomyError] = ModelError,
    ) -> None:
        self._values = values
        self._source = source
        self._prefix = prefix
        self._error = error
        self._asked: set[str] = set()

    def names(self) -> list[str]:
        """The names of its fields, in the file's order."""
        return list(self._values)

    def text(
        self,
        name: str,
        *,
        empty: bool = False,
        default: str | None = None,
        pattern: re.Pattern[str] | None = None,
    ) -> str:
        """A string; not empty unless `empty`; one that matches `pattern` as a whole."""
        value = self._take(name, default)
        if not isinstance(value, str):
            self.fail(name, "a string", value)
        if not value and not empty:
            self.fail(name, "a string that is not empty", value)
        if pattern is not None and not pattern.fullmatch(value):
            self.fail(name, f"a string like {pattern.pattern}", value)
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of the allowed strings."""
        value = self._take(name, None)
        if value not in allowed:
            self.fail(name, f"one of {', '.join(allowed)}", value)
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; missing means none."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(name, "a list of strings", value)
        return tuple(value)

    def choices(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """A list, not empty, of the allowed strings."""
        value = self._take(name, None)
        if not isinstance(value, list) or not value or not all(item in allowed for item in value):
            self.fail(name, f"a list of {', '.join(allowed)}", value)
        return tuple(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers; missing means none."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        ):
            self.fail(name, "a list of numbers", value)
        return tuple(float(item) for item in value)

    def whole(self, name: str, *, default: int | None = None, least: int = 0) -> int:
        """A whole number, not below `least`."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.fail(name, f"a whole number from {least}", value)
        return value

    def optional_whole(self, name: str) -> int | None:
        """A whole number from 0, or None where it is missing."""
        self._asked.add(name)
        return self.whole(name) if name in self._values else None

    def optional_number(self, name: str) -> float | None:
        """A number, or None where it is missing."""
        self._asked.add(name)
        if name not in self._values:
            return None
        value = self._take(name, None)
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.fail(name, "a number", value)
        return float(value)

    def raw(self) -> dict[str, Any]:
        """All of it as it is, for whoever knows what it means."""
        self._asked.update(self._values)
        return dict(self._values)

    def fields(self, name: str) -> dict[str, Any]:
        """The fields of a table below this one as they are; missing means none."""
        table = self.table(name, optional=True)
        return {} if table is None else table.raw()

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            self.fail(name, "true or false", value)
        return value

    @overload
    def table(self, name: str, *, optional: Literal[False] = False) -> Table: ...
    @overload
    def table(self, name: str, *, optional: bool) -> Table | None: ...
    def table(self, name: str, *, optional: bool = False) -> Table | None:
        """A table below this one; None if it is optional and missing."""
        if optional and name not in self._values:
            return None
        value = self._take(name, None)
        if not isinstance(value, Mapping):
            self.fail(name, "a table", value)
        return Table(value, self._source, f"{self._prefix}{name}.", error=self._error)

    def tables(self, name: str) -> tuple[Table, ...]:
        """A list of tables; missing means none."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.fail(name, "a list of tables", value)
        return tuple(
            Table(item, self._source, f"{self._prefix}{name}.{number}.", error=self._error)
            for number, item in enumerate(value)
        )

    def finish(self) -> None:
        """Call last: what nobody asked for is a slip of the pen.

        Raises:
            AnytomyError: There are unknown fields.
        """
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            names = ", ".join(self._prefix + name for name in unknown)
            known = ", ".join(self._prefix + name for name in sorted(self._asked))
            raise self._error(
                f"expected only known fields in {self._source}, but got {names}",
                hint=f"known here: {known}",
            )

    def fail(self, name: str, expected: str, got: object) -> NoReturn:
        """Raise the error of a wrong field.

        Raises:
            AnytomyError: Always.
        """
        came = "nothing" if got is None else repr(got)
        raise self._error(
            f"expected {expected} as {self._prefix}{name} in {self._source}, but got {came}",
            hint="correct the file",
        )

    def _take(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        return self._values.get(name, default)
