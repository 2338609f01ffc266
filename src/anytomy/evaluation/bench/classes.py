"""Models without prompts in a benchmark: each class is judged against the structure of its name.

Nobody prompts and so nobody sees the label: `none` is not a simulator, but stands among their names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from anytomy.evaluation.bench.trial import Outcome
from anytomy.evaluation.simulators.simulator import Once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.evaluation.bench.trial import Stopwatch
    from anytomy.evaluation.simulators.simulator import Truth

WITHOUT_PROMPT = "none"


class _Nobody(Once):
    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        return ()


NOBODY = _Nobody(
    name=WITHOUT_PROMPT, budget="nobody prompts", source="", kinds=(), scope="volume", level="structure"
)
"""What rows say of the prompts."""


def class_outcomes(
    watch: Stopwatch, image: Image, labels: Mapping[str, NDArray[Any]], *, axis: str, intensity: str
) -> Iterator[tuple[str, Outcome]]:
    """What a model finds of each structure that is one of its classes and is labelled here.

    Args:
        watch: The model.
        image: Is segmented once, whole.
        labels: For each structure a label map with one value per object.
        axis: As in `segment`.
        intensity: As in `segment`.

    Yields:
        A structure and its outcome. All its objects count together, the smallest too. The time is that of the
        whole image.
    """
    from anytomy.predict.segment import segment

    wanted = [name for name in watch.card.classes if name in labels and labels[name].any()]
    if not wanted:
        return
    started, watch.saved = time.perf_counter(), 0.0
    result = segment(watch, image, axis=axis if image.is_volume else "z", intensity=intensity)
    seconds = time.perf_counter() - started + watch.saved
    for number, name in enumerate(watch.card.classes):
        if name not in wanted:
            continue
        found = result.masks[number]
        yield (
            name,
            Outcome(
                found=found,
                truth=labels[name] > 0,
                slice=None,
                rounds=(found,),
                prompts=(),
                score=result.scores[number],
                seconds=seconds,
                shift=None,
                grey=result.grey,
                intensity=result.intensity.policy.text,
            ),
        )
