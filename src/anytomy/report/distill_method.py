"""How a distillation was done, for its report: data, licences, settings, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError
from anytomy.report.bench_text import NONE, counted
from anytomy.report.html import Column, Html, details, table, tag
from anytomy.tuning.plan import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytomy.report.distill_results import DistillResults

_GROUPS = ("labelled", "validate", "unlabelled", "test")


def method(results: DistillResults) -> list[Html]:
    """The section."""
    run = results.run
    group, teacher, config = run["cohort"], run["teacher"], run["config"]
    rows: list[tuple[str, Any]] = [
        ("teacher", f"{teacher['title']} ({config['teacher']}), weights {teacher['weights_sha256'][:16]}"),
        ("student", f"{run['network']}, {run['parameters']:,} parameters, {run['sight']['why']}"),
        ("recipe", f"{config['recipe']} ({_source(config['recipe'])})"),
        ("classes", ", ".join(group["classes"])),
        *((f"division of {name}", where) for name, where in group["splits"].items()),
        ("cases", ", ".join(f"{len(group[part]):,} {part}" for part in _GROUPS)),
        ("training", _training(run)),
        ("device", f"{run['device']}, {counted(run['threads'], 'thread')}"),
        ("time", duration(run["seconds"])),
    ]
    licences = [("teacher", teacher["licence"]), *((name, _licence(name)) for name in group["splits"])]
    about = (
        "What was taught by a model and on data under these licences may be bound by all of them; the bundle"
        " repeats them."
    )
    cases = [
        tag("p", tag("strong", f"{part}: "), ", ".join(f"{c[0]} {c[1]}" for c in group[part]) or "none")
        for part in _GROUPS
    ]
    return [
        table("", [Column("what"), Column("value")], rows),
        table(about, [Column("of"), Column("licence")], licences),
        details("All settings", table("", [Column("setting"), Column("value")], _settings(config))),
        details("Cases", *cases),
        details("Versions", table("", [Column("package"), Column("version")], list(run["versions"].items()))),
    ]


def _training(run: Mapping[str, Any]) -> str:
    plan = run["plan"]
    students = ", ".join(plan["students"])
    return (
        f"{counted(len(plan['students']), 'student')} ({students}), {plan['training']['steps']:,} steps each"
    )


def _source(name: str) -> str:
    from anytomy.distill.recipes.registry import recipe

    try:
        return recipe(name).source
    except AnytomyError:
        return "not installed here"


def _licence(dataset: str) -> str:
    from anytomy.datasets.registry import card

    try:
        return card(dataset).licence or NONE
    except AnytomyError:
        return "not known on this machine"


def _settings(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _said(value)) for name, value in config.items()]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(v) for v in value) or NONE
    return NONE if value is None else str(value)
