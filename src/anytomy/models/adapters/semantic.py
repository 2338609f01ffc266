"""Models without prompts: the image encoder of a SAM and a head with a channel for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from anytomy.core.errors import OptionError
from anytomy.models.adapters.heads import HEADS

if TYPE_CHECKING:
    from anytomy.models.sam import Sam


class SemanticSam(nn.Module):
    """An image encoder and a head that names the class of each pixel.

    Args:
        image_encoder: Maps (B, 3, input_size, input_size) to (B, C, grid, grid).
        head: Maps embeddings to logits (B, classes + 1, 4 * grid, 4 * grid), channel 0 being the background.
        input_size: Edge of the square input in pixels.
        grid: Edge of the embedding in tokens.
    """

    def __init__(self, image_encoder: nn.Module, head: nn.Module, *, input_size: int, grid: int) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.head = head
        self.input_size = input_size
        self.grid = grid

    @classmethod
    def of(cls, sam: Sam, classes: int, head: str = "sam") -> Self:
        """Put a new head behind the encoder of a model.

        The encoder is shared, not copied; what the head takes from the model is copied. Fresh weights come
        from torch's own generator: seed it.

        Args:
            sam: With the base's weights.
            classes: Number of classes without the background.
            head: A name of `heads.HEADS`: `sam` is SAMed's, the others are AutoSAM's.

        Raises:
            OptionError: There is no class, or no such head.
        """
        if classes < 1:
            raise OptionError(f"expected at least one class, got {classes}")
        if head not in HEADS:
            raise OptionError(f"expected a head of {', '.join(HEADS)}, got {head!r}")
        made = HEADS[head](sam, classes)
        return cls(sam.image_encoder, made, input_size=sam.input_size, grid=sam.grid)

    def encode(self, image: Tensor) -> Tensor:
        """Encode images (B, 3, S, S) as `Sam.encode` does, to (B, C, grid, grid)."""
        return self.image_encoder(image)

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits (B, classes + 1, 4 * grid, 4 * grid) of embeddings (B, C, grid, grid).

        Channel 0 is the background; the class of a pixel is the channel of the largest logit.
        """
        return self.head(embedding)

    def forward(self, image: Tensor) -> Tensor:
        """`encode` and `classify` in one go."""
        return self.classify(self.encode(image))
