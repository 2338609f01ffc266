"""`anytomy segment --everything`: which options go with it, and doing it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyWarning, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytomy.cli.request import Options
    from anytomy.core.image import Image
    from anytomy.engine.model import PromptableModel
    from anytomy.predict.automatic.settings import AutomaticSettings
    from anytomy.predict.result import Result
    from anytomy.zoo.card import ModelCard

# What the settings are called on the command line.
_OPTIONS = {
    "points": "--grid",
    "score": "--min-score",
    "stability": "--min-stability",
    "layers": "--layers",
    "tile": "--tile",
    "least": "--least",
}


def settings_of(wanted: bool, **numbers: Any) -> AutomaticSettings | None:
    """The settings that were typed; None where automatic masks are not wanted.

    Raises:
        OptionError: If there are settings without `--everything`, or one makes no sense.
    """
    from anytomy.predict.automatic.settings import AutomaticSettings

    given = {name: value for name, value in numbers.items() if value is not None}
    if wanted:
        return AutomaticSettings(**given)
    if given:
        names = ", ".join(_OPTIONS[name] for name in given)
        raise OptionError(f"{names} is for automatic masks", hint="add --everything, or leave it out")
    return None


def model_for(model_id: str) -> str:
    """The model that finds everything: the chosen one, or what stands in for it, which is said aloud.

    Raises:
        UnsupportedPromptError: If it takes no points and nothing stands in for it.
    """
    from anytomy.zoo.standin import card_for

    found = card_for(model_id, ("points",), "--everything")
    if found.id != model_id and model_id in found.stands_in_for:
        warnings.warn(
            f"{model_id} takes no points, so {found.id} finds everything in its place",
            AnytomyWarning,
            stacklevel=2,
        )
        return found.id
    return model_id


def refuse_others(options: Options) -> None:
    """Refuse what is said of single objects.

    Raises:
        OptionError: Names the options.
    """
    from anytomy.volumes.registry import DEFAULT

    said = {
        "--box": options.boxes,
        "--point": options.points,
        "--negative": options.negatives,
        "--prompts": options.prompts,
        "--prompts-dir": options.prompts_dir,
        "--name": options.names,
        "--z": options.z,
        "--combine": options.combine,
        "--uncertainty": options.uncertainty,
        "--zoom": options.zoom != "off",
        "--volume": options.volume != DEFAULT,
    }
    others = [name for name, value in said.items() if value]
    if others:
        raise OptionError(
            f"--everything asks for no object, but there is {' and '.join(others)}", hint="leave it out"
        )


def check(card: ModelCard, image: Image, options: Options) -> None:
    """Find what is wrong before the model is loaded; see `check_everything`."""
    from anytomy.predict.automatic.everything import check_everything

    check_everything(card, image, **_words(options))


def run(
    model: PromptableModel, image: Image, options: Options, progress: Callable[[int, int], None] | None
) -> Result:
    """Find everything; see `segment_everything`."""
    from anytomy.predict.automatic.everything import segment_everything

    return segment_everything(
        model,
        image,
        options.everything,
        **_words(options),
        largest=options.largest,
        fill_holes=options.fill_holes,
        progress=progress,
    )


def _words(options: Options) -> dict[str, Any]:
    names = {"intensity": "intensity", "axis": "axis", "slice_": "slice", "overlap": "overlap"}
    return {name: getattr(options, option) for name, option in names.items()}
