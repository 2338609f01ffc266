from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Picture

from anytomy.core.errors import DatasetError
from anytomy.tuning.samples import class_map, prepare
from tests.engine.tiny import card
from tests.tuning.conftest import quick

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.dataset import Dataset

CLASSES = ("liver", "spleen")


def test_a_picture_is_a_sample_with_the_pixels_of_its_objects(discs: Dataset, tmp_path: Path) -> None:
    samples = prepare(discs.cases[:1], quick(), card(), CLASSES, tmp_path / "out")
    (sample,) = samples
    image, labels = discs.cases[0].load()
    assert np.array_equal(samples.picture(sample), image.array)
    assert sample.areas == {name: int((labels[name] > 0).sum()) for name in CLASSES}
    assert np.array_equal(samples.class_map(sample), labels["liver"] + 2 * labels["spleen"])
    assert not samples.placed


def test_slices_with_objects_and_some_without(balls: Dataset, tmp_path: Path) -> None:
    samples = prepare(balls.cases[:1], quick(empty=0.4), card(), CLASSES, tmp_path / "out")
    full = [s for s in samples if s.areas]
    _, labels = balls.cases[0].load()
    assert len(full) == int(((labels["liver"] + labels["spleen"]) > 0).any(axis=(1, 2)).sum())
    assert 0 < len(samples) - len(full) < 9
    assert samples.placed


def test_a_volume_that_validates_is_whole(balls: Dataset, tmp_path: Path) -> None:
    samples = prepare(balls.cases[:1], quick(), card(), CLASSES, tmp_path / "out", whole=True)
    assert [s.slice for s in samples] == list(range(9))


def test_prompts_need_objects_that_are_large_enough(balls: Dataset, tmp_path: Path) -> None:
    asked = quick(mode="promptable", least=60)
    samples = prepare(balls.cases[:1], asked, card(), CLASSES, tmp_path / "out", whole=True)
    assert samples
    assert all(max(s.areas.values()) >= 60 for s in samples)


def test_slices_are_spread_where_there_are_too_many(balls: Dataset, tmp_path: Path) -> None:
    asked = quick(most_slices=3, empty=0.0)
    samples = prepare(balls.cases[:1], asked, card(), CLASSES, tmp_path / "out")
    slices = [s.slice for s in samples]
    assert len(slices) == 3
    assert slices[-1] - slices[0] >= 4


def test_what_is_prepared_is_not_read_again(
    discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(discs.cases, quick(), card(), CLASSES, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("anytomy.datasets.case.Case.read", lambda _: pytest.fail("read again"))
        assert prepare(discs.cases, quick(), card(), CLASSES, tmp_path / "out").all == first.all
    other = prepare(discs.cases[:2], quick(), card(), CLASSES, tmp_path / "out")
    assert len(other) == 2


def test_a_value_that_no_label_names_is_refused(discs: Dataset, tmp_path: Path) -> None:
    mask = discs.cases[0].masks[0].paths[0]
    values = np.array(Picture.open(mask))
    values[:4, :4] = 9
    Picture.fromarray(values).save(mask)
    with pytest.raises(DatasetError, match="no label names: 9"):
        prepare(discs.cases[:1], quick(), card(), CLASSES, tmp_path / "out")
    with pytest.warns(match="no label names: 9"):
        prepare(discs.cases[:1], quick(mode="promptable"), card(), CLASSES, tmp_path / "prompts")


def test_a_case_without_labels_is_left_out_and_said(discs: Dataset, tmp_path: Path) -> None:
    mask = discs.cases[0].masks[0].paths[0]
    Picture.fromarray(np.zeros((64, 64), np.uint8)).save(mask)
    with pytest.warns(match="left out"):
        samples = prepare(discs.cases[:3], quick(), card(), CLASSES, tmp_path / "out")
    assert {s.case for s in samples} == {case.id for case in discs.cases[1:3]}
    with pytest.warns(match="left out"), pytest.raises(DatasetError, match="nothing is labelled"):
        prepare(discs.cases[:1], quick(), card(), CLASSES, tmp_path / "none")


def test_of_overlapping_classes_the_later_one_counts() -> None:
    labels = np.zeros((2, 1, 3), np.uint8)
    labels[0, 0, :2], labels[1, 0, 1:] = 1, 4
    assert class_map(labels).tolist() == [[1, 2, 2]]


def test_labels_that_were_corrected_are_read_again(discs: Dataset, tmp_path: Path) -> None:
    asked = (discs.cases[:1], quick(), card(), CLASSES, tmp_path / "out")
    before = prepare(*asked)
    mask = discs.cases[0].masks[0].paths[0]
    values = np.array(Picture.open(mask))
    values[values == 2] = 0
    Picture.fromarray(values).save(mask)
    after = prepare(*asked)
    assert set(before[0].areas) == {"liver", "spleen"}
    assert set(after[0].areas) == {"liver"}
    assert not (after.class_map(after[0]) == 2).any()
