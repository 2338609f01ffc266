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
        return "*" in re.sub(r"\{[^}]*\}", "", self.path)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        body = _body(self.path, {})
        prefix = f"(?P<{ROOT}>(?:.*/)?)" if self.rooted else ""
        try:
            return re.compile(prefix + body, re.IGNORECASE)
        except re.error as error:
            raise DatasetError(f"expected a path pattern, but {self.text!r} is none: {error}") from error

    def beside(self, image: Pattern) -> Pattern:
        """The same for masks of an image pattern: names without an expression have the image's.

        Otherwise `{subject}_{visit}` would be cut at the first `_` in masks, wherever images are cut.
        """
        known = {m["name"]: m["regex"] for m in _TOKEN.finditer(image.path) if m["regex"]}

        def with_expression(token: re.Match[str]) -> str:
            name = token["name"]
            return token[0] if token["regex"] or name not in known else f"{{{name}:{known[name]}}}"

        return Pattern(_TOKEN.sub(with_expression, self.text))

    def match(self, path: str) -> dict[str, str] | None:
        """What stands for each name in a path, and before it as `root`; None if it does not match."""
        found = self._regex.fullmatch(path)
        return None if found is None else found.groupdict()

    def structures_of(self, names: Mapping[str, str], paths: Iterable[str]) -> dict[str, str]:
        """Paths that fit to an image's names, and what stands for `{structure}` in each.

        File names as `07_CT_abdomen_kidney.png` can be cut in many places; the image's own names say where.

        Args:
            names: Those of the image, with `root`.
            paths: The candidates.
        """
        known = {k: v for k, v in names.items() if k in self.names}
        prefix = re.escape(names.get(ROOT, "")) if self.rooted and ROOT in names else "(?:.*/)?"
        regex = re.compile(prefix + _body(self.path, known), re.IGNORECASE)
        found = ((path, regex.fullmatch(path)) for path in paths)
        return {path: match[STRUCTURE] for path, match in found if match is not None}

    def start(self, names: Mapping[str, str]) -> str:
        """The fixed beginning of paths that fit to an image's names, as far as it is known; lower case."""
        if not self.rooted or ROOT not in names:
            return ""
        text = names[ROOT]
        place = 0
        for token in _TOKEN.finditer(self.path):
            text += self.path[place : token.start()]
            if token["name"] not in names:
                return text.lower()
            text += names[token["name"]]
            place = token.end()
        return (text + self.path[place:]).lower()


def _body(path: str, known: Mapping[str, str]) -> str:
    """The regular expression of a path; names that are known stand as they are."""
    out, place = "", 0
    seen: set[str] = set()
    for token in _TOKEN.finditer(path):
        out += _literal(path[place : token.start()])
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
    return out + _literal(path[place:])


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise DatasetError(f"expected a name of small letters in braces, got {text!r} in a path pattern")
    return re.escape(text)


def filled(template: str, names: Mapping[str, str]) -> str:
    """A template such as `{patient}_{frame}` with its names replaced.

    Raises:
        DatasetError: If a name is not known.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise DatasetError(
                f"expected names of the image pattern in {template!r}, but got {match[0]}",
                hint=f"it has {', '.join(names) or 'none'}",
            )
        return names[match[1]] or ""

    return re.sub(r"\{([a-z_][a-z0-9_]*)\}", value, template)
