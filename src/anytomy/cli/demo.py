"""`anytomy demo`: real images, a real model, figures against ground truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.predict.model import Model
    from anytomy.predict.result import Result

    Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One line of the demo's table.

    Attributes:
        case: What was segmented.
        objects: How many.
        prompt: What was said about each.
        intensity: The policy that made grey levels.
        dice: Mean Dice of the objects against ground truth.
        threshold_dice: The same for a plain threshold (Otsu 1979) of the image, inside the same boxes: what
            the easy way would have given.
        seconds: Time of the segmentation.
    """

    case: str
    objects: int
    prompt: str
    intensity: str
    dice: float
    threshold_dice: float
    seconds: float


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path("demo"),
    model: Annotated[str, typer.Option(help="Model (anytomy models list).")] = "litemedsam",
    images: Annotated[
        bool, typer.Option("--images", help="Write the sample images alone, to try things on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Segment sample images with a medical foundation model and compare with ground truth.

    Writes masks, pictures and a table: nuclei in a picture and in a volume from their boxes, the brain in
    an MR volume from one box. The boxes are those of the ground truth, so the figures say how well the
    model outlines what it is shown, not how well it finds it.

    Example: anytomy demo -o demo
    """
    from anytomy.cli.output import emit
    from anytomy.io.atomic import check_place, write_text
    from anytomy.predict.model import load

    check_place(output / "table.md")
    if images:
        files = [_copied(name, output) for name in ("nuclei2d", "nuclei3d", "mni152-t1")]
        emit(
            "demo", {"files": files}, as_json=as_json, render=lambda console: console.print(*files, sep="\n")
        )
        return
    loaded = load(model)
    rows = [case(loaded, output) for case in (_nuclei_2d, _nuclei_3d, _brain_slice, _brain)]
    table = _markdown(rows)
    write_text(output / "table.md", table)
    files = sorted(str(p) for p in output.iterdir() if p.is_file() and not p.name.startswith("."))
    emit(
        "demo",
        {"rows": [asdict(row) for row in rows], "files": files},
        as_json=as_json,
        render=lambda console: _render(console, rows, output),
    )


def _nuclei_2d(model: Model, output: Path) -> Row:
    image, truth = _sample("nuclei2d"), _sample("nuclei2d-mask").array
    return _run(model, image, truth, output / "nuclei2d.png", "nuclei, 2D")


def _nuclei_3d(model: Model, output: Path) -> Row:
    image, truth = _sample("nuclei3d"), _sample("nuclei3d-mask").array
    return _run(model, image, truth, output / "nuclei3d.tif", "nuclei, 3D")


def _brain_slice(model: Model, output: Path) -> Row:
    """One slice with the grey levels as they are: the model outlines what is inside of the brain instead."""
    image, truth = _brain_sample()
    middle = truth.shape[0] // 2
    one = truth * 0
    one[middle] = truth[middle]
    return _run(model, image, one, output / "brain-slice.nii.gz", "brain, MR, one slice")


def _brain(model: Model, output: Path) -> Row:
    """The whole volume from one box, with a window in which the brain is one bright thing.

    The template is skull-stripped, so that a threshold finds it as well: the table shows it.
    """
    image, truth = _brain_sample()
    return _run(model, image, truth, output / "brain.nii.gz", "brain, MR, volume", intensity="window:90,45")


def _brain_sample() -> tuple[Image, Array]:
    """The MNI152 template and where grey or white matter is more likely than not."""
    tissue = _sample("mni152-gm").array.astype("u2") + _sample("mni152-wm").array
    return _sample("mni152-t1"), (tissue > 127).astype("u1")


def _run(model: Model, image: Image, truth: Array, path: Path, case: str, *, intensity: str = "auto") -> Row:
    import numpy as np

    from anytomy.cli.progress import slices_bar
    from anytomy.evaluation.metrics import dice
    from anytomy.report.preview import preview

    ids = [int(i) for i in np.unique(truth) if i]
    prompts = [_box(truth == i, i) for i in ids]
    bright = _grey(image) > otsu(_grey(image))
    with slices_bar(case) as step:
        result: Result = model.segment(image, prompts, intensity=intensity, progress=step)
    result.save(path)
    preview(image, result, result.grey, path.with_name(path.name.split(".")[0] + "-preview.png"))
    ours = [dice(mask, truth == i) for mask, i in zip(result.masks, ids, strict=True)]
    plain = [dice(bright & _inside(p, truth.shape), truth == i) for p, i in zip(prompts, ids, strict=True)]
    prompt = "3D box" if result.details["slices"] > 1 else "box"
    return Row(
        case,
        len(ids),
        prompt,
        result.intensity.policy.text,
        float(np.mean(ours)),
        float(np.mean(plain)),
        result.details["seconds"],
    )


def _copied(name: str, folder: Path) -> str:
    """A sample image as a file in a folder, named for what it shows."""
    from anytomy.io.atomic import write_bytes
    from anytomy.zoo.samples import sample

    source = sample(name)
    target = folder / (name + "".join(source.suffixes))
    write_bytes(target, source.read_bytes())
    return str(target)


def _sample(name: str) -> Image:
    from anytomy.io.read import read
    from anytomy.zoo.samples import sample

    return read(sample(name))


def _box(mask: Array, id_: int) -> Prompt:
    """The tight box of a mask, ends exclusive."""
    import numpy as np

    from anytomy.core.prompt import Prompt

    where = np.argwhere(mask)[:, ::-1]  # x, y[, z]
    return Prompt(box=(*where.min(axis=0).tolist(), *(where.max(axis=0) + 1).tolist()), id=id_)


def _inside(prompt: Prompt, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    import numpy as np

    assert prompt.box is not None
    half = len(prompt.box) // 2
    inside = np.zeros(shape, dtype=bool)
    pairs = zip(prompt.box[:half], prompt.box[half:], strict=True)
    inside[tuple(slice(int(a), int(b)) for a, b in reversed(list(pairs)))] = True
    return inside


def _grey(image: Image) -> Array:
    return image.array.mean(axis=-1) if image.is_colour else image.array


def otsu(values: Array) -> float:
    """The threshold that best parts values into two groups (Otsu 1979), over 256 bins."""
    import numpy as np

    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between[:-1]))])


def _markdown(rows: list[Row]) -> str:
    lines = [
        "| case | objects | prompt | intensity | Dice | Dice of a threshold | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        figures = f"{r.dice:.3f} | {r.threshold_dice:.3f} | {r.seconds:.1f}"
        lines.append(f"| {r.case} | {r.objects} | {r.prompt} | {r.intensity} | {figures} |")
    return "\n".join(lines) + "\n"


def _render(console: Console, rows: list[Row], output: Path) -> None:
    from rich.table import Table

    table = Table(
        "case", "objects", "prompt", "intensity", "Dice", "threshold", "seconds", box=None, pad_edge=False
    )
    for r in rows:
        figures = (f"{r.dice:.3f}", f"{r.threshold_dice:.3f}", f"{r.seconds:.1f}")
        table.add_row(r.case, str(r.objects), r.prompt, r.intensity, *figures)
    console.print(table)
    console.print(
        f"masks, pictures and this table are in {output}/; threshold: Otsu inside the same boxes",
        soft_wrap=True,
    )
    console.print("for research, not a medical device")
