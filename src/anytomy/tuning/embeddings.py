"""Embeddings of a frozen encoder, made once in half precision and kept on disk by content."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from anytomy.engine.cache import EmbeddingCache
from anytomy.engine.frame import Frame
from anytomy.engine.model import LoadedModel
from anytomy.zoo.home import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.engine.protocol import Engine
    from anytomy.tuning.sampler import Sampler
    from anytomy.tuning.samples import Sample, Samples

BYTES_A_VALUE = 2
# Looking for an embedding means making the picture; so many tell how many there are.
_LOOKED_UP = 200


def half(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of an embedding on disk: whether it was read or has just been made must not matter."""
    return embedding.astype(np.float16).astype(np.float32)


class EmbeddingBank:
    """Embeddings by picture; what is on disk is never encoded again, by this run or by a later one.

    Args:
        model: Encodes; its cache holds one embedding in memory and the others on disk.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    @classmethod
    def of(cls, model: LoadedModel, disk_bytes: int) -> Self:
        """The bank of a model.

        Args:
            model: The base, on whatever encodes fastest.
            disk_bytes: Most that is kept.
        """
        cache = EmbeddingCache(memory_bytes=0, directory=_folder(), disk_bytes=disk_bytes)
        apart = LoadedModel(
            model.card,
            model.engine,
            weights_sha256=model.weights_sha256,
            encoder_sha256=model.encoder_sha256,
            cache=cache,
        )
        return cls(apart)

    def missing(self, samples: Samples, sampler: Sampler, among: Iterable[Sample]) -> int:
        """About how many of the variants of some samples are not on disk; exact where they are few."""
        wanted = [(sample, variation) for sample in among for variation in sampler.variants(sample)]
        count = min(len(wanted), _LOOKED_UP)
        looked = [wanted[i] for i in np.random.default_rng(0).permutation(len(wanted))[:count]]
        lacking = sum(
            self._model.key(variation.picture(samples.picture(sample))) not in self._model.cache
            for sample, variation in looked
        )
        return round(lacking * len(wanted) / count) if count else 0

    def seconds(self, picture: NDArray[np.uint8]) -> float:
        """How long an encoding takes, whatever is cached."""
        card = self._model.card
        frame = Frame.of((picture.shape[0], picture.shape[1]), card.input_size, card.preprocess)
        pixels = frame.pixels(picture, card.preprocess)
        engine = cast("Engine", self._model.engine)
        engine.encode(pixels)  # the first one warms up
        times = []
        for _ in range(2):
            started = time.perf_counter()
            engine.encode(pixels)
            times.append(time.perf_counter() - started)
        return min(times)  # something else may have run meanwhile

    @property
    def free(self) -> int:
        """Bytes that are left on the disk where they are kept."""
        folder = _folder()
        return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free

    @property
    def encodings(self) -> int:
        """How many pictures were really encoded."""
        return self._model.encodings

    def embedding(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embedding `(channels, grid, grid)` of a picture, rounded to half precision."""
        return half(self._model.encode(picture).array[0])

    def fill(
        self,
        samples: Samples,
        sampler: Sampler,
        among: Iterable[Sample],
        *,
        out_of_time: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> int:
        """Encode all variants of some samples, the plain pictures first.

        Args:
            samples: Where pictures come from.
            sampler: Says which variants there are.
            among: The samples.
            out_of_time: Asked before each picture, once the plain ones are there.
            progress: Called with pictures done, pictures in all and a name.

        Returns:
            How many variants of each picture there are now; 1 at least.
        """
        todo = [
            (number, sample, variation)
            for sample in among
            for number, variation in enumerate(sampler.variants(sample))
        ]
        todo.sort(key=lambda each: each[0])
        for done, (number, sample, variation) in enumerate(todo, start=1):
            if number and out_of_time():
                return number
            self._model.encode(variation.picture(samples.picture(sample)))
            if progress is not None:
                progress(done, len(todo), sample.name)
        return todo[-1][0] + 1 if todo else 1


def _folder() -> Path:
    """Apart from those of `segment --cache-embeddings`, which has a limit of its own."""
    return cache_dir("embeddings") / "tuning"


def embedding_bytes(channels: int, grid: int) -> int:
    """Size of one embedding on disk, header included."""
    return channels * grid * grid * BYTES_A_VALUE + 128
