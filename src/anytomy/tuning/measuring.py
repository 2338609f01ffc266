"""What a run will cost, measured on the model and the data themselves: `planned`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from anytomy.core.errors import AnytomyWarning
from anytomy.models.adapters.adapted import set_training
from anytomy.tuning.embeddings import embedding_bytes
from anytomy.tuning.memory import available
from anytomy.tuning.plan import Plan, copies_that_fit, fitted, steps_of
from anytomy.tuning.prompts import rounds_of
from anytomy.tuning.validate import MOST_OBJECTS
from anytomy.zoo.disk import megabytes

if TYPE_CHECKING:
    import torch

    from anytomy.tuning.batches import Batch
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.embeddings import EmbeddingBank
    from anytomy.tuning.run import Runtime
    from anytomy.tuning.session import Part
    from anytomy.tuning.tasks import ClassTask, PromptTask

# What an answer costs of a step, which goes through the model back as well.
_ANSWER = 1 / 3


def planned(
    task: ClassTask | PromptTask,
    config: TuneConfig,
    runtime: Runtime,
    device: torch.device,
    *,
    processes: int,
    bank: EmbeddingBank | None,
    mix: Mapping[str, float],
    varies: bool,
    train: Callable[[int | None], Part],
    held: Part,
) -> Plan:
    """Measure an encoding and steps, and choose what fits.

    Args:
        task: The model with its methods, and the loss.
        config: What is asked.
        runtime: Memory, disk, precision.
        device: Where it trains.
        processes: That share a batch.
        bank: Embeddings; None where the encoder is trained.
        mix: Kinds of prompts; steps are measured with the one that takes most rounds.
        varies: Whether there are variants to cache.
        train: The samples of training, with so many cached variants.
        held: The samples of validation.

    Raises:
        OptionError: If nothing fits into the memory.
    """
    looked = len(held.samples) if config.is_semantic else min(MOST_OBJECTS, len(held.samples))
    copies, encode_s, disk = 0, 0.0, 0
    if bank is not None:
        wanted = train(config.copies if varies else 1)
        copies, encode_s, disk = _embeddings(config, runtime, bank, wanted, held, looked)
    batches = train(copies if bank is not None else None).batches
    kind = max(mix, key=lambda k: rounds_of(k, config), default="")
    set_training(task)

    def batch(count: int) -> Batch:
        return batches.batch(0, list(range(count)), kind=kind)

    memory = runtime.memory or available(device)
    chosen = fitted(
        task, batch, config, device, memory=memory, precision=runtime.precision, processes=processes
    )
    validate_s = looked * chosen.step_s / config.batch * _ANSWER * max(len(mix), 1)
    steps, every = steps_of(config, step_s=chosen.step_s, validate_s=validate_s, encode_s=encode_s)
    state = sum(p.numel() * p.element_size() for p in task.parameters() if p.requires_grad)
    return Plan(
        micro=chosen.micro,
        accumulation=-(-config.batch // (chosen.micro * processes)),
        precision=chosen.precision,
        checkpointing=chosen.checkpointing,
        copies=copies,
        steps=steps,
        every=every,
        encode_s=round(encode_s, 2),
        step_s=round(chosen.step_s, 4),
        validate_s=round(validate_s, 3),
        memory_bytes=chosen.memory_bytes,
        disk_bytes=disk + 5 * state,
    )


def _embeddings(
    config: TuneConfig, runtime: Runtime, bank: EmbeddingBank, wanted: Part, held: Part, looked: int
) -> tuple[int, float, int]:
    """Variants of each picture whose embeddings are kept, seconds that these take, and bytes on disk.

    Args:
        config: How many are wanted, in how much time.
        runtime: Disk that they may take.
        bank: Where they are kept.
        wanted: The samples of training, with as many variants as are wanted.
        held: The samples of validation.
        looked: How many of these are looked at.
    """
    samples = wanted.samples
    pictures, most = len(samples), len(wanted.sampler.variants(samples[0]))
    each = bank.seconds(samples.picture(samples[0]))
    size = embedding_bytes(*bank.embedding(samples.picture(samples[0])).shape[:2])
    # Of what an earlier run has encoded, nothing is left to do.
    lacking = bank.missing(samples, wanted.sampler, samples) / (pictures * most)
    lacking_held = bank.missing(held.samples, held.sampler, held.samples) / max(len(held.samples), 1)
    there = (pictures * most * (1 - lacking) + looked * (1 - lacking_held)) * size
    room = min(runtime.disk, int(there) + bank.free)
    left = room - looked * size
    fit = copies_that_fit(config, pictures, size=size, second_each=each * lacking, disk=left)
    copies = min(most, fit)
    disk = (pictures * copies + looked) * size
    if disk > room:
        limit, more = "--disk allows", "give more --disk"
        if room < runtime.disk:
            limit, more = "there is room for", "free some space, set ANYTOMY_CACHE to another disk"
        warnings.warn(
            f"embeddings take {megabytes(disk)} and {limit} {megabytes(room)}: many will be made again"
            f" and again, which is not counted; {more} or fewer --most-slices",
            AnytomyWarning,
            stacklevel=3,
        )
    return copies, (pictures * copies * lacking + looked * lacking_held) * each, disk
