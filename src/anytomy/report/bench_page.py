"""A benchmark as one page that needs nothing but itself: `bench_page`, `write_bench_page`."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from anytomy.evaluation.bench.curves import Curve, curves
from anytomy.evaluation.bench.summary import WEAK, Setting, robustness
from anytomy.report import bench_method, bench_tables
from anytomy.report.bench_comparing import comparison_sections
from anytomy.report.bench_results import BenchResults, Extent
from anytomy.report.bench_text import about_table, counted, main_table_rows, number
from anytomy.report.case_choice import Chosen, chosen_objects
from anytomy.report.case_pictures import CasePicture, case_pictures
from anytomy.report.html import Html, details, joined, page, tag
from anytomy.report.plots import MOST_DOTS, Series, Strip, curves_plot, distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

NOT_A_DEVICE = "For research, not a medical device."
# A figure of more rows would not fit on a printed page.
_MOST_STRIPS = 30


def bench_page(
    folder: Path, *, pictures: int = 3, progress: Callable[[int, int, str], None] | None = None
) -> str:
    """A run of the benchmark as an HTML page without anything that would have to be fetched.

    Args:
        folder: The run folder, finished or not.
        pictures: How many objects of each group are shown, evenly from best to worst; 0 for none.
        progress: Called with pictures done, pictures in all and a case's name.

    Raises:
        OptionError: If it is no run folder, or a file in it cannot be read.
    """
    results = BenchResults.read(folder)
    sections = list(_sections(results, pictures, progress))
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in sections]
    title = f"Benchmark of {_and(results.titles[name] for name in results.config['models'])}"
    return page(
        title,
        tag("header", tag("h1", title), *_lead(results)),
        tag("nav", tag("ul", *links), aria_label="Contents"),
        *(tag("section", tag("h2", head), *parts, id=name) for name, head, parts in sections),
        _footer(results),
    )


def write_bench_page(
    folder: Path,
    path: Path,
    *,
    pictures: int = 3,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write `bench_page` into a file, whole or not at all.

    Raises:
        OptionError: As `bench_page`.
        OutputError: If it cannot be written; found out before any work is done.
    """
    from anytomy.io.atomic import check_place, write_text

    check_place(path)
    write_text(path, bench_page(folder, pictures=pictures, progress=progress))


def _sections(
    results: BenchResults, pictures: int, progress: Callable[[int, int, str], None] | None
) -> Iterable[tuple[str, str, list[Html]]]:
    """Name, heading and content of each section that has something to say."""
    if results.measured:
        yield "overview", "Overview", [bench_tables.overview_table(results)]
        yield "weak", f"Weak structures: mean Dice under {WEAK:.2f}", _weak(results)
        yield "results", "Results by structure", _results(results)
    if results.measured and results.has_dice:
        yield "distributions", "Distributions", _distributions(results)
        if pictures:
            yield "cases", "Best, median and worst cases", _cases(results, pictures, progress)
        yield "robustness", "Robustness to box shift", _robustness(results)
    found = curves(results.rows, seed=results.seed)
    if found:
        yield "interactive", "Interactive use", _interactive(results, found)
    instances = bench_tables.instance_table(results)
    if instances is not None:
        yield "instances", "Objects told apart", [instances]
    compared = comparison_sections(results)
    if compared:
        yield "comparisons", "Comparisons of settings", compared
    yield "exposure", "Was it in the training data?", [bench_tables.exposure_table(results)]
    yield "left-out", "What was not measured", bench_method.left_out(results)
    yield "method", "How it was measured", bench_method.method(results)


def _lead(results: BenchResults) -> list[Html]:
    """One paragraph: what was done, how much of it, and the outcome in a sentence."""
    config = results.config
    models = _and(f"{results.titles[name]} ({name})" for name in config["models"])
    extent = Extent.of(results.measured)
    parts: list[object] = [
        f"{models} {'was' if len(config['models']) == 1 else 'were'} prompted with ",
        joined((tag("code", name) for name in config["prompts"]), ", "),
        f" for {counted(extent.objects, 'object')} of {counted(extent.patients, 'patient')} in"
        f" {counted(extent.images, 'image')} of {counted(len(results.datasets), 'data set')}. ",
    ]
    if results.settings:
        parts.append(f"Judged: {bench_tables.judged(s.scope for s in results.settings)}. ")
    if results.has_dice and results.measured:
        weak = {(cell.dataset, cell.structure) for cell in results.weak()}
        all_ = {
            (cell.dataset, cell.structure)
            for cell in results.cells()
            if results.is_main(cell.dataset, cell.setting)
        }
        parts.append(
            f"With the first prompt{', by one model at least' if len(config['models']) > 1 else ''},"
            f" {len(weak)} of {counted(len(all_), 'structure')} are weak: a mean Dice under {WEAK:.2f}. "
        )
    started = str(results.record.get("started", ""))[:10]
    parts.append(f"Run of {started}. {NOT_A_DEVICE}")
    lead = [tag("p", *parts, class_="lead")]
    if not results.finished:
        text = "This run is not finished: the page shows what is there so far. "
        lead.append(tag("p", tag("strong", text), "The same command goes on with it.", class_="notice"))
    if not results.measured:
        lead.append(tag("p", tag("strong", "Nothing was measured."), class_="notice"))
    return lead


def _weak(results: BenchResults) -> list[Html]:
    if not results.has_dice:
        return [tag("p", "Dice was not measured in this run.")]
    prompts = sorted({prompt for _, _, prompt in results.main_prompts})
    first = joined((tag("code", prompt) for prompt in prompts), ", ")
    parts = []
    weak = results.weak()
    if weak:
        caption = joined(
            [
                "By mean Dice of patients, the weakest first; prompted with ",
                first,
                f". Where the interval reaches {WEAK:.2f}, more patients might show that it is not weak.",
            ]
        )
        parts.append(bench_tables.weak_table(results, weak, caption))
    else:
        parts.append(tag("p", "None when prompted with ", first, "."))
    others = results.weak(main=False)
    if others:
        body = bench_tables.weak_table(results, others, "The weakest first.")
        parts.append(details("With the other prompts of the run", body))
    elif len(results.settings) > 1:
        parts.append(tag("p", "None with the other prompts of the run.", class_="note"))
    return parts


def _results(results: BenchResults) -> list[Html]:
    about = f"{results.common}. " if results.common else ""
    about += about_table(main_table_rows(results))
    about += f" Mean Dice under {WEAK:.2f} is bold." if results.has_dice else ""
    parts = [tag("p", about)]
    for place, (dataset, body) in enumerate(bench_tables.main_tables(results)):
        modalities = sorted({str(r["modality"]) for r in results.measured if r["dataset"] == dataset})
        title = f"{results.titles.get(dataset, dataset)} ({dataset}), {', '.join(modalities)}"
        parts += [tag("h3", title, id=f"data-{place}"), body, bench_tables.other_metrics(results, dataset)]
    return parts


# -- figures ---------------------------------------------------------------------------------------


def _distributions(results: BenchResults) -> list[Html]:
    """A figure of the first prompts, those of the others folded away."""
    caption = (
        "Each dot is an object, the box reaches from lower to upper quartile with the median in it, the"
        " diamond is the mean of patients with its 95 % interval. Sorted by mean within each data set; right:"
        f" mean, objects in patients. Of more than {MOST_DOTS} objects only so many quantiles are drawn."
    )
    parts = _distribution(results, main=True, caption=caption)
    others = _distribution(results, main=False, caption="As above.")
    return [*parts, details("With the other prompts of the run", *others)] if others else parts


def _distribution(results: BenchResults, *, main: bool, caption: str) -> list[Html]:
    values: defaultdict[tuple[str, str, Setting], list[float]] = defaultdict(list)
    for row in results.measured:
        if row["dice"] is not None:
            values[row["dataset"], row["structure"], Setting.of(row)].append(row["dice"])
    cells = [cell for cell in results.cells() if results.is_main(cell.dataset, cell.setting) == main]
    labels = results.short_labels(cell.setting for cell in cells)
    strips = []
    for dataset in results.datasets:
        mine = sorted((c for c in cells if c.dataset == dataset), key=lambda c: -c.interval.mean)
        for cell in mine:
            name = ", ".join(filter(None, (cell.structure, labels[cell.setting])))
            held = values[cell.dataset, cell.structure, cell.setting]
            strips.append(Strip(name, held, cell.interval, group=results.titles.get(dataset, dataset)))
    figures = [distribution(part, "Dice of objects by structure") for part in _in_figures(strips)]
    text = tag("figcaption", caption)
    return [tag("figure", figure, text if i == len(figures) - 1 else "") for i, figure in enumerate(figures)]


def _in_figures(strips: Sequence[Strip]) -> list[list[Strip]]:
    """Data sets one after the other, in figures that fit on a page."""
    figures: list[list[Strip]] = []
    for _, each in itertools.groupby(strips, key=lambda strip: strip.group):
        mine = list(each)
        while mine:
            if not figures or len(figures[-1]) + min(len(mine), _MOST_STRIPS) > _MOST_STRIPS:
                figures.append([])
            figures[-1] += mine[:_MOST_STRIPS]
            mine = mine[_MOST_STRIPS:]
    return figures


def _robustness(results: BenchResults) -> list[Html]:
    found = robustness(results.rows, seed=results.seed)
    if not any(found.values()):
        text = (
            "Not measured: it takes a tight box and a moved one of the same object, as with --prompts"
            " box,box-jitter,box-shift."
        )
        return [tag("p", text)]
    places = list(dict.fromkeys(name for bins in found.values() for name, _ in bins))
    places.sort(key=lambda name: (name.startswith("over"), float(name.split()[0].replace("over", "inf"))))
    series = [
        Series(results.titles.get(model, model), [(places.index(name), i) for name, i in bins])
        for model, bins in found.items()
    ]
    figure = curves_plot(
        series,
        places,
        title="Change of Dice when the box is moved, by how far",
        x_label="mean distance of the box's sides from the tight box, pixels in a picture of 1024",
        y_label="change of Dice",
        zero=True,
    )
    caption = (
        "Dice with a moved box less Dice with the tight box of the same object: means of patients of all data"
        " sets, with 95 % intervals. Small structures lose more, since the same shift is more of them."
    )
    return [
        tag("figure", figure, tag("figcaption", caption)),
        bench_tables.shift_table(results, found),
    ]


def _interactive(results: BenchResults, found: Sequence[Curve]) -> list[Html]:
    parts = []
    found = sorted(found, key=lambda curve: results.datasets.index(curve.dataset))
    labels = results.short_labels(curve.setting for curve in found)
    for dataset in dict.fromkeys(curve.dataset for curve in found):
        mine = [curve for curve in found if curve.dataset == dataset]
        longest = max(len(curve.dice) for curve in mine)
        series = [Series(labels[c.setting] or c.setting.label, list(enumerate(c.dice))) for c in mine]
        title = f"Dice after each prompt, {results.titles.get(dataset, dataset)}"
        figure = curves_plot(
            series,
            [str(k) for k in range(1, longest + 1)],
            title=title,
            x_label="prompts given",
            y_label="Dice",
            zero=False,
        )
        text = f"{title}: means of patients with 95 % intervals."
        parts.append(tag("figure", figure, tag("figcaption", text)))
    return [*parts, bench_tables.curve_table(results, found)]


# -- pictures --------------------------------------------------------------------------------------


def _cases(
    results: BenchResults, pictures: int, progress: Callable[[int, int, str], None] | None
) -> list[Html]:
    groups = chosen_objects(results, pictures)
    drawn = case_pictures(results, groups, progress=progress)
    parts = [_case_legend()]
    labels = results.short_labels(group.setting for group in groups)
    for dataset in dict.fromkeys(group.dataset for group in groups):
        mine = [group for group in groups if group.dataset == dataset]
        parts.append(tag("h3", results.titles.get(dataset, dataset)))
        reasons = {drawn[each] for group in mine for each in group.chosen}
        if len(reasons) == 1 and isinstance(reason := next(iter(reasons)), str):
            parts.append(tag("p", f"No pictures: {reason}.", class_="note"))
            continue
        for group in mine:
            figures = [_case(each, drawn[each], group.title) for each in group.chosen]
            label = labels[group.setting]
            head = tag("p", tag("strong", group.title), f", {label}" if label else "")
            parts.append(tag("div", head, tag("div", *figures, class_="cases"), class_="together"))
    return parts


def _case(each: Chosen, picture: CasePicture | str, title: str) -> Html:
    row = each.row
    score = f"Dice {number(row['dice'])}"
    words = [row["case"]] if row["structure"] == title else [row["structure"], row["case"]]
    if row["object"] not in ("", "1", "all"):
        words.append(f"object {row['object']}")
    if isinstance(picture, str):
        text = f", {', '.join(words)}. No picture: {picture}."
        return tag("figure", tag("figcaption", tag("strong", f"{each.place}: {score}"), text))
    if picture.slice is not None:
        words.append(f"slice {picture.slice}")
    said = ", ".join(words)
    described = f"{row['structure']}, {each.place}, {score}: {said}; outlines of label and of what was found"
    image = tag("img", src=picture.source, alt=described)
    caption = tag("figcaption", tag("strong", f"{each.place}: {score}"), f", {said}")
    return tag("figure", image, caption)


def _case_legend() -> Html:
    from anytomy.report.case_drawing import FOUND, PROMPT, TRUTH

    entries = (
        (TRUTH, None, "label: solid line"),
        (FOUND, "6 4", "found: short dashes"),
        (PROMPT, "10 10", "prompt: box of long dashes, or crosses (+ object, x background)"),
    )
    items = []
    for colour, dash, text in entries:
        line = tag(
            "path", d="M3 9h54", stroke="rgb({},{},{})".format(*colour), stroke_width=3, stroke_dasharray=dash
        )
        swatch = tag("svg", line, width=60, height=18, viewBox="0 0 60 18", aria_hidden="true")
        items.append(tag("li", swatch, text))
    note = (
        "Parts of slices and pictures, at the grey levels that the model saw. Where all slices of a volume"
        " are judged, the one where the label is largest is shown."
    )
    return joined([tag("ul", *items, class_="legend"), tag("p", note, class_="note")])


def _footer(results: BenchResults) -> Html:
    version = results.record.get("versions", {}).get("anytomy", "?")
    text = f"Made by Anytomy; the run by version {version}, seed {results.seed}. {NOT_A_DEVICE}"
    return tag("footer", tag("p", text, class_="note"))


def _and(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    held = list(names)
    return " and ".join([", ".join(held[:-1]), held[-1]] if len(held) > 1 else held)
