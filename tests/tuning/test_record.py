"""`run.json`: what a run says of itself, and who may go on in its folder."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from anytomy.core.errors import OptionError
from anytomy.tuning import record

CONFIG, FACTS = {"steps": 3, "data": ["discs"]}, {"base": "tiny", "weights_sha256": "ab"}


def write(folder: Path, **changes: Any) -> None:
    record.write(folder, {"schema": record.SCHEMA, "config": CONFIG, "facts": FACTS, **changes})


def earlier(folder: Path, **changes: Any) -> dict[str, Any] | None:
    return record.earlier(
        folder, **{"config": CONFIG, "facts": FACTS, "others": ("adapter.json",), **changes}
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None
    write(tmp_path, title="Bär")
    held = record.read(tmp_path)
    assert held is not None
    assert held["title"] == "Bär"
    assert "Bär" in (tmp_path / record.FILE).read_text(encoding="utf-8")


def test_fields_are_added_behind_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path)
    record.add(tmp_path, steps=7, facts={})
    held = record.read(tmp_path)
    assert held is not None
    assert list(held) == ["schema", "config", "facts", "steps"]
    assert (held["steps"], held["facts"]) == (7, {})


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "anytomy.distill/1"}'])
def test_a_record_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / record.FILE).write_text(text)
    with pytest.raises(OptionError, match=r"run\.json"):
        record.read(tmp_path)
    with pytest.raises(OptionError, match=r"run\.json"):
        record.add(tmp_path, steps=7)


def test_a_file_is_no_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(OptionError, match=f"but {folder} is none"):
            record.read(folder)


def test_a_new_folder_has_no_earlier_start(tmp_path: Path) -> None:
    assert earlier(tmp_path / "new") is None
    (tmp_path / "notes.txt").write_text("")
    assert earlier(tmp_path) is None


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    write(tmp_path, seconds=2.5)
    held = earlier(tmp_path)
    assert held is not None
    assert held["seconds"] == 2.5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {**CONFIG, "steps": 4}}, "another configuration: steps 3 there, 4 here"),
        ({"config": {**CONFIG, "lr": 0.5}}, "lr null there, 0.5 here"),
        ({"facts": {**FACTS, "weights_sha256": "cd"}}, 'weights_sha256 "ab" there, "cd" here'),
        ({"facts": {**FACTS, "base": "x" * 99}}, r"… \(101 characters\) here"),
        ({"schema": "anytomy.distill/1"}, "expected a run of schema anytomy.distill/1"),
    ],
)
def test_another_run_does_not(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write(tmp_path)
    with pytest.raises(OptionError, match=said):
        earlier(tmp_path, **changes)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter.json").write_text("{}")
    with pytest.raises(OptionError, match="holds something else; choose another folder with -o"):
        earlier(tmp_path)


def test_a_start_is_recorded_with_versions_and_time() -> None:
    found = record.circumstances()
    assert {"anytomy", "python", "machine", "numpy", "torch"} <= set(found["versions"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["started"])
    assert "not a medical device" in found["note"]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    values = {"dice": [0.5, math.nan, math.inf], "fold": (1, 3)}
    record.write_json(tmp_path / "history.json", values)
    expected = {"dice": [0.5, None, None], "fold": [1, 3]}
    assert record.as_json(values) == expected
    assert json.loads((tmp_path / "history.json").read_text()) == expected
