"""The files below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import DatasetError
from anytomy.datasets.tree import Tree, natural
from tests.datasets.making import touch


def link(path: Path, to: Path) -> None:
    """A symbolic link, where the machine allows it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(to, target_is_directory=to.is_dir())
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no links here: {error}")


def test_files_are_listed_as_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "b/slice10.png", "b/slice2.png", "a.png", "b/slice02.png", "p10/1.png", "p9/1.png")
    found = Tree.of(tmp_path)
    assert found.files == (
        *("a.png", "b/slice02.png", "b/slice2.png", "b/slice10.png"),
        *("p9/1.png", "p10/1.png"),
    )
    assert found.folders == {
        ".": ["a.png"],
        "b": ["b/slice02.png", "b/slice2.png", "b/slice10.png"],
        "p9": ["p9/1.png"],
        "p10": ["p10/1.png"],
    }
    assert found.path("b/slice2.png") == tmp_path / "b" / "slice2.png"
    assert found.path("b").is_dir()


def test_what_systems_leave_behind_is_no_file_of_the_set(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", ".hidden.png", "__MACOSX/1.png", "x/.DS_Store", "x/Thumbs.db", ".git/1.png")
    assert Tree.of(tmp_path).files == ("1.png",)


def test_a_hidden_folder_may_be_the_root(tmp_path: Path) -> None:
    touch(tmp_path, ".data/1.png")
    assert Tree.of(tmp_path / ".data").files == ("1.png",)


def test_a_missing_folder_and_a_file_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "file.zip")
    with pytest.raises(DatasetError, match=r"file\.zip is a file"):
        Tree.of(tmp_path / "file.zip")
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        Tree.of(tmp_path / "nowhere")


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Tree.of(tmp_path).files == ()


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "set/a/1.png", "elsewhere/2.png")
    link(tmp_path / "set/other", tmp_path / "elsewhere")
    link(tmp_path / "set/a/3.png", tmp_path / "elsewhere/2.png")
    link(tmp_path / "set/a/up", tmp_path / "set")
    link(tmp_path / "elsewhere/back", tmp_path / "set")
    assert Tree.of(tmp_path / "set").files == ("a/1.png", "a/3.png", "other/2.png")


def test_links_to_nowhere_are_no_files(tmp_path: Path) -> None:
    touch(tmp_path, "1.png")
    link(tmp_path / "gone.png", tmp_path / "nowhere")
    link(tmp_path / "self", tmp_path / "self")
    assert Tree.of(tmp_path).files == ("1.png",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Tree.of(tmp_path).files == ()


@given(st.lists(st.text("a1_0./é²B", max_size=6), max_size=12))
def test_the_natural_order_is_one_for_all_names(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)


@given(st.text("ab_", max_size=3), st.integers(0, 2000), st.integers(0, 2000), st.text("ab_", max_size=3))
def test_numbers_are_ordered_by_size(before: str, one: int, other: int, after: str) -> None:
    first, second = (f"{before}{n}{after}" for n in (one, other))
    assert (natural(first) < natural(second)) == (one < other)
