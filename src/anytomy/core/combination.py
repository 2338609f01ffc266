"""Objects made of others: `Combination`, as in `myocardium = epicardium - endocardium`.

    combination = name "=" chain
    chain       = product {("-" | "+" | "|") product}     without, union, union; from left to right
    product     = item {"&" item}                         intersection; binds tighter
    item        = name | id | "(" chain ")"

A name is words of letters, digits, `_`, `.` and apostrophes, or anything in quotes, and is found whatever its
capitals; a bare number is an id. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from anytomy.core.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = "myocardium = epicardium - endocardium"
_DEEPEST = 50
_SIGNS = "-+|&()="
_QUOTED = r"\"[^\"]*\"|'[^']*'"
# Word processors and web pages turn a minus into these.
_DASHES = "\u2212\u2013"
# Words of all but blanks, control characters and ASCII punctuation; an apostrophe is not their first letter.
_NAME = rf"(?:(?!')[^\s\x00-&(-\-/:-@\[-^`{{-\x7f{_DASHES}]+\s*)+"
_TOKEN = re.compile(rf"\s*(?:(?P<quoted>{_QUOTED})|(?P<word>{_NAME})|(?P<sign>.))", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """An object by name or id, as it stands in an expression.

    Attributes:
        text: The name without quotes, or the digits.
        is_id: Whether it is an id.
    """

    text: str
    is_id: bool = False

    def __str__(self) -> str:
        return self.text if self.is_id else quoted(self.text)

    def parts(self) -> Iterator[Part]:
        """Itself."""
        yield self


@dataclass(frozen=True)
class Chain:
    """Terms that are joined from left to right.

    Attributes:
        first: Where it starts.
        rest: `-` (without), `+` (union) or `&` (intersection), and what it is joined with.
    """

    first: Part | Chain
    rest: tuple[tuple[str, Part | Chain], ...]

    def parts(self) -> Iterator[Part]:
        """The objects in it, in their order; one may come twice."""
        yield from self.first.parts()
        for _, term in self.rest:
            yield from term.parts()


@dataclass(frozen=True)
class Combination:
    """An object that is made of others.

    Attributes:
        name: What it is called.
        expression: What it is made of.
        id: Its value in the label map; the lowest free one where None.

    Raises:
        PromptError: If the name is none, the id is out of range, or the expression cannot be understood;
            names the place.

    Example:
        >>> Combination.parse("wall = outer - (lumen + plaque)").name
        'wall'
    """

    name: str
    expression: str
    id: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise PromptError(
                f"expected a name for a combination, got {self.name!r}", hint=f"as in {EXAMPLE}"
            )
        object.__setattr__(self, "name", " ".join(self.name.split()))
        if not isinstance(self.expression, str) or not self.expression.strip():
            raise PromptError(
                f"expected what {quoted(self.name)} is made of, got {self.expression!r}",
                hint=f"as in {EXAMPLE}",
            )
        object.__setattr__(self, "expression", self.expression.strip())
        if self.id is not None and (
            isinstance(self.id, bool) or not isinstance(self.id, int) or not 1 <= self.id <= 65535
        ):
            raise PromptError(f"expected an object id from 1 to 65535, got {self.id!r}")
        _ = self.term

    @classmethod
    def parse(cls, text: str) -> Combination:
        """The combination that `NAME = EXPRESSION` says.

        Raises:
            PromptError: If it cannot be understood; names the place.
        """
        if not isinstance(text, str):
            raise PromptError(f"expected a combination as text, got {text!r}", hint=f"as in {EXAMPLE}")
        reader = _Reader(text)
        if all(token.text != "=" or token.kind != "sign" for token in reader.tokens):
            raise PromptError(f"{text!r} has no '=', expected NAME = EXPRESSION", hint=f"as in {EXAMPLE}")
        name = reader.name("a name for what is made, in quotes if it is not just words")
        if name.is_id:
            raise PromptError(f"{text!r}: expected a name for what is made, got the number {name}")
        equals = reader.take("=")
        reader.chain()
        reader.end()
        return cls(name.text, text[equals.end :])

    @property
    def term(self) -> Part | Chain:
        """The expression, taken apart."""
        reader = _Reader(self.expression)
        term = reader.chain()
        reader.end()
        return term

    @property
    def text(self) -> str:
        """`NAME = EXPRESSION`, as `parse` reads it."""
        return f"{quoted(self.name)} = {self.expression}"


def quoted(name: str) -> str:
    """A name as an expression needs it: in quotes where it is not just words."""
    if re.fullmatch(_NAME, name) and not name.isdecimal():
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


def name_key(name: str) -> str:
    """What two spellings of one name have in common: capitals and blanks make no difference."""
    return " ".join(name.casefold().split())


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Reader:
    """A recursive descent through the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = []
        for match in _TOKEN.finditer(text.rstrip()):
            kind = match.lastgroup or ""
            found = match[kind].strip()
            sign = "-" if kind == "sign" and found in _DASHES else found
            self.tokens.append(_Token(kind, sign, match.start(kind), match.end()))
        self._next = 0
        self._depth = 0

    def chain(self) -> Part | Chain:
        return self._joined("-+|", lambda: self._joined("&", self._item))

    def name(self, expected: str) -> Part:
        token = self._peek()
        if token is None or token.kind not in ("word", "quoted"):
            raise self._wrong(expected)
        self._next += 1
        name = token.text[1:-1] if token.kind == "quoted" else token.text
        if not name.strip():
            raise PromptError(f"{self.text!r}: there is an empty name at character {token.start + 1}")
        is_id = token.kind == "word" and token.text.isdecimal()
        return Part(name if is_id else " ".join(name.split()), is_id)

    def take(self, sign: str) -> _Token:
        token = self._peek()
        if token is None or (token.kind, token.text) != ("sign", sign):
            raise self._wrong(f"'{sign}'")
        self._next += 1
        return token

    def end(self) -> None:
        if self._peek() is not None:
            raise self._wrong("'-', '+', '&' or the end")

    def _item(self) -> Part | Chain:
        token = self._peek()
        if token is None or (token.kind, token.text) != ("sign", "("):
            return self.name("the name of an object or '('")
        self._next += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PromptError(f"a combination is nested more than {_DEEPEST} parentheses deep")
        term = self.chain()
        self.take(")")
        self._depth -= 1
        return term

    def _joined(self, signs: str, term: Callable[[], Part | Chain]) -> Part | Chain:
        first, rest = term(), []
        while (token := self._peek()) and token.kind == "sign" and token.text in signs:
            self._next += 1
            rest.append(("+" if token.text == "|" else token.text, term()))
        return Chain(first, tuple(rest)) if rest else first

    def _peek(self) -> _Token | None:
        return self.tokens[self._next] if self._next < len(self.tokens) else None

    def _wrong(self, expected: str) -> PromptError:
        token = self._peek()
        came = "the end" if token is None else f"{token.text!r} at character {token.start + 1}"
        hint = None
        if token is not None and token.text not in _SIGNS:
            hint = (
                "close the quotes"
                if token.text in ("'", '"')
                else "names that are not just words need quotes"
            )
        text = self.text if len(self.text) <= 120 else self.text[:117] + "..."
        return PromptError(f"{text!r}: expected {expected}, got {came}", hint=hint)
