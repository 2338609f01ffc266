"""The modules survive torch's TorchScript exporter, and the graphs compute the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anytomy.models.mask_decoder import DecoderOutput
from anytomy.models.sam import Sam

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore")


class Decoder(nn.Module):
    """`Sam.decode` as a module, which is what exporters take."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam

    def forward(self, *args: Tensor) -> DecoderOutput:
        return self.sam.decode(*args)


def session(module, args, inputs, outputs, axes):
    buffer = io.BytesIO()
    torch.onnx.export(
        module,
        args,
        buffer,
        input_names=inputs,
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])


def test_encoder(tiny_sam):
    size = tiny_sam.input_size
    first, second = torch.randn(2, 1, 3, size, size)
    graph = session(tiny_sam.image_encoder, (first,), ["image"], ["embedding"], {})
    with torch.no_grad():
        expected = tiny_sam.encode(second).numpy()
    (got,) = graph.run(None, {"image": second.numpy()})
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("with_mask", [False, True])
def test_decoder_with_any_number_of_points_and_prompts(tiny_vit, with_mask):
    inputs = ["embedding", "point_coords", "point_labels", "mask_input", "has_mask"]
    inputs = inputs if with_mask else inputs[:3]
    axes = {name: {0: "prompts"} for name in inputs[1:]}
    axes["point_coords"] = axes["point_labels"] = {0: "prompts", 1: "points"}
    outputs = ["mask_logits", "iou_scores"]
    args = decoder_inputs(prompts=1, points=2)[: len(inputs)]
    graph = session(Decoder(tiny_vit).eval(), args, inputs, outputs, axes)
    for prompts, points in [(1, 1), (1, 2), (1, 6), (3, 4)]:
        args = decoder_inputs(prompts, points)[: len(inputs)]
        with torch.no_grad():
            expected = tiny_vit.decode(*args)
        feed = {name: value.numpy() for name, value in zip(inputs, args, strict=True)}
        logits, scores = graph.run(None, feed)
        np.testing.assert_allclose(logits, expected.mask_logits.numpy(), atol=1e-4)
        np.testing.assert_allclose(scores, expected.iou_scores.numpy(), atol=1e-4)


def decoder_inputs(prompts: int, points: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(10 * prompts + points)
    return (
        torch.randn(1, 32, 6, 6, generator=generator),
        torch.rand(prompts, points, 2, generator=generator) * 96,
        torch.randint(-1, 4, (prompts, points), generator=generator),
        torch.randn(prompts, 1, 24, 24, generator=generator),
        torch.randint(0, 2, (prompts,), generator=generator).float(),
    )
