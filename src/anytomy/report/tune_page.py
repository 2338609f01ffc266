"""A tuning run as one page that needs nothing but itself: `write_tune_page`."""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.evaluation.bench.table import read_rows
from anytomy.evaluation.statistics import LEAST_PAIRS
from anytomy.report.bench_comparing import p_value
from anytomy.report.bench_page import NOT_A_DEVICE
from anytomy.report.bench_text import CENT, NONE, counted, estimate, number
from anytomy.report.draw import save_picture
from anytomy.report.html import Column, Html, details, page, table, tag
from anytomy.report.tune_curves import training_curves
from anytomy.report.tune_pictures import validation_pictures
from anytomy.tuning import record
from anytomy.tuning.config import from_dict
from anytomy.tuning.evaluate import ALL, Change, changes
from anytomy.tuning.plan import duration
from anytomy.tuning.run import AFTER, BEFORE, HISTORY, PICTURES
from anytomy.zoo.disk import megabytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAGE, CURVES, VALIDATION = "report.html", "curves.png", "validation"


def write_tune_page(folder: Path) -> Path:
    """Write the page of a run that is done, the curves and the validation pictures into its folder.

    Raises:
        OptionError: If the folder holds no run, or one that is not done.
        OutputError: If a file cannot be written.
    """
    from anytomy.io.atomic import write_text

    held = _finished(folder)
    history = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    best = held["result"]["best_step"] if held["result"]["best"] is not None else None
    curves = training_curves(history, best)
    save_picture(folder / CURVES, curves)
    pictures = validation_pictures(folder / PICTURES)
    for place, (_, picture) in enumerate(pictures, start=1):
        save_picture(folder / VALIDATION / f"{place}.png", picture)
    rows = [read_rows(folder / name) if (folder / name).is_file() else [] for name in (BEFORE, AFTER)]
    found = changes(*rows, seed=int(held["config"]["seed"]))
    write_text(folder / PAGE, _page(held, found, curves, pictures))
    return folder / PAGE


def _finished(folder: Path) -> dict[str, Any]:
    held = record.read(folder)
    if held is None:
        raise OptionError(f"{folder} is no folder of a tuning run: it has no {record.FILE}")
    if not held.get("finished"):
        raise OptionError(f"the run in {folder} is not done", hint="the same command goes on with it")
    return held


def _page(
    held: dict[str, Any],
    found: list[Change],
    curves: NDArray[np.uint8],
    pictures: list[tuple[str, NDArray[np.uint8]]],
) -> Html:
    config = held["config"]
    title = f"{held['facts']['base']} tuned on {', '.join(config['data'])}"
    parts = [tag("h1", title), tag("p", *_lead(held, found), class_="lead"), *_test(held, found)]
    parts += [
        tag("h2", "Training"),
        tag("figure", _image(curves, "training loss and Dice of the validation by step"), _kept(held)),
    ]
    if pictures:
        figures = [
            tag("figure", _image(picture, f"{name}: label and answer as contours"), tag("figcaption", name))
            for name, picture in pictures
        ]
        about = "From the largest objects to the smallest ones, evenly spread; none was chosen by eye."
        title_of_them = "Validation pictures"
        if held["result"]["best"] is None:
            title_of_them = "Training pictures"
            about += " No patient was kept apart: the model has learned these very pictures."
        parts += [tag("h2", title_of_them), tag("p", about), tag("div", *figures, class_="cases")]
    parts += [tag("h2", "How it was done"), *_method(held)]
    version = held["versions"]["anytomy"]
    text = f"Made by Anytomy {version}, seed {config['seed']}. {NOT_A_DEVICE}"
    return page(title, *parts, tag("footer", tag("p", text, class_="note")))


def _lead(held: dict[str, Any], found: list[Change]) -> list[object]:
    config, group = held["config"], held["cohort"]
    share = 100 * held["trained_parameters"] / held["parameters"]
    text = (
        f"Method {config['method']}, {config['mode']}: {held['trained_parameters']:,} parameters"
        f" ({share:.2g} %) were trained on {counted(len(group['train']), 'case')} of"
        f" {counted(len({tuple(c[::2]) for c in group['train']}), 'patient')} in"
        f" {duration(held['result']['seconds'])}. "
    )
    overall = [c for c in found if c.structure == ALL] or found
    return [text, *(_verdict(change) for change in overall)]


def _verdict(change: Change) -> str:
    """Whether it helped, in a sentence that claims no more than the interval."""
    what = f"{change.dataset}{', ' + change.structure if change.structure else ''}"
    if change.prompts[1] != "none":
        what += f", {change.prompts[1]}"
    after = f"mean Dice of {counted(change.after.patients, 'test patient')} {number(change.after.mean)}"
    if not change.before.patients:
        return f"{what}: {after}; the base cannot be asked so. "
    # Without prompts it is held against tight boxes of the label: less is no harm.
    alone = change.prompts[1] == "none"
    low, high = change.result.difference.low, change.result.difference.high
    if not math.isfinite(low):
        said = "too few patients to say more"
    elif low > 0:
        said = "better than with boxes that somebody drew" if alone else "it helped"
    elif high < 0:
        said = "boxes that somebody drew are better" if alone else "it hurt"
    else:
        said = "no clear change"
    before = "the base with tight boxes" if alone else "before"
    text = f"{what}: {after}, {before} {number(change.before.mean)}"
    return f"{text}, change {estimate(change.result.difference, signed=True)}: {said}. "


def _test(held: dict[str, Any], found: list[Change]) -> list[Html]:
    parts = [tag("h2", "Before and after")]
    if not found:
        return [*parts, tag("p", "Nothing was tested.", class_="notice")]
    semantic = held["config"]["mode"] == "semantic"
    caption = (
        "Dice of patients that training never saw, means of patients with a bootstrap interval of"
        f" {CENT} over patients. The change is by patient; p by the Wilcoxon signed-rank test on patients,"
        f" of {LEAST_PAIRS} or more, adjusted over the structures by Holm."
    )
    if semantic:
        caption += (
            " After: classes from the image alone, no prompt. Before: the plain model cannot do that, so it"
            " was given a tight box around each object, in a volume on each slice, which the label tells."
        )
    columns = [
        Column("data set"),
        Column("structure"),
        Column("prompt before"),
        Column("prompt after"),
        *(Column(n, True) for n in ("patients", f"before [{CENT}]", f"after [{CENT}]", f"change [{CENT}]")),
        *(Column(n, True) for n in ("p", "p (Holm)")),
    ]
    return [*parts, table(caption, columns, [_row(change) for change in found], grouped=True)]


def _row(change: Change) -> list[object]:
    few = change.result.difference.patients < LEAST_PAIRS
    adjusted = NONE if few or change.structure == ALL else p_value(change.adjusted)
    return [
        change.dataset,
        change.structure or tag("strong", "mean of structures"),
        change.prompts[0] or NONE,
        change.prompts[1],
        f"{change.after.patients:,}",
        str(estimate(change.before)),
        str(estimate(change.after)),
        str(estimate(change.result.difference, signed=True)),
        "too few patients" if few else p_value(change.result.p),
        adjusted,
    ]


def _kept(held: dict[str, Any]) -> Html:
    result = held["result"]
    text = f"{result['steps']:,} steps in {duration(result['seconds'])}. "
    if result["best"] is None:
        text += "No patient was kept apart, so the last weights (their moving average) were kept."
    else:
        text += (
            f"The weights of step {result['best_step']:,} were kept: their moving average had the best Dice"
            f" of the validation, {number(result['best'])}. It chose the step; it measures no more."
        )
    return tag("figcaption", text)


def _method(held: dict[str, Any]) -> list[Html]:
    plan, group, facts = held["plan"], held["cohort"], held["facts"]
    rows = [
        ("base", f"{facts['base']}, weights {facts['weights_sha256'][:16]}"),
        *((f"division of {name}", where) for name, where in group["splits"].items()),
        ("classes" if held["config"]["mode"] == "semantic" else "structures", ", ".join(group["classes"])),
        ("cases", ", ".join(f"{len(group[part])} {part}" for part in ("train", "validate", "test"))),
        ("device", f"{held['device']}, {held['threads']} threads, {plan['precision']}"),
        ("batch", f"{plan['micro']} at once, {plan['accumulation']} times a step"),
        ("memory planned", megabytes(plan["memory_bytes"])),
        ("variants of each picture", plan["copies"] or "new ones in each step"),
    ]
    body = table("", [Column("what"), Column("value")], rows)
    config = asdict(from_dict(held["config"]))
    settings = table("", [Column("setting"), Column("value")], [(n, _said(v)) for n, v in config.items()])
    packages = table("", [Column("package"), Column("version")], list(held["versions"].items()))
    cases = [
        tag("p", tag("strong", f"{part}: "), ", ".join(f"{c[0]} {c[1]}" for c in group[part]) or "none")
        for part in ("train", "validate", "test")
    ]
    return [
        body,
        details("All settings", settings),
        details("Cases", *cases),
        details("Versions", packages),
    ]


def _said(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(str(v) for v in value) or NONE
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:g}" for k, v in value.items()) or NONE
    return NONE if value is None else str(value)


def _image(picture: NDArray[np.uint8], described: str) -> Html:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    return tag("img", src=source, alt=described, width=picture.shape[1], height=picture.shape[0])
