"""Every recipe on phantoms: the contract of `Recipe`, and what each has of its own."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from anytomy.core.errors import OptionError
from anytomy.distill.cohort import distill_cohort
from anytomy.distill.embedding import deepest_module
from anytomy.distill.plan import DistillPlan
from anytomy.distill.recipes.recipe import Recipe
from anytomy.distill.recipes.registry import RECIPES, recipe
from anytomy.distill.recipes.soft import near_boundary
from anytomy.distill.run import DistillResult, distill, why_alone
from anytomy.evaluation.bench.table import read_rows
from anytomy.models.students.folder import read_student
from anytomy.models.students.registry import STUDENTS, build
from anytomy.predict.model import Model
from anytomy.tuning.plan import Fitted
from tests.distill.conftest import ANYTHING, RUNTIME, bright, quick
from tests.distill.test_guide import with_classes
from tests.engine.tiny import EVERYTHING, BrightEngine, card
from tests.evaluation.bench.phantoms import pictures

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.dataset import Dataset


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Students of a few steps trust nothing; here the way counts, so whatever is found is accepted."""
    monkeypatch.setattr("anytomy.distill.labelling.RULES", ANYTHING)
    monkeypatch.setattr("anytomy.distill.labelling.LEAST_ACCEPTED", 0.0)


def run(folder: Path, teacher: Model | None = None, **changes: Any) -> DistillResult:
    config = quick(**{"steps": 3, "size": 32, "labels": 2, "views": 1, **changes})
    done = distill(config, folder, runtime=RUNTIME, teacher=teacher or bright())
    assert isinstance(done, DistillResult)
    return done


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_keep_the_contract(name: str, discs: Dataset) -> None:
    way = recipe(name)
    assert isinstance(way, Recipe)
    assert way.name == name
    assert way.source
    config, teacher = quick(recipe=name, student="unet-8"), card(**EVERYTHING)
    way.check(config, teacher)
    work = way.work(config, distill_cohort(config))
    assert work.students
    assert way.extra(teacher, 2) >= 0


def test_an_unknown_recipe_is_named_with_those_that_there_are() -> None:
    with pytest.raises(OptionError, match="self-prompt") as caught:
        recipe("selfprompt")
    assert "did you mean self-prompt?" in str(caught.value.hint)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"pseudo"}))
def test_boxes_are_for_the_recipe_that_has_a_use_for_them(name: str) -> None:
    with pytest.raises(OptionError, match="not from boxes"):
        recipe(name).check(quick(recipe=name, boxes=True), card(**EVERYTHING))


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("name", ["pseudo", "self-prompt", "logits"])
def test_pseudo_labels_join_the_labelled_cases(name: str, discs: Dataset, tmp_path: Path) -> None:
    done = run(tmp_path / "run", recipe=name)
    assert next(iter(done.rounds))["name"] == "trial"
    assert done.taught != "few"
    few, own = (done.folder / "students" / n / "weights.safetensors" for n in ("few", done.taught))
    assert few.read_bytes() != own.read_bytes()
    assert (done.folder / "pseudo" / done.taught / "objects.parquet").is_file()


def test_logits_keep_probabilities_and_weigh_boundaries_twice() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 1
    near = near_boundary(labels)
    assert all(near[place] for place in ((5, 5), (4, 10), (6, 10)))
    assert not any(near[place] for place in ((10, 10), (0, 0)))
    solid = np.stack([labels] * 3)
    np.testing.assert_array_equal(near_boundary(solid)[1], near)  # slice by slice
    across_x = near_boundary(np.moveaxis(solid, 0, 2), axis="x")
    np.testing.assert_array_equal(across_x[:, :, 1], near)


@pytest.mark.parametrize("name", ["pseudo", "self-prompt", "logits"])
def test_a_teacher_that_cannot_be_asked_is_refused_before_anything_is_trained(name: str) -> None:
    with pytest.raises(OptionError, match="learned points only"):
        recipe(name).check(quick(recipe=name), card(prompts=("points",)))


@pytest.mark.parametrize("name", ["pseudo", "self-prompt", "prior", "logits"])
def test_a_teacher_of_other_classes_is_refused_before_anything_is_trained(
    name: str, discs: Dataset, tmp_path: Path
) -> None:
    teacher = Model(with_classes("kidney"), BrightEngine(), weights_sha256="a" * 64)
    with pytest.raises(OptionError, match="a teacher that finds liver, spleen"):
        run(tmp_path / "run", teacher, recipe=name)
    assert not (tmp_path / "run").exists()


def test_a_guide_of_a_teacher_that_needs_none_is_refused(discs: Dataset, tmp_path: Path) -> None:
    teacher = Model(with_classes("liver", "spleen"), BrightEngine(), weights_sha256="a" * 64)
    with pytest.raises(OptionError, match="--guide is for teachers of boxes"):
        run(tmp_path / "run", teacher, guide="tiny")


@pytest.mark.parametrize("option", [{"unlabelled": 3}, {"images": "masks"}, {"guide": "tiny"}])
def test_options_that_a_recipe_has_no_use_for_are_refused(
    option: dict[str, Any], discs: Dataset, tmp_path: Path
) -> None:
    given = {name: str(discs.root / value) if name == "images" else value for name, value in option.items()}
    with pytest.raises(OptionError, match=f"--{next(iter(option))} has no meaning"):
        run(tmp_path / "run", bright(**EVERYTHING), recipe="prior", **given)


class TestPrior:
    def test_the_student_sees_the_masks_of_a_teacher_that_takes_points(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        done = run(tmp_path / "run", bright(**EVERYTHING), recipe="prior")
        mine = read_student(done.folder)
        assert (mine.extra, mine.colours) == (2, 1)
        few = read_student(done.folder / "students" / "few" / "bundle")
        assert few.extra == 0  # the baseline is the plain student
        assert mine.data["discs"]["unlabelled"] == []  # nothing was learned from them
        assert json.loads((done.folder / "run.json").read_text())["asked"] == 0
        assert {each.structure for each in done.changes["few"]} == {"liver", "spleen", ""}

    def test_a_teacher_that_waits_for_boxes_is_refused(self, discs: Dataset, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="waits for boxes"):
            run(tmp_path / "run", recipe="prior")


class TestEncoder:
    def test_the_features_come_first_and_the_student_begins_with_them(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        done = run(tmp_path / "run", recipe="encoder")
        assert done.taught == "encoder"
        losses = json.loads((done.folder / "students" / "features" / "history.json").read_text())["losses"]
        assert losses
        few, own = (done.folder / "students" / n / "weights.safetensors" for n in ("few", "encoder"))
        assert few.read_bytes() != own.read_bytes()

    def test_where_auto_would_be_3d_it_says_so_and_leaves_no_run(
        self, balls: Dataset, tmp_path: Path
    ) -> None:
        given: dict[str, Any] = {
            "recipe": "encoder",
            "data": ("balls",),
            "classes": ("liver",),
            "fold": (1, 3),
        }
        with pytest.raises(OptionError, match="no 3D student"):
            run(tmp_path / "run", **given)
        assert run(tmp_path / "run", **given, dims="2", test=0).taught == "encoder"

    def test_a_teacher_that_takes_points_alone_has_an_encoder_too(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        done = run(tmp_path / "run", bright(prompts=("points",)), recipe="encoder", test=0)
        assert done.taught == "encoder"

    @pytest.mark.parametrize("name", STUDENTS)
    def test_the_deepest_features_are_found_in_every_network(self, name: str) -> None:
        network = build(name, dims=2, channels=1, classes=2)
        image = torch.zeros(1, 1, 64, 64)
        module, channels = deepest_module(network, image)
        seen: list[torch.Tensor] = []
        module.register_forward_hook(lambda _m, _i, out: seen.append(out))
        network(image)
        assert seen[-1].shape[1] == channels
        assert seen[-1].shape[-1] <= 64 // 8
        assert channels >= 64


class TestNnunet:
    def test_the_data_set_is_one_that_nnunet_reads(self, discs: Dataset, tmp_path: Path) -> None:
        done = run(tmp_path / "run", recipe="pseudo", boxes=True, student="nnunet", labels=4)
        folder = done.folder / "nnunet"
        described = json.loads((folder / "dataset.json").read_text())
        assert described["labels"] == {"background": 0, "liver": 1, "spleen": 2, "ignore": 3}
        assert described["numTraining"] == 4
        labels = sorted(path.name for path in (folder / "labelsTr").iterdir())
        images = sorted(path.name for path in (folder / "imagesTr").iterdir())
        assert [name.replace("_0000", "") for name in images] == labels
        assert len(list((folder / "imagesTs").iterdir())) == 4
        for name in labels:
            picture = Picture.open(folder / "labelsTr" / name)
            assert picture.mode == "L"  # a palette would be read as colours
            assert set(np.unique(np.asarray(picture))) <= {0, 1, 2, 3}
        # The network that guided it is there as well, and says what it is.
        assert read_student(done.folder).network == "unet-16"

    @pytest.mark.usefixtures("lenient")
    def test_cases_of_two_data_sets_may_have_the_same_names(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            pictures(tmp_path / name, name, patients=8)
        given: dict[str, Any] = {"data": ("one", "two"), "recipe": "pseudo", "student": "nnunet"}
        done = run(tmp_path / "run", **given, labels=4, unlabelled=4, test=0)
        written = list((done.folder / "nnunet" / "labelsTr").iterdir())
        assert len(written) == 4 + done.rounds[-1]["cases"]

    @pytest.mark.usefixtures("lenient")
    def test_cases_whose_names_differ_in_special_characters_keep_files_of_their_own(
        self, discs: Dataset, tmp_path: Path
    ) -> None:
        folder = tmp_path / "more"
        folder.mkdir()
        for name, case in zip(("a b.png", "a_b.png", "A_b.png"), discs, strict=False):
            shutil.copy(case.image.path, folder / name)
        given: dict[str, Any] = {"recipe": "pseudo", "student": "nnunet", "images": str(folder), "test": 0}
        done = run(tmp_path / "run", **given)
        labels = [path.name for path in done.folder.glob("pseudo/round-1/labels/images_*")]
        assert len({name.lower() for name in labels}) == 3
        written = list((done.folder / "nnunet" / "labelsTr").iterdir())
        assert len(written) == 2 + done.rounds[-1]["cases"]

    def test_grey_pictures_among_colours_are_written_in_colour(self, discs: Dataset, tmp_path: Path) -> None:
        given: dict[str, Any] = {"recipe": "pseudo", "boxes": True, "student": "nnunet", "labels": 4}
        path = distill_cohort(quick(**given)).labelled[0].image.path
        Picture.open(path).convert("RGB").save(path)
        folder = run(tmp_path / "run", **given).folder / "nnunet"
        assert list(json.loads((folder / "dataset.json").read_text())["channel_names"]) == ["0", "1", "2"]
        files = [*(folder / "imagesTr").iterdir(), *(folder / "imagesTs").iterdir()]
        assert {Picture.open(each).mode for each in files} == {"RGB"}


def test_a_learning_curve_is_a_run_for_each_number_of_labels(discs: Dataset, tmp_path: Path) -> None:
    done = run(tmp_path / "run", recipe="pseudo", labels=4, curve=(2, 4))
    points = sorted(path.name for path in (done.folder / "curve").iterdir())
    assert points == ["2"]  # four is the run itself
    record = json.loads((done.folder / "curve" / "2" / "run.json").read_text())
    own = json.loads((done.folder / "run.json").read_text())
    assert record["plan"]["training"]["steps"] == own["plan"]["training"]["steps"]
    assert record["cohort"]["test"] == own["cohort"]["test"]
    assert len(record["cohort"]["labelled"]) == 2


def test_the_tests_of_a_learning_curve_take_their_time(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two students of each point are tested: the one alone and the one that the teacher helped."""
    monkeypatch.setattr("anytomy.distill.measuring._seconds", lambda call, *, warm=None: 0.0)
    monkeypatch.setattr("anytomy.distill.measuring.fitted", lambda *a, **k: Fitted(2, "f32", False, 6.0, 1))

    def planned(curve: tuple[int, ...]) -> DistillPlan:
        config = quick(recipe="pseudo", labels=4, curve=curve, size=32)
        plan = distill(config, tmp_path / "run", runtime=RUNTIME, teacher=bright(), estimate=True)
        assert isinstance(plan, DistillPlan)
        return plan

    # A step of two pictures takes six seconds, so a student answers in one; four pictures are tested.
    assert planned(()).test_s == pytest.approx((1 + 1) * 4)
    assert planned((2, 4)).test_s == pytest.approx((1 + 1 + 2) * 4)  # four is the run itself
    assert planned((1, 2)).test_s == pytest.approx((1 + 1 + 4) * 4)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session for rounds whose teacher is trusted; `names` are those in which it was asked."""
    from anytomy.distill.recipes import rounds

    names: list[str] = []

    def labelled(session: Any, name: str, cases: Any, ask: Any) -> Any:
        names.append(name)
        return SimpleNamespace(samples=SimpleNamespace(all=()), objects=1, accepted=1, usable=True)

    trusted = SimpleNamespace(noted={"name": "trial", "used": True}, trusted=True)
    monkeypatch.setattr(rounds, "trial_of", lambda session: trusted)
    monkeypatch.setattr(rounds, "labelled", labelled)
    monkeypatch.setattr(rounds, "asking_student", lambda *given: None)
    monkeypatch.setattr(rounds, "is_alone", lambda session, name: False)
    dice = {"few": 0.7, "round-1": 0.8, "round-2": 0.6, "round-3": 0.5}
    return SimpleNamespace(
        names=names,
        dice=dice,
        config=SimpleNamespace(rounds=3),
        group=SimpleNamespace(validate=()),
        trainer=SimpleNamespace(held_dice=dice.__getitem__),
        few=lambda: {},
        asked=(),
        labelled=None,
        train=lambda name, *given: {},
    )


@pytest.mark.parametrize(("judges", "asked"), [((), 1), (("round-1",), 3), (("few", "round-1"), 3)])
def test_a_teacher_with_classes_is_not_asked_the_same_again(
    staged: Any, monkeypatch: pytest.MonkeyPatch, judges: tuple[str, ...], asked: int
) -> None:
    """Without a student that could judge it, its answers of the second round would be those of the first."""
    from anytomy.distill.recipes import rounds

    monkeypatch.setattr(rounds, "is_alone", lambda session, name: name not in (*judges, "round-2"))
    taught = recipe("self-prompt").teach(staged)
    assert staged.names == [f"round-{number}" for number in range(1, asked + 1)]
    assert taught.name == staged.names[-1]


@pytest.mark.parametrize(
    ("patients", "few", "taught"), [(2, 0.7, "round-3"), (3, 0.7, "round-1"), (3, 0.9, "few")]
)
def test_enough_patients_that_are_kept_apart_choose_the_student(
    staged: Any, patients: int, few: float, taught: str
) -> None:
    staged.group.validate = [SimpleNamespace(dataset="discs", patient=f"p{i}") for i in range(patients)]
    staged.dice["few"] = few
    found = recipe("self-prompt").teach(staged)
    assert (found.name, len(found.rounds)) == (taught, 4)


def test_why_a_student_learned_from_labels_alone_is_said() -> None:
    trial = {"name": "trial", "objects": 4, "used": True}
    assert "trusted" in why_alone([{**trial, "used": False}])
    assert "trusted" in why_alone([trial, {"name": "round-1", "objects": 9, "used": False}])
    assert "nothing" in why_alone([trial, {"name": "round-1", "objects": 0, "used": False}])
    assert "kept apart" in why_alone([trial, {"name": "round-1", "objects": 9, "used": True}])


def test_automatic_masks_can_be_what_a_teacher_is_asked_for(
    discs: Dataset, tmp_path: Path, lenient: None
) -> None:
    done = run(tmp_path / "run", bright(**EVERYTHING), ask="automatic", baselines=("few",))
    rows = read_rows(done.folder / "pseudo" / "round-1" / "objects.parquet")
    trial = read_rows(done.folder / "pseudo" / "trial" / "objects.parquet")
    assert {row["source"] for row in (*rows, *trial)} == {"automatic"}
    assert all(row["accepted"] for row in trial)  # discs are found by points alone


def test_automatic_masks_need_a_teacher_of_points(discs: Dataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="asked by points"):
        run(tmp_path / "run", bright(), ask="automatic")
    with pytest.raises(OptionError, match="--ask has no meaning with the recipe prior"):
        run(tmp_path / "other", bright(**EVERYTHING), ask="automatic", recipe="prior")


@pytest.mark.parametrize("how", [{"recipe": "pseudo", "boxes": True}, {"recipe": "self-prompt"}])
def test_a_teacher_can_look_closer_at_what_it_is_asked_about(
    discs: Dataset, tmp_path: Path, lenient: None, how: dict[str, Any]
) -> None:
    teachers = {zoom: bright() for zoom in ("off", "2")}
    done = {zoom: run(tmp_path / zoom, each, zoom=zoom, **how) for zoom, each in teachers.items()}
    encoded = {zoom: each.engine.encoded for zoom, each in teachers.items()}
    assert encoded["2"] > encoded["off"]
    places = [each.folder / "pseudo" / str(each.rounds[-1]["name"]) for each in done.values()]
    plain, closer = (read_rows(place / "objects.parquet") for place in places)
    assert len(plain) == len(closer) > 0
    if "boxes" in how:  # tight ones around discs, which stay discs
        areas = [[row["area"] for row in rows] for rows in (plain, closer)]
        assert areas[1] == pytest.approx(areas[0], rel=0.2)


@pytest.mark.parametrize(
    ("teacher", "more", "match"),
    [
        ({}, {"zoom": "near"}, "zoom of off, auto or a factor"),
        (EVERYTHING, {"zoom": "auto", "ask": "automatic"}, "asked for a grid of points"),
        (EVERYTHING, {"zoom": "auto", "recipe": "prior"}, "--zoom has no meaning with the recipe prior"),
    ],
)
def test_a_closer_look_is_for_boxes(
    discs: Dataset, tmp_path: Path, teacher: dict[str, Any], more: dict[str, Any], match: str
) -> None:
    with pytest.raises(OptionError, match=match):
        run(tmp_path / "run", bright(**teacher), **more)
