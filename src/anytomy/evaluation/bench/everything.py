"""Automatic masks in a benchmark: what a model finds without a prompt, beside what it finds with one.

Nobody prompts and so nobody sees the label: `everything` is not a simulator, but stands among their names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from anytomy.evaluation.metrics.measure import measure_instances

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.evaluation.bench.trial import Stopwatch

EVERYTHING = "everything"
KINDS = ("points",)
BUDGET = "nobody prompts"


def everything_rows(
    watch: Stopwatch,
    image: Image,
    labels: Mapping[str, NDArray[Any]],
    structures: Collection[str],
    *,
    intensity: str,
) -> Iterator[dict[str, Any]]:
    """Instance metrics of what a model finds by itself in a picture; volumes have none.

    All labelled objects count, also those that are too small or too many to be prompted, and all that is
    found: where a data set labels some of the objects in its pictures only, the others count against the
    model.

    Args:
        watch: The model.
        image: The picture.
        labels: For each structure a label map with one value per object.
        structures: Those of which there may be several objects.
        intensity: As in `segment`.
    """
    from anytomy.predict.automatic.everything import segment_everything

    wanted = [name for name in labels if name in structures]
    if image.is_volume or not wanted:
        return
    started, watch.saved = time.perf_counter(), 0.0
    found = segment_everything(watch, image, intensity=intensity)
    seconds = time.perf_counter() - started + watch.saved
    masks = list(found.masks)
    for structure in wanted:
        values = measure_instances(masks, labels[structure])
        yield {
            **{name: values[name] for name in ("ap", "ap50", "ap75", "pq", "sq", "dq", "empty")},
            "structure": structure,
            "object": f"{values['truth_objects']} objects",
            "prompt": EVERYTHING,
            "budget": BUDGET,
            "zoom": "off",
            "intensity": found.intensity.policy.text,
            "seconds": seconds,
        }
