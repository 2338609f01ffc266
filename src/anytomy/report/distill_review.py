"""The pseudo-labels of a distillation in its report: how many were believed, why not, and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.distill.labelling import PSEUDO
from anytomy.distill.pseudo.trial import TRIAL
from anytomy.report.case_drawing import LeftOutError
from anytomy.report.distill_pictures import LEGEND, Reviewer, chosen, contact_sheet, numbers_of
from anytomy.report.draw import save_picture
from anytomy.report.html import Column, Html, details, table, tag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from anytomy.report.distill_results import DistillResults

SHEETS = {True: "accepted.png", False: "rejected.png"}
_ON_PAGE, _ON_SHEET = 8, 48
RULES = {
    "nothing": "the teacher found nothing",
    "own score": "the teacher's own score is low",
    "agreement": "its answers to slightly different prompts differ",
    "entropy": "the mean of its answers is unsure",
    "student": "the independent student sees something else",
    "certainty": "the student that drew the box is not sure itself",
    "area": "far larger or smaller than what the student sees",
    "middle": "beside what the student sees",
    "box": "it does not fill the box that was asked for",
}


def pseudo_labels(results: DistillResults) -> list[Html]:
    """The section of pseudo-labels; also writes contact sheets into the run's folder.

    Nothing where a recipe made none.
    """
    tallies = results.tallies()
    if not tallies:
        return []
    names = [name for name in RULES if any(tally.reasons[name] for tally in tallies)]
    columns = [
        Column("round"),
        Column("structure"),
        *(Column(n, True) for n in ("asked", "accepted", "share")),
    ]
    columns += [Column(f"rejected: {name}", True) for name in names]
    rows = [
        [
            *(tally.round, tally.structure, f"{tally.asked:,}", f"{tally.accepted:,}"),
            f"{100 * tally.accepted / tally.asked:.0f} %",
            *(f"{tally.reasons[name]:,}" for name in names),
        ]
        for tally in tallies
    ]
    caption = (
        "Objects that the teacher was asked about, each slice for itself, and those that were to be trusted."
        " An object can break several rules."
    )
    if TRIAL in results.objects:
        caption += (
            " In the trial, on labelled cases, the label judges in place of the student; none is learned."
        )
    meanings = [tag("li", tag("strong", name), f": {RULES[name]}") for name in names]
    parts = [table(caption, columns, rows, grouped=True, dense=True)]
    if meanings:
        parts.append(details("What the rules mean", tag("ul", *meanings)))
    return [*parts, *_pictures(results)]


def _pictures(results: DistillResults) -> list[Html]:
    """Objects of the last round, and contact sheets of more of them as files."""
    last = results.last_round
    reviewer = Reviewer(axis=results.run["config"]["axis"], intensity=results.run["sight"]["intensity"])
    parts: list[Html] = []
    for accepted, file in SHEETS.items():
        rows = [row for row in results.objects[last] if bool(row["accepted"]) == accepted]
        if not rows:
            continue
        word = "Accepted" if accepted else "Rejected"
        sheet = contact_sheet(chosen(rows, _ON_SHEET), reviewer, f"{word} in {last}")
        save_picture(results.folder / PSEUDO / last / file, sheet)
        figures = [_figure(row, reviewer) for row in chosen(rows, _ON_PAGE)]
        about = (
            f"{len(figures)} of {len(rows):,}, evenly spread from the best agreement with the student to the"
            f" worst; none was chosen by eye. More: {PSEUDO}/{last}/{file}."
        )
        parts += [tag("h3", f"{word} in {last}"), tag("p", about), tag("div", *figures, class_="cases")]
    return [*parts, tag("p", f"{LEGEND[0].upper()}{LEGEND[1:]}.".replace("   ", "; "), class_="note")]


def _figure(row: Mapping[str, Any], reviewer: Reviewer) -> Html:
    slice_ = f", slice {row['slice']}" if row["slice"] else ""
    name = f"{row['dataset']} {row['case']}{slice_}, {row['structure']}"
    text = row["reason"] or numbers_of(row)
    caption = tag("figcaption", tag("strong", name), tag("br"), text)
    try:
        picture = reviewer.picture(row)
    except LeftOutError as left:
        return tag("figure", tag("p", f"No picture: {left}.", class_="note"), caption)
    described = f"{name}: the student's object, the teacher's and the box"
    return tag("figure", tag("img", src=picture.source, alt=described), caption)
