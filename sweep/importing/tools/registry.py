"""The tools whose exports are recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sweep.importing.tools import (
    guild,
    history,
    huggingface,
    mlflow,
    optuna,
    ray,
    research_loops,
    tensorboard,
    wandb,
    wide,
)
from sweep.importing.tools.export import Asked, Export

if TYPE_CHECKING:
    import pandas as pd

TOOLS: Mapping[str, Callable[[pd.DataFrame, Asked], Export | None]] = {
    "W&B panel": wandb.read_panel,
    "W&B API": wandb.read_records,
    "MLflow site": mlflow.read_site,
    "Optuna": optuna.read_trials,
    "Ray Tune": ray.read_trials,
    "Guild": guild.read_runs,
    "TensorBoard CSV": tensorboard.read_downloads,
    "TensorBoard splits": tensorboard.read_splits,
    "Hugging Face": huggingface.read_log_history,
    "research loop": research_loops.read_experiments,
    "history": history.read_history,
    "wide table": wide.read_wide,
}
"""By name: returns what the columns of a table mean; None if the table is not of this tool."""


def recognise_export(frame: pd.DataFrame, asked: Asked) -> Export:
    """Return what the columns of a table mean. Raises ResultsError with a question."""
    for read in TOOLS.values():
        found = read(frame, asked)
        if found is not None:
            return found
    return Export(frame=frame)
