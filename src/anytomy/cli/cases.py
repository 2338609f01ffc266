"""The cases of one `anytomy segment` run: which files, where to, what was done."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.cli.output import describe, print_line, print_traceback
from anytomy.cli.request import Options, check_options, prompt_file
from anytomy.cli.safety import check_targets, sources
from anytomy.core.errors import (
    FetchError,
    ModelError,
    OptionError,
    OutputError,
    PromptError,
    StoppedError,
)

if TYPE_CHECKING:
    from anytomy.predict.model import Model

# What is wrong with one case is wrong with all of them; and an interrupt is meant for all.
_FOR_ALL = (ModelError, FetchError, StoppedError)


@dataclass(frozen=True)
class Places:
    """Where results go: files, or folders where there are many.

    Attributes:
        output: Masks.
        preview: Pictures, if wanted.
        uncertainty: Maps of it, if wanted.
    """

    output: Path
    preview: Path | None = None
    uncertainty: Path | None = None


@dataclass
class Case:
    """One input and what became of it.

    Attributes:
        input: File or DICOM folder.
        output: Result.
        preview: Picture, if wanted.
        uncertainty: Map of it, if wanted.
        manifest: What stands beside the result, once done.
        error: Why it failed.
        skipped: Whether an earlier run had done it.
    """

    input: Path
    output: Path
    preview: Path | None = None
    uncertainty: Path | None = None
    manifest: dict[str, Any] | None = None
    error: str | None = None
    skipped: bool = False

    @property
    def manifest_path(self) -> Path:
        """`OUT.nii.gz.json` beside `OUT.nii.gz`."""
        return self.output.with_name(self.output.name + ".json")

    @property
    def partial(self) -> Path:
        """`OUT.partial.nii.gz`: where the masks go if somebody interrupts."""
        from anytomy.io.detect import ending, stem

        return self.output.with_name(f"{stem(self.output)}.partial{ending(self.output)}")

    @property
    def targets(self) -> list[tuple[str, Path]]:
        """All that will or may be written, and what it is."""
        found = [(f"the masks of {self.input}", self.output)]
        if self.output.suffix.lower() == ".mhd":
            found.append((f"the voxels of {self.input}", self.output.with_suffix(".zraw")))
        if self.preview is not None:
            found.append((f"the preview of {self.input}", self.preview))
        if self.uncertainty is not None:
            found.append((f"the uncertainty of {self.input}", self.uncertainty))
        found.append((f"the unfinished masks of {self.input}", self.partial))
        return [*found, (f"the manifest of {self.input}", self.manifest_path)]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.error:
            return {"ok": False, "input": str(self.input), "error": self.error}
        done = {"ok": True, "skipped": self.skipped, "manifest": str(self.manifest_path)}
        return {**(self.manifest or {}), **done}


def expand(inputs: Sequence[str], output: str | None, options: Options) -> tuple[bool, list[Path]]:
    """Whether this is a run of many cases, and their paths in order, patterns expanded.

    Raises:
        OptionError: If a pattern matches nothing, or there is no input or output.
    """
    from anytomy.io.detect import ending
    from anytomy.io.write import endings

    if not output:
        raise OptionError("there is no output", hint="say where to write with -o, mask.nii.gz say")
    paths: list[Path] = []
    pattern = False
    for text in inputs:
        if not text:
            raise OptionError("expected a file or folder as input, got an empty name")
        if not os.path.exists(text) and any(c in text for c in "*?["):
            matches = sorted(glob.glob(os.path.expanduser(text), recursive=True))
            if not matches:
                raise OptionError(f"no file matches {text!r}")
            paths += [Path(m) for m in matches]
            pattern = True
        else:
            paths.append(Path(text))
    paths = list(dict.fromkeys(paths))
    folder = output.endswith(("/", os.sep)) or os.path.isdir(output)
    if options.prompts_dir is not None and ending(Path(output)) not in endings():
        folder = True  # that is yet to be made
    return len(paths) > 1 or pattern or folder, paths


def plan(
    paths: Sequence[Path],
    places: Places,
    ending: str | None,
    options: Options,
    *,
    many: bool,
    table: Path | None = None,
) -> list[Case]:
    """The cases with their outputs; nothing is written yet.

    Args:
        paths: Inputs.
        places: Where results go.
        ending: Of outputs, where there are many.
        options: What was asked.
        many: Whether there are many.
        table: Where measures of all of them go.

    Raises:
        OutputError: If two files would have the same name, or one that is read would be written over.
        OptionError: If `--format` was given for a single input, or is none that masks can have.
    """
    from anytomy.io.table import table_paths

    cases = _many(paths, places, ending) if many else _single(paths[0], places, ending)
    kept: list[Path] = []
    for case in cases:
        prompts = None
        with suppress(PromptError, OSError):  # told when its turn comes
            prompts = prompt_file(case.input, options)
        kept += sources(case.input, prompts)
        folder = options.prompts_dir
        if folder is not None and _same(case.manifest_path, folder / f"{case.input.name}.json"):
            raise OutputError(
                f"cannot write {case.manifest_path}: the next run would take it for prompts of {case.input}",
                hint="choose another folder for -o than that of the prompts",
            )
    tables = [] if table is None else [("the table of measures", each) for each in table_paths(table)]
    check_targets([*(target for case in cases for target in case.targets), *tables], kept)
    return cases


def _single(path: Path, places: Places, ending: str | None) -> list[Case]:
    if ending is not None:
        raise OptionError("--format is for many inputs", hint="give -o the ending that you want")
    return [Case(path, places.output, places.preview, places.uncertainty)]


def _many(paths: Sequence[Path], places: Places, ending: str | None) -> list[Case]:
    from anytomy.io.detect import ending as ending_of
    from anytomy.io.detect import stem
    from anytomy.io.maps import map_endings
    from anytomy.io.write import endings

    if ending is not None:
        ending = "." + ending.lower().removeprefix(".")
        if ending not in endings():
            raise OptionError(f"expected a --format of {', '.join(endings())}, got {ending!r}")
    for what, folder, files in (
        ("-o", places.output, endings()),
        ("--preview", places.preview, (".png", ".jpg", ".jpeg")),
        ("--uncertainty", places.uncertainty, map_endings()),
    ):
        if folder is not None and not folder.is_dir() and (folder.exists() or ending_of(folder) in files):
            raise OutputError(
                f"expected a folder for {what} where there are many inputs, got {folder}",
                hint="give the name of a folder; it is created",
            )
    cases: list[Case] = []
    for path in paths:
        name = stem(path) if not os.path.isdir(path) else path.resolve().name
        kind = ending or _ending_for(path)
        picture = None if places.preview is None else places.preview / f"{name}.png"
        doubts = None
        if places.uncertainty is not None:
            doubts = places.uncertainty / (name + (kind if kind in map_endings() else ".nii.gz"))
        cases.append(Case(path, places.output / (name + kind), picture, doubts))
    return cases


def _ending_for(path: Path) -> str:
    """The input's own format where masks can be written in it; NIfTI for DICOM, PNG for pictures."""
    from anytomy.io.detect import ending
    from anytomy.io.write import endings

    if os.path.isdir(path):
        return ".nii.gz"
    if ending(path) in endings() and not path.name.lower().endswith(".dcm"):
        return ending(path)
    return ".png" if ending(path) in (".jpg", ".jpeg", ".bmp", ".gif") else ".nii.gz"


def _same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def run_cases(cases: Sequence[Case], options: Options, *, redo: bool, many: bool) -> list[Case]:
    """Segment all cases; with many, one that fails is reported and the rest goes on.

    Raises:
        AnytomyError: What a single case fails with, and what concerns all (a model that cannot be had).
    """
    from anytomy.cli.work import segment_case
    from anytomy.zoo.registry import card

    check_options(options, card(options.model))
    model: Model | None = None
    with _bar(len(cases), shown=many) as step:
        for number, case in enumerate(cases, start=1):
            step(number, str(case.input))
            try:
                mark = fingerprint(case.input, options)
                if many and not redo and _is_done(case, mark, measured=options.measure):
                    case.skipped = True
                    continue
                model = segment_case(case, options, model, mark=mark, quiet=many)
            except _FOR_ALL:
                raise
            except Exception as error:
                if not many:
                    raise
                print_traceback(error)
                message, hint = describe(error)
                case.error = message + (f"; {hint}" if hint else "")
                named = str(case.input) in case.error
                print_line(f"failed: {case.error}" if named else f"failed: {case.input}: {case.error}")
    return list(cases)


def fingerprint(path: Path, options: Options) -> str:
    """Hash of what decides a result: the files read (size, time), options, weights, version."""
    from anytomy import __version__
    from anytomy.zoo.registry import card

    # Measures are made of a result and change nothing in it.
    asked = json.dumps({**asdict(options), "measure": None}, default=str, sort_keys=True)
    found = card(options.model)
    parts: list[Any] = [__version__, found.weights_sha256(found.weights.sha256), asked]
    for file in sources(path, prompt_file(path, options)):
        if os.path.isfile(file):
            status = file.stat()
            parts.append((str(file), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is_done(case: Case, mark: str, *, measured: bool) -> bool:
    """Whether an earlier run did the very same and its files are still there, measures too where wanted.

    A file that is newer than the manifest comes from a later run that was cut off before it was done.
    """
    try:
        manifest = json.loads(case.manifest_path.read_text(encoding="utf-8"))
        written = case.manifest_path.stat().st_mtime_ns
        files = [case.output.with_name(Path(p).name) for p in manifest["outputs"]]
        files += [path for path in (case.preview, case.uncertainty) if path is not None]
        done = manifest["fingerprint"] == mark and all(f.stat().st_mtime_ns <= written for f in files)
        done = done and (not measured or "measures" in manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if done:
        case.manifest = manifest
    return bool(done)


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Any]:
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda number, text: None
        return
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("cases", total=total)
        yield lambda number, text: progress.update(
            task, completed=number - 1, description=escape(Path(text).name)
        )
