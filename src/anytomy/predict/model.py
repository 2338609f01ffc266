"""The front door: `load` a model, `segment` with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.engine.model import LoadedModel
from anytomy.predict.segment import segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anytomy.core.combination import Combination
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prompt import Prompt
    from anytomy.engine.answers import AnswerCache
    from anytomy.engine.cache import EmbeddingCache
    from anytomy.predict.automatic.settings import AutomaticSettings
    from anytomy.predict.result import Result


class Model(LoadedModel):
    """A model that is ready to segment.

    `encode` and `decode` are public for those who prompt one picture many times.

    Example:
        >>> import anytomy
        >>> model = anytomy.load("litemedsam")  # doctest: +SKIP
        >>> image = anytomy.read("scan.nii.gz")  # doctest: +SKIP
        >>> result = model.segment(image, [anytomy.Prompt(box=(60, 80, 40, 140, 160, 90), name="liver")])
        ... # doctest: +SKIP
        >>> result.save("liver.nii.gz")  # doctest: +SKIP
    """

    def segment(
        self,
        image: Image,
        prompts: Iterable[Prompt] = (),
        *,
        zoom: str | float = "off",
        intensity: str = "auto",
        axis: str = "z",
        volume: str = "auto",
        overlap: str = "higher-logit",
        largest: bool = False,
        fill_holes: bool = False,
        fit_box: bool = False,
        combine: Iterable[Combination | str] = (),
        uncertainty: bool = False,
        grey: GreyScale | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Result:
        """Segment objects in an image or a volume; see `anytomy.predict.segment.segment`."""
        return segment(
            self,
            image,
            prompts,
            zoom=zoom,
            intensity=intensity,
            axis=axis,
            volume=volume,
            overlap=overlap,
            largest=largest,
            fill_holes=fill_holes,
            fit_box=fit_box,
            combine=combine,
            uncertainty=uncertainty,
            grey=grey,
            progress=progress,
        )

    def everything(
        self,
        image: Image,
        settings: AutomaticSettings | None = None,
        *,
        intensity: str = "auto",
        axis: str = "z",
        slice_: int | None = None,
        overlap: str = "smaller",
        largest: bool = False,
        fill_holes: bool = False,
        grey: GreyScale | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Result:
        """Find every object of a picture; see `anytomy.predict.automatic.everything.segment_everything`."""
        from anytomy.predict.automatic.everything import segment_everything

        return segment_everything(
            self,
            image,
            settings,
            intensity=intensity,
            axis=axis,
            slice_=slice_,
            overlap=overlap,
            largest=largest,
            fill_holes=fill_holes,
            grey=grey,
            progress=progress,
        )


def load(
    model: str = "litemedsam",
    *,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    precision: str = "f32",
    cache: EmbeddingCache | None = None,
    answers: AnswerCache | None = None,
) -> Model:
    """Load a model of the zoo: weights are fetched and graphs built at the first time.

    Args:
        model: Its id (`anytomy models list`); the folder of a student, `DIR`; or that of an adapter, `DIR` or
            `ID+DIR`.
        engine: `auto` (exported graphs on a CPU, torch on a GPU), `openvino`, `onnxruntime`, `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `mps`.
        threads: CPU threads; the cores that the process may use by default.
        precision: `f32`, or `bf16` (faster on some CPUs; results then differ from CPU to CPU).
        cache: Embedding cache; 256 MiB in memory by default.
        answers: An `AnswerCache` (`anytomy.engine.answers`) where prompts are added one by one: what they
            do not change is not asked again.

    Raises:
        ModelError: If there is no such model, or its weights do not fit.
        FetchError: If the weights cannot be had.
    """
    from anytomy.zoo.registry import card

    found, kind = card(model), Model
    if found.student is not None:
        from anytomy.predict.student.run import StudentModel

        kind = StudentModel
    return kind.open(
        found,
        engine=engine,
        device=device,
        threads=threads,
        precision=precision,
        cache=cache,
        answers=answers,
    )
