"""Whatever lies in a folder: its card can be written and read, or it is refused in one line."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from anytomy.core.errors import DatasetError
from anytomy.datasets.adding import Added, add_dataset
from anytomy.datasets.dataset import open_dataset

from .made import Array, disc, noise, picture, volume

WORDS = (
    *("images", "masks", "labels", "train", "test", "seg", "img", "mask", "gt", "patient1", "P 2", "liver"),
    *("a", "b", "x{1}", "ct*", "[0]", "0", "1", "12", "007", "frame03", "GT", "ä", "label_1", "1st_manual"),
    *("$(x)", "a'b", "b\\c"),
)
words = st.sampled_from(WORDS)
stems = st.lists(words, min_size=1, max_size=3).flatmap(
    lambda w: st.sampled_from(("_", "-", " ", "")).map(lambda s: s.join(w))
)
folders = st.lists(words, max_size=3).map(lambda w: "/".join(w))
contents = st.sampled_from(("disc", "noise", "empty", "classes", "junk", "nothing"))
endings = st.sampled_from((".png", ".png", ".PNG", ".jpg", ".nii.gz", ".txt", ".csv", ".json", ".dcm", ""))
files = st.dictionaries(st.tuples(folders, stems, endings), contents, min_size=1, max_size=14)
ARRAYS: dict[str, Array] = {
    "disc": disc(),
    "noise": noise(1),
    "empty": disc(0),
    "classes": disc(1, radius=16) + disc(1, radius=6),
}


def lay(root: Path, tree: dict[tuple[str, str, str], str]) -> None:
    for (folder, stem, ending), content in tree.items():
        path = root / folder / f"{stem}{ending}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if content in ARRAYS and ending.lower() in (".png", ".jpg"):
                picture(path, ARRAYS[content])
            elif content in ARRAYS and ending == ".nii.gz":
                volume(path, ARRAYS[content][None].repeat(3, axis=0))
            else:
                path.write_bytes(b"\x89PNG junk, image,mask\n" if content == "junk" else b"")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file where a folder should be


def added_or_refused(root: Path) -> tuple[Added | None, str]:
    try:
        return add_dataset("any", root, replace=True), ""
    except DatasetError as error:
        return None, str(error)


@settings(max_examples=2)
@given(files)
def test_any_folder(tree: dict[tuple[str, str, str], str]) -> None:
    root = Path(tempfile.mkdtemp()) / "data"
    root.mkdir()
    try:
        lay(root, tree)
        added, refusal = added_or_refused(root)
        if added is None:
            assert "\n" not in refusal
            return
        data = open_dataset("any")
        assert [case.id for case in data] == [case.id for case in added.dataset]
        assert len({case.id for case in data}) == len(data) > 0
        images = {case.image.path for case in data if not case.image.key}
        assert not images & {path for case in data for mask in case.masks for path in mask.paths}
        assert added.recognition.understood
        assert all("\n" not in line for line in (*added.recognition.understood, *added.recognition.odd))
    finally:
        shutil.rmtree(root.parent)


names_of_images = st.lists(
    st.from_regex(r"[A-Za-z0-9]{1,4}([_\- .][A-Za-z0-9]{1,4}){0,2}", fullmatch=True),
    min_size=2,
    max_size=8,
    unique_by=str.lower,
)


@settings(max_examples=2500)
@given(
    names_of_images,
    st.sampled_from((("images", "masks"), ("img", "labels"), ("x/raw", "x/gt"))),
    st.sampled_from(("", "_mask", "-seg", " gt", "_label")),
    st.sampled_from(("", "IMG_", "im-")),
)
def test_folders_pair_whatever_names_are(
    names: list[str], where: tuple[str, str], tail: str, head: str
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        for number, name in enumerate(names):
            picture(root / where[0] / f"{head}{name}.png", noise(number))
            picture(root / where[1] / f"{name}{tail}.png", disc())
        data = add_dataset("any", root, replace=True, limit=0).dataset
        wanted = {f"{head}{name}.png": f"{name}{tail}.png" for name in names}
        got = {case.image.path.name: [p.name for m in case.masks for p in m.paths] for case in data}
        assert got == {image: [mask] for image, mask in wanted.items()}
    finally:
        shutil.rmtree(root)
