"""From a configuration to an adapter folder: `tune`.

The folder holds `run.json` (what was asked, on what, how it is carried out) and `logs/` (TensorBoard), until
the end `prepared/` (slices) and `checkpoint.pt`, and in the end `adapter.safetensors` and `adapter.json`,
`history.json`, `before.parquet` and `after.parquet`, and `validation.npz` for pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError
from anytomy.io.atomic import check_place
from anytomy.tuning import checkpoint, record
from anytomy.tuning.checks import check_installed
from anytomy.tuning.cohort import Cohort, cohort, refuse_seen, warn_of_unlabelled
from anytomy.tuning.prepared import clear

if TYPE_CHECKING:
    from torch import Tensor

    from anytomy.tuning.base import Base
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.evaluate import Change
    from anytomy.tuning.loop import State
    from anytomy.tuning.plan import Plan
    from anytomy.tuning.session import Session

HISTORY, BEFORE, AFTER, PICTURES = "history.json", "before.parquet", "after.parquet", "validation.npz"
Progress = Callable[[str, int, int, str], None]
"""Called with what is being done, units done, units in all and a line."""


@dataclass(frozen=True)
class Runtime:
    """Where and how fast; does not decide the result beyond rounding.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `mps`; under `accelerate launch` its own.
        threads: CPU threads; the cores that the process may use where None.
        memory: Bytes that training may use; most of what is free where None.
        disk: Bytes for cached embeddings.
        precision: `auto`, `f32` or `bf16`.
    """

    device: str = "auto"
    threads: int | None = None
    memory: int | None = None
    disk: int = 12 * 10**9
    precision: str = "auto"


@dataclass(frozen=True)
class TuneResult:
    """What a run came to.

    Attributes:
        folder: The adapter; give it to `load` and `segment` as `ID+FOLDER`.
        plan: How it was carried out.
        best: Highest Dice of a validation; NaN where nothing was kept apart for it.
        best_step: When.
        steps: Steps done.
        seconds: Of embeddings and training, over all starts.
        changes: Before and after by structure; empty where nothing was tested.
    """

    folder: Path
    plan: Plan
    best: float
    best_step: int
    steps: int
    seconds: float
    changes: tuple[Change, ...]


def tune(
    config: TuneConfig,
    folder: str | Path,
    *,
    runtime: Runtime | None = None,
    base: Base | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    estimate: bool = False,
) -> TuneResult | Plan:
    """Tune a model, or go on with it: the same call in the same folder continues after a kill.

    Args:
        config: What is asked.
        folder: Where the adapter goes; what a run needs to go on lies there too.
        runtime: Device, threads, memory.
        base: The model to tune, for those that are no reference; `config.model` names it then.
        say: Told what is going to happen and what it costs, before it starts.
        progress: Told how far it is.
        estimate: Measure and say the costs, and do no more.

    Returns:
        The result; of an estimate the plan.

    Raises:
        OptionError: A wrong value, too little memory for any plan or for that of a run to go on with, or a
            folder with another run.
        DatasetError: A data set is not here, a label has no name, one patient is in training and in test,
            or was in the training of the adapter to go on from.
        ModelError: The base is unknown, or an adapter to go on from is for another one.
        NotFiniteError: A loss is not a number; the state before it is kept.
        OutputError: The folder cannot be written, which is said first, or the disk is full; the last
            checkpoint is kept.
        MissingDependencyError: What training needs is not installed.

    Example:
        >>> from anytomy.tuning import TuneConfig, tune
        >>> config = TuneConfig(model="litemedsam", data=("acdc",), mode="semantic", max_minutes=30)
        >>> tune(config, "heart").changes  # doctest: +SKIP
    """
    from anytomy.engine.threads import available_cores
    from anytomy.tuning.base import Base as Opener

    check_installed("tuning")
    config.check()
    folder = Path(folder)
    runtime = runtime or Runtime()
    runtime = replace(runtime, threads=runtime.threads or available_cores())
    base = base or Opener.of(config.model, device=runtime.device, threads=runtime.threads or 1)
    if base.adapter is not None and not config.routes:
        config = replace(config, routes=base.adapter[0].routes)
    _check_prompts(config, base)
    group = cohort(config)
    if base.adapter is not None:
        refuse_seen(group, base.adapter[0].data)
    if config.is_semantic:
        warn_of_unlabelled((*group.train, *group.validate), group.classes)
    facts = {
        "base": base.card.id,
        "weights_sha256": base.weights_sha256,
        "cohort_sha256": group.fingerprint,
        "adapter_sha256": "" if base.adapter is None else base.adapter[0].weights_sha256,
    }
    others = (checkpoint.FILE, "adapter.json")
    held = record.earlier(folder, config.to_dict(), facts, others=others)
    if held is not None and held.get("finished"):
        return _finished(folder, held, config)
    check_place(folder / record.FILE)
    session = _session(config, group, base, folder, runtime, held, say, progress)
    if estimate:
        return session.plan
    if held is None and session.is_main:
        record.write(folder, _record(config, facts, group, session))
    kept, state = _trained(session)
    with record.nothing_is_lost(folder):
        return _concluded(session, kept, state)


def _session(
    config: TuneConfig,
    group: Cohort,
    base: Base,
    folder: Path,
    runtime: Runtime,
    held: dict[str, Any] | None,
    say: Callable[[str], None] | None,
    progress: Progress | None,
) -> Session:
    from anytomy.tuning.plan import Plan
    from anytomy.tuning.session import Session

    plan = None if held is None else Plan(**held["plan"])
    if plan is not None:
        plan.check_memory(runtime.memory, folder)
    session = Session.open(config, group, base, folder, runtime, plan, progress=progress)
    if say is not None and session.is_main:
        for line in session.said(resumed=held is not None):
            say(line)
    return session


def _trained(session: Session) -> tuple[dict[str, Tensor], State]:
    """Train to the end, or go on; where a loss is no number, the best weights so far become the adapter."""
    from anytomy.tuning import outcome
    from anytomy.tuning.loop import NotFiniteError

    loop = session.loop()
    if session.is_main:  # fewer embeddings than planned, where time was short
        record.add(session.folder, plan=session.plan.to_dict())
    try:
        kept = loop.run()
    except NotFiniteError as error:
        if loop.best is not None and session.is_main:
            outcome.write_adapter(session, loop.best, loop.state, {})
            error.hint = f"{error.hint}; {session.folder} holds the adapter of step {loop.state.best_step}"
        raise
    return kept, loop.state


def _concluded(session: Session, kept: dict[str, Tensor], state: State) -> TuneResult:
    """Write the adapter, judge it, write the rest, and tidy up."""
    from anytomy.tuning import outcome
    from anytomy.tuning.evaluate import changes

    folder, config = session.folder, session.config
    result = TuneResult(folder, session.plan, state.best, state.best_step, state.step, state.elapsed, ())
    if not session.is_main:
        return result
    outcome.write_adapter(session, kept, state, {})
    record.write_json(folder / HISTORY, {"losses": state.losses, "validations": state.validations})
    outcome.write_pictures(session, kept, folder / PICTURES)
    before, after = outcome.judged(session, folder / BEFORE, folder / AFTER)
    found = changes(before, after, seed=config.seed)
    metrics = {"test": record.as_json([asdict(change) for change in found])}
    outcome.write_adapter(session, kept, state, metrics)
    summary = {
        "best": None if state.best != state.best else state.best,
        "best_step": state.best_step,
        "steps": state.step,
        "seconds": round(state.elapsed, 1),
    }
    record.add(folder, result=summary, finished=record.now())
    # All that is left of them is in the adapter; the slices can be made again.
    with suppress(OSError):
        (folder / checkpoint.FILE).unlink()
    clear(folder)
    return replace(result, changes=tuple(found))


def _finished(folder: Path, held: dict[str, Any], config: TuneConfig) -> TuneResult:
    """The result of a run that is done."""
    from anytomy.evaluation.bench.table import read_rows
    from anytomy.tuning.evaluate import changes
    from anytomy.tuning.plan import Plan

    before, after = (
        read_rows(folder / name) if (folder / name).is_file() else [] for name in (BEFORE, AFTER)
    )
    summary = held["result"]
    best = float("nan") if summary["best"] is None else summary["best"]
    return TuneResult(
        folder,
        Plan(**held["plan"]),
        best,
        summary["best_step"],
        summary["steps"],
        summary["seconds"],
        tuple(changes(before, after, seed=config.seed)),
    )


def _record(config: TuneConfig, facts: dict[str, Any], group: Cohort, session: Session) -> dict[str, Any]:
    return {
        "schema": record.SCHEMA,
        "config": config.to_dict(),
        "facts": facts,
        "cohort": group.to_dict(),
        "plan": session.plan.to_dict(),
        "trained_parameters": session.trained_parameters,
        "parameters": session.parameters,
        "device": str(session.accelerator.device),
        "threads": session.runtime.threads,
        **record.circumstances(),
    }


def _check_prompts(config: TuneConfig, base: Base) -> None:
    """Refuse a run without any prompt to train, and routes to a decoder that would not understand."""
    from anytomy.models.adapters.registry import parse
    from anytomy.tuning.prompts import prompt_mix

    if config.routes and any(method.touches_encoder for method in parse(config.method)):
        raise OptionError(
            "routes keep the base's decoder, which understands the base's image encoder only, but"
            f" {config.method} trains that",
            hint="choose decoder or prompt-decoder, or leave the routes out",
        )
    if config.is_semantic or prompt_mix(config, base.card):
        return
    left = f"{base.card.title} has learned neither boxes nor points"
    if config.routes:
        left = f"routes leave {' and '.join(config.routes)} to the base, so nothing is left to train"
    raise OptionError(left, hint="say with --prompts what to train")
