"""`anytomy datasets`, as typed in a shell; data come from a server on the loopback address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.datasets import registry
from anytomy.zoo import download
from tests.datasets.test_unpacking import make_zip

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.file_server import Server

    from .conftest import Outcome

    Run = Callable[..., Outcome]

CARD = """
id = "{id}"
title = "A {id} set"
summary = "circles"
survey = 3
modality = ["CT"]
anatomy = "abdomen"
dimension = "2D"
quality = "synthetic"
licence = "CC0"
licence_class = "open"
citation = "nobody"
patient_key = "the case"
aliases = ["{id}-alias"]
unverified = ["licence"]
size = {{ survey = "4", found = "4 circles" }}

[access]
how = "{how}"
place = "https://example.org/{id}"
steps = "ask nicely, then run: anytomy datasets add {id} FOLDER"
{downloads}
[[targets]]
structure = "left adrenal gland"
values = [1]

[[targets]]
structure = "spleen"
values = [2]

[[layouts]]
name = "official"
image = "images/{{case}}.png"
masks = {{ mask = "labels/{{case}}.png" }}
"""
DOWNLOAD = """
[[access.downloads]]
url = "https://example.org/{name}"
file = "{name}"
bytes = {size}
"""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, a catalogue of two, and an empty working directory."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(registry, "_BUILTIN", tmp_path / "cards")
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_card(tmp_path, "closed", how="registration")
    return tmp_path


def write_card(folder: Path, id_: str, *, how: str = "open", **files: int) -> None:
    (folder / "cards").mkdir(exist_ok=True)
    downloads = "".join(DOWNLOAD.format(name=f"{name}.zip", size=size) for name, size in files.items())
    text = CARD.format(id=id_, how=how, downloads=downloads)
    (folder / "cards" / f"{id_}.toml").write_text(text)


def pictures(count: int = 4, *, kind: str = "images") -> dict[str, bytes]:
    files = {}
    for number in range(count):
        values = np.zeros((40, 60), np.uint8)
        y, x = np.ogrid[:40, :60]
        values[(y - 20) ** 2 + (x - 30) ** 2 < 60 + 10 * number] = 1
        values[30:, :10] = 2
        values = values * 100 + 20 if kind == "images" else values
        path = Path(f"{number}.png")
        Picture.fromarray(values).save(path)
        files[f"{kind}/{number}.png"] = path.read_bytes()
        path.unlink()
    return files


def lay_out(folder: Path, count: int = 4) -> Path:
    for name, body in {**pictures(count), **pictures(count, kind="labels")}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture
def served(folders: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The catalogue's `tiny`, whose two files lie on a mirror."""
    monkeypatch.setenv("ANYTOMY_MIRROR", server.url)
    for name, files in (("images", pictures()), ("labels", pictures(kind="labels"))):
        server.files[f"{name}.zip"] = make_zip(folders / f"{name}.zip", files).read_bytes()
    write_card(folders, "tiny", **{n: len(server.files[f"{n}.zip"]) for n in ("images", "labels")})
    return server


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.code == 0
    found: list[dict[str, Any]] = outcome.json["data"]["datasets"]
    return found


# -- list and info -------------------------------------------------------------------------------


def test_list(run: Run, served: Server) -> None:
    shown = run("datasets", "list")
    assert shown.code == 0
    assert "2 data sets, 0 of them here" in shown.out
    lines = {line.split()[0]: line for line in shown.out.splitlines()[1:]}
    assert "4 circles" in lines["tiny"]
    assert lines["tiny"].split()[-2:] == ["get", "-"]
    assert "registration" in lines["closed"]
    listed = {row["id"]: row for row in rows(run("datasets", "list", "--json"))}
    assert listed["tiny"]["can_get"] is True
    assert listed["closed"]["can_get"] is False
    assert listed["tiny"]["structures"] == ["left adrenal gland", "spleen"]
    assert listed["tiny"]["path"] is None


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--modality", "ct"], 2),
        (["--modality", "MRI"], 0),
        (["--anatomy", "Abdomen"], 2),
        (["--structure", "adrenal gland"], 2),
        (["--structure", "Glnd_Adrenal_L"], 2),
        (["--structure", "right adrenal gland"], 0),
        (["--structure", "liver"], 0),
        (["--survey"], 2),
        (["--local"], 0),
        (["--licence-class", "open", "--modality", "CT"], 2),
        (["--licence-class", "unknown"], 0),
    ],
)
def test_list_what_fits(run: Run, served: Server, options: list[str], count: int) -> None:
    assert len(rows(run("datasets", "list", *options, "--json"))) == count
    assert f"{count} data sets" in run("datasets", "list", *options).out


def test_a_licence_class_that_is_none(run: Run) -> None:
    assert "one of open, share-alike" in run("datasets", "list", "--licence-class", "free").error


def test_the_catalogue_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    listed = rows(run("datasets", "list", "--survey", "--json"))
    assert {row["survey"] for row in listed} == set(range(1, 34))
    assert len(run("datasets", "list").out.splitlines()) > 34


def test_info(run: Run, served: Server, folders: Path) -> None:
    shown = run("datasets", "info", "tiny").out
    assert "CC0 (open) (unverified)" in shown
    assert "documented: images/{case}.png with labels/{case}.png" in shown
    assert "anytomy datasets get tiny" in shown
    assert "https://example.org/images.zip" in shown
    data = run("datasets", "info", "tiny", "--json").json["data"]
    assert data["unverified"] == ["licence"]
    assert data["layouts"][0]["documented"] is True
    assert data["here"] is None
    assert "register" in run("datasets", "info", "closed").out


def test_info_of_what_is_here(run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_DATA", str(folders / "data"))
    lay_out(folders / "data" / "closed")
    (folders / "data" / "closed" / "labels" / "3.png").unlink()
    shown = run("datasets", "info", "closed")
    assert "3 cases of 3 patients" in shown.out
    here = run("datasets", "info", "closed", "--json").json["data"]["here"]
    assert (here["cases"], here["patients"], here["images_without_masks"]) == (3, 3, 1)
    assert here["path"] == str(folders / "data" / "closed")
    (row,) = rows(run("datasets", "list", "--local", "--json"))
    assert row["id"] == "closed"


def test_info_of_a_folder_that_holds_something_else(
    run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTOMY_DATA", str(folders / "data"))
    (folders / "data" / "closed").mkdir(parents=True)
    shown = run("datasets", "info", "closed")
    fault = run("datasets", "info", "closed", "--json").json["data"]["here"]["fault"]
    assert str(folders / "data" / "closed") in fault
    assert f"not usable: {fault}" in shown.out


# -- get -----------------------------------------------------------------------------------------


def test_get(run: Run, served: Server, folders: Path) -> None:
    got = run("datasets", "get", "tiny")
    assert got.code == 0
    assert "2 files" in got.err
    assert "4 cases of 4 patients" in got.out
    assert "nobody published hashes of images.zip, labels.zip" in got.out
    assert "licence: CC0" in got.out
    again = run("datasets", "get", "tiny", "--json").json["data"]
    assert again["status"] == "here"
    assert again["path"] == str(folders / "home" / "data" / "tiny")
    assert (again["cases"], again["files"]) == (4, [])
    assert "here" in run("datasets", "get", "tiny").out


def test_get_as_json(run: Run, served: Server) -> None:
    got = run("datasets", "get", "tiny", "--json")
    assert got.err == ""
    data = got.json["data"]
    assert (data["status"], data["cases"], data["patients"]) == ("fetched", 4, 4)
    assert data["files"] == data["hash_recorded"] == ["images.zip", "labels.zip"]


def test_get_a_part_and_the_rest(run: Run, served: Server) -> None:
    part = run("datasets", "get", "tiny", "--only", "images*", "--json").json["data"]
    assert (part["status"], part["files"], part["cases"]) == ("fetched", ["images.zip"], None)
    rest = run("datasets", "get", "tiny", "--json").json["data"]
    assert (rest["files"], rest["cases"]) == (["labels.zip"], 4)
    assert "it has images.zip, labels.zip" in run("datasets", "get", "tiny", "--only", "x").error


def test_get_by_hand(run: Run) -> None:
    got = run("datasets", "get", "closed")
    assert got.code == 0
    assert "given only to people who register" in got.out
    assert "ask nicely, then run: anytomy datasets add closed FOLDER" in got.out
    data = run("datasets", "get", "closed", "--json").json["data"]
    assert data["status"] == "by-hand"
    assert data["steps"].startswith("ask nicely")
    assert "register" in data["why_by_hand"]


def test_get_what_lies_elsewhere(
    run: Run, served: Server, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTOMY_DATA", str(folders / "data"))
    lay_out(folders / "data" / "tiny")
    data = run("datasets", "get", "tiny", "--json").json["data"]
    assert (data["status"], data["path"]) == ("here", str(folders / "data" / "tiny"))
    assert served.asked == []
    assert "here already" in run("datasets", "get", "tiny", "--to", "elsewhere").error


def test_get_a_broken_off_download(run: Run, served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TRIES", 1)
    served.cut_after, served.cuts = 300, 1
    assert "broke off after 300" in run("datasets", "get", "tiny").err
    served.asked.clear()
    assert run("datasets", "get", "tiny", "--json").json["data"]["cases"] == 4
    assert ("/images.zip", "bytes=300-") in served.asked


@pytest.mark.parametrize("spoil", ["gone", "damaged", "leaving", "empty", "offline"])
def test_get_what_does_not_work(
    run: Run, served: Server, folders: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spoil == "gone":
        del served.files["labels.zip"]
    elif spoil == "damaged":
        served.files["labels.zip"] = served.files["labels.zip"][:200]
    elif spoil == "leaving":
        served.files["labels.zip"] = make_zip(folders / "x.zip", {"../evil": b"evil"}).read_bytes()
    elif spoil == "empty":
        served.files["labels.zip"] = make_zip(folders / "x.zip", {"other.txt": b""}).read_bytes()
    else:
        monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    said = run("datasets", "get", "tiny")
    assert said.code == 1
    lines = said.err.splitlines()
    assert lines[-1].startswith("error: expected ")
    assert "Traceback" not in said.err
    envelope = run("datasets", "get", "tiny", "--json").json
    assert envelope["ok"] is False
    assert envelope["command"] == "datasets get"


def test_a_large_download_is_asked_for(
    run: Run, served: Server, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_card(folders, "tiny", images=5 * 10**9, labels=10)
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text))
    said = run("datasets", "get", "tiny")
    assert (said.code, said.out) == (1, "")
    assert "2 files, 5.0 GB" in said.err
    assert "nothing was fetched" in said.err
    assert asked == ["Fetch it?"]
    assert served.asked == []
    run("datasets", "get", "tiny", "--yes")
    assert len(asked) == 1


# -- show ----------------------------------------------------------------------------------------


@pytest.fixture
def closed(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`closed` in a folder of ANYTOMY_DATA."""
    monkeypatch.setenv("ANYTOMY_DATA", str(folders / "data"))
    return lay_out(folders / "data" / "closed")


def test_show(run: Run, closed: Path) -> None:
    shown = run("datasets", "show", "closed", "-o", "sheet.png", "--cases", "3", "--json").json["data"]
    assert shown["cases"] == ["0", "2", "3"]
    assert shown["structures"] == ["left adrenal gland", "spleen"]
    assert Picture.open("sheet.png").size[0] > 700
    assert "closed.png: 4 cases" in run("datasets", "show", "closed").out
    assert Path("closed.png").is_file()


def test_show_one_structure_by_any_name(run: Run, closed: Path) -> None:
    shown = run("datasets", "show", "closed", "--structure", "adrenal gland", "--json").json["data"]
    assert shown["structures"] == ["left adrenal gland"]
    said = run("datasets", "show", "closed", "--structure", "liver").error
    assert "labelled are left adrenal gland, spleen" in said


def test_show_names_what_cannot_be_read(run: Run, closed: Path) -> None:
    (closed / "labels" / "1.png").write_bytes(b"rot")
    shown = run("datasets", "show", "closed")
    assert shown.code == 0
    assert "1 cannot be read: " in shown.out
    assert str(closed / "labels" / "1.png") in shown.out


def test_show_never_writes_over_the_data(run: Run, closed: Path) -> None:
    before = (closed / "images" / "0.png").read_bytes()
    assert "it is the input" in run("datasets", "show", "closed", "-o", closed / "images" / "0.png").error
    assert (closed / "images" / "0.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("show", "nope"), "there is none called 'nope'"),
        (("show", "closed", "-o", "sheet.gif"), "expected PNG or JPEG"),
        (("show", "tiny"), "not on this machine"),
        (("info", "tin"), "did you mean tiny"),
        (("get", "nope"), "`anytomy datasets list` shows all"),
        (("remove", "tiny"), "was not"),
        (("remove", "tiny", "--data"), "there are none"),
    ],
)
def test_one_line_says_what_is_wrong(
    run: Run, served: Server, closed: Path, arguments: tuple[str, ...], match: str
) -> None:
    said = run("datasets", *arguments)
    assert said.code == 1
    assert match in said.error
    envelope = run("datasets", *arguments, "--json").json
    assert envelope["command"] == f"datasets {arguments[0]}"
    assert match in json.dumps(envelope["error"])


# -- remove --------------------------------------------------------------------------------------


def test_remove_what_was_fetched(run: Run, served: Server, folders: Path) -> None:
    run("datasets", "get", "tiny")
    root = folders / "home" / "data" / "tiny"
    assert "delete what was fetched by --data" in run("datasets", "remove", "tiny").error
    assert "--yes" in run("datasets", "remove", "tiny", "--data", "--json").json["error"]["message"]
    assert root.is_dir()
    data = run("datasets", "remove", "tiny", "--data", "--yes", "--json").json["data"]
    assert data == {"id": "tiny", "forgotten": False, "deleted": str(root), "kept": None}
    assert not root.exists()


def test_removing_is_asked_for(
    run: Run, served: Server, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("datasets", "get", "tiny")
    monkeypatch.setattr("typer.confirm", lambda text, **_: False)
    said = run("datasets", "remove", "tiny", "--data")
    assert said.code == 1
    assert "nothing was removed" in said.err
    assert (folders / "home" / "data" / "tiny").is_dir()


def test_remove_forgets_and_leaves_the_files_alone(run: Run, folders: Path) -> None:
    root = lay_out(folders / "mine")
    run("datasets", "add", "mine", root)
    data = run("datasets", "remove", "mine", "--json").json["data"]
    assert data == {"id": "mine", "forgotten": True, "deleted": None, "kept": str(root)}
    assert len(list(root.rglob("*.png"))) == 8
    assert "none called 'mine'" in run("datasets", "info", "mine").error


def test_remove_never_deletes_what_was_fetched_to_a_folder_of_the_users(
    run: Run, served: Server, folders: Path
) -> None:
    root = folders / "disk" / "tiny"
    run("datasets", "get", "tiny", "--to", root)
    assert "there are none" in run("datasets", "remove", "tiny", "--data", "--yes").error
    assert run("datasets", "remove", "tiny", "--json").json["data"]["kept"] == str(root)
    assert len(list(root.rglob("*.png"))) == 8


# -- get to a folder of the user's ---------------------------------------------------------------


def test_get_to_a_folder_is_remembered(run: Run, served: Server, folders: Path) -> None:
    root = folders / "disk" / "tiny"
    data = run("datasets", "get", "tiny", "--to", root, "--only", "images.zip", "--json").json["data"]
    assert data["path"] == str(root)
    data = run("datasets", "get", "tiny", "--json").json["data"]
    assert (data["path"], data["cases"], data["files"]) == (str(root), 4, ["labels.zip"])
    assert run("datasets", "info", "tiny", "--json").json["data"]["here"]["path"] == str(root)
    assert "here already" in run("datasets", "get", "tiny", "--to", folders / "other").error


def test_get_again_what_was_deleted_by_hand(run: Run, served: Server, folders: Path) -> None:
    root = folders / "disk" / "tiny"
    run("datasets", "get", "tiny", "--to", root)
    shutil.rmtree(root)
    data = run("datasets", "get", "tiny", "--json").json["data"]
    assert (data["status"], data["cases"]) == ("fetched", 4)
    assert data["path"] == str(folders / "home" / "data" / "tiny")
    assert run("datasets", "verify", "tiny").code == 0


# -- add -----------------------------------------------------------------------------------------


def test_add(run: Run, folders: Path) -> None:
    root = lay_out(folders / "mine")
    shown = run("datasets", "add", "mine", root, "--label", "1=liver", "--label", "2=kidney stone")
    assert shown.code == 0
    assert "mine: 4 cases of 4 patients; liver, kidney stone" in shown.out
    assert "anytomy datasets show mine" in shown.out
    data = run("datasets", "add", "mine", root, "--replace", "--no-check", "--json").json["data"]
    assert (data["cases"], data["path"]) == (4, str(root))
    assert data["understood"]
    assert Path(data["card"]).is_relative_to(folders / "home")
    (row,) = [r for r in rows(run("datasets", "list", "--json")) if r["id"] == "mine"]
    assert (row["here"], row["builtin"], row["access"]["how"]) == (True, False, "local")
    assert "it is a folder of yours" in run("datasets", "info", "mine").out
    assert len(list(root.rglob("*"))) == 10  # nothing was written there


def test_add_says_what_is_odd(run: Run, folders: Path) -> None:
    root = lay_out(folders / "mine")
    (root / "labels" / "2.png").unlink()
    (root / "images" / "0.png").write_bytes(b"rot")
    shown = run("datasets", "add", "mine", root)
    assert shown.code == 0
    odd = [line for line in shown.out.splitlines() if line.startswith("  odd: ")]
    assert any("2.png" in line for line in odd)
    assert any("0.png" in line for line in odd)
    data = run("datasets", "add", "mine", root, "--replace", "--json").json["data"]
    assert "unreadable image" in {finding["kind"] for finding in data["findings"]}


def test_add_a_set_of_the_catalogue(run: Run, folders: Path) -> None:
    run("datasets", "add", "closed", lay_out(folders / "mine"))
    shown = run("datasets", "info", "closed").out
    assert "left adrenal gland, spleen" in shown
    assert "4 cases of 4 patients" in shown
    run("datasets", "add", "another", lay_out(folders / "mine"), "--like", "closed")
    assert run("datasets", "info", "another", "--json").json["data"]["citation"] == "nobody"


def test_add_each(run: Run, folders: Path) -> None:
    lay_out(folders / "all" / "closed")
    lay_out(folders / "all" / "Closed-ALIAS", count=2)
    (folders / "all" / "notes").mkdir()
    (folders / "all" / ".git").mkdir()
    shown = run("datasets", "add", "--each", folders / "all")
    assert shown.code == 0
    # By its own id rather than by an alias.
    assert "closed left out: Closed-ALIAS is closed already" in shown.out
    assert "notes left out: " in shown.out
    again = run("datasets", "add", "--each", folders / "all", "--json").json["data"]
    assert again["added"] == []
    assert len(again["skipped"]) == 3
    lab = run("datasets", "add", "lab-", folders / "all", "--each", "--json").json["data"]
    assert [one["id"] for one in lab["added"]] == ["lab-closed"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("mine",), "expected a name and a folder"),
        (("mine", "nowhere"), "does not exist"),
        (("mine", "empty"), "recognised none"),
        (("Mine!", "data"), "small letters"),
        (("mine", "data", "--label", "liver"), "expected a label as 1=liver"),
        (("mine", "data", "--objects", "many"), "one, instances or parts"),
        (("mine", "data", "--like", "nope"), "none called 'nope'"),
        (("--each", "nowhere"), "there is no such folder"),
        (("--each", "empty"), "there are none in it"),
        (("--each", "parent"), "none of 1 folders is one"),
        (("--each", "parent", "--like", "closed"), "expected --each without"),
    ],
)
def test_add_what_cannot_be_added(run: Run, arguments: tuple[str, ...], match: str) -> None:
    lay_out(Path("data"))
    Path("empty").mkdir()
    lay_out(Path("parent/unknown"))
    assert match in run("datasets", "add", *arguments).error
    assert match in json.dumps(run("datasets", "add", *arguments, "--json").json["error"])


# -- verify and split ----------------------------------------------------------------------------


def test_verify(run: Run, closed: Path) -> None:
    shown = run("datasets", "verify", "closed")
    assert shown.code == 0
    assert "closed: 4 of 4 cases opened, all can be used" in shown.out
    data = run("datasets", "verify", "closed", "--limit", "2", "--json").json["data"]
    assert (data["opened"], data["cases"], data["unusable"]) == (2, 4, [])


def test_verify_finds_what_cannot_be_read(run: Run, closed: Path) -> None:
    (closed / "images" / "1.png").write_bytes(b"rot")
    Picture.fromarray(np.zeros((3, 3), np.uint8)).save(closed / "labels" / "2.png")
    shown = run("datasets", "verify", "closed")
    assert shown.code == 1
    assert str(closed / "images" / "1.png") in shown.out
    assert "2 cannot be used" in shown.out
    envelope = run("datasets", "verify", "closed", "--json").json
    assert envelope["ok"] is False
    assert envelope["data"]["unusable"] == ["1", "2"]


def test_verify_finds_what_changed_since_it_was_fetched(run: Run, served: Server, folders: Path) -> None:
    run("datasets", "get", "tiny")
    root = folders / "home" / "data" / "tiny"
    (root / "images" / "3.png").unlink()
    shown = run("datasets", "verify", "tiny")
    assert shown.code == 1
    assert "images/3.png was fetched and is gone" in shown.out


def test_split(run: Run, closed: Path) -> None:
    shown = run("datasets", "split", "closed", "--train", "0.5", "--val", "0.25", "--test", "0.25")
    assert "train  2 cases of 2 patients" in shown.out
    data = run("datasets", "split", "closed", "--json").json["data"]
    assert sorted(i for ids in data["cases"].values() for i in ids) == ["0", "1", "2", "3"]
    assert "splits" in run("datasets", "info", "closed").out
    assert "add up to 1" in run("datasets", "split", "closed", "--train", "0.9").error


def test_the_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, anytomy.cli.datasets\n"
        "heavy = {'numpy', 'torch', 'rich.table', 'urllib.request', 'filelock'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
