"""Names of runs, of which arm and seed are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.importing.fields import Field

if TYPE_CHECKING:
    import pandas as pd

_NAME_WITH_SEED = re.compile(r"^(.*\S)[-_ ./,]+seed[-_ =]?(\d+)$", re.IGNORECASE)
"""A run's name that ends in its seed: `clip-seed3`, `clip_seed_3`, `clip, seed=3`."""


def split_run_names(names: pd.Series[Any]) -> Mapping[Field, pd.Series[Any]]:
    """Split run names into arm and seed; nothing is split if no name ends in a seed.

    A name without a seed is the arm itself.
    """
    parts = names.astype(str).str.extract(_NAME_WITH_SEED)
    arm, seed = parts[0], parts[1]
    if seed.isna().all():
        return {}
    return {Field.ARM: arm.fillna(names), Field.SEED: seed}
