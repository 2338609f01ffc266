"""One case of `anytomy segment`: read, segment, write, and say what was done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import warnings
from typing import TYPE_CHECKING, Any

from anytomy.cli import everything
from anytomy.cli.partial import keep_partial, remove_partial
from anytomy.cli.progress import slices_bar
from anytomy.cli.record import manifest_of
from anytomy.cli.request import prompts_of
from anytomy.core.errors import AnytomyWarning
from anytomy.core.view import axis_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytomy.cli.cases import Case
    from anytomy.cli.request import Options
    from anytomy.core.image import Image
    from anytomy.predict.model import Model
    from anytomy.predict.result import Result


def segment_case(
    case: Case, options: Options, model: Model | None, *, mark: str, quiet: bool = False
) -> Model:
    """Do one case; everything that can be wrong with it is found before the model is loaded.

    Args:
        case: Gets its manifest.
        options: What was asked.
        model: A model that an earlier case loaded.
        mark: The case's fingerprint, for resuming.
        quiet: Draw no progress of slices.

    Returns:
        The model, for the next case.
    """
    from anytomy.io.atomic import check_place, write_text
    from anytomy.io.maps import check_map, write_map
    from anytomy.io.read import read
    from anytomy.io.write import check_output, write_prediction
    from anytomy.predict.result import Interrupted
    from anytomy.predict.segment import check_request
    from anytomy.report.draw import check_picture
    from anytomy.volumes.registry import DEFAULT
    from anytomy.zoo.registry import card

    check_output(case.output, [case.input])
    check_place(case.manifest_path)
    if case.preview is not None:
        check_picture(case.preview)
    if case.uncertainty is not None:
        check_map(case.uncertainty)
    started = time.perf_counter()
    image = read(case.input, series=options.series, time=options.time, channel=options.channel)
    check_output(case.output, [case.input], slices=image.geometry.size_xyz[2], image=image)
    asked = prompts_of(image, case.input, options)
    found = card(options.model)
    names = ("zoom", "intensity", "axis", "overlap", "volume", "uncertainty")
    settings = {key: getattr(options, key) for key in names}
    if options.everything is not None:
        everything.check(found, image, options)
    else:
        check_request(found, image, asked.prompts, **settings, combine=asked.combine)
    if not image.is_volume and options.volume != DEFAULT:
        warnings.warn(
            f"{image.name} is a single picture, so --volume {options.volume} changes nothing",
            AnytomyWarning,
            stacklevel=2,
        )
    read_in = time.perf_counter() - started
    model = model or _load(options)
    loaded_in = time.perf_counter() - started - read_in
    with _resumable(model, case, options, image):
        try:
            if options.everything is not None:
                with slices_bar("points", shown=not quiet) as progress:
                    result = everything.run(model, image, options, progress)
            else:
                with slices_bar("slices", shown=image.is_volume and not quiet) as progress:
                    result = model.segment(
                        image,
                        asked.prompts,
                        **settings,
                        combine=asked.combine,
                        largest=options.largest,
                        fill_holes=options.fill_holes,
                        fit_box=options.fit_box,
                        progress=progress,
                    )
        except Interrupted as stop:
            raise keep_partial(case, options, model, stop, mark=mark) from stop
        _say_guess(result)
        outputs = write_prediction(case.output, result, image)
    if case.uncertainty is not None and result.uncertainty is not None:
        write_map(case.uncertainty, result.uncertainty, image)
    if case.preview is not None:
        from anytomy.report.preview import preview

        preview(image, result, result.grey, case.preview, axis=options.axis)
    measures, measured_in = _measures(result, wanted=options.measure)
    seconds = {
        "read": round(read_in, 3),
        "load": round(loaded_in, 3),
        "segment": result.details["seconds"],
        **measured_in,
        "all": round(time.perf_counter() - started, 3),
    }
    case.manifest = manifest_of(case, options, model, result, outputs, mark=mark, seconds=seconds) | measures
    write_text(case.manifest_path, json.dumps(case.manifest, indent=2, default=str) + "\n")
    remove_partial(case)
    return model


@contextlib.contextmanager
def _resumable(model: Model, case: Case, options: Options, image: Image) -> Iterator[None]:
    """Keep what is encoded of a volume until its result is written, so that a run that is cut off goes on."""
    if options.cache_embeddings or image.geometry.size_xyz[axis_number(options.axis)] == 1:
        yield
        return
    part = (os.path.realpath(case.input), options.series, options.time, options.channel, options.model)
    from anytomy.zoo.home import cache_dir

    name = hashlib.sha256(repr(part).encode()).hexdigest()[:32]
    with model.cache.resuming(cache_dir("embeddings") / "unfinished" / name):
        yield


def _measures(result: Result, *, wanted: bool) -> tuple[dict[str, Any], dict[str, float]]:
    """Rows for the manifest and the table, and how long they took; nothing where not wanted."""
    if not wanted:
        return {}, {}
    from anytomy.predict.measures import measure_objects

    started = time.perf_counter()
    rows = [each.row() for each in measure_objects(result, result.image)]
    return {"measures": rows}, {"measure": round(time.perf_counter() - started, 3)}


def _load(options: Options) -> Model:
    from anytomy.engine.cache import EmbeddingCache
    from anytomy.engine.threads import keep_big_blocks
    from anytomy.predict.model import load
    from anytomy.zoo.home import cache_dir

    if options.engine == "torch":
        keep_big_blocks()
    cache = EmbeddingCache(directory=cache_dir("embeddings")) if options.cache_embeddings else None
    return load(
        options.model,
        engine=options.engine,
        device=options.device,
        threads=options.threads,
        precision=options.precision,
        cache=cache,
    )


def _say_guess(result: Result) -> None:
    choice = result.intensity
    if choice.guessed:
        what = "unknown" if choice.modality == "unknown" else f"guessed as {choice.modality}"
        warnings.warn(
            f"{result.image.name}: modality {what} ({choice.why}), so intensity is {choice.policy.text}; "
            "choose another with --intensity",
            AnytomyWarning,
            stacklevel=2,
        )
