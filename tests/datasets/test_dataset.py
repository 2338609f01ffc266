"""Opening a data set: what it says, and that nothing is read before it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import anytomy
from anytomy.core.errors import AnytomyWarning, DatasetError, ImageReadError
from anytomy.datasets.dataset import Dataset, dataset_at
from tests.datasets.making import layout, make_card, touch
from tests.datasets.phantoms import picture
from tests.test_imports import HEAVY


def fill(root: Path) -> None:
    """Three images of two patients; the second one's mask is broken."""
    for name in ("a_1", "a_2", "b_1"):
        picture(root / f"images/{name}.png", np.full((4, 5), 7, np.uint8))
        picture(root / f"masks/{name}.png", np.eye(4, 5, dtype=np.uint8) * 255)
    (root / "masks/a_2.png").write_bytes(b"")


def opened(root: Path) -> Dataset:
    return dataset_at(make_card(layout("images/{patient:[a-z]}_{n}.png", "masks/{patient}_{n}.png")), root)


# -- what it is --------------------------------------------------------------------------------------


def test_a_data_set_is_a_sequence_of_cases(tmp_path: Path) -> None:
    fill(tmp_path)
    found = opened(tmp_path)
    assert len(found) == 3
    assert [case.id for case in found] == ["a_1", "a_2", "b_1"]
    assert found[-1].id == "b_1"
    assert [case.id for case in found[:2]] == ["a_1", "a_2"]
    assert found[0] in found
    assert found.patients == ("a", "b")
    assert found.structures == ("liver",)
    assert found.root == tmp_path
    assert found.card.id == "mine"
    with pytest.raises(IndexError):
        found[3]


def test_cases_load_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path)
    found = opened(tmp_path)
    image, labels = found[0].load()
    np.testing.assert_array_equal(image.array, np.full((4, 5), 7))
    np.testing.assert_array_equal(labels["liver"], np.eye(4, 5))
    assert found[1].read().array.shape == (4, 5)
    with pytest.raises(ImageReadError, match=r"a_2\.png"):
        found[1].load()
    assert found[2].load()[1]["liver"].any()


def test_a_thousand_broken_files_are_opened_and_none_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"{part}/{n}.nii.gz" for part in ("images", "masks") for n in range(1000)))
    card = make_card(layout("images/{case}.nii.gz", "masks/{case}.nii.gz"))
    plain = Path.open

    def refuse(self: Path, *args: object, **options: object) -> object:
        assert tmp_path not in self.parents, f"{self} was opened"
        return plain(self, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        patch.setattr("anytomy.io.read.read", lambda *args, **options: pytest.fail("a file was read"))
        found = dataset_at(card, tmp_path)
        assert len(found) == 1000
        assert (found[999].id, found.patients[2], found.structures) == ("999", "2", ("liver",))
    with pytest.raises(ImageReadError, match=r"images.999\.nii\.gz"):
        found[999].load()


# -- what does not fit -------------------------------------------------------------------------------


def test_what_is_alone_is_left_out_and_said(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/1.png", "images/2.png", "images/3.png", "masks/4.png")
    with pytest.warns(AnytomyWarning) as told:
        found = dataset_at(make_card(), tmp_path)
    assert [str(w.message) for w in told] == [
        "mine: 2 images without masks are left out",
        "mine: 1 masks without images are left out",
    ]
    assert found.lone_images == ("images/2.png", "images/3.png")
    assert found.lone_masks == ("masks/4.png",)
    assert len(found) == 1


def test_a_set_that_fits_says_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/1.png", "readme.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(dataset_at(make_card(), tmp_path)) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "there is no file in it"),
        (("readme.txt",), "no image with a mask is found there; expected files like"),
        (("images/1.png", "images/2.png"), "found there, only 2 images without masks;"),
        (("masks/1.png",), "found there, only 1 masks without images;"),
        (("images/1.png", "masks/2.png"), "only 1 images without masks and 1 masks without images;"),
    ],
)
def test_a_folder_without_a_case_says_what_is_there(
    files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DatasetError) as caught:
        dataset_at(make_card(), tmp_path)
    assert f"expected mine in {tmp_path}" in str(caught.value)
    assert said in str(caught.value)
    assert "images/{case}.png with masks/{case}.png (plain)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_where_all_is_doubtful_says_why(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.nii", "gt/1_a.nii", "gt/1_b.nii")
    card = make_card(
        layout("img/{case}.nii", "gt/{case}_*.nii"), targets=[{"structure": "liver", "values": [1]}]
    )
    with pytest.raises(DatasetError, match=r"img/1\.nii is left out: expected one label map, got 1_a\.nii"):
        dataset_at(card, tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        dataset_at(make_card(), tmp_path / "nowhere")
    touch(tmp_path, "archive.zip")
    with pytest.raises(DatasetError, match=r"archive\.zip is a file"):
        dataset_at(make_card(), tmp_path / "archive.zip")


# -- open --------------------------------------------------------------------------------------------


def test_open_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"acdc/training/patient001/patient001_frame01{end}.nii.gz" for end in ("", "_gt")))
    monkeypatch.setenv("ANYTOMY_DATA", str(tmp_path))
    for name in ("acdc", "ACDC17"):
        found = anytomy.datasets.open(name)
        assert isinstance(found, anytomy.datasets.Dataset)
        assert [(case.dataset, case.id) for case in found] == [("acdc", "patient001_frame01")]


def test_open_of_what_is_not_here_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path))
    with pytest.raises(DatasetError) as caught:
        anytomy.datasets.open("acdc")
    for part in (
        "expected the files of acdc, but they are not on this machine",
        "`anytomy datasets info acdc`",
        "`anytomy datasets add acdc FOLDER`",
        str(tmp_path / "data/acdc"),
        "ANYTOMY_DATA",
    ):
        assert part in str(caught.value)
    assert "datasets get" not in str(caught.value)  # nothing to fetch without an account
    with pytest.raises(DatasetError, match="did you mean acdc"):
        anytomy.datasets.open("adcd")


def test_open_of_an_empty_folder_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acdc").mkdir()
    monkeypatch.setenv("ANYTOMY_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="there is no file in it") as caught:
        anytomy.datasets.open("acdc")
    assert str(tmp_path / "acdc") in str(caught.value)


# -- what it costs -----------------------------------------------------------------------------------

IMPORT = "import anytomy, anytomy.datasets; anytomy.datasets.Case, anytomy.datasets.open"
OPEN = "import anytomy; assert len(anytomy.datasets.open('acdc')) == 1"


@pytest.mark.parametrize("code", [IMPORT, OPEN], ids=["import", "open"])
def test_neither_torch_nor_readers_of_files_are_loaded_before_a_case_is(code: str, tmp_path: Path) -> None:
    touch(tmp_path, *(f"acdc/patient001/patient001_frame01{end}.nii.gz" for end in ("", "_gt")))
    report = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "ANYTOMY_DATA": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not {name.split(".")[0] for name in loaded} & {*HEAVY, "numpy"}
    assert not {"anytomy.io.read", "anytomy.datasets.loading"} & loaded


def test_public_names() -> None:
    for name in anytomy.datasets.__all__:
        assert getattr(anytomy.datasets, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        anytomy.datasets.no_such_name  # noqa: B018
