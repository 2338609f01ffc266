"""One case and one model: all objects, all simulators, the rows of the table."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anytomy.core.structures import tolerance_mm
from anytomy.core.view import axis_number
from anytomy.evaluation.bench.classes import NOBODY, WITHOUT_PROMPT, class_outcomes
from anytomy.evaluation.bench.everything import EVERYTHING, KINDS, everything_rows
from anytomy.evaluation.bench.objects import ABSENT, MEASURED, TrueObject, objects_in, united
from anytomy.evaluation.bench.table import packed
from anytomy.evaluation.bench.trial import Outcome, Setting, Stopwatch, run_trial
from anytomy.evaluation.metrics import area_under_curve, dice, iou, measure, metrics_by_name, number_of_clicks
from anytomy.evaluation.metrics.measure import measure_instances
from anytomy.evaluation.simulators import Truth, seeded, simulator
from anytomy.evaluation.simulators.registry import in_pictures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.datasets.case import Case
    from anytomy.engine.model import PromptableModel
    from anytomy.evaluation.bench.config import BenchConfig
    from anytomy.evaluation.simulators import Simulator

Row = dict[str, Any]
# Tolerance of surfaces in pictures whose pixels have no size.
_TOLERANCE_PX = 2.0


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all trials of a case share."""

    case: Case
    image: Image
    watch: Stopwatch
    config: BenchConfig
    keep_masks: bool

    @property
    def common(self) -> Row:
        card = self.watch.card
        return {
            "dataset": self.case.dataset,
            "case": self.case.id,
            "patient": self.case.patient,
            "modality": self.image.modality or self.case.modality,
            "model": card.id,
            "zoom": self.config.zoom,
            "seed": self.config.seed,
            "input_size": card.input_size,
            "selection": card.mask_output,
        }


def run_case(
    model: PromptableModel, case: Case, config: BenchConfig, *, keep_masks: bool = True
) -> list[Row]:
    """Measure all that is labelled in a case.

    Args:
        model: What is prompted.
        case: The case; it is loaded here.
        config: What is asked.
        keep_masks: Keep found masks in the rows, for pictures.

    Returns:
        Rows of objects that were measured, of those that were left out with the reason as their `status`,
        and for structures of several objects one of level `case` with the instance metrics.

    Raises:
        AnytomyError: If the image or a mask cannot be read, or does not fit.
    """
    image, labels = case.load()
    if config.structures:
        labels = {name: labels[name] for name in labels if name in config.structures}
    if not image.is_volume:
        config = replace(config, axis="z")  # a picture has no other, whatever its data set's volumes have
    scene = _Scene(case, image, Stopwatch(model), config, keep_masks)
    objects = objects_in(labels, image, axis=config.axis, least=config.least, most=config.most)
    rows = [{**scene.common, **_left_out(o)} for o in objects if o.status != MEASURED]
    several = {m.target.structure for m in case.masks if m.target.objects != "one" or m.form == "files"}
    grey: GreyScale | None = None
    spill = scene.watch.cache.spilling() if scene.watch.cache is not None else nullcontext()
    with spill:
        if model.card.classes:
            return [*(row for row in rows if row["status"] == ABSENT), *_class_rows(scene, labels)]
        for name in config.prompts:
            if name == EVERYTHING:
                rows += _everything(scene, labels, several)
            if name in (EVERYTHING, WITHOUT_PROMPT):
                continue
            who = in_images(simulator(name), config, is_volume=image.is_volume)
            if who is None or not set(who.kinds) <= set(model.card.prompts):
                continue
            asked = objects if who.level == "object" else united(objects, image, config.axis)
            outcomes: list[tuple[TrueObject, Outcome]] = []
            for each in asked:
                outcome = None if each.mask is None else _try(scene, each, who, grey)
                if outcome is None:
                    continue
                grey = outcome.grey
                outcomes.append((each, outcome))
                rows.append(_row(scene, each, who, outcome))
            rows += _instance_rows(scene, who, [o for o in outcomes if o[0].structure in several])
    return rows


def _class_rows(scene: _Scene, labels: Mapping[str, Any]) -> Iterable[Row]:
    """Rows of a model without prompts: one for each class that is labelled."""
    axis, intensity = scene.config.axis, scene.config.intensity
    for structure, outcome in class_outcomes(
        scene.watch, scene.image, labels, axis=axis, intensity=intensity
    ):
        each = TrueObject(structure, "all", MEASURED, outcome.truth, int(outcome.truth.sum()))
        yield _row(scene, each, NOBODY, outcome) | {"zoom": "off"}


def _everything(scene: _Scene, labels: Mapping[str, Any], several: Collection[str]) -> Iterable[Row]:
    if not set(KINDS) <= set(scene.watch.card.prompts):
        return
    fixed = {"level": "case", "status": MEASURED, "scope": "picture"}
    intensity = scene.config.intensity
    for row in everything_rows(scene.watch, scene.image, labels, several, intensity=intensity):
        yield {**scene.common, **row, **fixed}


def in_images(who: Simulator, config: BenchConfig, *, is_volume: bool) -> Simulator | None:
    """The simulator for a picture or a volume; None where it has none.

    In a volume with a named strategy a box is the whole object's: its cuboid.
    """
    if not is_volume:
        return who if in_pictures(who.name) else None
    if config.volume is not None and who.name == "box":
        return simulator("box-3d")
    return who


def _try(scene: _Scene, each: TrueObject, who: Simulator, grey: GreyScale | None) -> Outcome | None:
    assert each.mask is not None
    image, config, case = scene.image, scene.config, scene.case
    spacing = image.geometry.spacing_zyx_mm if image.is_volume else None
    truth = Truth(each.mask, image.is_volume, config.axis, spacing)
    rng = seeded(config.seed, case.dataset, case.id, each.structure, each.name, who.name)
    setting = Setting(config.zoom, config.intensity, config.axis, config.volume or "auto")
    return run_trial(scene.watch, image, truth, who, rng, setting, grey=grey)


def _left_out(each: TrueObject) -> Row:
    return {
        "structure": each.structure,
        "object": each.name,
        "level": "object",
        "status": each.status,
        "pixels": each.pixels,
    }


def _row(scene: _Scene, each: TrueObject, who: Simulator, outcome: Outcome) -> Row:
    spacing, unit = _spacing(scene.image, scene.config.axis, flat=outcome.found.ndim == 2)
    along = 2 - axis_number(scene.config.axis)
    values = measure(
        outcome.found,
        outcome.truth,
        metrics=metrics_by_name(scene.config.metrics),
        spacing=spacing,
        unit=unit,  # type: ignore[arg-type]
        tolerance=tolerance_mm(each.structure) if unit == "mm" else _TOLERANCE_PX,
        axis=along if outcome.found.ndim == 3 else 0,
    )
    row = {
        **scene.common,
        **values,
        "structure": each.structure,
        "object": each.name,
        "level": who.level,
        "status": MEASURED,
        "prompt": who.name,
        "budget": who.budget,
        "scope": who.scope if scene.image.is_volume else "picture",
        "volume": (scene.config.volume or "auto") if _is_solid(scene, who) else None,
        "slice": outcome.slice,
        "pixels": each.pixels,
        "intensity": outcome.intensity,
        "score": outcome.score,
        "seconds": outcome.seconds,
        "shift": outcome.shift,
        "prompts": _as_json(outcome),
    }
    if who.steps > 1:
        row |= _curves(outcome, who.steps)
    if scene.keep_masks:
        row["mask"] = packed(outcome.found)
    return row


def _is_solid(scene: _Scene, who: Simulator) -> bool:
    return scene.image.is_volume and who.scope == "volume"


def _curves(outcome: Outcome, steps: int) -> Row:
    dices = [dice(found, outcome.truth) for found in outcome.rounds]
    ious = [iou(found, outcome.truth) for found in outcome.rounds]
    clicks = number_of_clicks(ious)
    return {
        "dice_curve": dices,
        "iou_curve": ious,
        "auc": area_under_curve(dices, steps=steps),
        "noc90": clicks.number,
        "noc90_reached": clicks.reached,
    }


def _as_json(outcome: Outcome) -> str:
    from anytomy.io.prompts import prompt_to_dict

    return json.dumps([prompt_to_dict(p) for p in outcome.prompts])


def _spacing(image: Image, axis: str, *, flat: bool) -> tuple[tuple[float, ...] | None, str]:
    """Spacing in the order of the judged array's axes, and its unit."""
    spacing = image.geometry.spacing_zyx_mm
    # An npz may state a spacing; where all are 1 it says nothing.
    if not image.has_place and set(spacing) == {1.0}:
        return None, "px"
    if not image.is_volume:
        return spacing[1:], "mm"
    if not flat:
        return spacing, "mm"
    along = 2 - axis_number(axis)
    return tuple(s for a, s in enumerate(spacing) if a != along), "mm"


def _instance_rows(
    scene: _Scene, who: Simulator, outcomes: Sequence[tuple[TrueObject, Outcome]]
) -> Iterable[Row]:
    """Instance metrics of each structure of a picture whose objects were prompted one by one."""
    if who.level != "object" or scene.image.is_volume:
        return
    for structure in dict.fromkeys(each.structure for each, _ in outcomes):
        mine = [outcome for each, outcome in outcomes if each.structure == structure]
        values = measure_instances([o.found for o in mine], [o.truth for o in mine])
        yield {
            **scene.common,
            **{name: values[name] for name in ("ap", "ap50", "ap75", "pq", "sq", "dq", "empty")},
            "structure": structure,
            "object": f"{len(mine)} objects",
            "level": "case",
            "status": MEASURED,
            "prompt": who.name,
            "budget": who.budget,
            "scope": "picture",
            "intensity": mine[0].intensity,
            "seconds": sum(o.seconds for o in mine),
        }
