"""What a run leaves: the adapter, pictures for its report, and the verdict on the test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from anytomy.models.adapters import folder as adapter_folder
from anytomy.models.adapters.adapted import load_trained
from anytomy.models.adapters.folder import AdapterCard
from anytomy.models.adapters.registry import parse, spelled
from anytomy.tuning import record
from anytomy.tuning.prepared import spread
from anytomy.tuning.prompts import learned_kinds
from anytomy.tuning.tasks import ClassTask
from anytomy.tuning.validate import chosen_objects, classified, prompted

if TYPE_CHECKING:
    from anytomy.tuning.batches import Batches
    from anytomy.tuning.loop import State
    from anytomy.tuning.samples import Samples
    from anytomy.tuning.session import Session

_MOST_PICTURES = 6


def write_adapter(
    session: Session, state: Mapping[str, torch.Tensor], run: State, metrics: Mapping[str, Any]
) -> AdapterCard:
    """Write the adapter as it is now."""
    config, card = session.config, session.base.card
    validation = {"dice": run.best, "step": run.best_step} if run.best == run.best else {}
    intensity = dict(card.intensity)
    if config.intensity != "auto":
        intensity = {"default": config.intensity}
    made = AdapterCard(
        base=card.id,
        base_sha256=session.base.weights_sha256,
        architecture=card.architecture,
        method=spelled(parse(config.method)),
        mode=config.mode,
        prompts=() if config.is_semantic else learned_kinds(session.mix, config),
        classes=session.group.classes if config.is_semantic else (),
        routes=config.routes,
        mask_output=card.mask_output,
        intensity=intensity,
        preprocess=_plain_preprocess(card.preprocess),
        data=_data(session),
        metrics={"validation": validation, **metrics},
        versions=record.versions(),
        training={**config.to_dict(), "steps_done": run.step, "seconds": round(run.elapsed, 1)},
        licence=_licence(session),
    )
    return adapter_folder.write_adapter(session.folder, made, state)


def _data(session: Session) -> dict[str, Any]:
    """The cases of each data set by part, with those that an adapter to go on from has learned from."""
    before: Mapping[str, Any] = {} if session.base.adapter is None else session.base.adapter[0].data
    found = dict(before)
    for name, where in session.group.splits.items():
        ours = {
            part: [case.id for case in getattr(session.group, part) if case.dataset == name]
            for part in ("train", "validate", "test")
        }
        for part in ("train", "validate"):
            ours[part] = list(dict.fromkeys([*before.get(name, {}).get(part, ()), *ours[part]]))
        found[name] = {"split": where, **ours}
    return found


def _licence(session: Session) -> str:
    """The base's, with those of the data, which may ask for more."""
    from anytomy.datasets.registry import card as data_card

    data = {name: data_card(name).licence for name in session.group.splits}
    listed = "; ".join(f"{name}: {licence}" for name, licence in data.items())
    return f"{session.base.card.licence} (base); tuned on data under {listed}"


def write_pictures(session: Session, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Keep a few validation samples with label and answer, for the report's pictures."""
    from anytomy.io.atomic import atomic_path

    load_trained(session.task.model, state)
    session.task.eval()
    part = session.held if len(session.held.samples) else session.train
    arrays: dict[str, Any] = {"names": [], "classes": list(session.group.classes)}
    for number, (name, picture, truth, found) in enumerate(_answers(session, part.samples, part.batches)):
        arrays["names"].append(name)
        arrays |= {f"picture{number}": picture, f"truth{number}": truth, f"found{number}": found}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{name: np.asarray(v) for name, v in arrays.items()})  # type: ignore[arg-type]


def _answers(session: Session, samples: Samples, batches: Batches) -> Sequence[tuple[str, Any, Any, Any]]:
    """Name, picture, label map and answer of a few samples, from large objects to small ones."""
    config, card = session.config, session.base.card
    made = []
    if isinstance(session.task, ClassTask):
        full = sorted((s for s in samples if s.areas), key=lambda s: (-sum(s.areas.values()), s.key))
        for sample in spread(full, _MOST_PICTURES):
            truth = samples.class_map(sample)
            image = batches.fixed(sample).image.to(session.accelerator.device)
            found = classified(session.task, image, (truth.shape[0], truth.shape[1]), card)
            made.append((sample.name, samples.picture(sample), truth, found))
        return made
    objects = sorted(chosen_objects(samples, config), key=lambda o: (-int(o[2].sum()), o[1].key))
    for structure, sample, mask in spread(objects, _MOST_PICTURES):
        with torch.no_grad():
            image = session.task.embed(batches.fixed(sample).image.to(session.accelerator.device))
        kind = next(iter(session.mix))
        answer = prompted(session.task, image, mask, kind, config, card, sample.key)
        number = session.group.classes.index(structure) + 1
        name = f"{sample.name}, {structure}, {kind}"
        made.append((name, samples.picture(sample), mask * np.uint8(number), answer * np.uint8(number)))
    return made


def judged(session: Session, before: Path, after: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the test cases before and after; what an earlier start has judged is kept."""
    from anytomy.evaluation.bench.config import METRICS
    from anytomy.evaluation.bench.table import read_rows, write_rows
    from anytomy.tuning.evaluate import evaluate, simulators_for

    if not session.group.test:
        return [], []
    names = simulators_for(session.config, session.mix)
    both = []
    for path, folder, what in ((before, session.base.start, "before"), (after, session.folder, "after")):
        if not path.is_file():
            rows = evaluate(
                session.base.open(folder),
                session.group.test,
                session.config,
                session.group.classes,
                names,
                progress=session.told(f"test, {what}"),
            )
            write_rows(path, rows, METRICS, masks=True)
        both.append(read_rows(path))
    return both[0], both[1]


def _plain_preprocess(preprocess: Any) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(preprocess).items()}
