"""Make the tuned adapter the model `litemedsam-click`: `python ship.py FOLDER`, the one that train.py made.

Weights go to half precision; the card says what it is, what went in and under which licence.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import anytomy
from anytomy.models.adapters.folder import read_adapter, read_weights, write_adapter
from anytomy.models.thresholds import Thresholds

PLACE = Path(anytomy.__file__).parent / "zoo" / "adapters" / "litemedsam-click"
LICENCE = "CC-BY-SA-4.0"
SOURCES = """\
- LiteMedSAM, the model that was tuned: Apache-2.0
- made-up scenes (recipes/litemedsam-click): of this project
- dsb2018, Data Science Bowl 2018 (BBBC038): CC0
- isic2017, ISIC 2017 challenge: CC0
- hc18, fetal head circumference (van den Heuvel et al., PLoS ONE 2018): CC BY 4.0
- msd_hippocampus, Medical Segmentation Decathlon, Task04 (Antonelli et al., Nat Commun 2022): CC BY-SA 4.0
- stardist_nuclei, pictures of the StarDist package: BSD-3-Clause
- sct_spinal_cord, test data of the Spinal Cord Toolbox: MIT
"""
CHOSEN = (
    "best mean AP at IoU 0.5 on pictures that it was trained on: 8 of dsb2018 and a slice of stardist's 3D"
    " sample, 16 x 16 points each (benchmarks/automatic.py thresholds --points 16)"
)
TEXT = f"""\
The weights in this folder (adapter.safetensors) are licensed under the Creative Commons
Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0),
https://creativecommons.org/licenses/by-sa/4.0/legalcode

Attribution: the Anytomy developers. They were tuned from and on:

{SOURCES}
They come without any warranty. For research; not a medical device.
"""


def main() -> None:
    """Write the folder in the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--metrics", type=Path, help="runs/clicks.json of the benchmark, for the card")
    parser.add_argument(
        "--automatic",
        type=float,
        nargs=2,
        metavar=("SCORE", "STABILITY"),
        help="what masks have to reach that nobody asked for, as `automatic.py thresholds --points 16` chose",
    )
    options = parser.parse_args()
    card = read_adapter(options.adapter)
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in read_weights(options.adapter, card).items()
    }
    metrics, training = dict(card.metrics), dict(card.training)
    facts = json.loads((options.adapter / "run.json").read_text())["facts"]
    if facts["adapter_sha256"]:  # where it lay says nothing elsewhere
        training["model"] = f"{card.base}, then the adapter of weights {facts['adapter_sha256'][:12]}"
    if options.metrics:
        metrics["benchmarks/clicks.py"] = {
            each["name"]: round(each["figure"], 4) for each in json.loads(options.metrics.read_text())
        }
    made = replace(
        card,
        title="LiteMedSAM-click",
        summary="LiteMedSAM that understands clicks and fed-back masks; boxes alone are answered as before",
        licence=LICENCE,
        prompts=("box", "points", "mask"),
        routes=("box",),
        stands_in_for=("litemedsam",),
        metrics=metrics,
        training=training,
        automatic=None if options.automatic is None else Thresholds(*options.automatic, CHOSEN),
    )
    write_adapter(PLACE, made, state)
    (PLACE / "LICENSE").write_text(TEXT, encoding="utf-8")
    print(PLACE)


if __name__ == "__main__":
    main()
