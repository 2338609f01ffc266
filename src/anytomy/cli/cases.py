"""The cases of one `anytomy segment` run: which files, which prompts, what was done."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.cli.output import print_line
from anytomy.core.errors import AnytomyError, OptionError, OutputError, PromptError
from anytomy.core.prompt import Prompt

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.predict.model import Model


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
    overlap: str = "higher-logit"
    largest: bool = False
    fill_holes: bool = False
    engine: str = "auto"
    device: str = "auto"
    threads: int | None = None
    precision: str = "f32"
    cache_embeddings: bool = False


@dataclass
class Case:
    """One input and what became of it.

    Attributes:
        input: File or DICOM folder.
        output: Result.
        preview: Picture, if wanted.
        manifest: What stands beside the result, once done.
        error: Why it failed.
        skipped: Whether an earlier run had done it.
    """

    input: Path
    output: Path
    preview: Path | None = None
    manifest: dict[str, Any] | None = None
    error: str | None = None
    skipped: bool = False

    @property
    def manifest_path(self) -> Path:
        """`OUT.nii.gz.json` beside `OUT.nii.gz`."""
        return self.output.with_name(self.output.name + ".json")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.error:
            return {"input": str(self.input), "error": self.error}
        return {**(self.manifest or {}), "skipped": self.skipped, "manifest": str(self.manifest_path)}


def expand(inputs: Sequence[str], output: Path | None, options: Options) -> tuple[bool, list[Path]]:
    """Whether this is a run of many cases, and their paths in order, patterns expanded.

    Raises:
        OptionError: If a pattern matches nothing or there is no output.
    """
    paths: list[Path] = []
    for text in inputs:
        if not Path(text).exists() and any(c in text for c in "*?["):
            matches = sorted(glob.glob(os.path.expanduser(text), recursive=True))
            if not matches:
                raise OptionError(f"no file matches {text!r}")
            paths += [Path(m) for m in matches]
        else:
            paths.append(Path(text))
    paths = list(dict.fromkeys(paths))
    if output is None:
        raise OptionError("there is no output", hint="say where to write with -o, mask.nii.gz say")
    pattern = [str(p) for p in paths] != list(inputs)
    many = len(paths) > 1 or pattern or options.prompts_dir is not None or str(output).endswith(os.sep)
    return many or output.is_dir(), paths


def plan(
    paths: Sequence[Path], output: Path | None, preview: Path | None, ending: str | None, *, many: bool
) -> list[Case]:
    """The cases with their outputs; nothing is written yet.

    Raises:
        OutputError: If two inputs would have the same output.
        OptionError: If `--format` was given for a single input.
    """
    from anytomy.io.detect import stem

    assert output is not None
    if not many:
        if ending is not None:
            raise OptionError("--format is for many inputs", hint="give -o the ending that you want")
        return [Case(paths[0], output, preview)]
    cases: list[Case] = []
    for path in paths:
        name = stem(path) if not path.is_dir() else path.resolve().name
        picture = None if preview is None else preview / f"{name}.png"
        cases.append(Case(path, output / (name + (ending or _ending_for(path))), picture))
    seen: dict[Path, Path] = {}
    for case in cases:
        if case.output in seen:
            raise OutputError(
                f"{seen[case.output]} and {case.input} would both be written to {case.output}",
                hint="rename one, or run them with different -o",
            )
        seen[case.output] = case.input
    return cases


def _ending_for(path: Path) -> str:
    """The input's own format where masks can be written in it; NIfTI for DICOM, PNG for pictures."""
    from anytomy.io.detect import ending
    from anytomy.io.write import endings

    if path.is_dir():
        return ".nii.gz"
    if ending(path) in endings():
        return ending(path)
    return ".png" if ending(path) in (".jpg", ".jpeg", ".bmp", ".gif") else ".nii.gz"


def run_cases(cases: Sequence[Case], options: Options, *, redo: bool, many: bool) -> list[Case]:
    """Segment all cases; with many, one that fails is reported and the rest goes on.

    Raises:
        AnytomyError: What a single case fails with, and what concerns all (an unknown model).
    """
    from anytomy.cli.work import segment_case
    from anytomy.zoo.registry import card

    card(options.model)
    model: Model | None = None
    with _bar(len(cases), shown=many) as step:
        for number, case in enumerate(cases, start=1):
            step(number, str(case.input))
            try:
                mark = fingerprint(case.input, options)
                if many and not redo and _is_done(case, mark):
                    case.skipped = True
                    continue
                model = segment_case(case, options, model, mark=mark, quiet=many)
            except AnytomyError as error:
                if not many:
                    raise
                case.error = str(error)
                print_line(f"failed: {case.input}: {error}")
    return list(cases)


def fingerprint(path: Path, options: Options) -> str:
    """Hash of what decides a result: the input's files (size, time), prompts, options, version."""
    from anytomy import __version__

    parts: list[Any] = [__version__, json.dumps(asdict(options), default=str, sort_keys=True)]
    watched = [path]
    if path.is_dir():
        watched += sorted(p for p in path.rglob("*") if p.is_file())
    for file in (*watched, prompt_file(path, options)):
        if file is not None and file.exists():
            status = file.stat()
            parts.append((str(file), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is_done(case: Case, mark: str) -> bool:
    try:
        manifest = json.loads(case.manifest_path.read_text())
        done = manifest["fingerprint"] == mark and all(Path(p).exists() for p in manifest["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if done:
        case.manifest = manifest
    return bool(done)


def prompt_file(path: Path, options: Options) -> Path | None:
    """The prompt file of an input, if it has one."""
    if options.prompts_dir is None:
        return options.prompts
    from anytomy.io.prompts import prompts_for

    return prompts_for(path, options.prompts_dir)


def prompts_of(image: Image, path: Path, options: Options) -> list[Prompt]:
    """The prompts for an image, from files or from the command line.

    Raises:
        PromptError: If there is none, or both, or one is malformed.
    """
    typed = bool(options.boxes or options.points or options.negatives)
    file = prompt_file(path, options)
    if file is not None:
        if typed or options.names or options.slice is not None or options.z is not None:
            raise PromptError(
                "there is a prompt file and prompts on the command line", hint="give one of them"
            )
        from anytomy.io.prompts import read_prompts

        return read_prompts(file, is_volume=image.is_volume)
    if not typed:
        raise PromptError("there is no prompt", hint="give --box, --point or --prompts FILE")
    return _typed_prompts(options)


def _typed_prompts(options: Options) -> list[Prompt]:
    boxes: list[tuple[float, ...] | None] = [numbers(text, "--box", (4, 6)) for text in options.boxes]
    points = [numbers(text, "--point", (2, 3)) for text in options.points]
    negatives = [numbers(text, "--negative", (2, 3)) for text in options.negatives]
    if len(boxes) > 1 and (points or negatives):
        raise PromptError(
            "there are several boxes, and points that could belong to any of them",
            hint="use a prompt file (--prompts)",
        )
    if len(options.names) > max(len(boxes), 1):
        raise PromptError(f"there are {len(options.names)} names for {max(len(boxes), 1)} objects")
    depth = None if options.z is None else numbers(options.z, "--z", (2,))
    return [
        Prompt(
            box=box,
            points=(*points, *negatives),
            labels=(1,) * len(points) + (0,) * len(negatives),
            slice=options.slice,
            z=depth,  # type: ignore[arg-type]  # Prompt checks that they are whole
            name=options.names[i] if i < len(options.names) else None,
        )
        for i, box in enumerate(boxes or [None])
    ]


def numbers(text: str, option: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    """Numbers separated by commas.

    Raises:
        PromptError: If one is no number or there are too few or too many.
    """
    expected = " or ".join(str(c) for c in counts)
    parts = text.replace(" ", "").split(",")
    values: list[float] = []
    for part in parts:
        try:
            values.append(float(part))
        except ValueError:
            raise PromptError(f"{option} {text}: {part!r} is not a number") from None
    if len(values) not in counts:
        raise PromptError(
            f"{option} {text}: expected {expected} numbers separated by commas, got {len(values)}"
        )
    return tuple(values)


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Any]:
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda number, text: None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("cases", total=total)
        yield lambda number, text: progress.update(task, completed=number - 1, description=Path(text).name)
