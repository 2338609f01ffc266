from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from anytomy.core.errors import OptionError
from anytomy.distill.guide import check_guide, guide_finder
from anytomy.models.adapters.folder import AdapterCard
from anytomy.models.students.folder import StudentCard, read_student, write_student
from anytomy.models.students.registry import build
from anytomy.predict.model import Model, load
from anytomy.predict.student.run import StudentModel
from anytomy.zoo.card import Adapter, ModelCard
from tests.engine.tiny import BrightEngine, card
from tests.evaluation.bench.phantoms import sagittal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.datasets.dataset import Dataset

CLASSES = ("liver", "spleen")


class Halves(Model):
    """Finds what is bright: in the upper left the first class, in the lower right the second."""

    def classify_slices(self, slices: Any) -> Iterator[np.ndarray]:
        for index in range(len(slices)):
            picture = slices[index]
            y, x = np.indices(picture.shape)
            first = y + x < sum(picture.shape) / 2
            bright = picture > 100
            yield 8 * np.stack([~bright, bright & first, bright & ~first]).astype(np.float32)


def with_classes(*names: str, **data: Any) -> ModelCard:
    """The card of a model with a semantic adapter, tuned on some cases."""
    mine = AdapterCard(
        base="tiny",
        base_sha256="",
        architecture="litemedsam",
        method="decoder",
        mode="semantic",
        classes=names,
        data=data,
    )
    return card(prompts=(), adapter=Adapter(Path(), mine))


def halves() -> Halves:
    return Halves(with_classes(*CLASSES), BrightEngine(), weights_sha256="a" * 64)


def found(data: Dataset, number: int, flips: tuple[bool, bool]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    case = data[number]
    image, labels = case.load()
    find = guide_finder(halves(), CLASSES, flips=flips, intensity="auto", axis="z")
    return find(case, image), labels


@pytest.mark.parametrize("number", [0, 3])
def test_what_it_finds_lies_where_it_is(discs: Dataset, number: int) -> None:
    chances, labels = found(discs, number, (False, False))
    np.testing.assert_allclose(chances.sum(axis=0), 1, atol=1e-5)
    for index, name in enumerate(CLASSES, start=1):
        np.testing.assert_array_equal(chances.argmax(axis=0) == index, labels[name] > 0)


def test_mirrored_pictures_are_mirrored_back(discs: Dataset) -> None:
    """Its classes do not survive a mirror, what is bright does: views disagree on the one, not the other."""
    chances, labels = found(discs, 0, (True, True))
    inside = (labels["liver"] > 0) | (labels["spleen"] > 0)
    np.testing.assert_array_equal(chances[0] < 0.5, inside)
    assert chances[1][labels["liver"] > 0].mean() < 0.9


def test_volumes_come_back_on_their_own_grid(balls: Dataset) -> None:
    case = balls[1]
    image = case.read()
    chances = guide_finder(halves(), CLASSES, flips=(False, False), intensity="auto", axis="z")(case, image)
    assert chances.shape == (3, 9, 32, 32)
    np.testing.assert_array_equal(chances[0] < 0.5, image.array > 400)


def test_a_guide_must_know_the_classes() -> None:
    check_guide(with_classes("spleen", "liver"), CLASSES)
    with pytest.raises(OptionError, match="knows no spleen"):
        check_guide(with_classes("liver"), CLASSES)
    with pytest.raises(OptionError, match="knows no liver"):
        check_guide(card(), CLASSES)


def test_it_takes_the_place_of_the_first_student(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student of three steps gets nothing accepted; with a guide that is right the teacher teaches."""
    from anytomy.distill import opening
    from anytomy.distill.cohort import distill_cohort
    from anytomy.distill.run import distill
    from anytomy.zoo import registry
    from tests.distill.conftest import RUNTIME, bright, quick

    config = quick(steps=3, size=32, labels=2, views=1, test=0, recipe="pseudo", flips="none")
    seen = [case.id for case in distill_cohort(config).labelled]
    mine = with_classes(*CLASSES, discs={"train": seen}, others={"unlabelled": ["a"]})
    guide = Halves(mine, BrightEngine(), weights_sha256="a" * 64)
    monkeypatch.setattr(registry, "card", lambda name, real=registry.card: _named(name, guide, real))
    monkeypatch.setattr(opening, "_opener", lambda name, runtime: lambda: guide)
    alone = distill(config, tmp_path / "alone", runtime=RUNTIME, teacher=bright())
    guided = distill(
        quick(**{**config.to_dict(), "data": ("discs",), "fold": (1, 4), "guide": "halves"}),
        tmp_path / "guided",
        runtime=RUNTIME,
        teacher=bright(),
    )
    assert (alone.taught, guided.taught) == ("few", "round-1")  # type: ignore[union-attr]
    record = json.loads((tmp_path / "guided" / "run.json").read_text())
    assert record["facts"]["guide_sha256"] == ""
    data = read_student(tmp_path / "guided").data
    assert data["discs"]["guide"] == seen
    assert data["others"] == {"images": ["a"]}


def _named(name: str, guide: Model, real: Any) -> ModelCard:
    found: ModelCard = guide.card if name == "halves" else real(name)
    return found


def test_a_student_of_volumes_guides_in_its_own_view(
    tmp_path: Path,
) -> None:
    """Scans may be stored sagittally; it looks at axial slices all the same."""
    case = sagittal(tmp_path / "data")[0]
    image = case.read()
    mine = StudentCard(
        network="unet-8",
        dims=3,
        classes=("liver",),
        patch=(32, 32, 16),
        intensity="percentile:0.5,99.5",
        volumes=True,
        spacing_mm=(1.5, 2.0, 4.0),
    )
    torch.manual_seed(0)
    write_student(tmp_path / "student", mine, build("unet-8", dims=3, channels=1, classes=1).state_dict())
    student = load(str(tmp_path / "student"), threads=1)
    assert isinstance(student, StudentModel)
    find = guide_finder(student, ("liver",), flips=(False, False), intensity="auto", axis="z")
    np.testing.assert_allclose(find(case, image), student.probabilities(image), atol=1e-5)
