from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy.tuning import embeddings
from anytomy.tuning.augment import Augmentation
from anytomy.tuning.embeddings import EmbeddingBank, embedding_bytes
from anytomy.tuning.sampler import Sampler
from anytomy.tuning.samples import Samples, prepare
from anytomy.zoo.home import cache_dir
from tests.engine.tiny import card
from tests.tuning.conftest import opened, quick

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.datasets.dataset import Dataset


@pytest.fixture
def samples(discs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "cache"))
    return prepare(discs.cases[:4], quick(), card(), ("liver", "spleen"), tmp_path / "out")


def sampler(samples: Samples, copies: int = 3) -> Sampler:
    policy = Augmentation.named("light", flip_x=True, flip_y=False)
    return Sampler(samples, quick(), policy, copies)


def test_every_variant_is_encoded_once_and_never_again(samples: Samples) -> None:
    bank = EmbeddingBank.of(opened(None), 10**9)
    assert bank.fill(samples, sampler(samples), samples) == 3
    assert bank.encodings == 12
    other = EmbeddingBank.of(opened(None), 10**9)
    other.fill(samples, sampler(samples), samples)
    assert other.encodings == 0


def test_what_is_on_disk_is_not_missing(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = EmbeddingBank.of(opened(None), 10**9)
    assert bank.missing(samples, sampler(samples), samples) == 12
    bank.fill(samples, sampler(samples, 1), samples)
    later = EmbeddingBank.of(opened(None), 10**9)
    assert later.missing(samples, sampler(samples), samples) == 8
    monkeypatch.setattr(embeddings, "_LOOKED_UP", 6)  # of many pictures some tell
    assert 4 <= later.missing(samples, sampler(samples), samples) <= 12
    later.fill(samples, sampler(samples), samples)
    assert later.missing(samples, sampler(samples), samples) == 0
    assert later.missing(samples, sampler(samples), []) == 0


def test_what_is_made_is_what_is_read(samples: Samples) -> None:
    picture = samples.picture(samples[0])
    made = EmbeddingBank.of(opened(None), 10**9).embedding(picture)
    read = EmbeddingBank.of(opened(None), 10**9).embedding(picture)
    assert np.array_equal(made, read)
    exact = opened(None).encode(picture).array[0]
    assert 0 < np.abs(made - exact).max() < 0.01 * np.abs(exact).max()


def test_a_file_has_the_size_that_was_said(samples: Samples) -> None:
    bank = EmbeddingBank.of(opened(None), 10**9)
    channels, grid, _ = bank.embedding(samples.picture(samples[0])).shape
    (file,) = (cache_dir("embeddings") / "tuning").glob("*.npy")
    assert file.stat().st_size == embedding_bytes(channels, grid)


def test_where_time_is_short_there_are_fewer_variants_of_all(samples: Samples) -> None:
    bank = EmbeddingBank.of(opened(None), 10**9)
    assert bank.fill(samples, sampler(samples), samples, out_of_time=lambda: bank.encodings >= 10) == 2
    assert bank.fill(samples, sampler(samples, 1), samples, out_of_time=lambda: True) == 1


def test_the_time_of_an_encoding_is_measured_whatever_is_cached(samples: Samples) -> None:
    bank = EmbeddingBank.of(opened(None), 10**9)
    bank.embedding(samples.picture(samples[0]))
    assert bank.seconds(samples.picture(samples[0])) > 0
