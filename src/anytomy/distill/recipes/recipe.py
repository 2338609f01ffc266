"""The contract of a recipe: `Recipe`, and what comes of one, `Taught`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.labelling import Labelled
    from anytomy.distill.session import Session
    from anytomy.zoo.card import ModelCard


@dataclass(frozen=True, eq=False)
class Taught:
    """What comes of a recipe.

    Attributes:
        weights: Of the student.
        name: Which of the trained students it is.
        rounds: For each round what became of the pseudo-labels, as JSON has it.
        last: Pseudo-labels that the student was taught with; None where there were none.
    """

    weights: Mapping[str, Tensor]
    name: str
    rounds: tuple[Mapping[str, Any], ...] = ()
    last: Labelled | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Work:
    """What a recipe will do, for the estimate.

    Attributes:
        students: Those that it trains, by name; `few` is that of the labelled cases alone.
        cases: How many cases the teacher is asked about.
        rounds: How often about each.
        spare: Whether fewer would do: where time is short, it is asked about some of them only.
        unlabelled: Whether anything is learned from the images of unlabelled cases.
        soft: Whether the teacher's probabilities are kept.
    """

    students: tuple[str, ...]
    cases: int
    rounds: int = 1
    spare: bool = False
    unlabelled: bool = True
    soft: bool = False


@runtime_checkable
class Recipe(Protocol):
    """A way to teach a student.

    - `check` refuses what has no meaning, before anything is opened.
    - `teach` trains by `session.train` and asks by `labelling.labelled`, both of which keep what they have
      done under a name; called again after a kill it comes to the same student.
    - Where nothing of the teacher is to be trusted, the student of the labelled cases is the result.
    """

    @property
    def name(self) -> str:
        """As it is typed."""
        ...

    @property
    def source(self) -> str:
        """Who published it."""
        ...

    def extra(self, teacher: ModelCard, classes: int) -> int:
        """How many masks of the teacher a student gets beside the picture."""
        ...

    def check(self, config: DistillConfig, teacher: ModelCard) -> None:
        """Find what is wrong.

        Raises:
            OptionError: With the way out.
        """
        ...

    def work(self, config: DistillConfig, group: DistillCohort) -> Work:
        """What it will do."""
        ...

    def teach(self, session: Session) -> Taught:
        """Teach a student."""
        ...
