"""How good a model is while it is trained: `validate`, Dice on cases that it is not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from anytomy.engine.frame import Frame
from anytomy.evaluation.metrics import dice
from anytomy.evaluation.simulators import seeded
from anytomy.evaluation.statistics import patient_means
from anytomy.tuning.batches import low_mask
from anytomy.tuning.prepared import spread
from anytomy.tuning.prompts import correction, first_prompt, first_tokens, rounds_of
from anytomy.tuning.tasks import ClassTask, PromptTask

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from anytomy.tuning.batches import Batches
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.prompts import Tokens
    from anytomy.tuning.samples import Sample, Samples
    from anytomy.zoo.card import ModelCard

MOST_OBJECTS = 80


@dataclass(frozen=True)
class Validation:
    """What came out.

    Attributes:
        dice: Mean over structures of the means of patients; the best step has the highest.
        by_structure: For each structure its mean.
    """

    dice: float
    by_structure: Mapping[str, float]


@torch.no_grad()
def validate(
    task: ClassTask | PromptTask,
    samples: Samples,
    batches: Batches,
    config: TuneConfig,
    card: ModelCard,
    mix: Mapping[str, float],
) -> Validation:
    """The Dice of a model, in `eval()` mode, on the pixels of pictures and volumes.

    Classes are judged by case, in 3D; objects one by one, with each kind of prompt that is trained and always
    the same prompts.
    """
    task.eval()
    values: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    if isinstance(task, ClassTask):
        for structure, patient, value in _classes(task, samples, batches, card):
            values[structure].append((patient, value))
    else:
        device = next(task.parameters()).device
        for structure, sample, mask in chosen_objects(samples, config):
            image = task.embed(batches.fixed(sample).image.to(device))
            found = [prompted(task, image, mask, kind, config, card, sample.key) for kind in mix]
            values[structure].append((_who(sample), float(np.mean([dice(each, mask) for each in found]))))
    means = {name: float(np.mean(list(patient_means(each).values()))) for name, each in values.items()}
    return Validation(float(np.mean(list(means.values()))) if means else float("nan"), means)


def _who(sample: Sample) -> str:
    """A patient; those of another data set may have the same keys."""
    return f"{sample.dataset}/{sample.patient}"


def chosen_objects(samples: Samples, config: TuneConfig) -> list[tuple[str, Sample, NDArray[np.bool_]]]:
    """The objects that validate, at most `MOST_OBJECTS`, evenly spread: structure, sample, mask."""
    return [
        (name, sample, samples.labels(sample)[samples.classes.index(name)] == number)
        for name, sample, number in _chosen(samples, config.least)
    ]


@lru_cache(maxsize=2)
def _chosen(samples: Samples, least: int) -> list[tuple[str, Sample, int]]:
    """Structure, sample and number of those objects; looked for once, not at each validation."""
    there = []
    for sample in samples:
        large = [name for name, area in sample.areas.items() if area >= least]
        labels = samples.labels(sample) if large else ()
        for name in large:
            plane = labels[samples.classes.index(name)]
            ids, counts = np.unique(plane[plane > 0], return_counts=True)
            there += [(name, sample, int(number)) for number in ids[counts >= least]]
    return spread(there, MOST_OBJECTS)


@torch.no_grad()
def prompted(
    task: PromptTask,
    embedding: Tensor,
    mask: NDArray[np.bool_],
    kind: str,
    config: TuneConfig,
    card: ModelCard,
    key: str,
) -> NDArray[np.bool_]:
    """What a model finds for an object `(y, x)` with one kind of prompt, after all its rounds."""
    frame = Frame.of((mask.shape[0], mask.shape[1]), card.input_size, card.preprocess)
    rng = seeded(config.seed, "validate", key, kind)
    prompts: list[Tokens] = [first_tokens(first_prompt(kind, mask, config.jitter, rng), frame)]
    low = low_mask(mask, frame, 4 * embedding.shape[-1]) > 0.5
    shown = task.shown(task.decode(embedding, prompts, None), task.tokens(prompts))
    for _ in range(rounds_of(kind, config) - 1):
        found = (shown[0, 0] > 0).cpu().numpy()
        prompts = [correction(prompts[0], found, low, rng, frame=frame)]
        out = task.decode(embedding, prompts, shown if config.feed_mask else None)
        shown = task.shown(out, task.tokens(prompts))
    return frame.logits(shown[0, 0].float().cpu().numpy()) > 0


@torch.no_grad()
def classified(task: ClassTask, image: Tensor, shape: tuple[int, int], card: ModelCard) -> NDArray[np.uint8]:
    """Classes `(y, x)` of one picture, of what batches hold of it."""
    logits = task.answer(image)[0].float().cpu().numpy()
    frame = Frame.of(shape, card.input_size, card.preprocess)
    return np.stack([frame.logits(each) for each in logits]).argmax(axis=0).astype(np.uint8)


def _classes(
    task: ClassTask, samples: Samples, batches: Batches, card: ModelCard
) -> Sequence[tuple[str, str, float]]:
    """Structure, patient and Dice of each case; a structure that a case does not have is left out."""
    device = next(task.parameters()).device
    sums: dict[tuple[str, str], NDArray[np.int64]] = {}
    for sample in samples:
        truth = samples.class_map(sample)
        image = batches.fixed(sample).image.to(device)
        found = classified(task, image, (truth.shape[0], truth.shape[1]), card)
        held = sums.setdefault((sample.file, _who(sample)), np.zeros((len(samples.classes), 3), np.int64))
        for number in range(1, len(samples.classes) + 1):
            inside, wanted = found == number, truth == number
            held[number - 1] += (int((inside & wanted).sum()), int(inside.sum()), int(wanted.sum()))
    return [
        (name, patient, 2 * float(shared) / float(found + wanted))
        for (_, patient), counts in sums.items()
        for name, (shared, found, wanted) in zip(samples.classes, counts, strict=True)
        if wanted
    ]
