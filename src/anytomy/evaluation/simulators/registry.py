"""Prompt simulators by name."""

from __future__ import annotations

import difflib
import re
import warnings
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from anytomy.core.errors import AnytomyWarning, OptionError
from anytomy.evaluation.simulators import boxes, interactive, points, volumes
from anytomy.evaluation.simulators.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

GROUP = "anytomy.simulators"


@dataclass(frozen=True)
class _Family:
    """Simulators that differ in numbers.

    Attributes:
        form: How their names are written: capital letters are numbers, what is in brackets may be left out.
        make: Takes the numbers.
        usual: Those that `simulators` lists.
        pictures: Whether they work in pictures.
    """

    form: str
    make: Callable[..., Simulator]
    usual: tuple[tuple[int, ...], ...] = ((),)
    pictures: bool = True

    @property
    def head(self) -> str:
        """The part of its name before the numbers."""
        return re.split(r"\[|[A-Z]", self.form)[0]

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """The numbers in a name; None if it is another's."""
        pattern = re.escape(self.form).replace(r"\[", "(?:").replace(r"\]", ")?")
        found = re.fullmatch(re.sub("[A-Z]+", r"(\\d{1,6})", pattern), name)
        return None if found is None else tuple(int(v) for v in found.groups() if v is not None)


_FAMILIES = (
    _Family("box", boxes.box),
    _Family("box-jitter[:LOW,HIGH]", boxes.box_jitter),
    _Family("box-shift[:LOW,HIGH]", boxes.box_shift),
    _Family("box-all", boxes.box_all),
    _Family("box-parts", boxes.box_parts),
    _Family("centre", points.centre),
    _Family("deepest", points.deepest),
    _Family("points-N", points.points, ((1,), (3,), (5,), (9,), (10,))),
    _Family("points-P+N", points.signed_points, ((5, 5),)),
    _Family("clicks-N", interactive.clicks, ((5,), (10,))),
    _Family("box-clicks-N", interactive.box_clicks, ((5,),)),
    _Family("box-points-N", points.box_points, ((1,),)),
    _Family("box-3d", volumes.box_3d, pictures=False),
    _Family("largest-slice-box", volumes.largest_slice_box, pictures=False),
    _Family("key-slice-box", volumes.key_slice_box, pictures=False),
    _Family("key-slice-box-z", volumes.key_slice_box_z, pictures=False),
    _Family("click-per-slice", volumes.click_per_slice, pictures=False),
    _Family("box-per-slice", volumes.box_per_slice, pictures=False),
    _Family("clicks-3d-N", interactive.clicks_3d, ((5,),), pictures=False),
)


def simulator(name: str) -> Simulator:
    """A simulator by name; its own `name` is the canonical one, which belongs in results.

    Args:
        name: As `simulators` or `docs/prompts.md` list them; numbers are free: `points-7`,
            `box-jitter:5,10`.

    Raises:
        OptionError: If there is none of that name, or a number makes no sense; lists what there is.

    Example:
        >>> simulator("Box-Jitter:0,20").name
        'box-jitter'
    """
    wanted = "".join(name.lower().split())
    for family in _FAMILIES:
        numbers = family.numbers(wanted)
        if numbers is not None:
            return family.make(*numbers)
    for entry in entry_points(group=GROUP):
        if entry.name.lower() == wanted:
            return _load(entry)
    raise _unknown(name, wanted)


def simulators() -> list[Simulator]:
    """The simulators that are usual in the literature, then those of third parties.

    One of a third party that cannot be loaded is left out, with a warning.
    """
    return [*_usual(), *_added()]


def picture_names() -> list[str]:
    """How the names of those that work in pictures are written."""
    return [family.form for family in _FAMILIES if family.pictures]


def in_pictures(name: str) -> bool:
    """Whether a simulator works in pictures, by its canonical name; third parties' do."""
    return all(family.pictures for family in _FAMILIES if family.numbers(name) is not None)


def _usual() -> list[Simulator]:
    return [family.make(*numbers) for family in _FAMILIES for numbers in family.usual]


def _added() -> Iterator[Simulator]:
    for entry in entry_points(group=GROUP):
        try:
            yield _load(entry)
        except OptionError as error:
            warnings.warn(str(error), AnytomyWarning, stacklevel=3)


def _load(entry: EntryPoint) -> Simulator:
    """What a third party added: a simulator, under its own name."""
    what = f"the simulator {entry.name} ({entry.value})"
    try:
        found = entry.load()
    except Exception as error:
        # Third parties' modules fail in any way.
        raise OptionError(f"{what} cannot be loaded: {' '.join(str(error).split())}") from error
    if isinstance(found, type) or not isinstance(found, Simulator):
        raise OptionError(
            f"{what} is not one: expected an object like those in anytomy.evaluation.simulators"
        )
    return found


def _unknown(name: str, wanted: str) -> OptionError:
    forms = [family.form for family in _FAMILIES] + [entry.name for entry in entry_points(group=GROUP)]
    there_are = f"simulators: {', '.join(forms)}"
    heads = [f.head for f in _FAMILIES if f.head != f.form and wanted.startswith(f.head)]
    if heads:
        head = max(heads, key=len)
        same = " or ".join(f.form for f in _FAMILIES if f.head == head)
        message = f"expected {same} with whole numbers for the capital letters, got {name!r}"
        return OptionError(message, hint=there_are)
    close = difflib.get_close_matches(wanted, [s.name for s in _usual()], n=3)
    return OptionError(
        f"expected the name of a prompt simulator, but there is none called {name!r}",
        hint=(f"did you mean {' or '.join(close)}? " if close else "") + there_are,
    )
