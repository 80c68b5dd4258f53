"""Runs as a DataFrame. Imports nothing of ours: it is called in the user's process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("arm", "seed", "init_seed", "order_seed", "dropout_seed", "loss", "status")


def runs_frame(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row per arm and seed: `COLUMNS`, then everything else that was recorded about the run."""
    import pandas as pd

    renamed = {"test_loss": "loss", "state": "status", "id": "run"}
    frame = pd.DataFrame(runs).rename(columns=renamed)
    first = [column for column in COLUMNS if column in frame]
    frame["loss"] = frame["loss"].astype(float)
    return frame[first + [column for column in frame if column not in first]]
