"""Rows of results and run folders of them, written as the runner writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytomy.evaluation.bench.config import SCHEMA, BenchConfig
from anytomy.evaluation.bench.table import part_path, schema, write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Row = dict[str, Any]
METRICS = BenchConfig(models=(), data=()).metrics


def row(**changes: Any) -> Row:
    """One measured object: a structure of a picture, prompted with a box."""
    values: Row = dict.fromkeys(schema(METRICS, masks=False).names)
    values |= {
        "dataset": "alpha",
        "case": "case 1",
        "patient": "one",
        "modality": "MR",
        "structure": "liver",
        "object": "1",
        "level": "object",
        "status": "measured",
        "model": "tiny",
        "prompt": "box",
        "budget": "1 box",
        "scope": "picture",
        "zoom": "off",
        "intensity": "none",
        "selection": "single",
        "empty": "none",
        "unit": "px",
        "tolerance": 2.0,
        "prompts": '[{"box": [1, 2, 3, 4]}]',
        "seed": 0,
        "input_size": 64,
        "pixels": 400,
        "dice": 0.9,
        "iou": 0.8,
        "nsd": 0.7,
        "hd95": 3.0,
        "volume_error": 0.1,
        "fp_slices": 0.0,
        "seconds": 1.0,
        "shift": 0.0,
        **changes,
    }
    return values


def rows_of(dices: Sequence[float], **changes: Any) -> list[Row]:
    """An object of one patient each, `p0`, `p1`, ..., with these values of Dice."""
    return [
        row(dice=value, **{"patient": f"p{i}", "case": f"case {i}", **changes})
        for i, value in enumerate(dices)
    ]


def write_run(
    folder: Path,
    rows: Sequence[Row],
    *,
    failures: Sequence[dict[str, str]] = (),
    finished: bool = True,
    versions: dict[str, str] | None = None,
    **config: Any,
) -> Path:
    """A run folder with these rows; those with a `mask` keep it in the parts."""
    names = {
        key: tuple(dict.fromkeys(r[key] for r in rows if r[key])) for key in ("dataset", "model", "prompt")
    }
    asked = {
        "models": names["model"] or ("tiny",),
        "data": names["dataset"] or ("alpha",),
        "prompts": names["prompt"] or ("box",),
        **config,
    }
    made = BenchConfig(**asked)
    by_part: dict[Any, list[Row]] = {}
    for each in rows:
        by_part.setdefault(part_path(folder, each["dataset"], each["case"], each["model"]), []).append(each)
    for path, part in by_part.items():
        write_rows(path, part, made.metrics, masks=any("mask" in each for each in part))
    models = {
        name: {
            "weights_sha256": "ab" * 32,
            "input_size": 64,
            "mask_selection": "single",
            "intensity": {"default": "percentile:0.5,99.5"},
            "training": [],
        }
        for name in made.models
    }
    data = {name: {"cases": 9, "patients": 8, "names_sha256": "cd" * 32} for name in made.data}
    record = {
        "schema": SCHEMA,
        "config": made.to_dict(),
        "facts": {"models": models, "data": data},
        "threads": 1,
        "started": "2026-01-02T03:04:05+00:00",
        "versions": versions or {"anytomy": "9.9.9"},
        "note": "for research, not a medical device",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record))
    if finished:
        write_rows(folder / "results.parquet", rows, made.metrics, masks=False)
        (folder / "failures.json").write_text(json.dumps(list(failures)))
    return folder
