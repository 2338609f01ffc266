"""What can go wrong in `anytomy tune`: one line that says what to do, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from anytomy.datasets.dataset import Dataset
from anytomy.tuning import base, checkpoint
from anytomy.tuning.tasks import ClassTask
from tests.engine.adapted import adapt, add_tiny
from tests.evaluation.bench.phantoms import cells, pictures
from tests.tuning.conftest import tiny_base

from .conftest import Outcome

Run = Callable[..., Outcome]

STORED = ("--data", "discs", "--mode", "semantic", "--steps", "4", "--copies", "1", "--test", "0")
FOLD = (*STORED, "--fold", "1/4", "--threads", "1", "--device", "cpu")


@pytest.fixture(autouse=True)
def discs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dataset:
    """A data set, and a tiny base instead of LiteMedSAM."""
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(base.Base, "of", lambda *_, **__: tiny_base())
    monkeypatch.setattr("anytomy.engine.threads.keep_big_blocks", lambda: False)
    return pictures(tmp_path / "discs", patients=8)


def errors(outcome: Outcome) -> str:
    """The last line on stderr; costs and warnings stand before it."""
    assert outcome.code not in (0, None)
    assert "Traceback" not in outcome.err
    last = outcome.err.rstrip().splitlines()[-1]
    assert last.startswith("error:")
    return last


def relabel(mask: Path, change: Callable[[np.ndarray[Any, Any]], None]) -> None:
    values = np.array(Picture.open(mask))
    change(values)
    Picture.fromarray(values).save(mask)


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, saved = torch.save, []

    def save(state: Any, file: Any) -> None:
        saved.append(state["step"])
        if len(saved) == 2:
            raise RuntimeError("inline_container.cc: file write failed")
        plain(state, file)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        patch.setattr(checkpoint.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        said = errors(run("tune", "litemedsam", *FOLD, "-o", out))
    assert "No space left" in said
    assert "the last checkpoint is kept" in said
    assert "make room, then the same command goes on" in said
    held = checkpoint.load(out)
    assert held is not None
    assert held["step"] == saved[0]
    assert run("tune", "litemedsam", *FOLD, "-o", out, "--json").json["data"]["steps"] == 4


def test_a_full_disk_after_the_last_step_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = (*FOLD, "--test", "2")
    whole, out, plain = tmp_path / "whole", tmp_path / "out", os.replace
    assert run("tune", "litemedsam", *tested, "-o", whole).code == 0
    full = ""

    def replace(source: Path, target: Path) -> None:
        if Path(target) == out / full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(source, target)

    monkeypatch.setattr(os, "replace", replace)
    # In the order in which they are written.
    for full in (
        "adapter.safetensors",
        "adapter.json",
        "history.json",
        "validation.npz",
        "before.parquet",
        "after.parquet",
        "curves.png",
        "validation/1.png",
        "report.html",
    ):
        said = errors(run("tune", "litemedsam", *tested, "-o", out))
        assert (
            f"cannot write {out / full}: No space left on device; what was trained is kept in {out}" in said
        )
        assert "the same command goes on" in said
    full = ""
    again = run("tune", "litemedsam", *tested, "-o", out, "--json")
    assert again.json["data"]["steps"] == 4
    weights = (each / "adapter.safetensors" for each in (whole, out))
    assert next(weights).read_bytes() == next(weights).read_bytes()


@pytest.mark.parametrize("call", ["__init__", "add_scalar", "close"])
def test_logs_that_cannot_be_written_end_no_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tensorboard.SummaryWriter, call, refuse)
    shown = run("tune", "litemedsam", *FOLD, "-o", tmp_path / "out", "--json")
    assert shown.json["data"]["steps"] == 4
    said = f"no more is written to {tmp_path / 'out' / 'logs'}, for TensorBoard: Read-only file system"
    assert shown.json["warnings"] == [said]


def test_what_is_prepared_finds_a_full_disk(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(file: Any, *_: object, **__: object) -> None:
        raise OSError("8192 requested and 3968 written")  # as numpy says it

    monkeypatch.setattr(np, "save", save)
    said = errors(run("tune", "litemedsam", *FOLD, "-o", tmp_path / "out"))
    assert str(tmp_path / "out" / "prepared") in said
    assert "No space left on device; free some space" in said


def test_a_loss_that_is_no_number_names_the_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, asked = ClassTask.forward, []

    def forward(task: ClassTask, batch: Any) -> torch.Tensor:
        asked.append(batch.names)
        # Those before are measured, to plan.
        return plain(task, batch) * (float("nan") if len(batch.names) == 4 else 1)

    monkeypatch.setattr(ClassTask, "forward", forward)
    said = errors(run("tune", "litemedsam", *FOLD, "-o", tmp_path / "out"))
    assert "the loss of step 1 is nan in the batch" in said
    assert all(name in said for name in asked[-1])
    assert "the state before it is kept" in said


def test_too_little_memory_is_said_before_anything_starts(run: Run, tmp_path: Path) -> None:
    said = errors(run("tune", "litemedsam", *FOLD, "--memory", "0.001", "-o", tmp_path / "out"))
    assert "expected a plan that fits into 1.0 MB of memory" in said
    assert "--memory" in said
    assert not (tmp_path / "out" / "run.json").exists()


def test_one_patient_in_both_splits_is_refused(run: Run, discs: Dataset, tmp_path: Path) -> None:
    first, second = (case.id for case in discs.cases[:2])
    (discs.root / "splits.json").write_text(json.dumps({"train": [first], "test": [second]}))
    said = errors(run("tune", "litemedsam", *STORED, "-o", tmp_path / "out"))
    assert "in training and in test: p0" in said
    assert "anytomy datasets split discs" in said


def test_class_lists_that_differ_are_refused(run: Run, tmp_path: Path) -> None:
    cells(tmp_path / "cells")
    options = ("--data", "discs,cells", "--mode", "semantic", "-o", tmp_path / "out")
    said = errors(run("tune", "litemedsam", *options))
    assert "data sets label different classes: discs has no nucleus" in said
    assert "--classes" in said


def test_images_without_labels_are_left_out_and_said(run: Run, discs: Dataset, tmp_path: Path) -> None:
    for number, case in enumerate(discs.cases):
        if number > 4:
            relabel(case.masks[0].paths[0], lambda values: values.fill(0))
    shown = run("tune", "litemedsam", *FOLD, "-o", tmp_path / "out", "--json")
    assert shown.code == 0
    assert any("has no label of liver, spleen and is left out" in each for each in shown.json["warnings"])
    for case in discs.cases:
        relabel(case.masks[0].paths[0], lambda values: values.fill(0))
    said = errors(run("tune", "litemedsam", *FOLD, "-o", tmp_path / "none"))
    assert "nothing is labelled" in said
    assert "anytomy datasets verify" in said


def test_labels_outside_the_declared_classes_are_refused(run: Run, discs: Dataset, tmp_path: Path) -> None:
    for case in discs.cases:
        relabel(case.masks[0].paths[0], lambda values: values[:4, :4].fill(9))
    said = errors(run("tune", "litemedsam", *FOLD, "-o", tmp_path / "out"))
    assert "expected labels of the declared classes" in said
    assert "no label names: 9" in said


class TestAdapters:
    @pytest.fixture(autouse=True)
    def base(self, monkeypatch: pytest.MonkeyPatch, discs: Dataset, tmp_path: Path) -> None:
        """The base is found as always."""
        monkeypatch.undo()
        add_tiny(tmp_path, monkeypatch)

    def test_one_for_another_base_is_refused_by_every_command(self, run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        adapt(folder, "decoder")
        held = json.loads((folder / "adapter.json").read_text())
        (folder / "adapter.json").write_text(json.dumps({**held, "base_sha256": "ab" * 32}))
        Picture.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "a.png")
        for command in (
            ("tune", f"tiny+{folder}", "--data", "discs", "-o", tmp_path / "out"),
            ("segment", tmp_path / "a.png", "--model", f"tiny+{folder}", "--box", "1,1,9,9", "-o", "o.png"),
            ("models", "info", f"tiny+{folder}"),
            ("models", "merge", f"tiny+{folder}", "-o", tmp_path / "merged.safetensors"),
        ):
            said = errors(run(*command))
            assert "is for another model: it was trained on tiny with the sha256 abababababab" in said
            assert "with the weights that it was trained on" in said

    def test_one_of_other_classes_cannot_be_gone_on_from(self, run: Run, tmp_path: Path) -> None:
        pictures(tmp_path / "discs", patients=8)
        folder = tmp_path / "mine"
        adapt(folder, "decoder", classes=("liver",))
        said = errors(run("tune", f"tiny+{folder}", *FOLD, "-o", tmp_path / "out"))
        assert "expected the classes of the adapter to go on from, liver, got liver, spleen" in said
