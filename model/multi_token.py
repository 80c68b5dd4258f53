"""Training on several next tokens at once (Gloeckle et al. 2024)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from model.block import Block
from model.config import ModelConfig
from model.experts import WithGradientOf
from model.gpt import GPT

FURTHER_HEADS = "further_heads"
"""How the names of the parameters begin that only training needs."""


class MultiTokenGPT(GPT):
    """A GPT that learns to predict the next `multi_token` tokens at each position.

    Gloeckle et al. 2024, "Better & faster large language models via multi-token prediction", section
    2: each further head is one more block, which reads what the last block reads and predicts a later
    token. The final norm and the unembedding are shared by all heads. The source takes the further
    blocks from the trunk, so that training costs as much as without them; here the model that remains
    after training is as large as without them, and training costs more. There it gave worse models at
    small sizes and better ones at large sizes (figure 3: code, 300M to 13B parameters).

    A head has no loss at the last positions of a sequence, whose tokens lie beyond its end.
    """

    def __init__(
        self, config: ModelConfig, vocabulary: int, end_of_text: int | None, multi_token: int
    ) -> None:
        super().__init__(config, vocabulary, end_of_text)
        layers = config.layers
        self.further_heads = nn.ModuleList(
            Block(config, layers - 1, number) for number in range(layers, layers + multi_token - 1)
        )

    def kept_parameters(self) -> dict[str, nn.Parameter]:
        """See `GPT`: those of the first head and of what is before it."""
        named = super().kept_parameters().items()
        return {name: each for name, each in named if not name.startswith(f"{FURTHER_HEADS}.")}

    def loss(self, tokens: Tensor, targets: Tensor, scale: Tensor, z_loss: float = 0.0) -> Tensor:
        """See `GPT`: the loss is that of the first head, the gradient that of the sum over all heads."""
        stream, *rest = self.last_inputs(tokens)
        positions, losses = tokens.shape[1], []
        for ahead, block in enumerate([self.blocks[-1], *self.further_heads]):
            x = block(stream, None, *rest)[:, : positions - ahead]
            later = targets[:, ahead:]
            losses.append(self.loss_of(self.final_norm(x), later, scale, z_loss))
        first, *others = losses
        loss = cast("Tensor", WithGradientOf.apply(first, sum(others)))  # type: ignore[no-untyped-call]
        return self.balanced(loss, positions * scale)


def make_model(
    config: ModelConfig, vocabulary: int, multi_token: int = 1, end_of_text: int | None = None
) -> GPT:
    """The model that is trained, with the heads that only training needs."""
    if multi_token == 1:
        return GPT(config, vocabulary, end_of_text)
    return MultiTokenGPT(config, vocabulary, end_of_text, multi_token)
