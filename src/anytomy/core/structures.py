"""What is segmented, by name: `R_adrenal`, `right adrenal gland` and `adrenal_gland_right` are one structure.

The vocabulary is `structures.toml`, read and checked at the first look-up. A name is looked up by its side
and the set of its other words, each in one spelling and in the singular; word order, case and separators
make no difference. What is not in the vocabulary stays unknown: nothing is guessed, left is never right.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anytomy.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Side = Literal["left", "right"]

DEFAULT_TOLERANCE_MM = 2.0
KINDS = ("organ", "part", "bone", "muscle", "vessel", "nerve", "tissue", "lesion", "cell", "region")

_FILE = Path(__file__).with_suffix(".toml")
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("synonyms", "synonyms_left", "synonyms_right", "range"), list),
    **dict.fromkeys(("parent", "snomed_left", "snomed_right"), str),
    **{"paired": bool, "snomed": (str, list), "tolerance_mm": float},
}
_BOTH: tuple[Side, Side] = ("left", "right")
_SIDE_WORDS: Mapping[str, Side] = {
    **dict.fromkeys(("left", "l", "lt", "lft"), "left"),
    **dict.fromkeys(("right", "r", "rt", "rgt"), "right"),
}
_MAKES_NO_DIFFERENCE = frozenset({"of", "the"})  # unlike `and`: kidney and tumour, kidney tumour
# Borders of words that no separator marks: OpticNrv, LVMyo; rib1.
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBER = re.compile(r"(?<=[a-z]{2})(?=[0-9])")


@dataclass(frozen=True)
class Structure:
    """One thing that can be segmented.

    Attributes:
        name: Its canonical name, plain British English: `right adrenal gland`.
        synonyms: Other names, beside those that differ in spelling, word order or separators only.
        side: The patient's side, if it is in the name.
        paired: Whether there is one on each side; then the name without a side means both together.
        parent: Canonical name of what it is a part of, or lies in; for one of a pair, the two together.
        snomed: SNOMED CT concept id. None for one of a pair does not mean that its parent's is right:
            that one needs a modifier for the side.
        kind: One of `KINDS`.
        tolerance_mm: Distance within which two surfaces of it count as equal; None for the default.
    """

    name: str
    synonyms: tuple[str, ...]
    side: Side | None
    paired: bool
    parent: str | None
    snomed: str | None
    kind: str
    tolerance_mm: float | None


def structures() -> tuple[Structure, ...]:
    """All structures, in the order of the file."""
    return tuple(_vocabulary().structures.values())


def find(name: str) -> Structure | None:
    """The structure of this name or synonym, however it is spelt; None if there is none.

    Example:
        >>> find("Glnd_Submand_L").name
        'left submandibular gland'
    """
    return _vocabulary().find(name)


def resolve(name: str) -> Structure:
    """The structure of this name or synonym.

    Raises:
        InputError: There is none; the hint names similar ones, none of the other side.
    """
    found = find(name)
    if found is not None:
        return found
    close = _vocabulary().similar(name)
    hint = f"did you mean {' or '.join(close)}?" if close else "use a plain English name, as in 'left kidney'"
    raise InputError(f"expected the name of a structure, but got {name!r}", hint=hint)


def canonical(name: str) -> str:
    """The canonical name; of an unknown structure its own words in small letters, a side in front.

    Example:
        >>> canonical("FooBar_L")
        'left foo bar'
    """
    found = find(name)
    return found.name if found is not None else _vocabulary().plain(name)


def is_part_of(part: str, whole: str) -> bool:
    """Whether one structure is, by its parents, a part of another or lies in it; nothing is a part of itself.

    Sides agree: the upper lobe of the left lung is a part of the left lung and of the lungs.

    Raises:
        InputError: One of the names is unknown.
    """
    inner, outer = resolve(part), resolve(whole)
    if inner == outer:
        return False
    above = set(_ancestors(inner.name, _vocabulary().structures))
    same_side = outer.paired and outer.side is not None and outer.side == inner.side
    return outer.name in above or (same_side and outer.parent in above)


def tolerance_mm(name: str) -> float:
    """The tolerance of the normalised surface distance, in mm; the default where none is known."""
    found = find(name)
    return (found and found.tolerance_mm) or DEFAULT_TOLERANCE_MM


class Vocabulary:
    """Structures and the rules by which their names are looked up.

    Args:
        tables: The content of the TOML file.

    Raises:
        InputError: A field is unknown or of the wrong type, a name means two structures, or a parent is
            missing or above itself.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._spelling = [(re.compile(old), new) for old, new in tables.get("spelling", {}).items()]
        self._words: Mapping[str, str] = tables.get("words", {})
        self._same: Mapping[str, str] = tables.get("same", {})
        self.structures: dict[str, Structure] = {}
        self._by_key: dict[tuple[Side | None, frozenset[str]], Structure] = {}
        for kind in (name for name in tables if name not in ("spelling", "words", "same")):
            _check(kind in KINDS, f"a table named {', '.join(KINDS)}", kind)
            for name, fields in tables[kind].items():
                for structure in self._expanded(kind, name, fields):
                    self._add(structure)
        for structure in self.structures.values():
            list(_ancestors(structure.name, self.structures))

    def find(self, name: str) -> Structure | None:
        """The structure of this name; it is taken apart at capitals only if it is unknown as it is."""
        return self._by_key.get(self._key(name)) or self._by_key.get(self._key(_taken_apart(name)))

    def plain(self, name: str) -> str:
        """The name's words in small letters, spelt as in the vocabulary, a side in front."""
        side, words = self._parse(_taken_apart(name))
        return " ".join(words if side is None else [side, *words])

    def similar(self, name: str) -> list[str]:
        """Up to three canonical names like this one, none of the other side."""
        side, _ = self._parse(_taken_apart(name))
        one_side = [one for one in self.structures.values() if None in (side, one.side) or side == one.side]
        spelt = {text.lower(): one.name for one in one_side for text in (one.name, *one.synonyms)}
        close = difflib.get_close_matches(self.plain(name), spelt, n=8, cutoff=0.7)
        return list(dict.fromkeys(spelt[text] for text in close))[:3]

    def _parse(self, name: str) -> tuple[Side | None, list[str]]:
        tokens = re.findall(r"[^\W_]+", name.lower().replace("&", " and ").replace("/", " or "))
        sides = {_SIDE_WORDS[token] for token in tokens if token in _SIDE_WORDS}
        side = sides.pop() if len(sides) == 1 else None
        # A name with both sides keeps the words, and so stays unknown.
        kept = [token for token in tokens if side is None or token not in _SIDE_WORDS]
        words = " ".join(self._words.get(token, token) for token in kept)
        for old, new in self._spelling:
            words = old.sub(new, words)
        return side, words.split()

    def _key(self, name: str) -> tuple[Side | None, frozenset[str]]:
        side, words = self._parse(name)
        return side, frozenset(self._singular(word) for word in words if word not in _MAKES_NO_DIFFERENCE)

    def _singular(self, word: str) -> str:
        if word not in self._same and len(word) > 3 and word.endswith("s"):
            if word.endswith("ies"):
                word = word[:-3] + "y"
            elif not word.endswith(("as", "is", "os", "ss", "us")):
                word = word[:-1]
        return self._same.get(word, word)

    def _expanded(self, kind: str, name: str, fields: Mapping[str, Any]) -> Iterator[Structure]:
        for field, value in fields.items():
            _check(field in _FIELDS, f"only the fields {', '.join(_FIELDS)} of {name!r}", field)
            texts = value if isinstance(value, list) else [""]
            right = isinstance(value, _FIELDS[field]) and all(isinstance(text, str) for text in texts)
            _check(right, f"{field} of {name!r} of the right type", value)
        numbers = fields.get("range", [""])
        codes = fields.get("snomed")
        codes = codes if isinstance(codes, list) else [codes] * len(numbers)
        _check(len(codes) == len(numbers), f"one code for each of the range of {name!r}", codes)
        paired = fields.get("paired", False)
        parent, tolerance = fields.get("parent"), fields.get("tolerance_mm")
        for number, code in zip(numbers, codes, strict=True):
            own = name.replace("{n}", number)
            synonyms = tuple(synonym.replace("{n}", number) for synonym in fields.get("synonyms", []))
            yield Structure(own, synonyms, self._parse(own)[0], paired, parent, code, kind, tolerance)
            for side in _BOTH if paired else ():
                sided = (*(f"{side} {synonym}" for synonym in synonyms), *fields.get(f"synonyms_{side}", []))
                code = fields.get(f"snomed_{side}")
                yield Structure(f"{side} {own}", sided, side, True, own, code, kind, tolerance)

    def _add(self, structure: Structure) -> None:
        _check(structure.name not in self.structures, "each structure once", structure.name)
        self.structures[structure.name] = structure
        for text in (structure.name, *structure.synonyms):
            other = self._by_key.setdefault(self._key(text), structure)
            _check(other is structure, f"{text!r} to mean one structure", f"{other.name}, {structure.name}")


@functools.cache
def _vocabulary() -> Vocabulary:
    import tomllib

    return Vocabulary(tomllib.loads(_FILE.read_text(encoding="utf-8")))


def _taken_apart(name: str) -> str:
    return _NUMBER.sub(" ", _CAPITAL.sub(" ", name).lower())


def _ancestors(name: str, known: Mapping[str, Structure]) -> Iterator[str]:
    seen = {name}
    parent = known[name].parent
    while parent is not None:
        _check(parent in known and parent not in seen, f"a known parent above {name!r}", parent)
        seen.add(parent)
        yield parent
        parent = known[parent].parent


def _check(holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise InputError(f"expected {expected} in {_FILE.name}, but got {got!r}", hint="correct the file")
