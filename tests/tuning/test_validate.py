from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.tuning.samples import Samples, prepare
from anytomy.tuning.validate import MOST_OBJECTS, chosen_objects
from tests.engine.tiny import card
from tests.tuning.conftest import quick

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from anytomy.datasets.dataset import Dataset

CLASSES = ("liver", "spleen")
ASKED = quick(mode="promptable", least=20)


def prepared(cases: Dataset, folder: Path) -> Samples:
    return prepare(cases.cases, ASKED, card(), CLASSES, folder, whole=True)


def test_every_object_that_is_large_enough_validates(balls: Dataset, tmp_path: Path) -> None:
    samples = prepared(balls, tmp_path / "out")
    found = [(name, sample.key, int(mask.sum())) for name, sample, mask in chosen_objects(samples, ASKED)]
    wanted = [
        (name, sample.key, int((plane == number).sum()))
        for sample in samples
        for name, plane in zip(CLASSES, samples.labels(sample), strict=True)
        for number in np.unique(plane[plane > 0])
        if (plane == number).sum() >= ASKED.least
    ]
    assert found == wanted
    assert 0 < len(found) < MOST_OBJECTS


def test_objects_are_looked_for_once_and_not_at_each_validation(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anytomy.tuning.validate.MOST_OBJECTS", 3)
    samples = prepared(discs, tmp_path / "out")
    plain, read = Samples.labels, []
    monkeypatch.setattr(Samples, "labels", lambda self, sample: read.append(sample) or plain(self, sample))
    first = [(name, sample.key) for name, sample, _ in chosen_objects(samples, ASKED)]
    assert len(read) == len(samples) + len(first)
    read.clear()
    assert [(name, sample.key) for name, sample, _ in chosen_objects(samples, ASKED)] == first
    assert len(read) == len(first) == 3
