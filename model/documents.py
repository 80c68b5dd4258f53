"""Documents within a sequence: which positions belong to the same one."""

from __future__ import annotations

import torch
from torch import Tensor


def document_starts(tokens: Tensor, end_of_text: int) -> Tensor:
    """The position at which each token's document begins: int64 (sequence, position) to the same.

    The end-of-text token between two documents begins the second one, as in modded-nanogpt (Jordan et
    al. 2024): the first word after it is predicted from it alone, as in text generated without a
    prompt.
    """
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    return torch.where(tokens == end_of_text, positions, 0).cummax(1).values
