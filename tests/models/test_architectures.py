from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from anytomy.core.errors import ModelError
from anytomy.models.architectures import ARCHITECTURES, architecture, build


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("sam_vit_b", 93_735_472),
        ("sam_vit_l", 312_342_832),
        ("sam_vit_h", 641_090_608),
        ("sam_med2d_vit_b", 271_241_776),
        ("mobile_sam", 9_808_452),  # 10.13 M with the classifier that its checkpoint carries along
        ("litemedsam", 9_791_300),
    ],
)
def test_parameter_counts_are_the_published_ones(name, total):
    with torch.device("meta"):
        model = build(name)
    assert count(model) == total
    assert count(model.prompt_encoder) == 6_220


def test_encoder_sizes_stated_in_the_papers():
    with torch.device("meta"):
        assert round(count(build("litemedsam").image_encoder) / 1e6, 2) == 5.73
        adapters = build("sam_med2d_vit_b").image_encoder.blocks[0].adapter
    assert round(count(adapters) / 1e6, 1) == 15.0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_grids_and_input_sizes_fit(name):
    spec = architecture(name)
    with torch.device("meta"):
        model = build(name)
        image = torch.zeros(1, 3, model.input_size, model.input_size)
        embedding = model.encode(image)
        out = model.decode(embedding, torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.long))
    assert embedding.shape == (1, 256, spec.grid, spec.grid)
    assert out.mask_logits.shape == (1, 4, 4 * spec.grid, 4 * spec.grid)
    assert out.iou_scores.shape == (1, 4)


def test_unknown_name_lists_what_there_is():
    with pytest.raises(ModelError, match=r"'medsam'.*sam_vit_b.*litemedsam"):
        build("medsam")


def test_importing_the_package_does_not_import_torch():
    code = "import sys, anytomy.models; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
