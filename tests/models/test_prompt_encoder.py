from __future__ import annotations

import copy
import math
from multiprocessing.reduction import ForkingPickler

import pytest
import torch

from anytomy.models.prompt_encoder import PAD, PromptEncoder


@pytest.fixture
def encoder(randomise):
    torch.manual_seed(0)
    encoder = PromptEncoder(dim=16, grid=4, input_size=64)
    randomise(encoder)
    return encoder


def fourier(encoder, x, y):
    matrix = encoder.pe_layer.positional_encoding_gaussian_matrix.double()
    u, v = 2 * (x + 0.5) / 64 - 1, 2 * (y + 0.5) / 64 - 1
    phase = 2 * math.pi * (u * matrix[0] + v * matrix[1])
    return torch.cat([phase.sin(), phase.cos()]).float()


def test_each_kind_of_point(encoder):
    coords = torch.tensor([[[3.0, 9.0], [40.0, 2.0], [0.0, 63.0], [5.5, 6.25], [1.0, 1.0]]])
    labels = torch.tensor([[0, 1, 2, 3, -1]])
    tokens = encoder.encode_points(coords, labels)[0]
    for index in range(4):
        expected = fourier(encoder, *coords[0, index].tolist())
        expected = expected + encoder.point_embeddings[index].weight[0]
        torch.testing.assert_close(tokens[index], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(tokens[4], encoder.not_a_point_embed.weight[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.int64])
def test_labels_may_have_any_dtype(encoder, dtype):
    coords, labels = torch.rand(2, 3, 2) * 64, torch.tensor([[1, 0, PAD], [2, 3, PAD]])
    expected = encoder.encode_points(coords, labels)
    assert torch.equal(encoder.encode_points(coords, labels.to(dtype)), expected)


def test_where_a_pad_point_lies_does_not_matter(encoder):
    labels = torch.tensor([[PAD]])
    a = encoder.encode_points(torch.tensor([[[0.0, 0.0]]]), labels)
    b = encoder.encode_points(torch.tensor([[[50.0, 7.0]]]), labels)
    assert torch.equal(a, b)


def test_autocast_does_not_round_positions(encoder):
    coords, labels = torch.rand(1, 5, 2) * 64, torch.ones(1, 5)
    expected = encoder.encode_points(coords, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoder.encode_points(coords, labels), expected)


def test_has_mask_chooses_per_prompt(encoder):
    mask = torch.randn(2, 1, 16, 16)
    dense = encoder.encode_mask(mask, torch.tensor([1.0, 0.0]))
    assert dense.shape == (2, 16, 4, 4)
    torch.testing.assert_close(dense[0], encoder.mask_downscaling(mask)[0])
    assert torch.equal(dense[1], encoder.no_mask()[0].expand(16, 4, 4))
    assert torch.equal(dense, encoder.encode_mask(mask, torch.tensor([True, False])))


def test_the_position_grid_is_not_saved(encoder):
    assert not any("image_grid" in key for key in encoder.state_dict())


def test_copies(encoder):
    coords, labels = torch.rand(1, 2, 2), torch.ones(1, 2)
    twin = copy.deepcopy(encoder)
    assert torch.equal(twin.encode_points(coords, labels), encoder.encode_points(coords, labels))


def test_it_can_be_sent_to_another_process(encoder):
    assert len(ForkingPickler.dumps(encoder)) > 0
