"""What the manifest beside a result says: `manifest_of`."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from anytomy import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anytomy.cli.cases import Case
    from anytomy.cli.request import Options
    from anytomy.core.prompt import Prompt
    from anytomy.predict.model import Model
    from anytomy.predict.result import Result

MANIFEST_SCHEMA = "anytomy.manifest/1"


def manifest_of(
    case: Case,
    options: Options,
    model: Model,
    result: Result,
    outputs: Sequence[Path],
    *,
    mark: str,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """How a result came about, JSON-able.

    Args:
        case: Where it comes from and went to.
        options: What was asked.
        model: What answered.
        result: The result.
        outputs: Files with the masks.
        mark: The case's fingerprint, for resuming.
        seconds: How long each part took.
    """
    from anytomy.io.prompts import combination_to_dict, prompt_to_dict

    geometry = result.geometry
    return {
        "schema": MANIFEST_SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": mark,
        "input": str(case.input),
        "outputs": [str(p) for p in outputs],
        "preview": None if case.preview is None else str(case.preview),
        "uncertainty": None if case.uncertainty is None else str(case.uncertainty),
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
