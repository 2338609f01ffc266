"""Challenge files: image and label in one npz, `imgs` and `gts` (`npz_files`)."""

from __future__ import annotations

from collections import Counter

from anytomy.core.errors import ImageReadError
from anytomy.datasets.layout import Layout
from anytomy.datasets.recognising.files import File, spread
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.sketch import Draft, Sketch
from anytomy.io import npz

_KEYS = tuple(
    (image, mask)
    for image in ("imgs", "img", "image", "images", "x", "data", "volume", "scan")
    for mask in ("gts", "gt", "mask", "masks", "label", "labels", "seg", "y", "segmentation")
)


def npz_files(inventory: Inventory) -> Draft | None:
    """See the module."""
    files = [File.of(path) for path in inventory.tree.files if path.lower().endswith(".npz")]
    if not files:
        return None
    seen: Counter[tuple[str, str]] = Counter()
    unread = 0
    for path in spread([f.path for f in files], 12):
        try:
            keys = {key.lower(): key for key in npz.names(inventory.tree.path(path))}
        except ImageReadError:
            unread += 1
            continue
        pair = next(((keys[i], keys[m]) for i, m in _KEYS if i in keys and m in keys), None)
        if pair is not None:
            seen[pair] += 1
    if not seen:
        return None
    (image, mask), _ = seen.most_common(1)[0]
    layout = Layout(
        name="npz",
        image=f"{{case}}.npz::{image}",
        masks={"mask": f"{{case}}.npz::{mask}"},
        case="{case}",
        documented=False,
    )
    odd = (f"{unread} of the npz files that were opened cannot be read",) if unread else ()
    return Draft("npz", (Sketch(layout),), (f"npz files hold image and label as {image} and {mask}",), odd)
