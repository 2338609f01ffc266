"""Cases read without noise, arrays on disk, and an even choice."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import AnytomyError, AnytomyWarning, DatasetError
from anytomy.tuning.prepared import (
    PREPARED,
    clear,
    mapped,
    name_of,
    quietly_labelled,
    quietly_read,
    spread,
    write_array,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset


def test_what_is_odd_about_an_image_is_not_said_in_training(
    discs: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = discs.cases[0]
    image = case.read()

    def odd(_: Case) -> Image:
        warnings.warn("says nothing of mm", AnytomyWarning, stacklevel=2)
        return image

    monkeypatch.setattr("anytomy.datasets.case.Case.read", odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quietly_read(case) is image


def test_labels_are_those_of_the_case(discs: Dataset) -> None:
    case = discs.cases[0]
    image, expected = case.load()
    found = quietly_labelled(case, image, strict=True)
    assert set(found) == {"liver", "spleen"}
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_value_that_no_label_names_is_refused_or_said(discs: Dataset) -> None:
    case = discs.cases[0]
    mask = case.masks[0].paths[0]
    values = np.array(Picture.open(mask))
    values[:4, :4] = 9
    Picture.fromarray(values).save(mask)
    with pytest.raises(DatasetError, match=f"but discs {case.id}: .*names: 9.*verify discs"):
        quietly_labelled(case, case.read(), strict=True)
    with pytest.warns(AnytomyWarning, match="no label names: 9"):
        assert set(quietly_labelled(case, case.read(), strict=False)) == {"liver", "spleen"}


def test_files_are_named_for_the_case_and_its_data_set(discs: Dataset) -> None:
    first, second = discs.cases[:2]
    names = [name_of(case) for case in (first, second, replace(first, dataset="other"))]
    assert len(set(names)) == 3
    assert all(len(name) == 16 and name.isalnum() for name in names)
    assert name_of(replace(first, patient="somebody")) == names[0]


def test_an_array_comes_back_without_being_read_whole(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint16).reshape(3, 4)
    write_array(tmp_path / "new" / "a.npy", array)
    found = mapped(tmp_path / "new" / "a.npy")
    assert isinstance(found, np.memmap)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_a_damaged_array_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AnytomyError, match=r"expected a prepared array at .*a\.npy.*delete the folder"):
        mapped(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"cut")
    with pytest.raises(AnytomyError, match="cannot be read"):
        mapped(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("most", "expected"),
    [(None, "abcde"), (5, "abcde"), (9, "abcde"), (3, "ace"), (2, "ae"), (1, "a"), (0, "")],
)
def test_a_choice_is_spread_from_first_to_last(most: int | None, expected: str) -> None:
    assert spread("abcde", most) == list(expected)


def test_nothing_is_chosen_twice() -> None:
    for count in range(1, 40):
        for most in range(1, count + 1):
            chosen = spread(range(count), most)
            assert len(set(chosen)) == most
            assert chosen == sorted(chosen)


def test_an_array_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_array(path, np.zeros(3))
    assert mapped(path).shape == (3,)
    write_array(path, np.ones(5))
    assert mapped(path).tolist() == [1, 1, 1, 1, 1]


def test_what_somebody_else_put_beside_prepared_arrays_stays(tmp_path: Path) -> None:
    ours = [tmp_path / PREPARED / name for name in (f"train/{'0a' * 8}.labels.npy", f"x/{'f' * 16}.npy")]
    theirs = [tmp_path / PREPARED / name for name in ("train/mine.npy", "notes.txt")]
    for path in (*ours, *theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_array(path, np.zeros(1))
    clear(tmp_path)
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in theirs)
    assert not (tmp_path / PREPARED / "x").exists()
    clear(tmp_path / "nowhere")
