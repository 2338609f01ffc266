"""Whole runs on phantoms: what they leave, what they refuse, and that a kill changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import DatasetError, OptionError, OutputError
from anytomy.distill.cohort import distill_cohort
from anytomy.distill.outcome import STUDENT
from anytomy.distill.plan import LEAST_CASES, DistillPlan, Questions
from anytomy.distill.run import DistillResult, distill, why_alone
from anytomy.evaluation.bench.table import read_rows
from anytomy.io.read import read
from anytomy.models.adapters.folder import AdapterCard
from anytomy.models.students.folder import WEIGHTS, read_student
from anytomy.predict.model import load
from anytomy.tuning.prepared import spread
from anytomy.zoo.card import Adapter
from tests.distill.conftest import ANYTHING, RUNTIME, bright, quick
from tests.distill.wrong import Blobs, Shifted
from tests.engine.tiny import BrightEngine, card

if TYPE_CHECKING:
    from anytomy.datasets.dataset import Dataset
    from anytomy.distill.config import DistillConfig
    from anytomy.predict.model import Model


def run(config: DistillConfig, folder: Path, teacher: Model | None = None, **more: Any) -> DistillResult:
    done = distill(config, folder, runtime=RUNTIME, teacher=teacher or bright(), **more)
    assert isinstance(done, DistillResult)
    return done


def short(**changes: Any) -> DistillConfig:
    """Enough for the way, not for the result."""
    return quick(**{"steps": 3, "size": 32, "labels": 2, **changes})


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


class TestWhatARunLeaves:
    def test_a_bundle_that_runs_without_prompts(self, discs: Dataset, tmp_path: Path) -> None:
        done = run(short(recipe="pseudo", boxes=True), tmp_path / "run")
        student = load(str(done.folder), threads=1)
        image = discs[0].read()
        result = student.segment(image)
        assert [label.name for label in result.classes] == ["liver", "spleen"]
        assert result.label_map.shape == (64, 64)

    def test_the_card_says_who_taught_it_on_what(self, discs: Dataset, tmp_path: Path) -> None:
        done = run(short(recipe="pseudo", boxes=True), tmp_path / "run")
        card = read_student(done.folder)
        assert (card.network, card.dims, card.size, card.recipe) == ("unet-8", 2, 32, "pseudo")
        assert card.teacher["id"] == "tiny"
        record = json.loads((done.folder / "run.json").read_text())
        groups = {n: [c[1] for c in record["cohort"][n]] for n in ("labelled", "test", "unlabelled")}
        assert card.data["discs"]["labelled"] == groups["labelled"]
        assert card.data["discs"]["test"] == groups["test"]
        assert not set(groups["test"]) & {*groups["labelled"], *groups["unlabelled"]}
        assert "under none" in card.licence

    def test_the_card_says_what_its_teacher_learned_from(self, discs: Dataset, tmp_path: Path) -> None:
        config = short(recipe="pseudo", boxes=True, baselines=("few", "all"))
        labelled = [case.id for case in distill_cohort(config).labelled]
        tuned = AdapterCard(
            base="tiny",
            base_sha256="",
            architecture="litemedsam",
            method="decoder",
            data={"discs": {"train": labelled[:1], "validate": labelled[1:]}, "others": {"train": ["a"]}},
        )
        done = run(config, tmp_path / "run", bright(adapter=Adapter(Path(), tuned)))
        data = read_student(done.folder).data
        assert data["discs"]["teacher"] == labelled
        assert data["others"] == {"teacher": ["a"]}
        for name in ("few", "all"):  # nobody taught them
            baseline = read_student(done.folder / "students" / name / "bundle").data
            assert list(baseline) == ["discs"]
            assert "teacher" not in baseline["discs"]

    def test_box_labels_become_masks_that_people_can_look_at(self, discs: Dataset, tmp_path: Path) -> None:
        done = run(short(recipe="pseudo", boxes=True), tmp_path / "run")
        (found,) = done.rounds
        assert (found["objects"], found["accepted"]) == (4, 4)
        table = read_rows(done.folder / "pseudo" / "boxes" / "objects.parquet")
        assert {row["structure"] for row in table} == {"liver", "spleen"}
        files = sorted((done.folder / "pseudo" / "boxes" / "labels").iterdir())
        assert len(files) == 2
        for path in files:
            truth = Picture.open(discs.root / "masks" / path.name.removeprefix("discs_"))
            np.testing.assert_array_equal(np.asarray(Picture.open(path)), np.asarray(truth))

    def test_the_baselines_are_tested_on_the_same_patients(self, discs: Dataset, tmp_path: Path) -> None:
        config = short(recipe="pseudo", boxes=True, baselines=("few", "all", "teacher"))
        done = run(config, tmp_path / "run")
        assert sorted(done.changes) == ["all", "few", "teacher"]
        rows = {n: read_rows(done.folder / "test" / f"{n}.parquet") for n in (STUDENT, *done.changes)}
        patients = {name: {row["patient"] for row in each} for name, each in rows.items()}
        assert len({frozenset(each) for each in patients.values()}) == 1
        teacher = next(each for each in done.changes["teacher"] if each.structure == "liver")
        assert teacher.before.mean > 0.95  # the bright teacher is right on perfect boxes
        written = json.loads((done.folder / "results.json").read_text())
        assert written["teacher"][0]["before"]["mean"] == done.changes["teacher"][0].before.mean

    def test_no_test_is_no_result(self, discs: Dataset, tmp_path: Path) -> None:
        done = run(short(recipe="pseudo", boxes=True, test=0), tmp_path / "run")
        assert done.changes == {}
        assert not (done.folder / "test").exists()

    def test_a_finished_run_is_read_not_made_again(self, discs: Dataset, tmp_path: Path) -> None:
        config = short(recipe="pseudo", boxes=True)
        first = run(config, tmp_path / "run")
        before = (first.folder / WEIGHTS).stat().st_mtime_ns
        second = run(config, tmp_path / "run")
        assert (first.folder / WEIGHTS).stat().st_mtime_ns == before
        assert (second.taught, second.rounds) == (first.taught, first.rounds)
        assert repr(second.changes) == repr(first.changes)  # there are NaN in it

    def test_an_estimate_trains_nothing(self, discs: Dataset, tmp_path: Path) -> None:
        said: list[str] = []
        config = short(steps=None, max_minutes=30.0, rounds=2, baselines=("few", "all", "teacher"))
        plan = distill(
            config, tmp_path / "run", runtime=RUNTIME, teacher=bright(), say=said.append, estimate=True
        )
        assert isinstance(plan, DistillPlan)
        assert plan.students == ("few", "round-1", "round-2", "all")
        assert (plan.teacher.cases, plan.teacher.times) == (10, 2)
        assert plan.seconds == pytest.approx(30 * 60, rel=0.3)
        assert any("2 cases" in line for line in said)
        assert not (tmp_path / "run" / "run.json").exists()
        assert not (tmp_path / "run" / "students").exists()

    def test_where_time_is_short_the_teacher_is_asked_about_fewer_cases(
        self, discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Ten cases would take ten minutes, and the run has two.
        monkeypatch.setattr("anytomy.distill.measuring._case_seconds", lambda session: (30.0, 30.0))
        config = short(steps=None, max_minutes=2.0, rounds=1, labels=2)
        said: list[str] = []
        plan = distill(
            config, tmp_path / "run", runtime=RUNTIME, teacher=bright(), say=said.append, estimate=True
        )
        assert isinstance(plan, DistillPlan)
        assert plan.teacher.cases == LEAST_CASES
        assert any(f"{LEAST_CASES} of 10 unlabelled cases" in line for line in said)

    def test_only_the_cases_that_were_planned_are_asked_about(
        self, discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Questions, "within", lambda self, minutes, rest_s: replace(self, cases=5))
        done = run(short(rounds=1), tmp_path / "run")
        record = json.loads((done.folder / "run.json").read_text())
        assert record["asked"] == 5
        assert len(list((done.folder / "pseudo" / "round-1" / "labels").iterdir())) == 5
        asked = read_student(done.folder).data["discs"]["unlabelled"]
        every = [case[1] for case in record["cohort"]["unlabelled"]]
        assert asked == spread(every, 5)


class TestVolumes:
    @pytest.mark.parametrize("dims", ["2", "3"])
    def test_students_of_slices_and_of_volumes(self, balls: Dataset, tmp_path: Path, dims: str) -> None:
        config = short(
            data=("balls",), recipe="pseudo", boxes=True, classes=("liver",), dims=dims, fold=(1, 3)
        )
        done = run(config, tmp_path / "run")
        card = read_student(done.folder)
        assert (card.dims, card.volumes) == (int(dims), True)
        assert len(card.spacing_mm) == int(dims)
        case = balls[0]
        result = load(str(done.folder), threads=1).segment(case.read())
        assert result.label_map.shape == (9, 32, 32)
        (found,) = done.rounds
        assert found["accepted"] > 0.8 * found["objects"]
        path = done.folder / "pseudo" / "boxes" / "labels"
        made = read(next(path.iterdir()))
        np.testing.assert_allclose(made.geometry.spacing_xyz_mm, case.read().geometry.spacing_xyz_mm)

    def test_a_student_of_volumes_is_tested_whatever_axis_its_teacher_looks_along(
        self, balls: Dataset, tmp_path: Path
    ) -> None:
        config = short(data=("balls",), recipe="pseudo", boxes=True, classes=("liver",), dims="3", axis="x")
        done = run(replace(config, fold=(1, 3)), tmp_path / "run")
        assert done.changes["few"]

    def test_small_volumes_are_seen_whole(self, balls: Dataset, tmp_path: Path) -> None:
        said: list[str] = []
        config = short(data=("balls",), classes=("liver",), fold=(1, 3))
        distill(config, tmp_path, runtime=RUNTIME, teacher=bright(), say=said.append, estimate=True)
        assert "in 3D (volumes of 32 x 32 x 9, seen whole)" in said[0]


class Killed(BaseException):
    pass


class TestKilled:
    @pytest.mark.parametrize(
        ("where", "after"),
        [
            ("student 'few'", 2),
            ("pseudo-labels 'round-1'", 3),
            ("student 'round-1'", 2),
            ("test, student", 1),
        ],
    )
    def test_a_run_that_was_killed_comes_to_the_same_student(
        self, discs: Dataset, tmp_path: Path, where: str, after: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Students of so few steps trust nothing; here the way counts, so whatever is found is accepted.
        monkeypatch.setattr("anytomy.distill.labelling.RULES", ANYTHING)
        monkeypatch.setattr("anytomy.distill.labelling.LEAST_ACCEPTED", 0.0)
        monkeypatch.setattr("anytomy.tuning.loop._SAVE_EVERY_S", 0.0)
        config = short(labels=4, views=1)
        whole = run(config, tmp_path / "whole", bright())
        calls = 0

        def kill(what: str, done: int, total: int, line: str) -> None:
            nonlocal calls
            calls += what == where
            if calls == after:
                raise Killed

        with pytest.raises(Killed):
            run(config, tmp_path / "cut", bright(), progress=kill)
        again = run(config, tmp_path / "cut", bright())
        assert whole.taught == again.taught == "round-1"
        assert again.rounds == whole.rounds
        assert weights(again.folder) == weights(whole.folder)
        assert repr(again.changes) == repr(whole.changes)

    def test_another_configuration_is_refused(self, discs: Dataset, tmp_path: Path) -> None:
        run(short(recipe="pseudo", boxes=True), tmp_path / "run")
        with pytest.raises(OptionError, match="steps 3 there, 4 here"):
            run(short(recipe="pseudo", boxes=True, steps=4), tmp_path / "run")

    def test_a_folder_of_something_else_is_refused(self, discs: Dataset, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "adapter.json").write_text("{}")
        with pytest.raises(OptionError, match="something else"):
            run(short(), tmp_path / "run")


@pytest.mark.slow
class TestTrust:
    """Students that have learned something, and teachers that are right or wrong."""

    @pytest.fixture
    def good(self) -> DistillConfig:
        return quick(steps=120, size=32, lr=5e-3, labels=4)

    def test_a_right_teacher_is_believed_and_helps(
        self, discs: Dataset, tmp_path: Path, good: DistillConfig
    ) -> None:
        done = run(good, tmp_path / "run")
        assert done.taught == "round-1"
        tried, found = done.rounds
        assert tried["accepted"] == tried["objects"]
        assert found["accepted"] > 0.7 * found["objects"]
        everything = next(each for each in done.changes["few"] if each.structure == "")
        assert everything.after.mean > everything.before.mean - 0.1

    @pytest.mark.parametrize("wrong", [Blobs, Shifted])
    def test_a_wrong_teacher_does_no_harm(
        self, discs: Dataset, tmp_path: Path, good: DistillConfig, wrong: type[Model]
    ) -> None:
        teacher = wrong(card(), BrightEngine(scores=(0.95, 0.6, 0.9, 0.7)), weights_sha256="a" * 64)
        done = run(good, tmp_path / "run", teacher)
        (tried,) = done.rounds  # what is wrong where labels are is not asked elsewhere
        assert tried["accepted"] <= 0.1 * tried["objects"]
        assert done.taught == "few"
        bundle = done.folder / "students" / "few" / "bundle"
        assert weights(done.folder) == weights(bundle)

    @pytest.mark.parametrize("wrong", [Blobs, Shifted])
    def test_answers_of_a_wrong_teacher_are_rejected_one_by_one_too(
        self,
        discs: Dataset,
        tmp_path: Path,
        good: DistillConfig,
        wrong: type[Model],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("anytomy.distill.labelling.LEAST_TRUSTED", 0.0)  # as if it were right on labels
        teacher = wrong(card(), BrightEngine(scores=(0.95, 0.6, 0.9, 0.7)), weights_sha256="a" * 64)
        done = run(good, tmp_path / "run", teacher)
        _, found = done.rounds
        assert found["accepted"] <= 0.1 * found["objects"]
        assert done.taught == "few"


class TestWhatLiesThereAlready:
    @pytest.mark.parametrize("other", [{"size": 64}, {"classes": ("liver",)}])
    def test_what_an_estimate_prepared_for_other_options_is_not_taken(
        self, discs: Dataset, tmp_path: Path, other: dict[str, Any]
    ) -> None:
        config = short(recipe="pseudo", boxes=True, test=0)
        distill(replace(config, **other), tmp_path / "a", runtime=RUNTIME, teacher=bright(), estimate=True)
        run(config, tmp_path / "a")
        run(config, tmp_path / "b")
        assert weights(tmp_path / "a") == weights(tmp_path / "b")

    def test_a_full_disk_beside_the_weights_loses_nothing(
        self, discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("anytomy.distill.recipes.rounds.LEAST_JUDGES", 1)
        config = short(labels=6, validate=0.5, views=1, test=0)

        def full(path: Path, values: Any) -> None:
            raise OutputError(f"{path} cannot be written")

        with monkeypatch.context() as patch:
            patch.setattr("anytomy.tuning.record.write_json", full)
            with pytest.raises(OutputError):
                run(config, tmp_path / "run")
        assert run(config, tmp_path / "run").taught == "few"

    def test_less_memory_than_was_planned_is_refused(self, discs: Dataset, tmp_path: Path) -> None:
        def stop(what: str, done: int, total: int, name: str) -> None:
            if what.startswith("student"):
                raise KeyboardInterrupt

        config = short(test=0)
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path / "run", progress=stop)
        planned = json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["training"]["memory_bytes"]
        less = replace(RUNTIME, memory=planned - 1)
        with pytest.raises(OptionError, match=r"takes .* of memory, but --memory allows"):
            distill(config, tmp_path / "run", runtime=less, teacher=bright())

    def test_a_full_disk_is_said_as_it_came_and_with_the_way_on(
        self, discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, *_: Any, **__: Any) -> None:
            raise OutputError(f"cannot write {path}", hint="choose another folder")

        config = short(test=0)
        with monkeypatch.context() as patch:
            patch.setattr("anytomy.distill.outcome.write_student", full)
            patch.setattr("anytomy.tuning.record.add", lambda *_, **__: full(Path("run.json")))
            with pytest.raises(OutputError) as caught:
                run(config, tmp_path / "run")
        assert "run.json" not in caught.value.message  # which could not be written either
        assert caught.value.hint is not None
        assert "the same command goes on" in caught.value.hint
        assert run(config, tmp_path / "run").folder == tmp_path / "run"


class TestNothingToLearnFrom:
    def test_a_labelled_case_without_an_object_is_said(self, discs: Dataset, tmp_path: Path) -> None:
        config = short(labels=1)
        for case in distill_cohort(config).labelled:
            Picture.fromarray(np.zeros((64, 64), np.uint8)).save(discs.root / "masks" / case.image.path.name)
        with pytest.raises(DatasetError, match="there are none in p5_0"):
            run(config, tmp_path / "run")

    def test_where_nothing_counts_as_unlabelled_the_teacher_is_not_blamed(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        said: list[str] = []
        done = run(short(labels=None, test=0), tmp_path / "run", say=said.append)
        assert any("nothing counts as unlabelled" in line for line in said)
        assert "nothing that the teacher could be asked about" in why_alone(done.rounds)
        assert "by the labelled cases alone" in read_student(done.folder).summary
