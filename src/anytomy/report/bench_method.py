"""What stands at the end of a benchmark's page: what was not measured, and how the rest was."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from anytomy.evaluation.bench.summary import Setting
from anytomy.report.bench_tables import count_parts, judged
from anytomy.report.bench_text import counted
from anytomy.report.html import Column, Html, details, table, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytomy.report.bench_results import BenchResults

# A page is passed on: folders of the machine that made it are nobody's business.
_NAME = r"[^\s\\/:;,'\"]+(?: [^\s\\/:;,'\"]+)*"
_FOLDERS = re.compile(rf"(?:[A-Za-z]:)?(?:[\\/]{_NAME})+[\\/](?=[^\s\\/:;,'\"])")
_MOST_FAILURES = 50


def left_out(results: BenchResults) -> list[Html]:
    """What the page cannot say, and why."""
    parts = count_parts(results)
    missing = _missing(results)
    if missing:
        parts.append(tag("ul", *(tag("li", text) for text in missing)))
    if results.failures:
        parts.append(_failure_table(results))
    else:
        parts.append(tag("p", "No case failed.", class_="note"))
    return parts


def _missing(results: BenchResults) -> list[str]:
    found = []
    with_rows = {row["dataset"] for row in results.measured}
    for name in results.config["data"]:
        if name not in with_rows:
            found.append(f"{name}: nothing was measured.")
    for model in results.config["models"]:
        if model not in {row["model"] for row in results.measured}:
            found.append(f"{model}: nothing was measured.")
    if not any(row["dice_curve"] for row in results.measured):
        found.append("No simulator corrected its prompts, so that nothing is said about interactive use.")
    if any(row["scope"] == "slice" for row in results.measured):
        found.append(
            "In volumes one slice of each object was judged, which the simulator chose by the label; others"
            " were not, except where a setting names a strategy for volumes."
        )
    if results.config["limit"] is not None:
        found.append(f"Cases beyond the {results.config['limit']} that were drawn of each data set.")
    return found


def _failure_table(results: BenchResults) -> Html:
    rows = [
        [failure["dataset"], failure["case"], failure["model"], without_folders(failure["message"])]
        for failure in results.failures[:_MOST_FAILURES]
    ]
    count = len(results.failures)
    caption = f"{counted(count, 'case')} could not be measured"
    caption += f"; the first {_MOST_FAILURES} are shown." if count > _MOST_FAILURES else "."
    columns = [Column(title) for title in ("data set", "case", "model", "message")]
    return table(caption, columns, rows)


def without_folders(message: str) -> str:
    """A message with the names of files, but not of the folders that they lie in.

    Example:
        >>> without_folders("/home/jo/data/a.nii has shape (3, 4)")
        'a.nii has shape (3, 4)'
    """
    return _FOLDERS.sub("", message)


def method(results: BenchResults) -> list[Html]:
    """Configuration, models, data, versions and what the numbers mean."""
    return [
        tag("dl", *_pairs(_protocol(results))),
        _models(results),
        _data(results),
        details("Configuration and versions", tag("dl", *_pairs(_config(results)))),
        tag(
            "p",
            "Metrics and their policy for empty masks: ",
            tag("code", "docs/metrics.md"),
            "; prompt simulators: ",
            tag("code", "docs/prompts.md"),
            ", both in Anytomy's documentation of the version named here.",
            class_="note",
        ),
    ]


def _protocol(results: BenchResults) -> dict[str, Any]:
    rows = results.measured
    budgets = {row["prompt"]: row["budget"] for row in rows}
    tolerances = sorted({(row["unit"], row["tolerance"]) for row in rows if row["tolerance"] is not None})
    return {
        "Prompts": "; ".join(f"{name} ({budget})" for name, budget in budgets.items())
        + ". Simulated from the label; the model sees nothing else of it.",
        "Judged": judged(Setting.of(row).scope for row in rows),
        "Means": "of patients: the objects of each are averaged first. Means over objects stand beside them.",
        "Intervals": "95 %, percentile bootstrap over patients, 5,000 draws (Efron 1979); with few patients"
        " they are too narrow. None for a single patient.",
        "Tests": "Wilcoxon's signed-rank test on patients' differences, zeros after Pratt (1959), adjusted"
        " by Holm (1979).",
        "NSD": "tolerance "
        + (", ".join(f"{value:g} {unit}" for unit, value in tolerances) or "none")
        + ", by structure.",
        "Empty masks": "nothing found: Dice, IoU and NSD are 0, HD95 is the diagonal of the image.",
    }


def _models(results: BenchResults) -> Html:
    rows = []
    for name, facts in results.record["facts"]["models"].items():
        policies = ", ".join(f"{key}: {value}" for key, value in facts["intensity"].items())
        used = sorted({r["intensity"] for r in results.measured if r["model"] == name and r["intensity"]})
        weights = facts["weights_sha256"] or "not recorded"
        rows.append(
            [
                name,
                tag("code", weights),
                f"{facts['input_size']}",
                facts["mask_selection"],
                policies,
                ", ".join(used) or "none",
            ]
        )
    columns = [
        Column("model"),
        Column("weights (SHA-256)"),
        Column("input", is_number=True),
        Column("mask selection"),
        Column("intensity policies"),
        Column("used here"),
    ]
    caption = (
        "Models. Mask selection: single, or the one of three that the model itself scores best; never the one"
        " that fits the label best."
    )
    return table(caption, columns, rows)


def _data(results: BenchResults) -> Html:
    held = results.record["facts"]["data"]
    rows = [
        [name, results.titles.get(name, name), f"{facts['cases']:,}", f"{facts['patients']:,}"]
        for name, facts in held.items()
    ]
    columns = [Column("data set"), Column("title")]
    columns += [Column(title, is_number=True) for title in ("cases", "patients")]
    return table("Data sets as they lay on the machine, of which cases were drawn.", columns, rows)


def _config(results: BenchResults) -> dict[str, Any]:
    shown: dict[str, Any] = {key: _plain(value) for key, value in results.config.items()}
    shown |= {"threads": results.record.get("threads"), "started": results.record.get("started")}
    shown |= {f"version of {name}": text for name, text in results.record.get("versions", {}).items()}
    for name, facts in results.record["facts"]["data"].items():
        shown[f"hash of {name}'s cases"] = facts["names_sha256"]
    return shown


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "all"
    return "none" if value is None else value if isinstance(value, str) and value else json.dumps(value)


def _pairs(entries: Mapping[str, Any]) -> list[Html]:
    return [each for name, text in entries.items() for each in (tag("dt", name), tag("dd", str(text)))]
