"""Tables as text: the same numbers in Markdown and on the terminal, whatever names hold."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from anytomy.evaluation.statistics import Interval, bootstrap
from anytomy.report.bench_results import BenchResults
from anytomy.report.bench_text import (
    as_markdown,
    counted,
    estimate,
    main_table,
    main_table_rows,
    number,
    weak_table,
)
from tests.evaluation.bench.rows import rows_of, write_run

ROWS = [
    *rows_of([0.9, 0.95], structure="spleen"),
    *rows_of([0.5, 0.6, 0.4], structure="adrenal gland"),
    *rows_of([0.3, 0.4], structure="spleen", prompt="box-shift"),
]


@pytest.fixture
def results(tmp_path) -> BenchResults:
    return BenchResults.read(write_run(tmp_path, ROWS, prompts=("box", "box-shift")))


def tables(text: str) -> list[list[dict[str, str]]]:
    """The tables of a Markdown text, by title."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [[dict(zip(t[0], row, strict=True)) for row in t[2:]] for t in found if t]


def printed(table) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return console.file.getvalue()


def test_the_main_table_goes_by_data_set_structure_and_the_order_of_prompts(results):
    held = [(r.dataset, r.structure, r.setting.prompt) for r in main_table_rows(results)]
    assert held == [
        ("alpha", "adrenal gland", "box"),
        ("alpha", "spleen", "box"),
        ("alpha", "spleen", "box-shift"),
    ]


def test_markdown_has_the_numbers(results):
    main, weak = tables(as_markdown(results))
    interval = bootstrap([0.5, 0.6, 0.4])
    expected = f"0.500 [{interval.low:.3f}, {interval.high:.3f}]"
    assert main[0]["mean Dice [95\u00a0%]"] == expected
    assert [row["setting"] for row in main] == ["box", "box", "box-shift"]
    assert [(row["structure"], row["mean Dice [95\u00a0%]"]) for row in weak] == [("adrenal gland", expected)]


def test_headings_are_of_the_wanted_level(results):
    assert re.findall(r"^#+ ", as_markdown(results, level=3), re.MULTILINE) == ["### ", "### "]


def test_names_do_not_break_a_table(tmp_path):
    name = "a|b `c` <d> [e](f)_g_"
    text = as_markdown(BenchResults.read(write_run(tmp_path, rows_of([0.2, 0.3], structure=name))))
    assert len(tables(text)) == 2
    assert "<d>" not in text
    for row in tables(text)[1]:
        plain = re.sub(r"\\(.)", r"\1", row["structure"]).replace("&lt;", "<")
        assert plain == name


def test_the_terminal_gets_less_of_the_same(results):
    text = printed(main_table(results))
    assert "adrenal gland" in text
    assert "0.500 [0.4" in text
    assert "quartiles" not in text
    assert "adrenal gland" in printed(weak_table(results))
    assert "spleen" not in printed(weak_table(results))


def test_markup_of_the_terminal_is_text(tmp_path):
    results = BenchResults.read(write_run(tmp_path, rows_of([0.2, 0.3], structure="[red]liver[/red]")))
    assert "[red]liver[/red]" in printed(weak_table(results))


def test_without_weak_structures_there_is_no_list(tmp_path):
    results = BenchResults.read(write_run(tmp_path, rows_of([0.9, 0.8])))
    assert weak_table(results) is None
    assert "None." in as_markdown(results)


def test_a_run_without_results_says_so(tmp_path):
    assert "Nothing was measured." in as_markdown(BenchResults.read(write_run(tmp_path, [])))


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.5, 0.4, 0.6, 5), "0.500 [0.400, 0.600]"),
        (Interval(0.5, float("nan"), float("nan"), 1), "0.500 (one patient)"),
        (Interval(float("nan"), float("nan"), float("nan"), 0), "–"),
    ],
)
def test_an_estimate_says_how_sure_it_is(interval, text):
    assert str(estimate(interval)) == text


def test_numbers():
    assert number(0.12345, 2) == "0.12"
    assert number(-0.5, 1, signed=True) == "-0.5"
    assert counted(1, "case") == "1 case"
    assert counted(1200, "case") == "1,200 cases"
    assert counted(2, "child", "children") == "2 children"
