"""A distillation of discs whose numbers are known: the files of its folder, without training anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.datasets.dataset import open_dataset
from anytomy.distill.config import DistillConfig
from anytomy.distill.pseudo.label import pseudo_label
from anytomy.distill.pseudo.table import write_objects
from anytomy.evaluation.bench.table import write_rows
from tests.distill.pseudo.phantoms import bright, student_of

if TYPE_CHECKING:
    from pathlib import Path

STRUCTURES = ("liver", "spleen")
SHIFT = {"teacher": 0.04, "student": 0.0, "all": 0.02, "few": -0.08}
"""How much better each is than the student, on average."""


def dice(model: str, structure: str, patient: int, labels: int) -> float:
    """Dice of a test patient: less for the spleen, and of the student of few labels less with fewer."""
    rng = np.random.default_rng([patient, STRUCTURES.index(structure), list(SHIFT).index(model)])
    few = -0.16 / labels if model == "few" else 0.0
    base = 0.88 if structure == "liver" else 0.78
    return float(np.clip(base + SHIFT[model] + few + rng.normal(0, 0.015), 0, 1))


def rows_of(model: str, patients: range, labels: int) -> list[dict[str, Any]]:
    return [
        {
            "dataset": "discs",
            "case": f"p{patient}_0",
            "patient": f"p{patient}",
            "structure": structure,
            "object": structure,
            "level": "structure",
            "status": "measured",
            "model": model,
            "prompt": "box" if model == "teacher" else "none",
            "dice": dice(model, structure, patient, labels),
        }
        for patient in patients
        for structure in STRUCTURES
    ]


def record(labels: int, patients: range) -> dict[str, Any]:
    config = DistillConfig("tiny", data=("discs",), labels=labels).to_dict()
    return {
        "schema": "anytomy.distill/1",
        "finished": "2026-01-01T00:00:00+00:00",
        "config": config,
        "cohort": {
            "labelled": [["discs", f"p{i}_0", f"p{i}"] for i in range(labels)],
            "validate": [],
            "unlabelled": [["discs", f"p{i}_0", f"p{i}"] for i in range(labels, 6)],
            "test": [["discs", f"p{i}_0", f"p{i}"] for i in patients],
            "classes": list(STRUCTURES),
            "splits": {"discs": "fold 1 of 2 by patient, seed 0"},
        },
        "sight": {"intensity": "none", "why": "pictures of 64 x 64", "volumes": False},
        "asked": 6 - labels,
        "plan": {"students": ["few", "round-1"], "training": {"steps": 100}},
        "teacher": {"id": "tiny", "title": "Tiny", "licence": "Apache-2.0", "weights_sha256": "a" * 64},
        "warnings": [],
        "network": "unet-16",
        "parameters": 123456,
        "device": "cpu",
        "threads": 1,
        "versions": {"anytomy": "0"},
        "seconds": 61.0,
        "speed": {"picture": [256, 256], "student_ms": 10.0, "teacher_encoder_ms": 200.0, "threads": 1},
        "result": {"taught": "round-1", "rounds": [{"name": "round-1"}]},
    }


def made_run(folder: Path, *, labels: int = 2, patients: range = range(6, 18), **changes: Any) -> Path:
    """The folder of a run; the data set `discs` must be known where it is to have pseudo-labels."""
    for model in SHIFT:
        write_rows(
            folder / "test" / f"{model}.parquet", rows_of(model, patients, labels), ("dice",), masks=True
        )
    (folder / "run.json").write_text(json.dumps({**record(labels, patients), **changes}))
    return folder


def with_pseudo_labels(folder: Path) -> Path:
    """Also the table of a round of pseudo-labels: real ones, of the discs."""
    rows = []
    for number, case in enumerate(open_dataset("discs").cases[:6]):
        image, labels = case.load()
        found = np.zeros((3, 64, 64), dtype=np.float32)
        for index, name in enumerate(STRUCTURES, start=1):
            found[index] = student_of(labels[name] > 0, 10 * number + index, 0.72 + 0.04 * number)[1]
        found[0] = 1 - found[1:].max(axis=0)
        student = found / found.sum(axis=0)
        rows += pseudo_label(image, bright(), STRUCTURES, student=student, case=case.id).rows("discs")
    write_objects(folder / "pseudo" / "round-1" / "objects.parquet", rows)
    return folder
