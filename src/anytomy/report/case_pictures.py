"""Objects of a benchmark as pictures: `case_pictures`.

Images and truth are read again from the data sets, one case at a time. A picture is only shown if the Dice
of what is drawn is the one in the table: labels may have changed since.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError
from anytomy.evaluation.bench.objects import MEASURED, objects_in, united
from anytomy.evaluation.bench.table import KEYS, part_path, read_rows, unpacked
from anytomy.report.case_drawing import Flat, LeftOutError, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.datasets.case import Case
    from anytomy.report.bench_results import BenchResults
    from anytomy.report.case_choice import Chosen, Group

    Row = Mapping[str, Any]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CasePicture:
    """One object drawn.

    Attributes:
        jpeg: The file's bytes.
        slice: Its slice in the file where it is one of a volume.
    """

    jpeg: bytes
    slice: int | None

    @property
    def source(self) -> str:
        """As the address of an image in a page that holds it."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


def case_pictures(
    results: BenchResults,
    groups: Sequence[Group],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[Chosen, CasePicture | str]:
    """Draw objects.

    Args:
        results: The run.
        groups: What to draw.
        progress: Called with pictures done, pictures in all and the case's name.

    Returns:
        For each object its picture, or why there is none.
    """
    by_case: defaultdict[tuple[str, str], list[Chosen]] = defaultdict(list)
    for group in groups:
        for each in group.chosen:
            by_case[each.row["dataset"], each.row["case"]].append(each)
    out: dict[Chosen, CasePicture | str] = {}
    cases: dict[str, Mapping[str, Case] | None] = {}
    total = sum(len(chosen) for chosen in by_case.values())
    for (dataset, name), chosen in by_case.items():
        if dataset not in cases:
            cases[dataset] = cases_of(dataset)
        for each, picture in _of_case(results, cases[dataset], name, chosen):
            out[each] = picture
            if progress is not None:
                progress(len(out), total, f"{dataset} {name}")
    return out


def cases_of(dataset: str) -> Mapping[str, Case] | None:
    """The cases of a data set by id; None if it is not on this machine."""
    from anytomy.datasets.dataset import open_dataset

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {case.id: case for case in open_dataset(dataset)}
    except AnytomyError:
        return None


def case_of(cases: Mapping[str, Case] | None, name: str) -> Case:
    """A case of a data set.

    Raises:
        LeftOutError: If it is not on this machine.
    """
    if cases is None:
        raise LeftOutError("the data set is not on this machine")
    if name not in cases:
        raise LeftOutError("the data set on this machine has no such case")
    return cases[name]


def _of_case(
    results: BenchResults, cases: Mapping[str, Case] | None, name: str, chosen: Sequence[Chosen]
) -> list[tuple[Chosen, CasePicture | str]]:
    try:
        case = case_of(cases, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image, labels = case.load()
    except LeftOutError as left:
        return [(each, str(left)) for each in chosen]
    except (AnytomyError, MemoryError):
        return [(each, "image or label cannot be read on this machine") for each in chosen]
    out: list[tuple[Chosen, CasePicture | str]] = []
    for each in chosen:
        try:
            out.append((each, _picture(results, each.row, image, labels)))
        except LeftOutError as left:
            out.append((each, str(left)))
        except (AnytomyError, MemoryError):
            out.append((each, "it cannot be drawn on this machine"))
    return out


def _picture(
    results: BenchResults, row: Row, image: Image, labels: Mapping[str, NDArray[Any]]
) -> CasePicture:
    from anytomy.core.intensity import IntensityPolicy
    from anytomy.io.prompts import prompts_from_dict

    found = _found(results.folder, row)
    truth = _truth(results, row, image, labels)
    grey = IntensityPolicy.parse(row["intensity"]).fit(image)
    prompts: list[Prompt] = []
    if row["prompts"] and json.loads(row["prompts"]):
        entries = {"objects": json.loads(row["prompts"])}
        prompts = prompts_from_dict(entries, is_volume=image.is_volume)
    if image.is_volume:
        axis = results.config["axis"]
        shown = Flat.of_volume(image, found, truth, prompts, axis=axis, judged=row["slice"])
    else:
        shown = Flat.of_picture(image, found, truth, prompts)
    if abs(shown.dice - row["dice"]) > 1e-6:
        raise LeftOutError("the label on this machine is another one than that of the run")
    return CasePicture(drawn(shown, grey.apply), shown.slice)


def _found(folder: Path, row: Row) -> Mask:
    path = part_path(folder, row["dataset"], row["case"], row["model"])
    if not path.is_file():
        raise LeftOutError("the run folder has no masks")
    for part in read_rows(path):
        if all(part[key] == row[key] for key in KEYS):
            if part.get("mask") is None:
                raise LeftOutError("the run was made without keeping masks")
            return unpacked(part["mask"])
    raise LeftOutError("the run folder has no masks")


def _truth(results: BenchResults, row: Row, image: Image, labels: Mapping[str, NDArray[Any]]) -> Mask:
    config = results.config
    mine = {name: label for name, label in labels.items() if name == row["structure"]}
    objects = objects_in(mine, image, axis=config["axis"], least=config["least"], most=config["most"])
    if row["level"] != "object":
        objects = united(objects, image, config["axis"])
    for each in objects:
        if each.name == row["object"] and each.status == MEASURED and each.mask is not None:
            return each.mask
    raise LeftOutError("the label on this machine has no such object")
