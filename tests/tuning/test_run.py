"""Whole runs: what comes out, what survives a kill, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from anytomy.core.errors import AnytomyWarning, DatasetError, OptionError, OutputError
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.torch_engine import TorchEngine
from anytomy.models.adapters.folder import read_adapter, read_weights
from anytomy.predict.model import Model
from anytomy.tuning import checkpoint
from anytomy.tuning.cohort import cohort
from anytomy.tuning.embeddings import EmbeddingBank
from anytomy.tuning.evaluate import ALL
from anytomy.tuning.loop import NotFiniteError
from anytomy.tuning.plan import Plan
from anytomy.tuning.run import Runtime, TuneResult, tune
from anytomy.tuning.tasks import ClassTask, PromptTask
from tests.engine.tiny import EVERYTHING, card, random_sam
from tests.evaluation.bench.phantoms import volumes
from tests.tuning.conftest import RUNTIME, opened, quick, tiny_base

if TYPE_CHECKING:
    from anytomy.datasets.dataset import Dataset
    from anytomy.tuning.config import TuneConfig


def run(config: TuneConfig, folder: Path, **more: Any) -> TuneResult:
    result = tune(config, folder, **{"runtime": RUNTIME, "base": tiny_base(), **more})
    assert isinstance(result, TuneResult)
    return result


def weights(folder: Path) -> bytes:
    return (folder / "adapter.safetensors").read_bytes()


class StopError(Exception):
    """A kill, as far as a test in one process can tell."""


def stop_at(step: int) -> Any:
    def progress(what: str, done: int, total: int, now: str) -> None:
        if what == "training" and done == step:
            raise StopError

    return progress


@pytest.mark.usefixtures("discs")
class TestResult:
    def test_classes_are_learned_and_said(self, tmp_path: Path) -> None:
        said: list[str] = []
        asked = quick(steps=100, every=50, copies=1, augment="none", ema=0.9, batch=4)
        result = run(asked, tmp_path / "out", say=said.append)
        folder = result.folder
        assert result.best > 0.6
        mean = next(change for change in result.changes if change.structure == ALL)
        assert mean.after.mean > mean.before.mean + 0.3
        assert mean.prompts == ("box", "none")
        assert any("memory" in line and "disk" in line for line in said)
        held = json.loads((folder / "adapter.json").read_text())
        assert held["classes"] == ["liver", "spleen"]
        assert held["mode"] == "semantic"
        assert set(held["data"]["discs"]) == {"split", "train", "validate", "test"}
        assert {each["structure"] for each in held["metrics"]["test"]} == {"liver", "spleen", ""}
        history = json.loads((folder / "history.json").read_text())
        assert history["losses"][-1]["loss"] < 0.5 * history["losses"][0]["loss"]
        assert [e["step"] for e in history["validations"]] == [50, 100]
        assert list((folder / "logs").glob("events*"))
        assert not (folder / "prepared").exists()
        assert not (folder / checkpoint.FILE).exists()
        # What was judged is what the folder gives to others.
        picture = np.zeros((64, 64), np.uint8)
        assert opened(folder).classify(opened(folder).encode(picture)).shape == (3, 64, 64)

    def test_a_run_that_is_done_is_read_and_not_done_again(self, tmp_path: Path) -> None:
        first = run(quick(), tmp_path / "out")
        base = tiny_base(sam=lambda: pytest.fail("trained again"))
        second = run(quick(), tmp_path / "out", base=base)
        assert second.best_step == first.best_step
        assert [c.after for c in second.changes] == [c.after for c in first.changes]

    def test_prompts_are_learned(self, tmp_path: Path) -> None:
        asked = quick(
            mode="promptable", method="prompt-decoder", prompts={"box": 1.0, "clicks": 1.0}, steps=6
        )
        result = run(asked, tmp_path / "out")
        held = json.loads((result.folder / "adapter.json").read_text())
        assert held["prompts"] == ["box", "points", "mask"]
        asked_by = {change.prompts for change in result.changes}
        # The base has not learned clicks, so there is no before.
        assert asked_by == {("box", "box"), ("", "clicks-3")}

    def test_the_encoder_is_trained_on_new_variants_each_time(self, tmp_path: Path) -> None:
        result = run(quick(method="norm+decoder", steps=2, every=2, test=0), tmp_path / "out")
        assert result.plan.copies == 0
        state = opened(result.folder)
        assert state.card.adapter is not None
        assert state.card.adapter.card.touches_encoder

    def test_costs_can_be_had_without_the_run(self, tmp_path: Path) -> None:
        found = tune(quick(), tmp_path / "out", runtime=RUNTIME, base=tiny_base(), estimate=True)
        assert found.step_s > 0  # type: ignore[union-attr]
        assert not (tmp_path / "out" / "run.json").exists()

    def test_what_is_encoded_costs_nothing_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "cache"))
        asked = quick(test=0)
        first = tune(asked, tmp_path / "out", runtime=RUNTIME, base=tiny_base(), estimate=True)
        assert first.encode_s > 0  # type: ignore[union-attr]
        run(asked, tmp_path / "out")
        second = tune(asked, tmp_path / "new", runtime=RUNTIME, base=tiny_base(), estimate=True)
        assert second.encode_s == 0  # type: ignore[union-attr]
        assert "cached" in " ".join(second.text())  # type: ignore[union-attr]

    def test_without_a_patient_apart_the_last_weights_are_kept(self, tmp_path: Path) -> None:
        result = run(quick(validate=0.0, test=0), tmp_path / "out")
        assert result.best != result.best
        assert weights(result.folder)

    def test_patience_ends_a_run(self, tmp_path: Path) -> None:
        result = run(quick(steps=500, every=1, patience=3, lr=1e-9, ema=0.0, test=0), tmp_path / "out")
        assert result.steps <= 10

    def test_time_ends_a_run(self, tmp_path: Path) -> None:
        result = run(quick(steps=None, every=None, max_minutes=0.05, copies=1, test=0), tmp_path / "out")
        # The last validation is part of it, so that it ends about when it should.
        assert 1.5 <= result.seconds < 30

    def test_going_on_from_an_adapter_starts_where_it_ended(self, tmp_path: Path) -> None:
        first = run(quick(test=0), tmp_path / "first").folder
        mine = read_adapter(first)
        start = tiny_base(adapter=(mine, read_weights(first, mine)), start=first)
        asked = quick(steps=1, every=1, lr=1e-9, ema=0.0)
        second = run(asked, tmp_path / "second", base=start)
        assert all(abs(c.result.difference.mean) < 1e-6 for c in second.changes)
        with pytest.raises(DatasetError, match="trained on 4 of the test cases"):
            run(quick(fold=(2, 4)), tmp_path / "other", base=start)
        third = read_adapter(run(quick(fold=(2, 4), test=0), tmp_path / "other", base=start).folder)
        assert len({*third.data["discs"]["train"], *third.data["discs"]["validate"]}) == 16
        with pytest.raises(OptionError, match="classes"):
            run(quick(classes=("liver",)), tmp_path / "third", base=start)


def test_volumes_are_judged_whole(tmp_path: Path) -> None:
    volumes(tmp_path / "balls")
    asked = quick(data=("balls",), fold=(1, 2), classes=("liver",))
    result = run(asked, tmp_path / "out")
    (change,) = result.changes
    assert change.prompts == ("box-per-slice", "none")
    from anytomy.evaluation.bench.table import read_rows

    (row,) = read_rows(result.folder / "after.parquet")
    assert row["scope"] == "volume"
    assert row["unit"] == "mm"


@pytest.mark.parametrize("mode", ["semantic", "promptable"])
def test_pictures_are_judged_beside_volumes_along_another_axis(
    discs: Dataset, mode: str, tmp_path: Path
) -> None:
    volumes(tmp_path / "balls")
    asked = quick(data=("discs", "balls"), mode=mode, fold=(1, 2), classes=("liver",), axis="x", steps=1)
    result = run(replace(asked, every=1, most_slices=2), tmp_path / "out")
    judged = {change.dataset: (change.before.patients, change.after.patients) for change in result.changes}
    assert judged == {"discs": (4, 4), "balls": (1, 1)}


def test_a_validation_without_any_object_is_none(discs: Dataset, tmp_path: Path) -> None:
    asked, said = quick(steps=1, every=1, test=0), []
    for case in cohort(asked).validate:
        Picture.fromarray(np.zeros((64, 64), np.uint8)).save(case.masks[0].paths[0])
    with pytest.warns(AnytomyWarning, match="left out"):
        result = run(asked, tmp_path / "out", say=said.append)
    assert result.best != result.best
    assert any("no labelled patient validates" in line for line in said)
    assert not any("a validation of" in line for line in said)


def test_embeddings_that_find_no_room_are_said_before(discs: Dataset, tmp_path: Path) -> None:
    tight = replace(RUNTIME, disk=1)
    with pytest.warns(AnytomyWarning, match="embeddings take .* --disk allows"):
        tune(quick(test=0), tmp_path / "out", runtime=tight, base=tiny_base(), estimate=True)


def test_embeddings_are_planned_for_the_room_that_there_is(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "cache"))

    def planned() -> Plan:
        return tune(
            quick(test=0, copies=6), tmp_path / "out", runtime=RUNTIME, base=tiny_base(), estimate=True
        )  # type: ignore[return-value]

    whole = planned()
    monkeypatch.setattr(EmbeddingBank, "free", whole.disk_bytes // 2)
    assert (whole.copies, planned().copies < 6) == (6, True)
    monkeypatch.setattr(EmbeddingBank, "free", 1)
    with pytest.warns(AnytomyWarning, match="there is room for .* ANYTOMY_CACHE"):
        assert planned().copies == 1


@pytest.mark.usefixtures("discs")
def test_an_adapter_goes_on_with_its_routes(tmp_path: Path) -> None:
    asked = replace(TestRoutes.ASKED, steps=1, every=1, test=0)
    first = run(asked, tmp_path / "first").folder
    mine = read_adapter(first)
    start = tiny_base(adapter=(mine, read_weights(first, mine)), start=first)
    again = run(replace(asked, routes=(), seed=1), tmp_path / "second", base=start).folder
    assert read_adapter(again).routes == ("box",)
    run(replace(asked, routes=(), seed=1), again, base=start)  # the same command goes on


@pytest.mark.usefixtures("discs")
class TestKilled:
    @pytest.mark.parametrize(
        "asked",
        [
            quick(test=0),
            quick(test=0, method="lora:2+decoder", steps=6, every=3),
            quick(test=0, mode="promptable", prompts={"box-clicks": 1.0}, steps=8),
        ],
        ids=["decoder", "lora", "clicks"],
    )
    def test_the_weights_are_those_of_an_uninterrupted_run(self, asked: TuneConfig, tmp_path: Path) -> None:
        run(asked, tmp_path / "whole")
        for step in (2, 5):
            with pytest.raises(StopError):
                run(asked, tmp_path / "cut", progress=stop_at(step))
        run(asked, tmp_path / "cut")
        assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
        whole, cut = (json.loads((tmp_path / n / "history.json").read_text()) for n in ("whole", "cut"))
        assert cut["validations"] == whole["validations"]

    def test_the_time_of_all_starts_counts(self, tmp_path: Path) -> None:
        with pytest.raises(StopError):
            run(quick(test=0), tmp_path / "out", progress=stop_at(9))
        held = checkpoint.load(tmp_path / "out")
        assert held is not None
        assert run(quick(test=0), tmp_path / "out").seconds > held["elapsed"] > 0

    @pytest.mark.slow
    @pytest.mark.timeout(0)  # processes start as slowly as the machine is busy
    def test_kill_9_loses_nothing(self, tmp_path: Path) -> None:
        run(quick(test=0), tmp_path / "whole")
        # Between two checkpoints, and halfway through writing the next but one.
        for when in ("step 7", "save 2"):
            command = [sys.executable, "-m", "tests.tuning.killed", str(tmp_path / "cut"), *when.split()]
            ended = subprocess.run(command, cwd=Path(__file__).parents[2], env=os.environ.copy())
            assert ended.returncode == -signal.SIGKILL
            assert checkpoint.load(tmp_path / "cut") is not None
        run(quick(test=0), tmp_path / "cut")
        assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


@pytest.mark.usefixtures("discs")
class TestBadInput:
    def test_a_loss_that_is_no_number_names_the_batch_and_keeps_what_was_good(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, calls = ClassTask.forward, []

        def forward(task: ClassTask, batch: Any) -> torch.Tensor:
            loss = plain(task, batch)
            calls.append(batch.names)
            return loss * float("nan") if len(calls) == 12 else loss

        monkeypatch.setattr(ClassTask, "forward", forward)
        with pytest.raises(NotFiniteError, match="nan in the batch discs p") as caught:
            run(quick(test=0), tmp_path / "out")
        assert calls[-1][0] in str(caught.value)
        held = checkpoint.load(tmp_path / "out")
        assert held is not None
        assert f"of step {held['step'] + 1} " in str(caught.value)
        assert all(torch.isfinite(tensor).all() for tensor in held["trained"].values())
        assert weights(tmp_path / "out")

    def test_a_gradient_that_is_no_number_is_found_before_it_does_harm(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = PromptTask.forward

        def forward(task: PromptTask, batch: Any) -> torch.Tensor:
            loss = plain(task, batch)
            loss.register_hook(lambda gradient: gradient * float("inf"))
            return loss

        monkeypatch.setattr(PromptTask, "forward", forward)
        with pytest.raises(NotFiniteError, match="the gradient of step 1"):
            run(quick(mode="promptable", test=0), tmp_path / "out")

    def test_a_folder_with_another_run_is_refused(self, tmp_path: Path) -> None:
        run(quick(test=0), tmp_path / "out")
        with pytest.raises(OptionError, match="steps 12 there, 13 here"):
            run(quick(test=0, steps=13), tmp_path / "out")
        with pytest.raises(OptionError, match="weights_sha256"):
            run(quick(test=0), tmp_path / "out", base=tiny_base(weights_sha256="c" * 64))

    def test_a_folder_with_something_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "adapter.json").write_text("{}")
        with pytest.raises(OptionError, match="something else"):
            run(quick(), tmp_path)

    def test_a_folder_that_cannot_be_written_is_said_before_any_work(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write wherever it likes
        base = tiny_base(sam=lambda: pytest.fail("a model was built"))
        with pytest.raises(OutputError, match=r"cannot write .*run\.json"):
            run(quick(), tmp_path / "out", base=base)

    def test_too_little_memory_is_said_before_anything_starts(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="of memory"):
            tune(quick(), tmp_path / "out", runtime=Runtime("cpu", 1, memory=10**6), base=tiny_base())
        assert not (tmp_path / "out" / "run.json").exists()

    def test_a_run_that_was_planned_with_more_memory_is_not_gone_on_with(self, tmp_path: Path) -> None:
        """The plan is part of the run: fewer samples at once would end in other weights."""
        with pytest.raises(StopError):
            run(quick(test=0), tmp_path / "out", progress=stop_at(5))
        planned = json.loads((tmp_path / "out" / "run.json").read_text())["plan"]["memory_bytes"]
        less = replace(RUNTIME, memory=planned - 1)
        with pytest.raises(OptionError, match=r"takes .* of memory, but --memory allows") as caught:
            run(quick(test=0), tmp_path / "out", runtime=less)
        assert caught.value.hint is not None
        assert "another folder with -o" in caught.value.hint
        assert run(quick(test=0), tmp_path / "out", runtime=replace(RUNTIME, memory=planned)).steps == 12

    def test_a_full_disk_in_the_middle_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(quick(test=0), tmp_path / "whole")
        plain, saved = torch.save, []

        def save(state: Any, file: Any) -> None:
            saved.append(state)
            if len(saved) == 2:
                raise RuntimeError("inline_container.cc: file write failed")
            plain(state, file)

        with monkeypatch.context() as patch:
            patch.setattr(torch, "save", save)
            patch.setattr(checkpoint.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
            with pytest.raises(OutputError, match="last checkpoint is kept"):
                run(quick(test=0), tmp_path / "out")
        run(quick(test=0), tmp_path / "out")
        assert weights(tmp_path / "out") == weights(tmp_path / "whole")

    def test_a_base_without_prompts_needs_to_be_told(self, tmp_path: Path) -> None:
        base = tiny_base(card=card(prompts=("mask",)))
        with pytest.raises(OptionError, match="neither boxes nor points"):
            run(quick(mode="promptable"), tmp_path / "out", base=base)

    def test_a_method_of_another_mode_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="prompt-decoder"):
            run(quick(method="prompt-decoder"), tmp_path / "out")


@pytest.mark.usefixtures("discs")
class TestRoutes:
    ASKED = quick(
        mode="promptable",
        method="prompt-decoder",
        routes=("box",),
        prompts={"clicks": 1.0, "box-clicks": 1.0},
        steps=6,
        every=3,
    )

    def test_boxes_stay_the_base_s_and_clicks_are_learned(self, tmp_path: Path) -> None:
        result = run(self.ASKED, tmp_path / "out")
        held = json.loads((result.folder / "adapter.json").read_text())
        assert (held["routes"], held["prompts"]) == (["box"], ["box", "points", "mask"])
        picture = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
        base = Model(card(prompts=("box", "points", "mask")), TorchEngine(random_sam()))
        tuned = opened(result.folder)
        corners, click = (8, 10, 40, 44), ((20.0, 20.0),)
        for prompt, same in (
            (PlanePrompt(box=corners), True),
            (PlanePrompt(points=click), False),
            (PlanePrompt(box=corners, points=click), False),
        ):
            first, second = (m.decode(m.encode(picture), prompt) for m in (base, tuned))
            assert np.array_equal(first.logits, second.logits) is same
            assert (first.score == second.score) is same
        boxes = [change for change in result.changes if change.prompts == ("box", "box")]
        assert boxes
        assert all(change.before == change.after for change in boxes)

    def test_a_kill_changes_nothing(self, tmp_path: Path) -> None:
        asked = replace(self.ASKED, test=0)
        run(asked, tmp_path / "whole")
        for step in (2, 5):
            with pytest.raises(StopError):
                run(asked, tmp_path / "cut", progress=stop_at(step))
        run(asked, tmp_path / "cut")
        assert weights(tmp_path / "cut") == weights(tmp_path / "whole")

    def test_a_trained_encoder_leaves_no_boxes_to_the_base(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="understands the base's image encoder only"):
            run(replace(self.ASKED, method="lora:2+prompt-decoder", test=0), tmp_path / "out")
        assert not (tmp_path / "out" / "run.json").exists()

    def test_routes_that_leave_nothing_to_train_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="nothing is left to train"):
            run(replace(self.ASKED, prompts={}), tmp_path / "out")


@pytest.mark.usefixtures("discs")
def test_a_lone_click_may_have_its_best_of_three(tmp_path: Path) -> None:
    base = tiny_base(card=card(**EVERYTHING))
    result = run(
        quick(mode="promptable", steps=3, every=3, test=0, prompts={"clicks": 1.0}),
        tmp_path / "out",
        base=base,
    )
    held = json.loads((result.folder / "adapter.json").read_text())
    assert held["mask_output"] == "best-of-three"
