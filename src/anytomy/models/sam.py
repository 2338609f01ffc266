"""The Segment-Anything model: encode an image once, decode as many prompts as you like.

The cut between the two is the border for caching embeddings, for serving and for exported graphs.
"""

from __future__ import annotations

from torch import Tensor, nn

from anytomy.models.mask_decoder import DecoderOutput, MaskDecoder
from anytomy.models.prompt_encoder import PromptEncoder


class Sam(nn.Module):
    """An image encoder, a prompt encoder and a mask decoder that fit together.

    Nothing here turns gradients off or chooses a mask; that is up to the caller.

    Args:
        image_encoder: Maps (B, 3, input_size, input_size) to (B, C, grid, grid).
        prompt_encoder: Encoder of points, boxes and masks.
        mask_decoder: Decoder of the masks.
        input_size: Edge of the square input in pixels.
        grid: Edge of the embedding in tokens.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        *,
        input_size: int,
        grid: int,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.input_size = input_size
        self.grid = grid

    def encode(self, image: Tensor) -> Tensor:
        """Encode images.

        Args:
            image: (B, 3, S, S), S = `input_size`, scaled and normalised as the checkpoint's intensity policy
                says, padded at the bottom and right.

        Returns:
            Embeddings (B, C, grid, grid).
        """
        return self.image_encoder(image)

    def decode(
        self,
        embedding: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor | None = None,
        has_mask: Tensor | None = None,
    ) -> DecoderOutput:
        """Decode a batch of B prompts; each prompt becomes one object.

        Without a box the caller appends a pad point (label -1) to each prompt, as SAM was trained; prompts
        with fewer points than others of the batch are filled up with pad points.

        Args:
            embedding: (1, C, grid, grid), one image for all prompts, or (B, C, grid, grid), one for each.
            point_coords: (B, N, 2), x then y, in pixels of the input (`input_size`); box corners are points
                too.
            point_labels: (B, N): -1 pad, 0 negative, 1 positive, 2 top left and 3 bottom right corner of the
                box.
            mask_input: Logits of an earlier pass (B, 1, 4 * grid, 4 * grid). None leaves the mask path out,
                which saves its time; a graph traced without it cannot take masks.
            has_mask: (B,), 1 or True where `mask_input` counts; None means everywhere.

        Returns:
            Logits and scores of all four masks: 0 the single mask, 1 to 3 the multimask.
        """
        prompts = self.prompt_encoder.encode_points(point_coords, point_labels)
        if mask_input is None:
            dense = self.prompt_encoder.no_mask()
        else:
            given = mask_input.new_ones(mask_input.shape[0]) if has_mask is None else has_mask
            dense = self.prompt_encoder.encode_mask(mask_input, given)
        image_pos = self.prompt_encoder.pe_layer.image_grid
        return self.mask_decoder(embedding, image_pos, prompts, dense)

    def forward(
        self,
        image: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor | None = None,
        has_mask: Tensor | None = None,
    ) -> DecoderOutput:
        """`encode` and `decode` in one go, with one image for all prompts or one for each."""
        return self.decode(self.encode(image), point_coords, point_labels, mask_input, has_mask)
