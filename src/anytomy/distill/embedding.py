"""A student's features learn a teacher's embeddings: `EmbeddingTask` and its `EmbeddingBatches`.

Mean squared error of the embeddings, as MobileSAM (Zhang et al., arXiv 2306.14289, decoupled distillation)
and LiteMedSAM's first stage have it. Pictures are not varied: an embedding is that of the picture as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytomy.core.intensity import choose_policy
from anytomy.distill.task import StudentBatch
from anytomy.evaluation.simulators import seeded
from anytomy.tuning.prepared import PREPARED, mapped, name_of, quietly_read, spread, write_array
from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.datasets.case import Case
    from anytomy.distill.session import Session
    from anytomy.predict.student.grid import StudentGrid

# Slices of a volume that are learned from, evenly spread.
_MOST_SLICES = 12
# Embeddings are far coarser than pixels: so many along each axis go together.
_POOL = 4


class EmbeddingTask(nn.Module):
    """A student whose deepest features are to become embeddings, by a linear map that is thrown away.

    Args:
        model: The student.
        batches: Tell the size of an input and the channels of an embedding.
    """

    def __init__(self, model: nn.Module, batches: EmbeddingBatches) -> None:
        super().__init__()
        self.model = model
        self._found: list[Tensor] = []
        deepest, channels = deepest_module(model, batches.batch(0, [0]).image)
        deepest.register_forward_hook(lambda _module, _inputs, out: self._found.append(out))
        self.head = nn.Conv2d(channels, batches.channels, 1)

    def forward(self, batch: StudentBatch) -> Tensor:
        """The loss."""
        self._found.clear()
        self.model(batch.image)
        found = self.head(self._found.pop())
        size = (int(found.shape[2]), int(found.shape[3]))
        target = F.interpolate(batch.target, size=size, mode="area")
        weight = F.interpolate(batch.weight, size=size, mode="area")
        off = (found - target).square().mean(dim=1, keepdim=True)
        return (weight * off).sum() / weight.sum().clamp(min=1.0)


class EmbeddingBatches:
    """Pictures of all training cases with the teacher's embeddings.

    Args:
        grid: Of the student.
        files: For each picture its name, its levels `(C, y, x)` and its embedding `(channels, rows,
            columns)`.
        seed: Of the draws.
    """

    def __init__(
        self,
        grid: StudentGrid,
        files: Sequence[tuple[str, NDArray[np.uint8], NDArray[np.float16]]],
        seed: int,
    ) -> None:
        self._grid, self._files, self._seed = grid, files, seed
        self.channels = int(files[0][2].shape[0])

    @classmethod
    def of(cls, session: Session) -> Self:
        """Those of a run; embeddings are kept on disk."""
        told = session.told("embeddings")
        files: list[tuple[str, NDArray[Any], NDArray[Any]]] = []
        cases = session.group.seen
        for number, case in enumerate(cases, start=1):
            levels = session.stock.picture(case)
            numbers, embeddings = _embeddings(session, case)
            files += [
                (f"{case.dataset} {case.id} slice {z}", levels[:, z], each)
                for z, each in zip(numbers, embeddings, strict=True)
            ]
            if told is not None:
                told(number, len(cases), f"{case.dataset} {case.id}")
        return cls(session.sight.grid, files, session.config.seed)

    def batch(self, step: int, items: Sequence[int]) -> StudentBatch:
        """The pictures at some places of a step's batch."""
        images, targets, weights, names = [], [], [], []
        high, wide = self._grid.patch
        for item in items:
            rng = seeded(self._seed, "embedding", step, item)
            name, levels, embedding = self._files[int(rng.integers(len(self._files)))]
            seen = torch.from_numpy(np.array(levels)).float()[:, :high, :wide] / 255
            lacks = (0, wide - seen.shape[2], 0, high - seen.shape[1])
            images.append(self._grid.normalised(F.pad(seen, lacks)))
            # On the pixels of the patch, of which the network's features are a whole part.
            whole = torch.from_numpy(np.array(embedding)).float()[None]
            size = (int(levels.shape[1]), int(levels.shape[2]))
            fine = F.interpolate(whole, size=size, mode="bilinear")[0][:, :high, :wide]
            coarse = F.pad(fine, lacks)
            targets.append(F.avg_pool2d(coarse, _POOL, ceil_mode=True))
            weights.append(F.avg_pool2d(F.pad(torch.ones_like(seen[:1]), lacks), _POOL, ceil_mode=True))
            names.append(name)
        return StudentBatch(torch.stack(images), torch.stack(targets), torch.stack(weights), names)


def deepest_module(model: nn.Module, image: Tensor) -> tuple[nn.Module, int]:
    """The last module whose output has the fewest pixels, and its channels.

    Args:
        model: Any network.
        image: An input of it.
    """
    seen: list[tuple[int, int, nn.Module, int]] = []

    def look(module: nn.Module, _inputs: Any, out: Any) -> None:
        if isinstance(out, Tensor) and out.ndim == image.ndim:
            seen.append((-int(np.prod(out.shape[2:])), len(seen), module, int(out.shape[1])))

    hooks = [each.register_forward_hook(look) for each in model.modules() if not list(each.children())]
    training = model.training
    with torch.no_grad():
        model.eval()(image)
    model.train(training)
    for hook in hooks:
        hook.remove()
    _, _, module, channels = max(seen, key=lambda each: each[:2])
    return module, channels


def _embeddings(session: Session, case: Case) -> tuple[list[int], NDArray[np.float16]]:
    """Numbers of slices and their embeddings `(n, channels, rows, columns)`, of the picture alone."""
    path: Path = session.folder / PREPARED / "embeddings" / f"{name_of(case)}.npy"
    depth = int(session.stock.picture(case).shape[1])
    numbers = spread(range(depth), _MOST_SLICES)
    if not path.is_file():
        image, config = quietly_read(case), session.config
        policy = choose_policy(image, session.teacher.card.intensity, config.intensity).policy
        view = session.sight.grid.view(image, config.axis if image.is_volume else "z")
        slices = Slices.of(image, view, policy.fit(image))
        found = []
        for number in numbers:
            embedding = session.teacher.encode(slices[number])
            rows, columns = embedding.frame.inner(embedding.array.shape[-1])
            found.append(embedding.array[0, :, :rows, :columns].astype(np.float16))
        write_array(path, np.stack(found))
    return numbers, mapped(path)
