"""Which data sets there are and where they lie."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from anytomy.core.errors import AnytomyWarning, DatasetError
from anytomy.datasets import registry
from anytomy.datasets.registry import added_dir, builtin_cards, card, cards, dataset_ids, download_dir, locate
from anytomy.io.toml_write import toml_text
from anytomy.zoo.home import home_dir
from tests.datasets.making import values


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


def add(folder: str, **changes: Any) -> Path:
    """A card of the user's in the folder of an id."""
    path = added_dir(folder) / "dataset.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        toml_text({n: v for n, v in values(**changes).items() if v is not None}), encoding="utf-8"
    )
    return path


def add_like(folder: str, **fields: Any) -> Path:
    path = added_dir(folder) / "dataset.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(toml_text(fields), encoding="utf-8")
    return path


# -- by name -----------------------------------------------------------------------------------------


def test_cards_are_had_by_id_alias_and_in_any_case() -> None:
    for name in ("acdc", "ACDC", "Acdc17", "automated cardiac diagnosis challenge", " acdc "):
        assert card(name).id == "acdc"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("adcd", "did you mean acdc"),
        ("chaos_cr", "chaos_ct"),
        ("total_segmentator", "did you mean totalsegmentator"),
        ("no such thing at all", "`anytomy datasets list` shows all"),
        ("", "`anytomy datasets list`"),
        ("../cards/acdc", "`anytomy datasets add NAME FOLDER`"),
        ("acdc.toml", "did you mean acdc"),
    ],
)
def test_an_unknown_name_is_said_with_similar_ones(name: str, hint: str) -> None:
    with pytest.raises(DatasetError) as caught:
        card(name)
    assert repr(name) in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_catalogue_is_in_the_order_of_ids() -> None:
    ids = dataset_ids()
    assert ids == sorted(ids)
    assert [c.id for c in cards()] == [c.id for c in builtin_cards()] == ids
    assert all(c.builtin and c.root is None for c in cards())


# -- what the user added -----------------------------------------------------------------------------


def test_a_card_of_the_users(tmp_path: Path) -> None:
    add("mine", root=str(tmp_path / "data"))
    found = card("mine")
    assert (found.id, found.builtin, found.root) == ("mine", False, tmp_path / "data")
    assert dataset_ids()[-1] == "mine"
    assert cards()[-1] == found
    assert locate(found) == tmp_path / "data"


def test_a_set_of_the_catalogue_under_another_id_and_elsewhere(tmp_path: Path) -> None:
    add_like("our_acdc", id="our_acdc", like="acdc", root=str(tmp_path))
    found = card("our_acdc")
    assert (found.id, found.root, found.builtin) == ("our_acdc", tmp_path, False)
    assert found.layouts == card("acdc").layouts
    assert found.source == added_dir("our_acdc") / "dataset.toml"
    assert locate(found) == tmp_path
    assert card("acdc").root is None


def test_what_the_user_added_comes_before_the_catalogue(tmp_path: Path) -> None:
    add_like("acdc", id="acdc", like="acdc", root=str(tmp_path))
    assert card("acdc").root == tmp_path
    assert card("ACDC17").root == tmp_path
    assert dataset_ids().count("acdc") == 1
    assert builtin_cards()[dataset_ids().index("acdc")].root is None


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"id": "mine", "like": "acdc"}, "a string as root"),
        ({"id": "mine", "like": "acdc", "root": ""}, "not empty as root"),
        ({"like": "acdc", "root": "/data"}, "as id"),
        ({"id": "mine", "like": "adcd", "root": "/data"}, "a data set of the catalogue as like"),
        ({"id": "mine", "like": "../cards/acdc", "root": "/data"}, "a data set of the catalogue as like"),
        ({"id": "mine", "like": 1, "root": "/data"}, "a string as like"),
        ({"id": "mine", "like": "acdc", "root": "/data", "title": "x"}, "got title"),
        ({"id": "other", "like": "acdc", "root": "/data"}, "the id 'mine'"),
    ],
)
def test_a_short_card_is_read_as_strictly(fields: dict[str, Any], complaint: str) -> None:
    path = add_like("mine", **fields)
    with pytest.raises(DatasetError) as caught:
        card("mine")
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_card_under_another_id_is_refused() -> None:
    add("mine", id="other")
    with pytest.raises(DatasetError, match=r"the id 'mine' in .*dataset\.toml, but got 'other'"):
        card("mine")


@pytest.mark.parametrize("broken", ["id = ", 'title = "x"', 'like = "acdc"', "\x00"])
def test_a_broken_card_is_named_and_hides_no_other(broken: str, tmp_path: Path) -> None:
    add("fine", id="fine", root=str(tmp_path))
    path = add("broken", id="broken")
    path.write_text(broken)
    with pytest.raises(DatasetError, match=r"broken.dataset\.toml"):
        card("broken")
    assert card("fine").id == "fine"
    assert card("acdc").id == "acdc"
    assert card("ACDC17").id == "acdc"
    assert {"fine", "broken"} <= set(dataset_ids())
    with pytest.warns(AnytomyWarning, match=r"broken is left out: .*broken.dataset\.toml"):
        found = cards()
    assert [c.id for c in found] == [name for name in dataset_ids() if name != "broken"]


def test_a_broken_card_of_the_catalogue_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acdc.toml").write_text("id = 1")
    monkeypatch.setattr(registry, "_BUILTIN", tmp_path)
    with pytest.raises(DatasetError, match=r"acdc\.toml"):
        cards()


def test_folders_that_are_no_sets_are_passed_over() -> None:
    (home_dir() / "datasets/empty").mkdir(parents=True)
    add("Not An Id", id="mine")
    (home_dir() / "datasets/file").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cards() == builtin_cards()


# -- where they lie ----------------------------------------------------------------------------------


def test_a_set_that_is_nowhere() -> None:
    assert locate(card("acdc")) is None


def test_the_folders_of_the_variable_are_searched_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    folders = [tmp_path / "missing", first, second]
    monkeypatch.setenv("ANYTOMY_DATA", os.pathsep.join(map(str, folders)) + os.pathsep)
    assert registry.search_path() == folders
    assert locate(card("acdc")) is None
    (second / "acdc").mkdir(parents=True)
    assert locate(card("acdc")) == second / "acdc"
    (first / "ACDC17").mkdir(parents=True)
    assert locate(card("acdc")) == first / "ACDC17"
    (first / "acdc").mkdir()
    assert locate(card("acdc")) == first / "acdc"
    assert locate(card("btcv")) is None


def test_a_file_is_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acdc").write_text("")
    monkeypatch.setenv("ANYTOMY_DATA", str(tmp_path))
    assert locate(card("acdc")) is None


def test_what_was_fetched_is_found_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download_dir(card("acdc")).mkdir(parents=True)
    assert locate(card("acdc")) == download_dir(card("acdc"))
    (tmp_path / "acdc").mkdir()
    monkeypatch.setenv("ANYTOMY_DATA", str(tmp_path))
    assert locate(card("acdc")) == tmp_path / "acdc"
    add_like("acdc", id="acdc", like="acdc", root=str(tmp_path / "own"))
    assert locate(card("acdc")) == tmp_path / "own"


def test_where_a_card_says_home_or_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    add_like("mine", id="mine", like="acdc", root="~/scans")
    assert locate(card("mine")) == tmp_path / "scans"
    path = add_like("mine", id="mine", like="acdc", root="scans")
    assert locate(card("mine")) == path.parent / "scans"
