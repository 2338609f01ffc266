"""A student for engineers: one ONNX file that runs without Anytomy, and a JSON file on how to call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy import __version__
from anytomy.core.errors import ModelError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import IntensityPolicy
from anytomy.io.atomic import write_bytes, write_text
from anytomy.models.students.folder import OPSET, StudentCard, graph_path

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.zoo.card import ModelCard, Student

SCHEMA = "anytomy.student-graph/1"
DIFFERENT = 1e-3
"""The largest share of pixels that the graph may label otherwise: rounding decides between equal logits."""


def export_student(card: ModelCard, path: Path, *, threads: int = 1) -> list[Path]:
    """Write a student as one graph from stored values to the label map, and `PATH.json`.

    The graph is run in ONNX Runtime and held against Anytomy before it is written.

    Args:
        card: Of a student.
        path: A file that ends in `.onnx`.
        threads: CPU threads for the check.

    Returns:
        Both files.

    Raises:
        ModelError: The student needs its teacher, its files are damaged, or the graph differs from Anytomy.
        OptionError: The file's ending is another.
        OutputError: A file cannot be written.
    """
    import onnx

    from anytomy.predict.student.run import without_teacher
    from anytomy.predict.student.whole import whole_graph

    assert card.student is not None
    student = card.student
    if path.suffix.lower() != ".onnx":
        raise OptionError(f"expected a file that ends in .onnx for a student, got {path.name}")
    if student.card.extra:
        raise without_teacher(student.card)
    model = whole_graph(student.card, onnx.load(graph_path(student.folder, student.card)))
    document = describe(student, card.title)
    document["check"] = {"different_share": _difference(card, model.SerializeToString(), threads)}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    onnx.helper.set_model_props(model, {"anytomy": json.dumps(document, ensure_ascii=False)})
    beside = path.with_name(f"{path.name}.json")
    write_bytes(path, model.SerializeToString())
    write_text(beside, text)
    return [path, beside]


def describe(student: Student, title: str) -> dict[str, Any]:
    """What the graph takes and gives, and what the student is; also in the graph's metadata as `anytomy`."""
    card = student.card
    axes = "(z, y, x" if card.volumes else "(y, x"
    image = {
        "type": "float32",
        "axes": f"{axes}, 3): red, green and blue last" if card.colours == 3 else f"{axes})",
        "values": "as stored in the file, after its slope and intercept: HU of a CT, 0 to 255 of a picture",
    }
    if card.volumes:
        image["orientation"] = _ORIENTATION[card.dims].format(axis=card.axis)
    inputs: dict[str, Any] = {"image": image}
    if card.spacing_mm:
        many = "slices, rows and columns" if card.volumes else "rows and columns"
        inputs["spacing_mm"] = {"type": "float64", "axes": f"distance of {many} of the image in mm"}
    return {
        "schema": SCHEMA,
        "anytomy": __version__,
        "opset": OPSET,
        "note": "for research, not a medical device",
        "inputs": inputs,
        "outputs": {
            "labels": {
                "type": "uint8" if len(card.classes) < 256 else "int32",
                "axes": f"{axes}), as the image without its colours",
                "values": {str(number): name for number, name in enumerate(["background", *card.classes])},
            }
        },
        "inside": {
            "intensity": card.intensity,
            "grid": {"size": card.size, "spacing_mm": list(card.spacing_mm), "patch": list(card.patch)},
            "mean": list(card.mean),
            "std": list(card.std),
        },
        "student": {
            "title": title,
            "network": card.network,
            "dims": card.dims,
            "licence": card.licence,
            "recipe": card.recipe,
            "teacher": dict(card.teacher),
            "data": sorted(card.data),
            "metrics": dict(card.metrics),
            "weights_sha256": card.weights_sha256,
        },
    }


_ORIENTATION = {
    2: "slices across the file's {axis} axis, each turned as radiologists look at it: left of the patient on "
    "the right; front on top in axial slices, head on top in others; sagittal ones from the left",
    3: "axial slices from foot to head, the front of the patient on top (rows run to the back), left of the "
    "patient on the right (columns run to the left): z, y and x run to S, P and L",
}


def _difference(card: ModelCard, graph: bytes, threads: int) -> float:
    """Share of the pixels of a random image that the graph labels otherwise than Anytomy."""
    import onnxruntime

    from anytomy.predict.student.run import StudentModel

    assert card.student is not None
    mine = card.student.card
    image = _random(mine)
    model = StudentModel.open(card, engine="onnxruntime", device="cpu", threads=threads)
    labels = model.segment(image, axis=mine.axis if mine.volumes else "z").label_map
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    view = model.grid.view(image, mine.axis)
    feeds: dict[str, NDArray[Any]] = {"image": view.apply(image.array) if mine.volumes else image.array}
    if mine.spacing_mm:
        spacing = model.grid.spacing(image, view)
        feeds["spacing_mm"] = np.array(spacing if mine.volumes else spacing[1:], np.float64)
    found = session.run(None, feeds)[0]
    share = float(np.mean(found != (view.apply(labels) if mine.volumes else labels)))
    if not share <= DIFFERENT:
        raise ModelError(
            f"the exported graph labels {share:.2%} of a random image otherwise than Anytomy, "
            f"expected {DIFFERENT:.1%} at most",
            hint="report this",
        )
    return share


def _random(card: StudentCard) -> Image:
    """Noise with a dark border, a little larger than a window, odd in size, in a space of its own."""
    policy = IntensityPolicy.parse(card.intensity)
    low, high = (policy.low, policy.high) if policy.kind == "window" else (0.0, 255.0)
    inner = [p + p // 4 + 1 for p in card.patch]
    shape = [*([3] if card.volumes and card.dims == 2 else []), *inner]
    values = np.random.default_rng(0).uniform(low, high, (*shape, *([3] if card.colours == 3 else [])))
    values[..., :2, :] = 0
    solid = shape if card.volumes else [1, *shape]
    spacing = [1.0] * (3 - card.dims) + [0.9 * mm for mm in card.spacing_mm or (1.0,) * card.dims]
    geometry = Geometry(
        size_xyz=(solid[2], solid[1], solid[0]), spacing_xyz_mm=(spacing[2], spacing[1], spacing[0])
    )
    return Image.from_array(values.astype(np.float32), is_volume=card.volumes, geometry=geometry)
