"""The memory that the probabilities of a case take is part of the estimate."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import OptionError
from anytomy.core.image import Image
from anytomy.distill.measuring import shares_bytes
from anytomy.distill.plan import DistillPlan
from anytomy.distill.pseudo.label import pseudo_label
from anytomy.distill.pseudo.trial import trial
from anytomy.distill.run import distill
from anytomy.predict.student.grid import StudentGrid
from tests.distill.conftest import RUNTIME, bright, quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytomy.datasets.dataset import Dataset

NAMES = ("a", "b", "c", "d", "e", "f")


def estimated(folder: Path, **changes: Any) -> DistillPlan:
    config = quick(**{"labels": 2, "size": 32, **changes})
    plan = distill(config, folder, runtime=RUNTIME, teacher=bright(), estimate=True)
    assert isinstance(plan, DistillPlan)
    return plan


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the bytes were asked for; a gigabyte is the answer."""
    calls: list[tuple[Any, ...]] = []

    def answer(*sizes: int, **more: Any) -> int:
        calls.append((*sizes, *more.values()))
        return 10**9

    monkeypatch.setattr("anytomy.distill.measuring.shares_bytes", answer)
    return calls


@pytest.mark.parametrize(("recipe", "soft"), [("pseudo", False), ("logits", True)])
def test_the_largest_case_counts(
    discs: Dataset, tmp_path: Path, asked: list[tuple[Any, ...]], recipe: str, soft: bool
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (100, 200)).astype(np.uint8)
    Picture.fromarray(noise).save(folder / "large.png")
    plan = estimated(tmp_path / "run", recipe=recipe, images=str(folder))
    assert asked == [(200 * 100, 32 * 16, 2, soft, 0)]
    assert plan.training.memory_bytes > 10**9


@pytest.mark.parametrize("more", [{"recipe": "pseudo", "boxes": True}, {"recipe": "encoder"}])
def test_where_no_student_is_asked_nothing_counts(
    discs: Dataset, tmp_path: Path, asked: list[tuple[Any, ...]], more: dict[str, Any]
) -> None:
    estimated(tmp_path / "run", **more)
    assert not asked


def test_a_case_that_does_not_fit_is_refused_before_the_start(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anytomy.distill.measuring.shares_bytes", lambda *sizes, **more: 10**15)
    with pytest.raises(OptionError, match=r"probabilities of 2 classes in p\d_\d \(64 x 64\)") as caught:
        estimated(tmp_path / "run")
    assert "--memory" in str(caught.value.hint)
    assert not (tmp_path / "run" / "run.json").exists()


def peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("soft", [False, True])
def test_it_is_as_much_as_is_taken(soft: bool) -> None:
    values = np.zeros((40, 96, 96), np.int16)
    values[15:20, 30:50, 30:50] = 800
    image = Image.from_array(values)
    grid = StudentGrid(2, 1, (48, 48), size=48)
    found = np.zeros((len(NAMES) + 1, 40, 48, 48), np.float32)
    found[0] = 0.1
    found[1, 15:20, 15:25, 15:25] = 1
    truth = (values > 0).astype(np.uint8)

    def ask() -> None:
        pseudo_label(image, bright(), NAMES, student=grid.restore(found, image), soft=soft)
        trial(image, truth, bright(), NAMES)

    bound = shares_bytes(values.size, found[0].size, len(NAMES), soft=soft, extra=0)
    assert 0.6 * bound < peak(ask) < bound


def test_each_object_and_each_closer_look_at_it_takes_time(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two discs in a picture: five boxes each, and for each of those a crop that nobody has encoded."""
    monkeypatch.setattr("anytomy.distill.measuring._seconds", lambda *_, **__: 1.0)
    plain = estimated(tmp_path / "a", recipe="pseudo", baselines=(), views=1).teacher
    closer = estimated(tmp_path / "b", recipe="pseudo", baselines=(), views=1, zoom="2").teacher
    assert closer.first_s - plain.first_s == pytest.approx(2 * 5, abs=0.01)
    assert closer.again_s - plain.again_s == pytest.approx(2 * 5, abs=0.01)
    assert plain.first_s - plain.again_s == pytest.approx(1, abs=0.01)
