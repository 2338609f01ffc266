"""The folder of a student: written whole, read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anytomy.core.errors import ChecksumError, ModelError
from anytomy.models.students.folder import (
    CARD,
    GRAPH,
    WEIGHTS,
    graph_path,
    is_student,
    load_network,
    read_student,
    read_weights,
    write_student,
)
from tests.models.students.tiny import register, tiny_card, tiny_network, tiny_student


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dims": 3, "spacing_mm": (2.0, 1.0, 1.0)},
        {"colours": 3, "mean": (1.0, 2.0, 3.0), "std": (4.0, 5.0, 6.0), "extra": 1},
        {"volumes": True, "axis": "y", "spacing_mm": (1.0, 0.5)},
    ],
)
def test_what_is_written_is_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    written = tiny_student(tmp_path / "s", **changes)
    assert is_student(tmp_path / "s")
    assert read_student(tmp_path / "s") == written
    assert written.weights_sha256
    assert {p.name for p in (tmp_path / "s").iterdir()} == {CARD, WEIGHTS, GRAPH}
    network = load_network(tmp_path / "s", written)
    assert not network.training
    for name, tensor in read_weights(tmp_path / "s", written).items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_the_graph_is_the_network(tmp_path: Path) -> None:
    import onnxruntime

    card = tiny_student(tmp_path, colours=3, mean=(1.0,) * 3, std=(1.0,) * 3)
    pixels = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(graph_path(tmp_path, card)))
    with torch.inference_mode():
        expected = load_network(tmp_path, card)(torch.tensor(pixels)).numpy()
    np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH])
def test_a_missing_or_truncated_file_is_said(tmp_path: Path, name: str) -> None:
    card = tiny_student(tmp_path)
    read = {WEIGHTS: read_weights, GRAPH: graph_path}[name]
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
    with pytest.raises(ChecksumError, match=rf"{name} is truncated.*copy the whole folder"):
        read(tmp_path, card)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}, but: No such file"):
        read(tmp_path, card)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "anytomy.student/9"}, "expected a student of schema anytomy.student/1"),
        ({"colour": 1}, "only known fields.*got colour"),
        ({"dims": "two"}, "whole number"),
        ({"classes": ["a", "a"]}, "classes have names"),
        ({"patch": [32]}, "patch has 2 sizes"),
        ({"size": None, "spacing_mm": [1.0, 0.0]}, "positive distances"),
        ({"spacing_mm": [1.0, 1.0]}, "in the place of spacing_mm"),
        ({"intensity": "bright"}, "bright"),
        ({"mean": [1.0, 2.0]}, "mean and std have 1 numbers"),
        ({"extra": 1, "teacher": {}}, "come from a teacher"),
        ({"axis": "t"}, "x, y, z"),
    ],
)
def test_a_wrong_card_is_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    tiny_student(tmp_path)
    values = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps({**values, **change}))
    with pytest.raises(ModelError, match=message):
        read_student(tmp_path)


def test_a_card_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no student\.json"):
        read_student(tmp_path)
    (tmp_path / CARD).write_text('{"schema": ')
    with pytest.raises(ModelError, match="cannot be read"):
        read_student(tmp_path)
    (tmp_path / CARD).write_text("[]")
    with pytest.raises(ModelError, match="a JSON object"):
        read_student(tmp_path)


def test_weights_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    network = tiny_network(2, 1, 2)
    with pytest.raises(ModelError, match=r"do not fit .* a tiny for 3 classes"):
        write_student(tmp_path, tiny_card(classes=("a", "b", "c")), network.state_dict())
    assert not is_student(tmp_path)
    card = tiny_student(tmp_path)
    values = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps({**values, "classes": ["a", "b", "c"]}))
    with pytest.raises(ModelError, match="3 classes"):
        load_network(tmp_path, read_student(tmp_path))
    assert card.classes == ("liver", "pancreas")


def test_weights_that_lack_or_add_something_are_refused(tmp_path: Path) -> None:
    state = tiny_network(2, 1, 2).state_dict()
    first = next(iter(state))
    with pytest.raises(ModelError, match=rf"no {first}"):
        write_student(tmp_path, tiny_card(), {name: state[name] for name in state if name != first})
    with pytest.raises(ModelError, match="unknown other"):
        write_student(tmp_path, tiny_card(), {**state, "other": torch.zeros(1)})


def test_what_a_network_has_under_two_names_is_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.models.students import tiny

    def twice(dims: int, channels: int, classes: int) -> torch.nn.Module:
        network = tiny_network(dims, channels, classes)
        network.add_module("5", torch.nn.Identity())
        network[5].also = network[4]  # type: ignore[index]
        return network

    monkeypatch.setattr(tiny, "tiny_network", twice)
    card = tiny_student(tmp_path)
    assert set(read_weights(tmp_path, card)) == set(tiny_network(2, 1, 2).state_dict())
    network = load_network(tmp_path, card)
    assert network[5].also.weight is network[4].weight


def test_a_card_is_read_without_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    tiny_student(tmp_path)
    code = (
        "import sys; from pathlib import Path; from anytomy.models.students.folder import read_student; "
        "read_student(Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
