"""Doing a benchmark: plan, workers, parts on disk, one table in the end.

Cases are the units of work. Each worker is a process with its own model and a fixed number of threads, so
that results do not depend on how many workers there are.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, AnytomyWarning, OptionError
from anytomy.evaluation.bench.classes import WITHOUT_PROMPT
from anytomy.evaluation.bench.config import SCHEMA, BenchConfig, same_run
from anytomy.evaluation.bench.everything import EVERYTHING, KINDS
from anytomy.evaluation.bench.table import collected, part_path, write_rows
from anytomy.evaluation.metrics import metrics_by_name
from anytomy.evaluation.simulators import simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from anytomy.datasets.case import Case
    from anytomy.datasets.dataset import Dataset
    from anytomy.predict.model import Model

MOST_WORKERS = 16


@dataclass(frozen=True)
class Unit:
    """A case and the model to run on it."""

    case: Case
    model: str


@dataclass(frozen=True)
class Failure:
    """A case that could not be measured."""

    dataset: str
    case: str
    model: str
    message: str


@dataclass(frozen=True)
class BenchRun:
    """What a run came to.

    Attributes:
        folder: Where it lies.
        rows: The final table, one row per object and setting.
        failures: Cases that could not be measured.
        done: Units measured now.
        kept: Units that an earlier run had measured.
    """

    folder: Path
    rows: list[dict[str, Any]]
    failures: tuple[Failure, ...]
    done: int
    kept: int


def run_bench(
    config: BenchConfig,
    folder: Path,
    *,
    workers: int | None = None,
    threads: int = 1,
    keep_masks: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> BenchRun:
    """Run a benchmark, or go on with one.

    Args:
        config: What is asked.
        folder: Run folder: `run.json`, `parts/`, `results.parquet`, `failures.json`.
        workers: Processes; as many as there are cores by default. They do not change results.
        threads: Threads of each worker.
        keep_masks: Keep found masks in the parts, for pictures in the report.
        progress: Called with units done, units in all and the case's name.

    Raises:
        OptionError: Unknown simulators or metrics, nothing to do, or a folder with another run.
        DatasetError: A data set is unknown or not on this machine.
        ModelError: A model is unknown.
        UnsupportedPromptError: A model cannot take any of the prompts.
    """
    from anytomy.datasets.dataset import open_dataset

    config = checked(config)
    sets = [open_dataset(name) for name in config.data]
    units = [Unit(case, model) for data in sets for case in chosen(data, config) for model in config.models]
    if not units:
        raise OptionError("there is nothing to measure", hint="check --limit, --split and --structures")
    facts = _facts(config, sets, threads)
    if not same_run(folder, {"config": config.to_dict(), "facts": facts}):
        _write_json(folder / "run.json", _run_record(config, facts, threads))
    left = [u for u in units if not part_path(folder, u.case.dataset, u.case.id, u.model).exists()]
    failures = []
    done = len(units) - len(left)
    for unit, failure in _measured(left, config, folder, workers, threads, keep_masks):
        done += 1
        if failure is not None:
            failures.append(failure)
            warnings.warn(f"left out: {failure.message}", AnytomyWarning, stacklevel=2)
        if progress is not None:
            progress(done, len(units), f"{unit.case.dataset} {unit.case.id}")
    paths = [part_path(folder, u.case.dataset, u.case.id, u.model) for u in units]
    rows = collected([p for p in paths if p.exists()], config.metrics)
    write_rows(folder / "results.parquet", rows, config.metrics, masks=False)
    failures.sort(key=lambda f: (f.dataset, f.case, f.model))
    _write_json(folder / "failures.json", [vars(f) for f in failures])
    return BenchRun(folder, rows, tuple(failures), len(left) - len(failures), len(units) - len(left))


def checked(config: BenchConfig) -> BenchConfig:
    """The configuration with canonical names, after a look at all that can be wrong with it.

    Raises:
        AnytomyError: As `run_bench`.
    """
    from dataclasses import replace

    from anytomy.core.intensity import IntensityPolicy
    from anytomy.core.structures import canonical
    from anytomy.core.view import axis_number
    from anytomy.datasets.registry import card as dataset_card
    from anytomy.engine.model import check_prompt_kinds
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.registry import strategy
    from anytomy.zoo.registry import card

    for name, values in (("--models", config.models), ("--data", config.data), ("--prompts", config.prompts)):
        if not values:
            raise OptionError(f"expected at least one name for {name}, got none")
    if config.limit is not None and config.limit < 1:
        raise OptionError(f"expected a limit of 1 or more cases, got {config.limit}")
    if config.most < 1 or config.least < 1:
        raise OptionError("expected at least one object of at least one pixel")
    metrics_by_name(config.metrics)
    asked = {name: _asked(name) for name in config.prompts}
    every = [card(model_id) for model_id in config.models]
    cards = [c for c in every if not c.classes]
    if len(cards) < len(every):  # a model that finds classes is asked for them whatever the others are asked
        asked[WITHOUT_PROMPT] = _asked(WITHOUT_PROMPT)
    elif WITHOUT_PROMPT in asked:
        raise OptionError(
            f"the prompt {WITHOUT_PROMPT} is for models that find classes, and {cards[0].id} does not",
            hint="name the folder of a semantic adapter with --models, or another prompt",
        )
    for name, kinds in asked.values():
        unfit = [c for c in cards if not set(kinds) <= set(c.prompts)]
        if unfit and len(unfit) == len(cards):
            check_prompt_kinds(cards[0], kinds, name if name == EVERYTHING else f"the simulator {name}")
        for c in unfit:
            message = f"{name} is left out for {c.id}, which did not learn {' and '.join(kinds)}"
            warnings.warn(message, AnytomyWarning, stacklevel=3)
    Zoom.parse(config.zoom)
    axis_number(config.axis)
    if config.volume is not None:
        strategy(config.volume)
    if config.intensity.strip().lower() != "auto":
        IntensityPolicy.parse(config.intensity)
    return replace(
        config,
        models=tuple(dict.fromkeys(config.models)),
        data=tuple(dict.fromkeys(dataset_card(name).id for name in config.data)),
        prompts=tuple(dict.fromkeys(name for name, _ in asked.values())),
        structures=tuple(dict.fromkeys(canonical(s) for s in config.structures)),
        metrics=tuple(dict.fromkeys(config.metrics)),
    )


def _asked(name: str) -> tuple[str, tuple[str, ...]]:
    """The canonical name of a way to prompt, and the kinds of prompts that a model must know for it."""
    if name.strip().lower() == EVERYTHING:
        return EVERYTHING, KINDS
    if name.strip().lower() == WITHOUT_PROMPT:
        return WITHOUT_PROMPT, ()
    found = simulator(name)
    return found.name, found.kinds


def chosen(data: Dataset, config: BenchConfig) -> list[Case]:
    """The cases of a data set that are measured: of the wanted part, and of those a seeded draw."""
    cases = list(data.cases)
    if config.split:
        from anytomy.datasets.splits import load_splits

        cases = list(load_splits(data).select(data, config.split))
    if config.structures:
        cases = [case for case in cases if set(case.structures) & set(config.structures)]
    if config.limit is not None and config.limit < len(cases):
        draw = random.Random(f"{config.seed} {data.card.id}").sample(range(len(cases)), config.limit)
        cases = [cases[i] for i in sorted(draw)]
    return cases


# -- working -------------------------------------------------------------------------------------


def _measured(
    units: Sequence[Unit],
    config: BenchConfig,
    folder: Path,
    workers: int | None,
    threads: int,
    keep_masks: bool,
) -> Iterator[tuple[Unit, Failure | None]]:
    """Measure units and write their parts, in any order."""
    from anytomy.engine.threads import available_cores

    if not units:
        return
    count = min(workers or min(available_cores(), MOST_WORKERS), len(units))
    if count == 1:
        for unit in units:
            yield unit, _do(unit, config, folder, threads, keep_masks)
        return
    import multiprocessing

    _MODELS.clear()  # each worker loads its own
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_watch_parent,
        initargs=(os.getpid(),),
    )
    try:
        waiting = {pool.submit(_do, unit, config, folder, threads, keep_masks): unit for unit in units}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise AnytomyError(
            "a worker was ended from outside, most often for want of memory",
            hint="run the same command with fewer --workers; what is done is kept",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _do(unit: Unit, config: BenchConfig, folder: Path, threads: int, keep_masks: bool) -> Failure | None:
    """Measure one unit and write its part."""
    from anytomy.evaluation.bench.work import run_case

    case = unit.case
    try:
        with warnings.catch_warnings():
            # Said once for each of a thousand cases it would be noise; `datasets verify` says it.
            warnings.simplefilter("ignore")
            rows = run_case(_model(unit.model, threads), case, config, keep_masks=keep_masks)
    except MemoryError:
        return Failure(case.dataset, case.id, unit.model, "there is not enough memory for this case")
    except AnytomyError as error:
        return Failure(case.dataset, case.id, unit.model, str(error))
    except Exception as error:
        # One odd file of a thousand must not end a run of hours; it is named, and the rest goes on.
        message = f"{case.image.path}: {type(error).__name__}: {' '.join(str(error).split())}"
        return Failure(case.dataset, case.id, unit.model, message)
    path = part_path(folder, case.dataset, case.id, unit.model)
    write_rows(path, rows, config.metrics, masks=keep_masks)
    return None


_MODELS: dict[tuple[str, int], Model] = {}


def _model(model_id: str, threads: int) -> Model:
    """A model of this process, loaded once."""
    from anytomy.predict.model import load

    if (model_id, threads) not in _MODELS:
        _MODELS[model_id, threads] = load(model_id, threads=threads)
    return _MODELS[model_id, threads]


def _watch_parent(parent: int) -> None:
    """Leave when the process that gives the work is gone, killed for example."""
    import signal
    import threading
    import time

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# -- what stands beside the results --------------------------------------------------------------


def _facts(config: BenchConfig, sets: Sequence[Dataset], threads: int) -> dict[str, Any]:
    """What a run depends on beyond its options: weights and data.

    Models are loaded for it: a hash that nobody published is known only then, and weights are fetched and
    graphs built before several processes want them at once.
    """
    models = {}
    for model_id in config.models:
        model = _model(model_id, threads)
        found = model.card
        models[model_id] = {
            "weights_sha256": model.weights_sha256,
            "input_size": found.input_size,
            "mask_selection": found.mask_output,
            "intensity": dict(found.intensity),
            "training": list(found.training.datasets),
        }
    data = {}
    for each in sets:
        names = json.dumps([(case.id, case.patient) for case in each.cases])
        data[each.card.id] = {
            "cases": len(each.cases),
            "patients": len(each.patients),
            "names_sha256": sha256(names.encode()).hexdigest(),
        }
    return {"models": models, "data": data}


def _run_record(config: BenchConfig, facts: dict[str, Any], threads: int) -> dict[str, Any]:
    import platform
    from datetime import UTC, datetime
    from importlib import metadata

    from anytomy import __version__

    versions = {"anytomy": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for name in ("numpy", "scipy", "onnxruntime", "openvino", "torch", "pyarrow"):
        versions[name] = metadata.version(name)
    return {
        "schema": SCHEMA,
        "config": config.to_dict(),
        "facts": facts,
        "threads": threads,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
        "note": "for research, not a medical device",
    }


def _write_json(path: Path, values: Any) -> None:
    from anytomy.io.atomic import write_text

    write_text(path, json.dumps(values, indent=2) + "\n")
