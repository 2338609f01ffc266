"""The seam between a model and a way to tune it: `TuningMethod`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from anytomy.models.adapters.semantic import SemanticSam
    from anytomy.models.sam import Sam

    Tunable = Sam | SemanticSam
    """A model for prompts, or one for classes; both have an `image_encoder`."""

PROMPTABLE, SEMANTIC = "promptable", "semantic"
MODES = (PROMPTABLE, SEMANTIC)


@runtime_checkable
class TuningMethod(Protocol):
    """A way to tune a model. Methods combine; each adds to what the others train.

    - `attach` gets a model whose parameters are all frozen, or unfrozen by methods before it. It inserts its
      modules and unfreezes what it trains, and nothing else changes: before the first step the model answers
      as before, and parameters of other methods stay as they were.
    - In semantic mode the head for the classes is trained in any case, see `adapted.attach`.
    - What it trained is found again by the names of parameters, so `attach` must not depend on chance.
    - Derive from it: what a method does not need has a default here.

    Attributes:
        name: What the user types.
        summary: One line.
        source: Paper and section.
        modes: Of `promptable` and `semantic`.
        touches_encoder: Whether the image encoder changes. If no method does, embeddings can be cached.
        trains_statistics: Whether batch normalisation follows the batches; it stays frozen otherwise.
        folds: Whether `merge` works: what it trains has a place in the plain architecture.
        head: The semantic head that it stands for (`semantic.HEADS`), or "".
    """

    name: str
    summary: str
    source: str
    modes: tuple[str, ...] = MODES
    touches_encoder: bool = True
    trains_statistics: bool = False
    folds: bool = True
    head: str = ""

    @property
    def text(self) -> str:
        """How it is typed, with its parameter: `lora:4`."""
        return self.name

    def configured(self, parameter: str) -> TuningMethod:
        """The same method with what stands after the colon.

        Raises:
            OptionError: It takes none, or another one.
        """
        raise OptionError(f"the method {self.name} takes no parameter, got {parameter!r}")

    def check(self, model: Tunable) -> None:
        """Refuse a model that it does not suit.

        Raises:
            OptionError: With the reason and the way out.
        """
        return

    def attach(self, model: Tunable) -> None:
        """Insert its modules and set `requires_grad` on what it trains."""
        ...

    def merge(self, model: Tunable) -> None:
        """Bring an attached model back to its plain architecture, with the same answers.

        Raises:
            ModelError: The method's modules have no place in it.
        """
        return

    def restore(self, model: Tunable, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make room for trained weights in a model that is only to run.

        Must not need what is needed for training only. What can be folded into the weights is folded.

        Args:
            model: With the base's weights.
            state: What `adapted.trained` gave.

        Returns:
            What is still to be loaded by name.
        """
        self.attach(model)
        return state


def unfreeze(*modules: nn.Module) -> None:
    """Let all parameters of some modules be trained."""
    for module in modules:
        module.requires_grad_(True)
