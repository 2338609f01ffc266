"""Path patterns: `img/img{case}.nii.gz` matches files and says what stands in the braces.

- A pattern is a path below the data set's folder, with forward slashes. It may lie at any depth: folders
  before it are its `root`, which images and their masks must share (`training/`, `Train_Sets/CT/`).
- `{name}` stands for one or more characters but `/`; `{name:REGEX}` for what the expression matches, in the
  masks of the image too. A name that stands twice must be the same text both times.
- `*` stands for any characters but `/`, `**/` for any folders. A pattern that begins with `**/` has no root.
- Letters of fixed parts match in either case, since archives differ in it.
- A pattern that ends in `/` names folders.
- What follows `::` is a key in the file, `scan.npz::imgs`; it is not part of the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from anytomy.core.errors import DatasetError

ROOT = "root"
STRUCTURE = "structure"
_TOKEN = re.compile(r"\{(?P<name>[a-z_][a-z0-9_]*)(?::(?P<regex>(?:[^{}]|\{\d+(?:,\d*)?\})+))?\}|\*\*/|\*")


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern.

    Attributes:
        text: As written.

    Raises:
        DatasetError: If braces or an expression in them are broken (when it is first used).

    Example:
        >>> Pattern("img/img{case}.nii.gz").match("training/img/img0007.nii.gz")
        {'root': 'training/', 'case': '0007'}
    """

    text: str

    @property
    def path(self) -> str:
        """The part before `::`."""
        return self.text.partition("::")[0]

    @property
    def key(self) -> str:
        """The part after `::`, or ""."""
        return self.text.partition("::")[2]

    @property
    def is_folder(self) -> bool:
        """Whether it names folders."""
        return self.path.endswith("/")

    @property
    def rooted(self) -> bool:
        """Whether it has a root that images and masks must share."""
        return not self.path.startswith("**/")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names in braces, in order, each once."""
        return tuple(dict.fromkeys(m["name"] for m in _TOKEN.finditer(self.path) if m["name"]))

    @cached_property
    def open_ended(self) -> bool:
        """Whether several files may fit to the same names."""
        return any(not token["name"] for token in _TOKEN.finditer(self.path))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        if self.path.startswith("/"):
            raise DatasetError(f"expected a path pattern below the data set's folder, but got {self.text!r}")
        body = _body(self.path, self.path, {})
        prefix = f"(?P<{ROOT}>(?:.*/)?)" if self.rooted else ""
        try:
            return re.compile(prefix + body, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise DatasetError(f"expected a path pattern, but {self.text!r} is none: {error}") from error

    def beside(self, image: Pattern) -> Pattern:
        """The same for masks of an image pattern: names without an expression have the image's.

        Otherwise `{subject}_{visit}` would be cut at the first `_` in masks, wherever images are cut.
        """
        known: dict[str, str] = {}
        for token in _TOKEN.finditer(image.path):
            if token["regex"]:
                known.setdefault(token["name"], token["regex"])

        def with_expression(token: re.Match[str]) -> str:
            name = token["name"]
            return token[0] if token["regex"] or name not in known else f"{{{name}:{known[name]}}}"

        return Pattern(_TOKEN.sub(with_expression, self.text))

    def match(self, path: str) -> dict[str, str] | None:
        """What stands for each name in a path, and before it as `root`; None if it does not match."""
        found = self._regex.fullmatch(path)
        return None if found is None else found.groupdict()

    def check(self) -> None:
        """Say now what is broken, rather than when it is first used.

        Raises:
            DatasetError: If braces or an expression in them are broken.
        """
        _ = self._regex

    def structures_of(self, names: Mapping[str, str], paths: Iterable[str]) -> dict[str, str]:
        """Paths that fit to an image's names, and what stands for `{structure}` in each.

        File names as `07_CT_abdomen_kidney.png` can be cut in many places; the image's own names say where.

        Args:
            names: Those of the image, with `root`.
            paths: The candidates.
        """
        start, rest = self._started(names)
        prefix = "" if self.rooted and ROOT in names else "(?:.*/)?"
        known = {k: v for k, v in names.items() if k in self.names}
        # The rest is the same text for most images, which `re` has compiled already.
        regex = re.compile(prefix + _body(rest, self.path, known), re.IGNORECASE)
        lower = start.lower()
        found = (
            (path, regex.fullmatch(path, len(start))) for path in paths if path[: len(start)].lower() == lower
        )
        told = names.get(STRUCTURE)  # where the image's own path says it
        return {path: told or match[STRUCTURE] for path, match in found if match is not None}

    def start(self, names: Mapping[str, str]) -> str:
        """The fixed beginning of paths that fit to an image's names, as far as it is known; lower case."""
        return self._started(names)[0].lower()

    def _started(self, names: Mapping[str, str]) -> tuple[str, str]:
        """The fixed beginning, as far as the names are known, and the rest of the pattern."""
        if not self.rooted or ROOT not in names:
            return "", self.path
        text, place = names[ROOT], 0
        for token in _TOKEN.finditer(self.path):
            text += self.path[place : token.start()]
            if token["name"] not in names:
                return text, self.path[token.start() :]
            text += names[token["name"]]
            place = token.end()
        return text + self.path[place:], ""


def _body(part: str, path: str, known: Mapping[str, str]) -> str:
    """The regular expression of a part of a path; names that are known stand as they are."""
    out, place = "", 0
    seen: set[str] = set()
    for token in _TOKEN.finditer(part):
        out += _literal(part[place : token.start()], path)
        place = token.end()
        name = token["name"]
        if token[0] == "**/":
            out += "(?:.*/)?"
        elif token[0] == "*":
            out += "[^/]*"
        elif name in known:
            out += re.escape(known[name])
        elif name in seen:
            out += f"(?P={name})"
        else:
            seen.add(name)
            out += f"(?P<{name}>{token['regex'] or '[^/]+?'})"
    return out + _literal(part[place:], path)


def _literal(text: str, path: str) -> str:
    if "{" in text or "}" in text:
        raise DatasetError(f"expected names of small letters in braces in a path pattern, but got {path!r}")
    if "\\" in text:
        raise DatasetError(f"expected forward slashes in a path pattern, but got {path!r}")
    return re.escape(text)


def filled(template: str, names: Mapping[str, str]) -> str:
    """A template such as `{patient}_{frame}` with its names replaced.

    Raises:
        DatasetError: If a name is not known.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in names:
            known = ", ".join(name for name in names if name != ROOT)
            raise DatasetError(
                f"expected names of the image pattern in {template!r}, but got {match[0]}",
                hint=f"it has {known or 'none'}",
            )
        return names[match[1]] or ""

    return re.sub(r"\{([^{}]*)\}", value, template)
