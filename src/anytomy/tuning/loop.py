"""The training loop: `Loop`, which can be killed at any step and goes on as if nothing had been.

What a step does follows from its number, the seed and the state of the last checkpoint alone. Steps after
that checkpoint are done again and give the same weights, bit for bit on a CPU with the same threads.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from anytomy.core.errors import AnytomyError, AnytomyWarning
from anytomy.models.adapters.adapted import set_training
from anytomy.tuning import checkpoint
from anytomy.tuning.plan import MOST_VALIDATING, VALIDATIONS
from anytomy.tuning.schedule import Average, rate_factor

if TYPE_CHECKING:
    from pathlib import Path

    from accelerate import Accelerator

    from anytomy.tuning.batches import BatchMaker, LossBatch
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.plan import Plan
    from anytomy.tuning.validate import Validation

# Between validations, so that a kill costs no more.
_SAVE_EVERY_S = 120.0
_LOSSES = 10 * VALIDATIONS


class NotFiniteError(AnytomyError):
    """A loss or a gradient is NaN or infinite; the state before it is kept."""


@dataclass
class State:
    """Where a run is.

    Attributes:
        step: Steps done.
        elapsed: Seconds of all starts together, embeddings included.
        encoding: Those of them that went into embeddings, before the first step of a start.
        validating: Seconds of the last validation.
        rest: Seconds of `elapsed` before which a run that time ends does not validate again.
        best: Highest Dice of a validation; NaN before the first.
        best_step: When it was.
        since: Validations after it.
        marks: Twentieths of the run that were over at the last validation.
        noted: Parts of the run that were over when the last loss was noted.
        finished: Whether the run has ended.
        losses: Steps with the mean loss since the one before, and the rate.
        validations: Steps with the Dice, overall and by structure.
    """

    step: int = 0
    elapsed: float = 0.0
    encoding: float = 0.0
    validating: float = 0.0
    rest: float = 0.0
    best: float = math.nan
    best_step: int = 0
    since: int = 0
    marks: int = 0
    noted: int = 0
    finished: bool = False
    losses: list[dict[str, Any]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)


class Loop:
    """Trains a task.

    Args:
        task: Its `forward` is the loss of a batch.
        trained: The tensors that change, by name (`adapted.trained`).
        batches: Makes the batch of a step.
        config: Rates, steps, seed.
        plan: How a step is divided.
        accelerator: Devices and precision.
        validator: Judges the task as it stands; None where nothing is kept apart for it.
        folder: Of the run; `checkpoint.pt` and `logs` lie there.
        spent: Seconds that this start has spent on embeddings.
        progress: Called with steps done, steps in all and a line.
    """

    def __init__(
        self,
        task: nn.Module,
        trained: Mapping[str, Tensor],
        batches: BatchMaker,
        config: TuneConfig,
        plan: Plan,
        accelerator: Accelerator,
        *,
        validator: Callable[[], Validation] | None,
        folder: Path,
        spent: float = 0.0,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self._config, self._plan, self._batches = config, plan, batches
        self._task, self._trained = task, trained
        self._accelerator, self._validator, self._folder = accelerator, validator, folder
        self._progress = progress
        self._parameters = [p for p in task.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(self._parameters, lr=config.rate, weight_decay=config.weight_decay)
        self._wrapped, self._optimiser = accelerator.prepare(task, optimiser)
        self.state = State()
        self.average = Average(trained, config.ema)
        self.best: dict[str, Tensor] | None = None
        self._window: list[float] = []
        self._resume()
        spent = _of_the_first(spent)
        self.state.elapsed += spent
        self.state.encoding += spent
        self._started = time.monotonic() - self.state.elapsed
        self._saved = self.state.elapsed
        self._log = _Log(folder, self.state.step) if accelerator.is_main_process else None

    def run(self) -> dict[str, Tensor]:
        """Train to the end.

        Returns:
            The weights to keep: those of the best validation, the last average where there is none.

        Raises:
            NotFiniteError: If a loss is not a number; the checkpoint has the state before it.
            OutputError: If a checkpoint cannot be written; the last one is kept.
        """
        try:
            self._run()
        finally:
            if self._log is not None:
                self._log.close()
        return self.average.state if self.best is None else self.best

    def _run(self) -> None:
        state = self.state
        set_training(self._task)
        while not state.finished:
            number = state.step + 1
            self._window.append(self._step(number))
            state.step = number
            self.average.update(self._trained, number)
            state.elapsed = self._clock()
            self._note(number)
            due, over = self._is_due(), self._is_over()
            if due or over:
                self._validate()
            state.finished = over or self._is_over()  # a validation may have been the last in vain
            if state.finished or due or self._is_time_to_save():
                self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        self._saved = self.state.elapsed
        if self._accelerator.is_main_process:
            kept = {
                **asdict(self.state),
                "trained": dict(self._trained),
                "average": self.average.state,
                "kept": self.best,
                "optimiser": self._optimiser.state_dict(),
                "window": list(self._window),
            }
            checkpoint.save(self._folder, kept)
        self._accelerator.wait_for_everyone()

    def _resume(self) -> None:
        held = checkpoint.load(self._folder)
        if held is None:
            return
        with torch.no_grad():
            for name, tensor in self._trained.items():
                tensor.copy_(held["trained"][name])
                self.average.state[name].copy_(held["average"][name])
        self.best = held["kept"]
        self._optimiser.load_state_dict(held["optimiser"])
        self._window = held["window"]
        self.state = State(**{name: held[name] for name in State.__dataclass_fields__ if name in held})

    def _is_over(self) -> bool:
        return self._share_done() >= 1 or 0 < self._config.patience <= self.state.since

    def _is_due(self) -> bool:
        """Whether to validate now: by steps, or, where time ends the run, by time."""
        if self._config.max_minutes is None or self._config.every is not None:
            return self.state.step % self._plan.every == 0
        marks = int(VALIDATIONS * self._share_done())
        if marks <= self.state.marks or self.state.elapsed < self.state.rest:
            return False
        self.state.marks = marks
        return True

    def _is_time_to_save(self) -> bool:
        return self.state.elapsed - self._saved > _SAVE_EVERY_S

    def _share_done(self) -> float:
        """How much of the run is over, by steps or by time, whichever is more.

        Time counts from the first step: the rate warms up whatever embeddings took. The last validation is
        part of it.
        """
        state, steps, minutes = self.state, self._config.most_steps, self._config.max_minutes
        by_steps = state.step / steps if steps is not None else 0.0
        if minutes is None:
            return by_steps
        left = 60 * minutes - state.encoding - state.validating
        by_time = (state.elapsed - state.encoding) / left if left > 0 else 1.0
        return max(by_steps, by_time)

    def _clock(self) -> float:
        """Seconds of all starts."""
        return _of_the_first(time.monotonic() - self._started)

    def _step(self, number: int) -> float:
        """One step of the optimiser; returns the loss."""
        config, accelerator = self._config, self._accelerator
        factor = rate_factor(self._share_done(), schedule=config.schedule, warmup=config.warmup)
        for group in self._optimiser.param_groups:
            # The first step of a warm-up would be lost at a rate of 0.
            group["lr"] = config.rate * max(factor, 1e-3)
        _seed(config.seed, number, accelerator.process_index)
        total = 0.0
        for part in range(self._plan.accumulation):
            batch = self._batches.batch(number, self._items(part)).to(accelerator.device)
            with accelerator.accumulate(self._wrapped):
                loss = self._wrapped(batch)
                value = float(loss.detach())
                self._check(value, "loss", number, batch)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(self._parameters, config.clip)
                    self._check(float(norm), "gradient", number, batch)
                self._optimiser.step()
                self._optimiser.zero_grad()
            total += value / self._plan.accumulation
        return total

    def _items(self, part: int) -> list[int]:
        """Places in the batch: each part and each device has its own."""
        plan, accelerator = self._plan, self._accelerator
        first = (accelerator.process_index * plan.accumulation + part) * plan.micro
        return list(range(first, first + plan.micro))

    def _check(self, value: float, what: str, number: int, batch: LossBatch) -> None:
        if math.isfinite(value):
            return
        self._optimiser.zero_grad()
        # A gradient is that of all processes; with a loss of its own, one would wait for the others for ever.
        if what == "gradient" or self._accelerator.num_processes == 1:
            self.save()
        raise NotFiniteError(
            f"the {what} of step {number} is {value} in the batch {', '.join(batch.names)}",
            hint=f"the state before it is kept in {self._folder}; look at these images, or lower --lr in"
            " another folder",
        )

    def _note(self, number: int) -> None:
        state = self.state
        share = self._share_done()
        if int(_LOSSES * share) > state.noted:
            state.noted = int(_LOSSES * share)
            entry = {
                "step": number,
                "loss": sum(self._window) / len(self._window),
                "rate": self._optimiser.param_groups[0]["lr"],
                "seconds": round(state.elapsed, 1),
            }
            self._window = []
            state.losses.append(entry)
            if self._log is not None:
                self._log.scalars(number, {"loss": entry["loss"], "rate": entry["rate"]})
        if self._progress is not None:
            loss = f"loss {state.losses[-1]['loss']:.3f}" if state.losses else ""
            best = "" if math.isnan(state.best) else f"best Dice {state.best:.3f} at {state.best_step:,}"
            total = max(round(number / min(share, 1.0)), number) if share > 0 else self._plan.steps
            self._progress(number, total, ", ".join(filter(None, (loss, best))))

    def _validate(self) -> None:
        state = self.state
        if self._validator is None or (state.validations and state.validations[-1]["step"] == state.step):
            return
        with self._averaged():
            found = self._validator()
        set_training(self._task)
        started, state.elapsed = state.elapsed, self._clock()
        state.validating = state.elapsed - started
        state.rest = state.elapsed + state.validating * (1 / MOST_VALIDATING - 1)
        by_structure = {name: float(value) for name, value in found.by_structure.items()}
        state.validations.append({"step": state.step, "dice": found.dice, "by_structure": by_structure})
        state.since += 1
        if not state.best >= found.dice:  # NaN is no best
            state.best, state.best_step, state.since = found.dice, state.step, 0
            self.best = {name: tensor.clone() for name, tensor in self.average.state.items()}
        if self._log is not None:
            each = {f"dice/{name}": value for name, value in by_structure.items()}
            self._log.scalars(state.step, {"dice": found.dice, **each})

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The average in place of the weights, while this is open."""
        held = {name: tensor.detach().clone() for name, tensor in self._trained.items()}
        _put(self._trained, self.average.state)
        try:
            yield
        finally:
            _put(self._trained, held)


class _Log:
    """TensorBoard's event files; nothing where it is not installed, no more where they cannot be written.

    All that they say is in the checkpoint and in `history.json` too: no run ends for them.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder, self._writer = folder / "logs", None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        with self._going_on_without():
            # What was written after the checkpoint that the run goes on from is done again.
            self._writer = SummaryWriter(str(self._folder), purge_step=step + 1 if step else None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of a step."""
        with self._going_on_without():
            for name, value in values.items():
                if self._writer is not None:
                    self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still held."""
        with self._going_on_without():
            if self._writer is not None:
                self._writer.close()

    @contextmanager
    def _going_on_without(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._writer = None
            reason = error.strerror or error
            message = f"no more is written to {self._folder}, for TensorBoard: {reason}"
            warnings.warn(message, AnytomyWarning, stacklevel=3)


def _of_the_first(seconds: float) -> float:
    """For all processes the time of the first, since they must decide alike."""
    from accelerate.utils import broadcast_object_list

    held = [seconds]
    broadcast_object_list(held)
    return held[0]


@torch.no_grad()
def _put(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        tensor.copy_(values[name])


def _seed(seed: int, step: int, process: int) -> None:
    """Torch's own randomness (dropout) follows from the step as well."""
    digest = sha256(f"{seed} {step} {process}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:7], "big"))
