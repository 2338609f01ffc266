"""Geometry across formats, outputs that are refused, and files that are old or new but never half."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anytomy import read
from anytomy.core.errors import OutputError
from anytomy.core.image import Image
from anytomy.io import atomic
from anytomy.io.write import check_output, endings, write_prediction
from tests.core.strategies import geometries, numbered_voxels
from tests.io.conftest import make_prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.core.geometry import Geometry

VOLUMES = (".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".mhd")


def corners_lps(path: Path) -> Any:
    """Physical corners of a file, by a library that Anytomy does not use for writing it."""
    name = str(path)
    if ".nii" in name:
        image = nibabel.load(name)
        affine, size = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine, image.shape
    elif name.endswith("nrrd"):
        _, header = nrrd.read(name)
        assert header["space"] in ("left-posterior-superior", "right-anterior-superior")
        sign = [1, 1, 1] if header["space"][0] == "l" else [-1, -1, 1]
        affine, size = np.eye(4), header["sizes"]
        affine[:3, :3] = np.diag(sign) @ header["space directions"].T
        affine[:3, 3] = sign * header["space origin"]
    else:
        image = sitk.ReadImage(name)
        ends = product(*((0, n - 1) for n in image.GetSize()))
        return np.array([image.TransformIndexToPhysicalPoint(end) for end in ends])
    ends = np.array(list(product(*((0, n - 1) for n in size))))
    return ends @ affine[:3, :3].T + affine[:3, 3]


def corners_of(geometry: Geometry) -> Any:
    return geometry.to_physical(list(product(*((0, n - 1) for n in geometry.size_xyz))))


def tolerance(geometry: Geometry) -> float:
    return 1e-6 * max(
        np.linalg.norm(np.multiply(geometry.size_xyz, geometry.spacing_xyz_mm)),
        np.abs(corners_of(geometry)).max(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round_trips")


@given(geometry=geometries(), chain=st.lists(st.sampled_from(VOLUMES), min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_voxel_stays_in_its_place_from_format_to_format(
    folder: Path, geometry: Geometry, chain: list[str]
) -> None:
    labels = (numbered_voxels(geometry) % 5).astype(np.uint8)
    image = Image(array=labels, geometry=geometry, is_volume=True)
    masks = [labels == value for value in range(1, 5)]
    for step, ending in enumerate(chain):
        path = folder / f"{step}{ending}"
        write_prediction(path, make_prediction(image, masks), image)
        np.testing.assert_allclose(corners_lps(path), corners_of(geometry), rtol=0, atol=tolerance(geometry))
        image = read(path)
        np.testing.assert_array_equal(image.array, labels)
        assert image.geometry.is_close(geometry)


@given(geometry=geometries(), ending=st.sampled_from([".nrrd", ".mha"]))
def test_itk_formats_lose_nothing(folder: Path, geometry: Geometry, ending: str) -> None:
    image = Image(array=np.zeros(geometry.shape_zyx, np.uint8), geometry=geometry, is_volume=True)
    write_prediction(folder / f"a{ending}", make_prediction(image, [image.array]), image)
    assert read(folder / f"a{ending}").geometry.is_close(geometry, rtol=1e-14)


# -- what is refused ---------------------------------------------------------------------------------


@pytest.fixture
def image() -> Image:
    return Image.from_array(np.zeros((3, 4, 5), np.int16))


@pytest.fixture
def prediction(image: Image) -> Any:
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 1:3, 1:4] = True
    return make_prediction(image, [mask], names=["Left kidney"])


def refusal(path: Path, inputs: Any = (), **options: Any) -> str:
    with pytest.raises(OutputError) as caught:
        check_output(path, inputs, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.mark.parametrize("name", ["a", "a.xyz", "a.gz", "a.jpg"])
def test_unknown_ending_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    text = refusal(tmp_path / name)
    assert all(ending in text for ending in endings())


def test_a_volume_does_not_fit_into_png(tmp_path: Path, prediction: Any, image: Image) -> None:
    assert "choose .nii.gz or .tif" in refusal(tmp_path / "a.png", slices=3)
    with pytest.raises(OutputError, match=r"cannot write 3 slices to .*a\.png"):
        write_prediction(tmp_path / "a.png", prediction, image)
    assert not list(tmp_path.iterdir())


def test_the_input_is_never_the_output(
    tmp_path: Path, prediction: Any, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(image.array.T, np.eye(4)), source)
    (tmp_path / "folder").mkdir()
    (tmp_path / "soft.nii.gz").symlink_to(source)
    (tmp_path / "hard.nii.gz").hardlink_to(source)
    (tmp_path / "same").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = source.read_bytes()
    names = ("a.nii.gz", "./a.nii.gz", "folder/../a.nii.gz", "soft.nii.gz", "hard.nii.gz", "same/a.nii.gz")
    for name in names:
        assert "is the input itself" in refusal(Path(name), [source])
        with pytest.raises(OutputError, match="is the input itself"):
            write_prediction(Path(name), prediction, read(source))
    assert source.read_bytes() == before
    check_output(tmp_path / "b.nii.gz", [source])


def test_a_folder_in_the_way(tmp_path: Path, prediction: Any, image: Image) -> None:
    (tmp_path / "a.nii.gz").mkdir()
    (tmp_path / "file").touch()
    assert "Is a directory" in refusal(tmp_path / "a.nii.gz")
    assert "is not a folder" in refusal(tmp_path / "file" / "a.nii.gz")
    with pytest.raises(OutputError):
        write_prediction(tmp_path / "file" / "a.nii.gz", prediction, image)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_really(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in refusal(tmp_path / "new" / "a.nii.gz")


def test_a_folder_or_file_that_may_not_be_written(
    tmp_path: Path, prediction: Any, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "a.nii.gz"
    old.write_bytes(b"old")
    for protected in (tmp_path, old):
        monkeypatch.setattr(os, "access", lambda path, mode, p=protected: Path(path) != p)
        assert "Permission denied" in refusal(old)
        with pytest.raises(OutputError, match="choose a folder that you may write to"):
            write_prediction(old, prediction, image)
    assert old.read_bytes() == b"old"


def test_check_writes_nothing(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "folder" / "a.nii.gz")
    assert not list(tmp_path.iterdir())


# -- what is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", VOLUMES)
def test_missing_folders_are_made_and_nothing_else_is_left(
    tmp_path: Path, prediction: Any, image: Image, ending: str
) -> None:
    path = tmp_path / "new" / "folder" / f"a{ending}"
    assert path in write_prediction(path, prediction, image)
    np.testing.assert_array_equal(read(path).array, prediction.label_map)
    assert {p.name for p in path.parent.iterdir()} == {path.name} | (
        {"a.zraw"} if ending == ".mhd" else set()
    )


def test_overlapping_objects_are_kept_in_files_of_their_own(tmp_path: Path, image: Image) -> None:
    first, second = np.zeros((2, 3, 4, 5), bool)
    first[1, :3], second[1, 1:] = True, True
    prediction = make_prediction(
        image, [first, second], names=["Left/right Kidney: größer", None], overlap="keep"
    )
    written = write_prediction(tmp_path / "a.nii.gz", prediction, image)
    assert [p.name for p in written] == ["a_1_left-right-kidney-größer.nii.gz", "a_2.nii.gz"]
    for path, mask in zip(written, (first, second), strict=True):
        values = read(path).array
        assert values.dtype == np.uint8
        np.testing.assert_array_equal(values, mask)


def test_objects_that_only_might_overlap_share_a_file(tmp_path: Path, image: Image) -> None:
    first, second = np.zeros((2, 3, 4, 5), bool)
    first[0], second[2] = True, True
    prediction = make_prediction(image, [first, second], overlap="keep")
    assert write_prediction(tmp_path / "a.mha", prediction, image) == [tmp_path / "a.mha"]


def test_a_link_as_output_is_followed(tmp_path: Path, prediction: Any, image: Image) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.nrrd").symlink_to(tmp_path / "disk" / "a.nrrd")
    write_prediction(tmp_path / "a.nrrd", prediction, image)
    assert (tmp_path / "a.nrrd").is_symlink()
    assert (tmp_path / "disk" / "a.nrrd").is_file()


# -- old or new, never half --------------------------------------------------------------------------


@pytest.fixture(params=VOLUMES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """An earlier output; it is still there, alone, after what the test does."""
    path = tmp_path / f"a{request.param}"
    path.write_bytes(b"old")
    yield path
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "hint"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "choose a folder"), (errno.EIO, "")]
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_refuses(
    old: Path, prediction: Any, image: Image, monkeypatch: pytest.MonkeyPatch, code: int, hint: str, call: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OutputError, match=rf"^cannot write {old.parent}/a\.\S+: {os.strerror(code)}.*{hint}"):
        write_prediction(old, prediction, image)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_gets_full_while_writing(
    old: Path, prediction: Any, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda _: "full")
    for ending in {"".join(old.suffixes), ".zraw"} if old.suffix == ".mhd" else {"".join(old.suffixes)}:
        (old.parent / f".anytomy-full{ending}").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        write_prediction(old, prediction, image)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_or_ctrl_c_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.json").write_text("old")

    def write() -> None:
        with atomic.atomic_path(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    code = (
        "import os, sys, pathlib; from anytomy.io.atomic import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a.json").read_text() == "old"


def test_text_is_utf_8_with_its_line_ends(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "new" / "a.txt", "größer\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "größer\n".encode()
    assert os.stat(tmp_path / "new" / "a.txt").st_mode & 0o444, "others may read it, as umask says"


def test_the_temporary_path_has_the_ending_of_the_final_one(tmp_path: Path) -> None:
    for name in ("a.seg.nrrd", "b.nii.gz", "c"):
        with atomic.atomic_path(tmp_path / name) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.name.endswith(name[1:])
            temporary.touch()
