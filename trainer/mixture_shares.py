"""The shares of a mixture of corpora, as a recipe has them. Does not import torch."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from trainer.recipe_sections import OneLine

MIN_SHARE = 0.001
"""The smallest share of a corpus in a mixture: of fewer sequences, the shares would not be exact."""


def _parse_mixture(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """A table of shares as pairs, sorted by name; any other value is left for pydantic to check."""
    if not isinstance(value, dict):
        return value
    shares = {name: _as_float(share) for name, share in value.items()}
    for name, share in shares.items():
        if not isinstance(share, float):
            raise ValueError(  # noqa: TRY004  (pydantic reports no other)
                f"the share of {name!r} is {share!r}, which is not a number"
            )
        if not share >= MIN_SHARE:
            raise ValueError(
                f"the share of {name!r} is {share:g}; a share is at least {MIN_SHARE:g}, so leave the "
                "corpus out or use a larger one"
            )
    if not abs((total := sum(shares.values())) - 1) <= 1e-6:
        raise ValueError(f"the shares of a mixture add up to 1, and these to {total:.9g}")
    return tuple(sorted(shares.items()))


def _as_float(share: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """An integer as a float, which is infinite if no float is as large; other values as they are."""
    if isinstance(share, bool) or not isinstance(share, int):
        return share
    try:
        return float(share)
    except OverflowError:
        return math.inf if share > 0 else -math.inf


Mixture = Annotated[
    tuple[tuple[OneLine, float], ...],
    BeforeValidator(_parse_mixture),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object"}),
]
"""Shares by corpus; in recipes and study files a table."""
