"""Whether the one graph of a student gives in plain ONNX Runtime what Anytomy gives, on its test cases.

For each student folder: `anytomy models export`, then every test case that the student's card names, once
through Anytomy and once through the graph alone. The data sets must be here.

    python benchmarks/student_graph.py runs/distill/hippo runs/distill/kvasir-given
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data import DATA
from ledger import publish, table

BAR = 0.999


def by_graph(session: Any, image: Any, axis: str) -> NDArray[Any]:
    """The label map of the graph, on the image's grid; the lines of docs/students.md for any file."""
    from anytomy.core.view import SliceView

    view = SliceView.canonical(image.geometry, axis if image.is_volume else "z")
    seen = np.ascontiguousarray(view.apply(image.volume), dtype=np.float32)
    feeds = {"image": seen if image.is_volume else seen[0]}
    if len(session.get_inputs()) == 2:
        spacing = [image.geometry.spacing_xyz_mm[axis] for axis in reversed(view.axes)]
        feeds["spacing_mm"] = np.array(spacing, dtype=np.float64)
    (found,) = session.run(["labels"], feeds)
    whole = view.restore(found if image.is_volume else found[None])
    return whole if image.is_volume else whole[0]


def overlap(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The least IoU of the classes in two label maps."""
    classes = [value for value in np.union1d(one, other) if value]
    shared = [np.count_nonzero((one == v) & (other == v)) for v in classes]
    either = [np.count_nonzero((one == v) | (other == v)) for v in classes]
    return min((int(a) / int(b) for a, b in zip(shared, either, strict=True)), default=1.0)


def compared(folder: Path) -> dict[str, Any]:
    """Least and mean IoU over the student's test cases, and in how many both are the same to the pixel."""
    import onnxruntime

    import anytomy
    from anytomy.datasets.dataset import open_dataset
    from anytomy.models.students.folder import read_student
    from anytomy.predict.student.export import export_student

    card = read_student(folder)
    student = anytomy.load(str(folder))
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "student.onnx"
        export_student(student.card, graph)
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        for name, parts in card.data.items():
            tested = set(parts["test"])
            for case in open_dataset(name):
                if case.id not in tested:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    image = case.read()
                ours = student.segment(image).label_map
                found.append(overlap(ours, by_graph(session, image, card.axis)))
    return {
        "student": folder.name,
        "cases": len(found),
        "least": min(found),
        "mean": float(np.mean(found)),
        "same": sum(value == 1.0 for value in found),
    }


def main() -> None:
    """Compare and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("ANYTOMY_DATA", str(DATA))
    facts = [compared(folder) for folder in options.folders]
    rows = [(*each.values(), "pass" if each["least"] >= BAR else "short") for each in facts]
    head = ("student", "test cases", "least IoU", "mean IoU", "the same", f"bar {BAR}")
    publish("student_graph", table(head, rows), facts)


if __name__ == "__main__":
    main()
