"""Make `tests/assets/litemedsam_golden_small.npz` from the full golden file and the weights (a path)."""

from __future__ import annotations

import sys

import numpy as np
from test_litemedsam_golden import FULL, SMALL, compare, noise_image, run, synthetic_image, thin_out

from anytomy.models import architectures, checkpoints

BOX = (90, 60, 190, 140)


def main(weights: str) -> None:
    """Verify our modules against the full file, then store the samples."""
    sam = architectures.build("litemedsam").eval()
    checkpoints.load_weights(sam, checkpoints.read_checkpoint(weights))
    with np.load(FULL) as stored:
        golden = {k.removeprefix("noise_"): stored[k] for k in stored if k.startswith("noise_")}
    assert np.array_equal(golden.pop("image"), noise_image())
    found = run(sam, noise_image(), golden["box"], golden["points_xy"], golden["points_label"])
    compare(found, golden)
    synthetic = {"box": np.float32(BOX), **run(sam, synthetic_image(), BOX)}
    content = {f"noise_{name}": value for name, value in thin_out(golden).items()}
    content |= {f"synthetic_{name}": value for name, value in thin_out(synthetic).items()}
    np.savez_compressed(SMALL, **content)


if __name__ == "__main__":
    main(sys.argv[1])
