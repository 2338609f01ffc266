"""One case of `anytomy segment`: read, segment, write, and say what was done."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from anytomy import __version__
from anytomy.cli.progress import slices_bar
from anytomy.cli.request import prompts_of
from anytomy.core.errors import AnytomyWarning

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.cli.cases import Case
    from anytomy.cli.request import Options
    from anytomy.core.prompt import Prompt
    from anytomy.predict.model import Model
    from anytomy.predict.result import Result

MANIFEST_SCHEMA = "anytomy.manifest/1"


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
    from anytomy.io.atomic import check_place
    from anytomy.io.read import read
    from anytomy.io.write import check_output, write_prediction
    from anytomy.predict.segment import check_request
    from anytomy.report.draw import check_picture
    from anytomy.zoo.registry import card

    check_output(case.output, [case.input])
    check_place(case.manifest_path)
    if case.preview is not None:
        check_picture(case.preview)
    started = time.perf_counter()
    image = read(case.input, series=options.series, time=options.time, channel=options.channel)
    check_output(case.output, [case.input], slices=image.geometry.size_xyz[2], image=image)
    asked = prompts_of(image, case.input, options)
    found = card(options.model)
    settings = {key: getattr(options, key) for key in ("zoom", "intensity", "axis", "overlap", "volume")}
    check_request(found, image, asked.prompts, **settings, combine=asked.combine)
    read_in = time.perf_counter() - started
    model = model or _load(options)
    loaded_in = time.perf_counter() - started - read_in
    with slices_bar("slices", shown=image.is_volume and not quiet) as progress:
        result = model.segment(
            image,
            asked.prompts,
            **settings,
            combine=asked.combine,
            largest=options.largest,
            fill_holes=options.fill_holes,
            progress=progress,
        )
    _say_guess(result)
    outputs = write_prediction(case.output, result, image)
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
    case.manifest = _manifest(case, options, model, result, outputs, seconds, mark) | measures
    from anytomy.io.atomic import write_text

    write_text(case.manifest_path, json.dumps(case.manifest, indent=2, default=str) + "\n")
    return model


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
        import warnings

        what = "unknown" if choice.modality == "unknown" else f"guessed as {choice.modality}"
        warnings.warn(
            f"{result.image.name}: modality {what} ({choice.why}), so intensity is {choice.policy.text}; "
            "choose another with --intensity",
            AnytomyWarning,
            stacklevel=2,
        )


def _manifest(
    case: Case,
    options: Options,
    model: Model,
    result: Result,
    outputs: list[Path],
    seconds: dict[str, float],
    mark: str,
) -> dict[str, Any]:
    from anytomy.io.prompts import combination_to_dict, prompt_to_dict

    geometry = result.geometry
    return {
        "schema": MANIFEST_SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": mark,
        "input": str(case.input),
        "outputs": [str(p) for p in outputs],
        "preview": None if case.preview is None else str(case.preview),
        "objects": _objects(result),
        "overlap": result.overlap,
        "model": {
            "id": model.card.id,
            "architecture": model.card.architecture,
            "licence": model.card.licence,
            "weights_sha256": model.weights_sha256,
            "engine": model.engine.description,
        },
        "intensity": {
            "policy": result.intensity.policy.text,
            "modality": result.intensity.modality,
            "guessed": result.intensity.guessed,
            "why": result.intensity.why,
            "black": result.grey.low,
            "white": result.grey.high,
        },
        "prompts": [prompt_to_dict(p, **_mask_word(p)) for p in result.prompts],
        "combine": [combination_to_dict(c) for c in result.combinations],
        "options": {k: v for k, v in asdict(options).items() if v not in (None, (), False)},
        "geometry": {
            "size_xyz": geometry.size_xyz,
            "spacing_xyz_mm": geometry.spacing_xyz_mm,
            "origin_lps_mm": geometry.origin_lps_mm,
            "direction": geometry.direction,
            "orientation": geometry.orientation,
        },
        "slices": result.details["slices"],
        "encodings": result.details["encodings"],
        "seconds": seconds,
        "versions": _versions(),
        "note": "for research, not a medical device",
    }


def _mask_word(prompt: Prompt) -> dict[str, str]:
    return {} if prompt.mask is None else {"mask": "given"}


def _objects(result: Result) -> list[dict[str, Any]]:
    geometry, found = result.geometry, []
    voxel_ml = geometry.spacing_xyz_mm[0] * geometry.spacing_xyz_mm[1] * geometry.spacing_xyz_mm[2] / 1000
    for id_, name, score, mask in zip(
        result.ids, result.names, result.scores, result.masks.objects, strict=True
    ):
        entry: dict[str, Any] = {"id": id_, "name": name, "score": round(score, 4), "voxels": mask.voxels}
        if result.is_volume:
            entry["volume_ml"] = round(mask.voxels * voxel_ml, 4)
        found.append(entry)
    return found


def _versions() -> dict[str, str]:
    found = {"anytomy": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for name in ("numpy", "onnxruntime", "openvino", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
