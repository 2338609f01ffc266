"""A distillation as one page that needs nothing but itself: `write_distill_page`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.distill.outcome import room
from anytomy.distill.run import why_alone
from anytomy.evaluation.statistics import LEAST_PAIRS
from anytomy.report.bench_comparing import p_value
from anytomy.report.bench_page import NOT_A_DEVICE
from anytomy.report.bench_text import CENT, NONE, counted, estimate, number
from anytomy.report.distill_method import method
from anytomy.report.distill_plots import Trade, trade_plot
from anytomy.report.distill_results import ALL, FEW, STUDENT, TEACHER, DistillResults, curve
from anytomy.report.distill_review import pseudo_labels
from anytomy.report.html import Column, Html, page, table, tag
from anytomy.report.plots import Series, Strip, curves_plot, distribution
from anytomy.tuning.evaluate import ALL as MEAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from anytomy.evaluation.statistics import Interval
    from anytomy.tuning.evaluate import Change

PAGE = "report.html"
_MEAN = "mean of structures"
# More lines than these hide each other; beyond, their mean is drawn alone.
_MOST_TRADES = 5
_MOST_LOSSES = 10
_BESIDE = (FEW, ALL, TEACHER)


def write_distill_page(folder: Path) -> Path:
    """Write the page of a run that is done, and contact sheets of its pseudo-labels, into its folder.

    Runs in its folder `curve`, with other numbers of labels, become a learning curve.

    Raises:
        OptionError: If the folder holds no run, or one that is not done; or those of the curve do not fit it.
        OutputError: If a file cannot be written.
    """
    from anytomy.io.atomic import write_text

    results = DistillResults.read(folder)
    write_text(folder / PAGE, _page(results, curve(results)))
    return folder / PAGE


def _page(results: DistillResults, runs: Sequence[DistillResults]) -> Html:
    config = results.run["config"]
    sections = [(name, head, parts) for name, head, parts in _sections(results, runs) if parts]
    links = [tag("li", tag("a", head, href=f"#{name}")) for name, head, _ in sections]
    title = f"{results.run['network']} taught by {config['teacher']} on {', '.join(config['data'])}"
    version = results.run["versions"]["anytomy"]
    return page(
        title,
        tag("header", tag("h1", title), *_lead(results)),
        tag("nav", tag("ul", *links), aria_label="Contents"),
        *(tag("section", tag("h2", head), *parts, id=name) for name, head, parts in sections),
        tag(
            "footer",
            tag("p", f"Made by Anytomy {version}, seed {results.seed}. {NOT_A_DEVICE}", class_="note"),
        ),
    )


def _sections(
    results: DistillResults, runs: Sequence[DistillResults]
) -> Iterable[tuple[str, str, list[Html]]]:
    """Name, heading and content of each section."""
    if results.rows:
        yield "kept", "Dice kept, speed gained", _kept(results)
        yield "compared", "Compared on the same patients", _compared(results)
        yield "patients", "Patient by patient", _patients(results)
        yield "worse", "Where it is worse", _worse(results)
    yield "curve", "Learning curve", _curve(runs)
    yield "pseudo", "Pseudo-labels: what was believed", pseudo_labels(results)
    yield "method", "How it was done", method(results)


# -- the lead --------------------------------------------------------------------------------------


def _lead(results: DistillResults) -> list[Html]:
    run, group = results.run, results.run["cohort"]
    patients = len({(dataset, patient) for dataset, _, patient in group["test"]})
    seen = "boxes" if run["config"]["boxes"] else "labels"
    text = (
        f"A network of {run['parameters']:,} parameters that needs no prompt, taught by the recipe"
        f" {run['config']['recipe']}: it saw the {seen} of {counted(results.labels, 'case')}"
        f" and the images of {run['asked']:,} more. Nothing of the"
        f" {counted(len(group['test']), 'test case')} of {counted(patients, 'patient')} entered."
    )
    parts = [tag("p", text, class_="lead")]
    if run["result"]["taught"] == FEW:
        why = why_alone(run["result"]["rounds"])
        alone = f"{why[0].upper()}{why[1:]}: this student is that of the labelled cases alone."
        parts.append(tag("p", alone, class_="notice"))
    said = [
        sentence for model in _BESIDE if model in results.models for sentence in _verdicts(results, model)
    ]
    if (run.get("speed") or {}).get("masks_of_the_teacher"):
        said.insert(0, "Speed: none is gained, since it needs its teacher's masks of every slice.")
    if results.speed_gained > 0:
        said.insert(0, _speed_sentence(results))
    said += [f"{line}." for line in room(results.against)]
    if said:
        parts.append(tag("ul", *(tag("li", sentence) for sentence in said)))
    if not results.rows:
        parts.append(tag("p", "Nothing was tested.", class_="notice"))
    return [*parts, *(tag("p", line, class_="notice") for line in run.get("warnings", ()))]


def _verdicts(results: DistillResults, model: str) -> list[str]:
    """How the student stands to something else, in sentences that claim no more than the interval."""
    found = results.against[model]
    means = [change for change in found if change.structure == MEAN]
    return [_verdict(results, change, model) for change in means or found]


def _verdict(results: DistillResults, change: Change, model: str) -> str:
    difference = change.result.difference
    what = f"{change.dataset}{', ' + change.structure if change.structure else ''}"
    beside = f"the {results.names[model]} {number(change.before.mean)}"
    text = f"{what}: mean Dice {number(change.after.mean)}; {beside}"
    if difference.patients < 2:
        return f"{text}; too few patients to say more."
    better, worse = difference.low > 0, difference.high < 0
    word = "better" if better else "worse" if worse else "no clear difference"
    if model == TEACHER and worse and results.boxed:
        word = "worse than with boxes that somebody draws"
    if model == FEW:
        word = "distillation helped" if better else "distillation hurt" if worse else word
    tested = "" if difference.patients < LEAST_PAIRS else f", p\u00a0{_equal(change.result.p)}"
    return f"{text}; {estimate(difference, signed=True)}{tested}: {word}."


def _equal(p: float) -> str:
    text = p_value(p)
    return (text if text.startswith("<") else f"= {text}").replace(" ", "\u00a0")


def _speed_sentence(results: DistillResults) -> str:
    speed = results.run["speed"]
    rows, columns = speed["picture"]
    return (
        f"Speed: {speed['student_ms']:.1f} ms for a slice of {rows} x {columns} pixels; the teacher's image"
        f" encoder alone takes {speed['teacher_encoder_ms']:.0f} ms ({results.run['device']},"
        f" {counted(speed['threads'], 'thread')}): {results.speed_gained:.1f} times faster."
    )


# -- dice kept, speed gained -----------------------------------------------------------------------


def _kept(results: DistillResults) -> list[Html]:
    means = results.means
    order = [model for model in (TEACHER, STUDENT, ALL, FEW) if model in means]
    columns = [Column("data set"), Column("structure"), *(Column(results.names[m], True) for m in order)]
    if TEACHER in means:
        columns.append(Column("kept of the teacher", True))
    rows = []
    for key, interval in means[STUDENT].items():
        cells = [str(estimate(means[m][key])) if key in means[m] else NONE for m in order]
        if TEACHER in means:
            there = means[TEACHER].get(key)
            cells.append(f"{100 * interval.mean / there.mean:.0f} %" if there and there.mean > 0 else NONE)
        rows.append([key[0], key[1] or tag("strong", _MEAN), *cells])
    given = (
        "The teacher is given a tight box around each object, in volumes on each slice, which the label"
        " tells: nobody has those for nothing. The students are given the image alone."
    )
    if not results.boxed:
        given = "All are given the image alone."
    caption = f"Mean Dice of test patients with a bootstrap interval of {CENT} over patients. {given}"
    return [*_trade(results), table(caption, columns, rows, grouped=True)]


def _trade(results: DistillResults) -> list[Html]:
    if not (results.speed_gained > 0 and TEACHER in results.models):
        return []
    teacher, student = results.means[TEACHER], results.means[STUDENT]
    figures = []
    for dataset in dict.fromkeys(d for d, _ in student):
        both = [s for d, s in student if d == dataset and (d, s) in teacher]
        if len(both) > _MOST_TRADES:
            both = [s for s in both if s == MEAN]
        trades = [Trade(s or _MEAN, teacher[dataset, s], student[dataset, s]) for s in both]
        if trades:
            who = results.names[TEACHER]
            plot = trade_plot(trades, results.speed_gained, f"Dice over speed in {dataset}", teacher=who)
            drawn = " and the time of whoever draws the boxes are" if results.boxed else " is"
            note = (
                f"{dataset}: from the {who} to the student. Bars are intervals of {CENT} over patients; the"
                f" teacher's decoder{drawn} left out."
            )
            figures.append(tag("figure", plot, tag("figcaption", note)))
    return figures


# -- comparisons -----------------------------------------------------------------------------------


def _compared(results: DistillResults) -> list[Html]:
    columns = [
        *(Column(name) for name in ("data set", "student less", "structure")),
        *(Column(name, True) for name in ("patients", f"difference [{CENT}]", "p", "p (Holm)")),
    ]
    rows = []
    for model in (m for m in _BESIDE if m in results.models):
        rows += [_comparison(results, change, model) for change in results.against[model]]
    rows.sort(key=lambda row: row[0])
    caption = (
        f"Difference of Dice by patient, the student's less the other's, with a bootstrap interval of {CENT};"
        " p by the Wilcoxon signed-rank test, two-sided, and adjusted over the structures by Holm. Fewer than"
        f" {LEAST_PAIRS} patients are not tested."
    )
    return [table(caption, columns, rows, grouped=True)] if rows else []


def _comparison(results: DistillResults, change: Change, model: str) -> list[str | Html]:
    few = change.result.difference.patients < LEAST_PAIRS
    return [
        change.dataset,
        results.names[model],
        change.structure or tag("strong", _MEAN),
        f"{change.result.difference.patients:,}",
        str(estimate(change.result.difference, signed=True)),
        "too few patients" if few else p_value(change.result.p),
        NONE if few or change.structure == MEAN else p_value(change.adjusted),
    ]


def _patients(results: DistillResults) -> list[Html]:
    held = {model: results.patients(model) for model in results.models}
    means = results.means
    strips = [
        Strip(results.names[model], list(held[model][key].values()), means[model][key], f"{key[0]}, {key[1]}")
        for key in held[STUDENT]
        for model in results.models
        if key in held[model]
    ]
    note = (
        "A dot is a patient, the box reaches from the lower to the upper quartile, the diamond is the mean"
        f" with its interval of {CENT}. Right: the mean, and how many values of how many patients."
    )
    return [tag("figure", distribution(strips, "Dice of test patients"), tag("figcaption", note))]


def _worse(results: DistillResults) -> list[Html]:
    """Structures and cases in which something else is better, by name."""
    parts = []
    for model in (m for m in _BESIDE if m in results.models):
        lost = [c for c in results.against[model] if c.structure and c.result.difference.high < 0]
        said = ", ".join(
            f"{c.structure} ({c.dataset}) {estimate(c.result.difference, signed=True)}" for c in lost
        )
        clearly = said or "no structure (an interval that holds 0 is no proof of being as good)"
        parts.append(tag("li", f"Clearly worse than the {results.names[model]}: {clearly}."))
    tables = []
    for model in (m for m in _BESIDE if m in results.models):
        losses = results.losses(model, _MOST_LOSSES)
        if not losses:
            continue
        columns = [
            *(Column(name) for name in ("data set", "case", "structure")),
            *(Column(results.names[m], True) for m in results.models),
            Column("difference", True),
        ]
        rows = [
            [
                *(each.dataset, each.case, each.structure),
                *(number(each.dice.get(m, float("nan"))) for m in results.models),
                number(each.against(model), signed=True),
            ]
            for each in losses
        ]
        who = results.names[model]
        caption = f"Test cases in which it loses most against the {who}, at most {_MOST_LOSSES}. Dice."
        tables.append(table(caption, columns, rows))
    return [tag("ul", *parts), *tables]


# -- learning curve --------------------------------------------------------------------------------


def _curve(runs: Sequence[DistillResults]) -> list[Html]:
    if len(runs) < 2:
        return []
    parts: list[Html] = []
    for dataset in runs[0].run["config"]["data"]:
        series, rows = [], []
        for model in (STUDENT, FEW, ALL, TEACHER):
            points = [(i, _overall(r, model, dataset)) for i, r in enumerate(runs) if model in r.models]
            there = [(place, interval) for place, interval in points if interval is not None]
            if there:
                series.append(Series(runs[0].names[model], there))
        for run in runs:
            change = _overall_change(run, dataset)
            if change is not None:
                few = change.result.difference.patients < LEAST_PAIRS
                rows.append(
                    [
                        f"{run.labels:,}",
                        f"{change.result.difference.patients:,}",
                        str(estimate(change.before)),
                        str(estimate(change.after)),
                        str(estimate(change.result.difference, signed=True)),
                        "too few patients" if few else p_value(change.result.p),
                    ]
                )
        plot = curves_plot(
            series,
            [f"{run.labels:,}" for run in runs],
            title=f"Learning curve of {dataset}",
            x_label="labelled cases",
            y_label="mean Dice of test patients",
            zero=False,
        )
        note = f"{dataset}: mean over structures; bars are intervals of {CENT} over the same test patients."
        parts.append(tag("figure", plot, tag("figcaption", note)))
        if rows:
            names = ("patients", f"alone [{CENT}]", f"distilled [{CENT}]", f"difference [{CENT}]", "p")
            caption = (
                "What distillation adds to the same labels; p by the Wilcoxon signed-rank test on patients."
            )
            columns = [Column("labelled cases", True), *(Column(name, True) for name in names)]
            parts.append(table(caption, columns, rows))
    return parts


def _overall(results: DistillResults, model: str, dataset: str) -> Interval | None:
    means = {s: i for (d, s), i in results.means[model].items() if d == dataset}
    return means.get(MEAN) or next(iter(means.values()), None)


def _overall_change(results: DistillResults, dataset: str) -> Change | None:
    found = [change for change in results.against.get(FEW, []) if change.dataset == dataset]
    return next((c for c in found if c.structure == MEAN), found[0] if found else None)
