"""LiteMedSAM's steps written down a second time, to check our pipeline object by object.

After `CVPR24_LiteMedSAM_infer.py` (LiteMedSAM branch, April 2025), in plain numpy and the torch modules of
`anytomy.models`; nothing of `core`, `engine` or `predict` is used for the steps themselves. It works on the
stored view, as that script does; so does the side of ours that it is compared with. Both get the same box.

    python benchmarks/authors_reference.py --images 3
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.engine.frame import PlanePrompt
from data import arguments, cases, loaded
from ledger import Ledger, progress, publish, table
from objects import OBJECT, code_of, dice, stored_slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from data import Case

SIZE = 256
KEYS = (*OBJECT, "code")


class Reference:
    """The authors' way from a slice and a box to a mask."""

    def __init__(self, threads: int | None) -> None:
        import torch

        from anytomy.engine.opening import load_sam
        from anytomy.zoo import store
        from anytomy.zoo.registry import card

        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self._sam = load_sam(card("litemedsam"), store.ensure("litemedsam"))
        self._last: tuple[bytes, Any] = (b"", None)

    def segment(self, picture: NDArray[np.uint8], box: tuple[float, ...]) -> NDArray[np.bool_]:
        """A mask `(y, x)`.

        Args:
            picture: Grey levels `(y, x)` or `(y, x, 3)`.
            box: `x_min, y_min, x_max, y_max`, as it stands in a challenge file.
        """
        torch = self._torch
        rgb = np.repeat(picture[:, :, None], 3, axis=-1) if picture.ndim == 2 else picture
        height, width = rgb.shape[:2]
        scale = SIZE / max(height, width)
        new_h, new_w = int(height * scale + 0.5), int(width * scale + 0.5)
        content = rgb.tobytes()
        if self._last[0] != content:
            small = area(rgb, new_h, new_w).astype(np.float32)
            small = (small - small.min()) / np.clip(small.max() - small.min(), 1e-8, None)
            padded = np.pad(small, ((0, SIZE - new_h), (0, SIZE - new_w), (0, 0)))
            tensor = torch.from_numpy(padded).float().permute(2, 0, 1)[None]
            with torch.no_grad():
                self._last = (content, self._sam.encode(tensor))
        corners = (np.array([box]) * scale).astype(int).reshape(1, 2, 2)
        with torch.no_grad():
            out = self._sam.decode(
                self._last[1], torch.from_numpy(corners).float(), torch.tensor([[2.0, 3.0]])
            )
            logits = out.mask_logits[:, :1, :new_h, :new_w]
            full = torch.nn.functional.interpolate(
                logits, size=(height, width), mode="bilinear", align_corners=False
            )
            mask: NDArray[np.bool_] = torch.sigmoid(full)[0, 0].numpy() > 0.5
        return mask


def grey_levels(image: Image) -> NDArray[np.uint8]:
    """The challenge's preparation of a whole image: window 40/400 for a CT, else percentiles of non-zero."""
    data = image.array
    if data.dtype == np.uint8 and not image.is_volume:
        return data
    if image.modality == "CT":
        low, high = 40 - 400 / 2, 40 + 400 / 2
        out = (np.clip(data, low, high) - low) / (high - low) * 255.0
        return out.astype(np.uint8)
    low, high = np.percentile(data[data != 0], 0.5), np.percentile(data[data != 0], 99.5)
    out = (np.clip(data, low, high) - low) / (high - low) * 255.0
    out[data == 0] = 0
    return out.astype(np.uint8)


def area(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """OpenCV's INTER_AREA, pixel by pixel through running sums; enlarging as OpenCV does it."""
    if (height, width) == rgb.shape[:2]:
        return rgb
    shrink = height <= rgb.shape[0] and width <= rgb.shape[1]
    along = _mean_along if shrink else _lerp_along
    out = along(along(rgb.astype(np.float64), height), width, axis=1)
    return np.clip(np.floor(out + 0.5), 0, 255).astype(np.uint8)


def _mean_along(values: NDArray[np.float64], size: int, axis: int = 0) -> NDArray[np.float64]:
    """Means over `size` equal stretches, by the integral of the step function that pixels are."""
    values = np.moveaxis(values, axis, 0)
    count = values.shape[0]
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    edge = np.linspace(0, count, size + 1)
    whole = np.minimum(edge.astype(int), count - 1)
    share = (edge - whole).reshape(-1, *[1] * (values.ndim - 1))
    integral = total[whole] + share * values[whole]
    return np.moveaxis(np.diff(integral, axis=0) * (size / count), 0, axis)


def _lerp_along(values: NDArray[np.float64], size: int, axis: int = 0) -> NDArray[np.float64]:
    """The linear variant that INTER_AREA falls back to when it enlarges (`resize.cpp`)."""
    values = np.moveaxis(values, axis, 0)
    count, ratio = values.shape[0], values.shape[0] / size
    out = np.empty((size, *values.shape[1:]))
    for i in range(size):
        left = int(np.floor(i * ratio))
        weight = (i + 1) - (left + 1) / ratio
        weight = 0.0 if weight <= 0 else weight - np.floor(weight)
        out[i] = (1 - weight) * values[min(left, count - 1)] + weight * values[min(left + 1, count - 1)]
    return np.moveaxis(out, 0, axis)


def compare(every: list[Case], threads: int | None) -> Ledger:
    """Both masks for every object of the cases."""
    kept, code = Ledger("authors_reference", KEYS), code_of("off")
    model, reference = anytomy.load("litemedsam", threads=threads), Reference(threads)
    with progress("authors' steps", len(every)) as step:
        for case, image, targets in loaded(every):
            prepared = None
            for target in targets:
                name = {"structure": target.structure, "number": target.number}
                fields = {"dataset": case.dataset, "image": case.image_path, **name, "code": code}
                if kept.get(**fields) is not None:
                    continue
                prepared = grey_levels(image) if prepared is None else prepared
                picture = prepared[target.slice] if target.slice is not None else prepared
                theirs = reference.segment(picture, target.box)
                embedding = model.encode(stored_slice(image, model, target.slice))
                ours = model.decode(embedding, PlanePrompt(box=target.box)).logits > 0
                either = (ours | theirs).sum()
                kept.add(
                    **fields,
                    ours=dice(ours, target.mask),
                    theirs=dice(theirs, target.mask),
                    iou=float((ours & theirs).sum() / either) if either else 1.0,
                )
            step(case.dataset)
    return kept


def main() -> None:
    """Compare and report."""
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=3, help="images of each set; 0 for all")
    options = parser.parse_args()
    taken: dict[str, int] = defaultdict(int)
    every = []
    for case in cases(options.data, options.sets):
        taken[case.dataset] += 1
        if not options.images or taken[case.dataset] <= options.images:
            every.append(case)
    compared = compare(every, options.threads)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in (r for r in compared if r.get("code") == code_of("off")):
        groups[row["dataset"], row["structure"]].append(row)
        groups["all", ""].append(row)
    lines = []
    for (dataset, structure), rows in groups.items():
        ours, theirs = (float(np.mean([r[k] for r in rows])) for k in ("ours", "theirs"))
        apart = float(np.mean([abs(r["ours"] - r["theirs"]) for r in rows]))
        ious = [r["iou"] for r in rows]
        lines.append(
            (dataset, structure, len(rows), ours, theirs, f"{apart:.5f}", float(np.mean(ious)), min(ious))
        )
    head = ("set", "structure", "objects", "ours", "authors'", "mean abs difference", "mean IoU", "least IoU")
    publish("authors_reference", table(head, lines), lines)


if __name__ == "__main__":
    main()
