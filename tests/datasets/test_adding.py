"""Data sets of the user's own: added by name, opened again, forgotten; the data stay as they are."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import DatasetError, OutputError
from anytomy.datasets.adding import add_dataset, remove_dataset
from anytomy.datasets.card import read_card
from anytomy.datasets.dataset import open_dataset
from anytomy.datasets.registry import added_dir, card, dataset_ids
from anytomy.datasets.splits import make_splits
from anytomy.io.toml_write import toml_text

from .made import ball, disc, noise, picture, volume


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "my data"
    for n in range(4):
        picture(root / f"images/{n}.png", noise(n))
        picture(root / f"masks/{n}.png", disc(1, radius=16) + disc(1, radius=6))
    return root


def listing(root: Path) -> list[tuple[str, int, int]]:
    return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*"))


class TestAdding:
    def test_a_folder_becomes_a_data_set(self, folder: Path) -> None:
        before = listing(folder)
        added = add_dataset("my-liver", folder, labels={"1": "liver", "2": "liver tumour"})
        assert added.findings == ()
        assert (added.recognition.kind, len(added.dataset)) == ("folders", 4)
        data = open_dataset("my-liver")
        assert data.structures == ("liver", "liver tumour")
        image, labels = data[0].load()
        assert np.array_equal(image.array, noise(0))
        assert np.array_equal(labels["liver tumour"], disc(1, radius=6))
        assert listing(folder) == before
        assert "my-liver" in dataset_ids()

    def test_the_card_can_be_read_and_edited(self, folder: Path) -> None:
        add_dataset("mine", folder, modality="MR")
        path = added_dir("mine") / "dataset.toml"
        text = path.read_text()
        values = tomllib.loads(text)
        assert (values["access"]["how"], values["root"], values["modality"]) == ("local", str(folder), ["MR"])
        assert [t["structure"] for t in values["targets"]] == ["label 1", "label 2"]
        path.write_text(text.replace('"label 2"', '"tumour"'))
        assert open_dataset("mine").structures == ("label 1", "tumour")
        assert read_card(path, builtin=False).root == folder

    def test_what_is_odd_is_reported(self, folder: Path) -> None:
        (folder / "images/1.png").write_bytes(b"")
        picture(folder / "masks/2.png", disc(1)[:5])
        picture(folder / "masks/9.png", disc(1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            added = add_dataset("mine", folder)
        assert [f.kind for f in added.findings] == ["lone mask", "unreadable image", "shape"]

    def test_several_masks_and_splits_keep_their_targets(self, tmp_path: Path) -> None:
        root = tmp_path / "eyes"
        for split in ("train", "test"):
            for n in range(2):
                picture(root / split / f"images/{split}{n}.png", noise(n))
                for name, radius in (("OD", 12), ("cup", 5)):
                    picture(root / split / f"masks/{split}{n}_{name}.png", disc(radius=radius))
        data = add_dataset("eyes", root, labels={"OD": "optic disc"}).dataset
        assert set(data.structures) == {"optic disc", "optic cup"}
        assert {case.split for case in data} == {"train", "test"}
        labels = open_dataset("eyes")[0].load()[1]
        assert np.array_equal(labels["optic cup"] > 0, disc(radius=5) > 0)

    def test_colours_of_objects_stay_apart(self, tmp_path: Path) -> None:
        cells = [disc(n + 1, centre=(8 + 14 * (n // 3), 8 + 14 * (n % 3)), radius=4) for n in range(6)]
        for n in range(4):
            table = np.random.default_rng(n).integers(30, 255, (7, 3), dtype=np.uint8)
            table[0] = 0
            picture(tmp_path / f"d/images/{n}.png", noise(n))
            picture(tmp_path / f"d/masks/{n}.png", table[np.max(cells, axis=0)])
        labels = add_dataset("cells", tmp_path / "d", labels={"1": "nucleus"}).dataset[0].load()[1]
        assert len(np.unique(labels["nucleus"])) == 7
        assert np.array_equal(labels["nucleus"] > 0, np.max(cells, axis=0) > 0)

    def test_a_broken_folder_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(DatasetError, match="recognised none: there are no files"):
            add_dataset("mine", tmp_path / "empty")
        assert not added_dir("mine").exists()

    def test_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(DatasetError, match="does not exist"):
            add_dataset("mine", tmp_path / "nowhere")
        with pytest.raises(DatasetError, match="is a file"):
            add_dataset("mine", tmp_path / "file")

    @pytest.mark.parametrize("name", ["My Liver", "", "../x", "-a", "a/b", "x" * 65])
    def test_names_that_are_no_id(self, folder: Path, name: str) -> None:
        with pytest.raises(DatasetError, match="small letters"):
            add_dataset(name, folder)

    def test_a_taken_name(self, folder: Path) -> None:
        add_dataset("mine", folder)
        with pytest.raises(DatasetError, match="there is a data set 'mine' already"):
            add_dataset("mine", folder)
        assert (
            add_dataset("mine", folder, labels={"1": "liver"}, replace=True).dataset.structures[0] == "liver"
        )

    def test_folders_of_our_own_are_refused(self, tmp_path: Path) -> None:
        picture(tmp_path / "home/data/x/images/0.png")
        with pytest.raises(DatasetError, match="Anytomy's own"):
            add_dataset("mine", tmp_path / "home/data/x")

    def test_relative_folders_are_remembered_in_full(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(folder)
        add_dataset("mine", ".")
        monkeypatch.chdir(tmp_path)
        assert len(open_dataset("mine")) == 4

    def test_a_folder_whose_name_is_no_text(self, folder: Path, tmp_path: Path) -> None:
        strange = tmp_path / b"\xff\xfe".decode("utf-8", "surrogateescape")
        try:
            folder.rename(strange)
        except OSError:
            pytest.skip("this file system has text names only")
        with pytest.raises(OutputError, match="rename the folder"):
            add_dataset("mine", strange)

    def test_objects_must_be_a_kind(self, folder: Path) -> None:
        with pytest.raises(DatasetError, match="one, instances or parts"):
            add_dataset("mine", folder, objects="some")


class TestCatalogue:
    @pytest.fixture
    def heart(self, tmp_path: Path) -> Path:
        for patient in ("patient001", "patient002"):
            volume(tmp_path / "h" / patient / f"{patient}_frame01.nii.gz")
            volume(tmp_path / "h" / patient / f"{patient}_frame01_gt.nii.gz", ball(2))
        return tmp_path / "h"

    def test_an_id_of_the_catalogue_means_its_card(self, heart: Path) -> None:
        added = add_dataset("acdc", heart)
        assert added.recognition.like == "acdc"
        values = tomllib.loads((added_dir("acdc") / "dataset.toml").read_text())
        assert values == {"id": "acdc", "like": "acdc", "root": str(heart)}
        assert open_dataset("acdc").patients == ("patient001", "patient002")

    def test_a_name_of_ones_own_for_it(self, heart: Path) -> None:
        assert add_dataset("heart", heart).recognition.like == "acdc"
        assert "myocardium" in open_dataset("heart").structures

    def test_like_says_which(self, heart: Path) -> None:
        assert add_dataset("heart", heart, like="ACDC17").card.title == card("acdc").title

    def test_files_of_another_set(self, heart: Path) -> None:
        with pytest.raises(DatasetError, match="no image with a mask is found"):
            add_dataset("heart", heart, like="busi")
        assert not added_dir("heart").exists()

    def test_unknown_ones(self, heart: Path) -> None:
        with pytest.raises(DatasetError, match="none called 'zebra'"):
            add_dataset("heart", heart, like="zebra")
        with pytest.raises(DatasetError, match="another set of the catalogue"):
            add_dataset("busi", heart, like="acdc")

    def test_labels_are_the_cards(self, heart: Path) -> None:
        with pytest.raises(DatasetError, match="the card of acdc says"):
            add_dataset("acdc", heart, labels={"1": "x"})


class TestRemoving:
    def test_only_what_we_wrote_goes(self, folder: Path) -> None:
        before = listing(folder)
        data = add_dataset("mine", folder).dataset
        make_splits(data)
        assert remove_dataset("mine") == folder
        assert not added_dir("mine").exists()
        assert listing(folder) == before
        assert "mine" not in dataset_ids()

    def test_files_of_others_stay(self, folder: Path) -> None:
        add_dataset("mine", folder)
        note = added_dir("mine") / "note.txt"
        note.write_text("mine")
        remove_dataset("mine")
        assert note.read_text() == "mine"

    def test_a_broken_card_can_be_removed(self, folder: Path) -> None:
        add_dataset("mine", folder)
        (added_dir("mine") / "dataset.toml").write_text("broken [")
        remove_dataset("mine")
        assert not added_dir("mine").exists()

    @pytest.mark.parametrize("name", ["acdc", "nothing", "../x"])
    def test_what_was_not_added_cannot_be_removed(self, name: str) -> None:
        with pytest.raises(DatasetError, match="was added"):
            remove_dataset(name)


values = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-(2**60), 2**60), st.booleans(), st.floats(-1e6, 1e6)),
    lambda inner: st.one_of(
        st.lists(st.integers(0, 9), max_size=3),
        st.dictionaries(st.text(max_size=6), inner, max_size=3),
        st.lists(st.dictionaries(st.text(max_size=6), inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=4))
def test_what_is_written_as_toml_is_read_again(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(table)) == table
