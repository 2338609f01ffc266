"""Prompts that somebody drew for unlabelled cases, in place of the boxes of a student: `prompt_files`.

They are prompt files (`anytomy.io.prompts`), named for images as `segment --prompts-dir` has them, with all
objects of the classes in the image, each named for its class.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.errors import AnytomyWarning, PromptError
from anytomy.core.view import SliceView
from anytomy.distill.pseudo.proposals import from_prompts
from anytomy.engine.model import check_prompt_kinds
from anytomy.io.prompts import prompts_for, read_prompt_file
from anytomy.tuning.prepared import quietly_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.datasets.case import Case
    from anytomy.distill.cohort import DistillCohort
    from anytomy.distill.config import DistillConfig
    from anytomy.tuning.run import Progress
    from anytomy.zoo.card import ModelCard

    Files = Mapping[tuple[str, str], Path]


def prompt_files(config: DistillConfig, group: DistillCohort) -> dict[tuple[str, str], Path]:
    """The prompt file of each unlabelled case that has one, by data set and id.

    Where labels are seen as boxes, also of labelled cases: what was drawn takes the place of those boxes.

    Args:
        config: The folder; nobody drew any where it has none.
        group: The cases.

    Raises:
        PromptError: There is no such folder, no case has a file in it, or two would have the same.
    """
    if config.prompts_dir is None:
        return {}
    folder = Path(config.prompts_dir)
    if not folder.is_dir():
        raise PromptError(f"expected a folder with prompt files, got {folder}")
    found: dict[tuple[str, str], Path] = {}
    owners: dict[Path, Case] = {}
    asked = _asked(config, group)
    for case in asked:
        path = _file_of(case, folder)
        if path is None:
            continue
        if path in owners:
            raise PromptError(
                f"{path} would be that of two images: {owners[path].image.path} and {case.image.path}",
                hint="name prompt files by the whole names of their images, as in scan.nii.gz.json",
            )
        owners[path] = case
        found[case.dataset, case.id] = path
    if not found:
        names = ", ".join(case.image.path.name for case in asked[:3]) or "none"
        raise PromptError(
            f"expected prompts for unlabelled images in {folder}, but there are none",
            hint=f"name them by the images, as in scan.nii.gz.json or scan.json; the first are {names}",
        )
    return found


def read_stored(path: Path, image: Image, classes: Sequence[str], axis: str) -> list[Prompt]:
    """The prompts of an image.

    Args:
        path: Prompt file.
        image: The image.
        classes: What prompts may be named.
        axis: The file's axis that slices run along.

    Raises:
        PromptError: It cannot be read, or a prompt has the name of no class or lies outside of the image;
            names the file.
    """
    asked = read_prompt_file(path, is_volume=image.is_volume)
    if asked.combine:
        raise PromptError(f"{path}: a teacher is asked for objects, not for combinations of them")
    own = axis if image.is_volume else "z"
    try:
        from_prompts(image, asked.prompts, classes, SliceView.canonical(image.geometry, own), own)
    except PromptError as error:
        raise PromptError(f"{path}: {error.message}", hint=error.hint) from None
    return asked.prompts


def check_stored(
    files: Files,
    config: DistillConfig,
    group: DistillCohort,
    teacher: ModelCard,
    *,
    progress: Progress | None,
) -> None:
    """Read all prompts before anything starts; files of no image are said.

    Args:
        files: See `prompt_files`.
        config: Folder, and axis of slices.
        group: The cases.
        teacher: Is asked by the prompts.
        progress: Told how far it is.

    Raises:
        PromptError: As `read_stored`.
        UnsupportedPromptError: The teacher never learned such a prompt; names the file.
    """
    if config.prompts_dir is None:
        return
    folder = Path(config.prompts_dir)
    everybody = (*group.labelled, *group.validate, *group.unlabelled, *group.test)
    known = {_file_of(case, folder) for case in everybody}
    strange = [path.name for path in sorted(folder.glob("*.json")) if path not in known]
    if strange:
        named = ", ".join(strange[:3]) + (" ..." if len(strange) > 3 else "")
        message = f"{len(strange)} files in {folder} are of no image here and are left out: {named}"
        warnings.warn(message, AnytomyWarning, stacklevel=2)
    cases = [case for case in _asked(config, group) if (case.dataset, case.id) in files]
    for number, case in enumerate(cases, start=1):
        path = files[case.dataset, case.id]
        for prompt in read_stored(path, quietly_read(case), group.classes, config.axis):
            check_prompt_kinds(teacher, prompt.kinds, f"{path}: {prompt.label}")
        if progress is not None:
            progress("reading prompts", number, len(cases), f"{case.dataset} {case.id}")


def fingerprint(files: Files) -> str:
    """A hash of all prompts."""
    whole = hashlib.sha256()
    for key, path in sorted(files.items()):
        whole.update(repr((key, hashlib.sha256(path.read_bytes()).hexdigest())).encode())
    return whole.hexdigest()


def _asked(config: DistillConfig, group: DistillCohort) -> tuple[Case, ...]:
    return (*group.labelled, *group.unlabelled) if config.boxes else group.unlabelled


def _file_of(case: Case, folder: Path) -> Path | None:
    try:
        return prompts_for(case.image.path, folder)
    except PromptError:
        return None
