"""How a run is carried out so that it fits, and what it will cost: `Plan`, made before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.tuning.memory import Peak, TooMuchMemoryError, limited, used, watched
from anytomy.zoo.disk import megabytes

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from anytomy.tuning.batches import LossBatch
    from anytomy.tuning.config import TuneConfig

PRECISIONS = ("auto", "f32", "bf16")
# What the optimiser and the average add to a parameter: gradient, two moments, average, best.
_COPIES_OF_PARAMETERS = 5
VALIDATIONS = 20
"""In a run."""

MOST_VALIDATING = 0.25
"""Of the time of training, where time ends a run."""

# Encoding is planned to take so much of a run that is limited by time, and never takes more than the other.
_MOST_ENCODING = 0.35
MOST_ENCODING = 0.5


@dataclass(frozen=True)
class Plan:
    """How a run is carried out. Part of the run: a resumed one goes on with it.

    Attributes:
        micro: Samples that go through the model at once.
        accumulation: How often, for one step.
        precision: `f32` or `bf16`.
        checkpointing: Whether activations of the encoder are computed again instead of kept.
        copies: Variants of each picture with cached embeddings; 0 where the encoder is trained.
        steps: Steps, or about how many where time ends the run.
        every: Steps between validations, or about how many where time decides.
        encode_s: About how long encoding takes; 0 for what is cached.
        step_s: Of one step.
        validate_s: Of one validation.
        memory_bytes: Most memory of a step.
        disk_bytes: Embeddings and checkpoint.
    """

    micro: int
    accumulation: int
    precision: str
    checkpointing: bool
    copies: int
    steps: int
    every: int
    encode_s: float
    step_s: float
    validate_s: float
    memory_bytes: int
    disk_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def check_memory(self, memory: int | None, folder: Path) -> None:
        """Refuse to go on in less memory than a run takes: fewer samples at once end in other weights.

        Args:
            memory: Bytes that are allowed; None for no limit.
            folder: Of the run.

        Raises:
            OptionError: With what it takes.
        """
        if memory is not None and memory < self.memory_bytes:
            raise OptionError(
                f"the run in {folder} takes {megabytes(self.memory_bytes)} of memory, but --memory allows"
                f" {megabytes(memory)}",
                hint="a run keeps its plan: give it so much, or begin anew in another folder with -o",
            )

    @property
    def seconds(self) -> float:
        """About how long embeddings, steps and validations take together."""
        return self.encode_s + self.steps * self.step_s + (self.steps // self.every) * self.validate_s

    def text(self) -> list[str]:
        """The costs, in lines for a person."""
        how = f"{self.micro} at once" + (f", {self.accumulation} times" if self.accumulation > 1 else "")
        how += f", {self.precision}" + (", activations computed again" if self.checkpointing else "")
        validated = f", a validation of {duration(self.validate_s)} every {self.every:,}"
        lines = [
            f"about {duration(self.seconds)}: {self.steps:,} steps of {self.step_s:.2f} s ({how})"
            + (validated if self.validate_s else ""),
            f"memory {megabytes(self.memory_bytes)}, disk {megabytes(self.disk_bytes)}",
        ]
        if self.copies:
            each = f"{self.copies} of each picture" if self.copies > 1 else "one of each picture"
            when = f"about {duration(self.encode_s)}" if self.encode_s else "all of them are cached"
            lines.insert(0, f"embeddings first, {each}: {when}")
        return lines


@dataclass(frozen=True)
class Fitted:
    """What fits: part of a `Plan`."""

    micro: int
    precision: str
    checkpointing: bool
    step_s: float
    memory_bytes: int


def fitted(
    task: nn.Module,
    batch: Callable[[int], LossBatch],
    config: TuneConfig,
    device: torch.device,
    *,
    memory: int,
    precision: str,
    processes: int = 1,
) -> Fitted:
    """Measure steps and choose what fits: as many samples at once as possible, then recomputing, then bf16.

    Args:
        task: Its `forward` is the loss; its gradients are cleared, nothing else changes.
        batch: Makes a batch of so many samples.
        config: Size of the batch.
        device: Where it runs.
        memory: Bytes that may be used.
        precision: `auto`, `f32` or `bf16`.
        processes: Devices that share a batch.

    Raises:
        OptionError: If nothing fits.
    """
    share = -(-config.batch // processes)
    least = 0
    extra = _optimiser_bytes(task)
    # Taken once: blocks that a measured step gave back may stay with the process.
    room = memory - extra - used(device)
    for kind, again in _ways(task, precision, device):
        recompute(task, again)
        try:
            first = _measured(task, batch(1), kind, device, room)
            first = _measured(task, batch(1), kind, device, room)
        except TooMuchMemoryError:
            continue
        least = first.bytes + extra
        if least > memory:
            continue
        if share == 1:
            return Fitted(1, kind, again, first.seconds, least)
        try:
            second = _measured(task, batch(2), kind, device, room)
        except TooMuchMemoryError:
            return Fitted(1, kind, again, first.seconds * share, least)
        more = max(second.bytes - first.bytes, 0)
        # Whole parts of the batch, so that all parts weigh the same.
        sizes = [n for n in range(1, share + 1) if share % n == 0 and least + more * (n - 1) <= memory]
        for micro in sorted(sizes, reverse=True):
            try:
                whole = {1: first, 2: second}.get(micro) or _measured(task, batch(micro), kind, device, room)
            except TooMuchMemoryError:
                continue
            if whole.bytes + extra > memory:  # it may grow faster than from one sample to two
                continue
            # Step after step, as in training, freed blocks stay with the process and do not all fit again.
            settled = _measured(task, batch(micro), kind, device, room, fresh=False)
            peak = max(whole.bytes, settled.bytes) + extra
            if peak <= memory:
                seconds = min(whole.seconds, settled.seconds) * (share // micro)
                return Fitted(micro, kind, again, seconds, peak)
    needed = f"; the smallest step takes {megabytes(least)}" if least else ""
    raise OptionError(
        f"expected a plan that fits into {megabytes(memory)} of memory, but none does{needed}",
        hint="give more --memory, or a --method that leaves the image encoder alone (decoder)",
    )


def copies_that_fit(config: TuneConfig, pictures: int, *, size: int, second_each: float, disk: int) -> int:
    """How many variants of each picture are cached: those wanted, if disk and time allow."""
    most = max(disk // max(pictures * size, 1), 1)
    if config.max_minutes is not None and second_each > 0:
        allowed = _MOST_ENCODING * config.max_minutes * 60
        most = min(most, max(int(allowed / (pictures * second_each)), 1))
    return int(min(config.copies, most))


def steps_of(config: TuneConfig, *, step_s: float, validate_s: float, encode_s: float) -> tuple[int, int]:
    """Steps of the run, estimated where time ends it, and steps between validations."""
    steps, validations = config.most_steps, VALIDATIONS
    if config.max_minutes is not None:
        seconds = config.max_minutes * 60
        left = seconds - min(encode_s, MOST_ENCODING * seconds)
        most = MOST_VALIDATING * left
        if validations * validate_s > most:
            validations = max(int(most / validate_s), 1)
        left -= min(validations * validate_s, most)
        possible = max(int(left / step_s), 1)
        steps = possible if steps is None else min(steps, possible)
    assert steps is not None
    return steps, config.every or max(steps // validations, 1)


def recompute(task: nn.Module, again: bool) -> None:
    """Compute the activations of the encoder's blocks again in the backward pass, or keep them."""
    from torch.utils.checkpoint import checkpoint

    for block in _blocks(task):
        block.__dict__.pop("forward", None)
        if again:
            plain = block.forward
            block.forward = lambda *a, _plain=plain: checkpoint(_plain, *a, use_reentrant=False)


def duration(seconds: float) -> str:
    """A time for people: `40 s`, `12 min`, `2.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _blocks(task: nn.Module) -> Sequence[nn.Module]:
    """The repeated blocks of the image encoder; none where the model has no such encoder."""
    encoder: Any = getattr(getattr(task, "model", None), "image_encoder", None)
    if hasattr(encoder, "blocks"):
        return list(encoder.blocks)
    return [block for stage in getattr(encoder, "layers", ()) for block in stage.blocks]


def _ways(task: nn.Module, precision: str, device: torch.device) -> list[tuple[str, bool]]:
    """Precision and recomputing, the best first."""
    first = {"auto": "bf16" if device.type == "cuda" else "f32"}.get(precision, precision)
    ways = [(first, False)]
    if getattr(task, "encodes", False):
        ways.append((first, True))
    if precision == "auto" and first != "bf16":
        ways.append(("bf16", ways[-1][1]))
    return ways


def _optimiser_bytes(task: nn.Module) -> int:
    """What comes on top of a measured step, whose gradients are counted already."""
    trained = sum(p.numel() * p.element_size() for p in task.parameters() if p.requires_grad)
    return (_COPIES_OF_PARAMETERS - 1) * trained


def _measured(
    task: nn.Module,
    batch: LossBatch,
    precision: str,
    device: torch.device,
    limit: int,
    *,
    fresh: bool = True,
) -> Peak:
    """Time and memory of a forward and a backward pass."""
    import torch

    # What batch normalisation learns from a batch must not stay.
    kept = {n: value.clone() for n, value in task.named_buffers() if "running_" in n or "num_" in n}
    try:
        with watched(device, fresh=fresh) as peak:
            with limited(limit), torch.autocast(device.type, torch.bfloat16, precision == "bf16"):
                loss = task(batch.to(device))
            loss.backward()
    finally:
        task.zero_grad(set_to_none=True)
        buffers = dict(task.named_buffers())
        for name, value in kept.items():
            buffers[name].copy_(value)
    return peak
