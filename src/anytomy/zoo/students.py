"""The card of a student as that of any other model: `student_card`."""

from __future__ import annotations

from pathlib import Path

from anytomy.models.students.folder import CARD, WEIGHTS, read_student
from anytomy.zoo.card import ModelCard, Preprocess, Student, Training, Weights

__all__ = ["student_card"]


def student_card(folder: Path, reference: str) -> ModelCard:
    """The model card of a folder with a student.

    Args:
        folder: Of the student.
        reference: What the user typed; it becomes the id.

    Raises:
        ModelError: Its card is broken.
    """
    mine = read_student(folder)
    weights = folder.resolve() / WEIGHTS
    seen = f"{mine.network} in {mine.dims}D"
    taught = bool(mine.recipe)  # a baseline has a teacher beside it, and nothing from it
    complete = not taught or mine.teacher.get("trained_on_complete", False)
    trained = dict.fromkeys((*mine.data, *(mine.teacher.get("trained_on", ()) if taught else ())))
    return ModelCard(
        id=reference,
        title=mine.title or f"{folder.resolve().name} ({mine.network})",
        summary=mine.summary or f"{seen}; finds {', '.join(mine.classes)}",
        architecture=mine.network,
        licence=mine.licence,
        paper="",
        homepage="",
        input_size=max(mine.patch),
        prompts=(),
        mask_output="single",
        weights=Weights(
            file=WEIGHTS,
            sha256=mine.weights_sha256,
            bytes=weights.stat().st_size if weights.is_file() else 0,
            path=str(weights),
        ),
        preprocess=Preprocess("bilinear", "pad", "mean-std", mine.mean, mine.std),
        intensity={"default": mine.intensity},
        training=Training(tuple(trained), f"taught by {mine.teacher.get('id', 'a teacher')}"),
        source=folder / CARD,
        builtin=False,
        unverified=() if complete else ("training.datasets",),
        student=Student(folder, mine),
    )
