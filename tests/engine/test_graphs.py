"""Exported graphs: built once, checked, rebuilt when broken, and used without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.core.errors import ModelError, OutputError
from anytomy.engine import graph_engine
from anytomy.engine import graphs as module
from anytomy.engine.graph_engine import GraphEngine
from anytomy.engine.graphs import ensure_graphs, graph_folder, is_complete
from tests.engine.tiny import random_sam

if TYPE_CHECKING:
    from anytomy.models.sam import Sam

ROOT = Path(__file__).resolve().parents[2]


def never() -> Sam:
    raise AssertionError("the graphs were there")


@pytest.fixture
def copied(graphs: Path, tmp_path: Path) -> Path:
    """A complete folder that may be changed."""
    return Path(shutil.copytree(graphs, tmp_path / "cache" / "tiny"))


def pretend(monkeypatch: pytest.MonkeyPatch, source: Path) -> list[Path]:
    """Copy graphs instead of exporting them; gives the folders that were built."""
    built = []

    def build(sam: Any, folder: Path, *, threads: int, encoder: bool) -> None:
        built.append(folder)
        shutil.copytree(source, folder)

    monkeypatch.setattr(module, "build_graphs", build)
    return built


def test_a_complete_folder_is_used_as_it_is(graphs: Path) -> None:
    assert ensure_graphs(graphs, never, title="Tiny", threads=1) == graphs


def test_the_folder_says_what_it_holds(graphs: Path) -> None:
    facts = json.loads((graphs / "graph.json").read_text())
    assert facts["export_version"] >= 1
    assert set(facts["bytes"]) == {"encoder.onnx", "decoder.onnx"}
    assert set(facts["max_logit_difference"]) == {"openvino", "onnxruntime"}
    assert 0 < max(facts["max_logit_difference"].values()) < 1e-3
    assert "/" not in (graphs / "graph.json").read_text()  # no path of this machine


def test_no_path_of_this_machine_is_in_the_graphs(graphs: Path) -> None:
    for part in ("encoder.onnx", "decoder.onnx"):
        content = (graphs / part).read_bytes()
        assert str(ROOT).encode() not in content
        assert b"/site-packages/" not in content


@pytest.mark.parametrize("part", ["encoder.onnx", "decoder.onnx", "graph.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_an_incomplete_folder_is_built_again(
    graphs: Path, copied: Path, monkeypatch: pytest.MonkeyPatch, part: str, damage: str
) -> None:
    path = copied / part
    whole = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(whole[: len(whole) // 2 if damage == "cut" else 0])
    assert not is_complete(copied)
    built = pretend(monkeypatch, graphs)
    assert ensure_graphs(copied, lambda: random_sam(), title="Tiny", threads=1) == copied
    assert len(built) == 1
    assert built[0] != copied
    assert is_complete(copied)
    assert {p.name for p in copied.parent.iterdir()} == {"tiny", "tiny.lock"}


@pytest.mark.parametrize("text", ["[]", "{}", '{"bytes": []}', '{"bytes": {}}', '{"bytes": 3}', "null", "\0"])
def test_an_odd_record_is_no_complete_folder(copied: Path, text: str) -> None:
    (copied / "graph.json").write_text(text)
    assert not is_complete(copied)


def test_leftovers_of_a_killed_build_do_not_matter(
    graphs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.part").mkdir()
    (tmp_path / "tiny.part" / "encoder.onnx").write_bytes(b"half")
    pretend(monkeypatch, graphs)
    assert is_complete(ensure_graphs(tmp_path / "tiny", lambda: random_sam(), title="Tiny", threads=1))
    assert not (tmp_path / "tiny.part").exists()


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(sam: Any, folder: Path, *, threads: int, encoder: bool) -> None:
        folder.mkdir()
        (folder / "encoder.onnx").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "build_graphs", full)
    with pytest.raises(OutputError, match=r"cannot write graphs to .*No space left.*ANYTOMY_CACHE"):
        ensure_graphs(tmp_path / "tiny", lambda: random_sam(), title="Tiny", threads=1)
    assert not (tmp_path / "tiny").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(OutputError, match="ANYTOMY_CACHE"):
        ensure_graphs(blocked / "tiny", never, title="Tiny", threads=1)

    import filelock

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        ensure_graphs(tmp_path / "tiny", never, title="Tiny", threads=1)


class _Wrong(GraphEngine):
    """A runtime that is off by `error`."""

    error = 0.1
    in_scores = False

    def decode(self, *args: Any) -> Any:
        logits, scores = super().decode(*args)
        return (logits, scores + self.error) if self.in_scores else (logits + self.error, scores)


@pytest.mark.parametrize("error", [0.1, np.nan, np.inf])
@pytest.mark.parametrize("in_scores", [False, True])
def test_a_graph_that_disagrees_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sam: Sam, graphs: Path, error: float, in_scores: bool
) -> None:
    wrong = type("Wrong", (_Wrong,), {"error": error, "in_scores": in_scores})
    monkeypatch.setattr(graph_engine, "GraphEngine", wrong)
    monkeypatch.setattr(module, "export_graphs", lambda _, folder, **__: _copy_graphs(graphs, folder))
    with pytest.raises(ModelError, match=r"differs from torch by .*--engine torch"):
        ensure_graphs(tmp_path / "tiny", lambda: sam, title="Tiny", threads=1)
    assert {p.name for p in tmp_path.iterdir()} <= {"tiny.lock"}


def _copy_graphs(source: Path, folder: Path) -> None:
    for part in ("encoder.onnx", "decoder.onnx"):
        shutil.copy(source / part, folder / part)


def test_the_folder_follows_from_weights_and_architecture() -> None:
    folders = {
        graph_folder("a" * 64, "litemedsam"),
        graph_folder("b" * 64, "litemedsam"),
        graph_folder("a" * 64, "mobile_sam"),
    }
    assert len(folders) == 3
    assert graph_folder("a" * 64, "litemedsam") in folders


def test_two_processes_build_once(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from anytomy.engine.graphs import ensure_graphs
from tests.engine.tiny import random_sam
def load():
    print("built")
    return random_sam()
folder = ensure_graphs(Path({str(tmp_path / "tiny")!r}), load, title="Tiny", threads=1)
"""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    results = [run.communicate(timeout=200) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], results
    assert sorted(out.strip() for out, _ in results) == ["", "built"]
    assert is_complete(tmp_path / "tiny")
    assert {p.name for p in tmp_path.iterdir()} == {"tiny", "tiny.lock"}


def test_ready_graphs_segment_without_torch(graphs: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import numpy as np
import anytomy
from anytomy.core.image import Image
from anytomy.engine.graph_engine import GraphEngine
from anytomy.engine.graphs import ensure_graphs
from tests.engine.tiny import card
folder = ensure_graphs(Path({str(graphs)!r}), None, title="Tiny", threads=1)
model = anytomy.Model(card(), GraphEngine(folder), weights_sha256="0")
picture = np.random.default_rng(0).integers(0, 256, (50, 70), dtype=np.uint8)
volume = Image.from_array(np.stack([picture] * 5))
result = model.segment(volume, [anytomy.Prompt(box=(10, 10, 1, 40, 40, 4))])
assert result.masks.shape == (1, 5, 50, 70)
assert "torch" not in sys.modules, "torch was imported"
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
