"""What a step does: `PromptTask` and `ClassTask`, modules whose `forward` is the loss of a batch.

They are modules so that a training library can wrap them whole, for several devices say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from anytomy.evaluation.simulators import seeded
from anytomy.tuning.losses import ClassLoss, PromptLoss
from anytomy.tuning.prompts import correction, rounds_of, stacked

if TYPE_CHECKING:
    from anytomy.models.adapters.semantic import SemanticSam
    from anytomy.models.mask_decoder import DecoderOutput
    from anytomy.models.sam import Sam
    from anytomy.tuning.batches import Batch
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.prompts import Tokens

# What a bool mask becomes when a person feeds it back, see `engine.frame`.
_MASK_LOGIT = 10.0


class ClassTask(nn.Module):
    """Classes without prompts.

    Args:
        model: With its methods attached.
        config: The loss.
        encodes: Whether batches hold inputs instead of embeddings.
    """

    def __init__(self, model: SemanticSam, config: TuneConfig, *, encodes: bool) -> None:
        super().__init__()
        self.model = model
        self.loss = ClassLoss(config.loss)
        self.encodes = encodes

    def forward(self, batch: Batch) -> Tensor:
        """The loss."""
        return self.loss(self.answer(batch.image), batch.target)

    def answer(self, image: Tensor) -> Tensor:
        """Logits `(B, classes + 1, side, side)` of what batches hold."""
        return self.model.classify(self.model.encode(image) if self.encodes else image)


class PromptTask(nn.Module):
    """Prompted objects, with corrective clicks in further rounds.

    Args:
        model: With its methods attached.
        config: The loss, rounds, whether masks are fed back.
        mask_output: Of the card: `best-of-three` lets a single click have its best of three masks.
        encodes: Whether batches hold inputs instead of embeddings.
        plain: The base as it is, which answers the kinds of prompts that `routes` leaves to it: what clicks
            correct in use is its mask, so in training too. Needed where there are routes.
    """

    def __init__(
        self,
        model: Sam,
        config: TuneConfig,
        mask_output: str,
        *,
        encodes: bool,
        plain: Sam | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.plain = None if plain is None else plain.requires_grad_(False)
        self.loss = PromptLoss(config.loss, config.score_weight)
        self.config = config
        self.mask_output = mask_output
        self.encodes = encodes

    def forward(self, batch: Batch) -> Tensor:
        """The loss, the mean over the rounds that the base does not answer; 0 where it answers all."""
        assert batch.prompts is not None
        assert batch.seeds is not None
        embedding = self.embed(batch.image)
        prompts, mask, losses = batch.prompts, None, []
        rounds = rounds_of(batch.kind, self.config)
        for number in range(rounds):
            out = self.decode(embedding, prompts, mask)
            tokens = self.tokens(prompts)
            if not self._is_routed(prompts, mask):
                losses.append(self.loss(out, batch.target, tokens))
            if number + 1 == rounds:
                break
            shown = self.shown(out, tokens)
            prompts = self._corrected(prompts, shown, batch, number)
            rng = seeded(*batch.seeds[0], "feed", number)
            mask = self._fed(shown, rng) if self.config.feed_mask else None
        if not losses:  # the base's mask left nothing to correct; a loss must lead to all that is trained
            return 0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()
        return torch.stack(losses).mean()

    def embed(self, image: Tensor) -> Tensor:
        """Embeddings of what batches hold."""
        return self.model.encode(image) if self.encodes else image

    def decode(self, embedding: Tensor, prompts: list[Tokens], mask: Tensor | None) -> DecoderOutput:
        """Masks of one prompt for each embedding."""
        coords, labels = (torch.from_numpy(each).to(embedding.device) for each in stacked(prompts))
        model = self.plain if self.plain is not None and self._is_routed(prompts, mask) else self.model
        return model.decode(embedding, coords, labels, mask)

    def shown(self, out: DecoderOutput, tokens: tuple[int, ...]) -> Tensor:
        """The logits `(B, 1, side, side)` that a user would see: those of the highest score."""
        place = out.iou_scores[:, list(tokens)].argmax(dim=1) + tokens[0]
        rows = torch.arange(len(place), device=place.device)
        return out.mask_logits[rows, place][:, None].detach()

    def tokens(self, prompts: list[Tokens]) -> tuple[int, ...]:
        """Which masks answer: the single one, or for a lone click the three of a `best-of-three` model."""
        single = all((each.labels >= 0).sum() == 1 for each in prompts)
        return (1, 2, 3) if self.mask_output == "best-of-three" and single else (0,)

    def _is_routed(self, prompts: list[Tokens], mask: Tensor | None) -> bool:
        """Whether the base answers them."""
        kinds = {"box" if label > 1 else "points" for each in prompts for label in each.labels if label >= 0}
        return self.plain is not None and kinds <= set(self.config.routes) and mask is None

    def _corrected(self, prompts: list[Tokens], shown: Tensor, batch: Batch, number: int) -> list[Tokens]:
        assert batch.seeds is not None
        assert batch.frames is not None
        found = (shown[:, 0] > 0).cpu().numpy()
        wanted = (batch.target[:, 0] > 0.5).cpu().numpy()
        return [
            correction(
                each,
                np.ascontiguousarray(found[i]),
                np.ascontiguousarray(wanted[i]),
                seeded(*batch.seeds[i], "click", number),
                frame=batch.frames[i],
            )
            for i, each in enumerate(prompts)
        ]

    def _fed(self, shown: Tensor, rng: np.random.Generator) -> Tensor:
        """The mask that goes back: its logits, or, as often, what is left of them in a drawn mask."""
        if rng.random() < 0.5:
            return shown.float()
        return torch.where(shown > 0, _MASK_LOGIT, -_MASK_LOGIT).float()
