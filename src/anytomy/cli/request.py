"""What was asked of `anytomy segment`: its options, and the prompts in them or in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import PromptError
from anytomy.core.prompt import Prompt

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.io.prompts import PromptFile
    from anytomy.predict.automatic.settings import AutomaticSettings
    from anytomy.zoo.card import ModelCard


@dataclass(frozen=True)
class Options:
    """What was asked on the command line, apart from inputs and outputs."""

    boxes: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    slice: int | None = None
    z: str | None = None
    names: tuple[str, ...] = ()
    prompts: Path | None = None
    prompts_dir: Path | None = None
    model: str = "litemedsam"
    axis: str = "z"
    series: str | None = None
    time: int | None = None
    channel: int | None = None
    intensity: str = "auto"
    zoom: str = "off"
    volume: str = "auto"
    overlap: str = "higher-logit"
    largest: bool = False
    fill_holes: bool = False
    fit_box: bool = False
    combine: tuple[str, ...] = ()
    measure: bool = False
    uncertainty: bool = False
    engine: str = "auto"
    device: str = "auto"
    threads: int | None = None
    precision: str = "f32"
    cache_embeddings: bool = False
    everything: AutomaticSettings | None = None


def check_options(options: Options, card: ModelCard) -> None:
    """Find everything that is wrong with the options alone, before a file is opened.

    Raises:
        OptionError: If an option has no such value.
        PromptError: If there is no prompt, or it stands in two places, or is malformed.
        UnsupportedPromptError: If the model never learned such prompts.
    """
    from anytomy.core.combination import Combination
    from anytomy.core.intensity import IntensityPolicy
    from anytomy.core.view import axis_number
    from anytomy.engine.model import check_prompt_kinds, check_runtime
    from anytomy.predict.canvas import check_overlap
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.registry import strategy

    axis_number(options.axis)
    strategy(options.volume, uncertainty=options.uncertainty)
    if options.everything is None:
        check_overlap(options.overlap)
    Zoom.parse(options.zoom)
    for text in options.combine:
        Combination.parse(text)
    if options.intensity.strip().lower() != "auto":
        IntensityPolicy.parse(options.intensity)
    check_runtime(
        engine=options.engine, device=options.device, threads=options.threads, precision=options.precision
    )
    if options.everything is not None:
        from anytomy.cli import everything

        everything.refuse_others(options)
        return
    typed = bool(options.boxes or options.points or options.negatives)
    in_files = [name for name in ("prompts", "prompts_dir") if getattr(options, name) is not None]
    if len(in_files) == 2:
        raise PromptError("there are --prompts and --prompts-dir", hint="give one of them")
    if in_files and (typed or options.names or options.slice is not None or options.z is not None):
        raise PromptError("there is a prompt file and prompts on the command line", hint="give one of them")
    if card.classes:
        if typed or in_files or options.names:
            check_prompt_kinds(card, ("box",), "a prompt")
        return
    if not in_files and not typed:
        raise PromptError("there is no prompt", hint="give --box, --point or --prompts FILE")
    if options.prompts_dir is not None and not options.prompts_dir.is_dir():
        raise PromptError(f"there is no folder {options.prompts_dir}, expected one with prompt files")
    for prompt in _typed_prompts(options) if typed else ():
        check_prompt_kinds(card, prompt.kinds, prompt.label)


def prompt_file(path: Path, options: Options) -> Path | None:
    """The prompt file of an input; None where prompts are on the command line.

    Raises:
        PromptError: If the folder of prompt files has none for it.
    """
    if options.prompts_dir is None:
        return options.prompts
    from anytomy.io.prompts import prompts_for

    return prompts_for(path, options.prompts_dir)


def prompts_of(image: Image, path: Path, options: Options) -> PromptFile:
    """The prompts for an image, from its file or from the command line; combinations from both.

    Raises:
        PromptError: If there is no file, or a prompt is malformed.
    """
    from anytomy.core.combination import Combination
    from anytomy.io.prompts import PromptFile, read_prompt_file

    if options.everything is not None:
        return PromptFile([], [])
    typed = [Combination.parse(text) for text in options.combine]
    file = prompt_file(path, options)
    if file is None and not (options.boxes or options.points or options.negatives):
        return PromptFile([], typed)  # for a model that takes none; others were refused by `check_options`
    if file is None:
        return PromptFile(_typed_prompts(options), typed)
    asked = read_prompt_file(file, is_volume=image.is_volume)
    return PromptFile(asked.prompts, [*asked.combine, *typed])


def _typed_prompts(options: Options) -> list[Prompt]:
    boxes = [_typed_box(text) for text in options.boxes]
    points = [numbers(text, "--point", (2, 3)) for text in options.points]
    negatives = [numbers(text, "--negative", (2, 3)) for text in options.negatives]
    if len(boxes) > 1 and (points or negatives):
        raise PromptError(
            "there are several boxes, and points that could belong to any of them",
            hint="use a prompt file (--prompts)",
        )
    count = max(len(boxes), 1)
    if len(options.names) > count:
        raise PromptError(
            f"there are {len(options.names)} names for {count} {'object' if count == 1 else 'objects'}"
        )
    depth = None if options.z is None else numbers(options.z, "--z", (2,))
    return [
        Prompt(
            **box,
            points=(*points, *negatives),
            labels=(1,) * len(points) + (0,) * len(negatives),
            slice=options.slice,
            z=depth,  # type: ignore[arg-type]  # Prompt checks that they are whole
            name=options.names[i] if i < len(options.names) else None,
        )
        for i, box in enumerate(boxes or [{}])
    ]


def _typed_box(text: str) -> dict[str, Any]:
    """`X0,Y0,X1,Y1`, a 3D box, or boxes on key slices, `X0,Y0,X1,Y1@SLICE;...`, as `Prompt` has them."""
    if "@" not in text:
        return {"box": numbers(text, "--box", (4, 6))}
    boxes: dict[int, tuple[float, ...]] = {}
    for part in text.split(";"):
        box, _, at = part.partition("@")
        if not at.strip().isdigit():
            raise PromptError(
                f"--box {text}: expected a slice behind @, got {at.strip()!r}", hint="write X0,Y0,X1,Y1@SLICE"
            )
        if boxes.setdefault(int(at), numbers(box, "--box", (4,))) != numbers(box, "--box", (4,)):
            raise PromptError(f"--box {text}: slice {int(at)} has two boxes that differ")
    return {"boxes": boxes}


def numbers(text: str, option: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    """Numbers separated by commas.

    Raises:
        PromptError: If one is no number or there are too few or too many.
    """
    expected = " or ".join(str(c) for c in counts)
    values: list[float] = []
    for part in text.split(","):
        try:
            values.append(float(part))
        except ValueError:
            raise PromptError(
                f"{option} {text}: {part.strip()!r} is not a number",
                hint=f"give {expected} numbers separated by commas",
            ) from None
    if len(values) not in counts:
        raise PromptError(
            f"{option} {text}: expected {expected} numbers separated by commas, got {len(values)}"
        )
    return tuple(values)
